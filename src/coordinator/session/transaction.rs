//! A session's transaction: what it has changed and not committed, the epoch that it reads, its savepoints.
//!
//! An *implicit* transaction holds the statements of one simple query string, or those between two Syncs; an *explicit*
//! one was begun by BEGIN. In both, changes of tables wait here until the commit, which hands them to the engine at once.

use super::engine::{Pin, TableChange};
use super::variables::Variables;
use crate::sql::Statement;
use crate::types::{Report, SqlState};

/// What one transaction holds.
#[derive(Default)]
pub struct Work {
    /// The epoch of its first read: all its reads are at that one.
    pub pin: Option<Pin>,
    pub changes: Vec<TableChange>,
    pub savepoints: Vec<Savepoint>,
    /// A CREATE or DROP that runs at COMMIT; the transaction has then nothing else in it.
    pub definition: Option<Statement>,
    pub read_only: bool,
    /// Whether it has read or changed anything.
    pub used: bool,
    /// The variables as they were before it, for ROLLBACK.
    pub variables_before: Option<Variables>,
    /// Variables to put back at its end, after SET LOCAL: name and former value.
    pub locals: Vec<(String, String)>,
}

pub struct Savepoint {
    name: String,
    changes: usize,
}

impl Work {
    pub fn savepoint(&mut self, name: &str) {
        self.savepoints.push(Savepoint { name: name.to_string(), changes: self.changes.len() });
    }

    /// Forgets the savepoint and those after it; what was changed since stays.
    pub fn release(&mut self, name: &str) -> Result<(), Report> {
        let at = self.find(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }

    /// Takes back what was changed since the savepoint, which stays.
    pub fn rollback_to(&mut self, name: &str) -> Result<(), Report> {
        let at = self.find(name)?;
        self.savepoints.truncate(at + 1);
        self.changes.truncate(self.savepoints[at].changes);
        Ok(())
    }

    /// The newest of that name.
    fn find(&self, name: &str) -> Result<usize, Report> {
        self.savepoints
            .iter()
            .rposition(|savepoint| savepoint.name == name)
            .ok_or_else(|| Report::error(SqlState("3B001"), format!("savepoint \"{name}\" does not exist")))
    }
}

/// Where a session stands.
#[derive(Default)]
pub enum Transaction {
    #[default]
    None,
    Implicit(Work),
    Explicit(Work),
    /// An explicit transaction in which a statement failed: only ROLLBACK, or ROLLBACK TO a savepoint, helps.
    Failed(Work),
}

impl Transaction {
    pub fn work(&self) -> Option<&Work> {
        match self {
            Transaction::None => None,
            Transaction::Implicit(work) | Transaction::Explicit(work) | Transaction::Failed(work) => Some(work),
        }
    }

    pub fn work_mut(&mut self) -> Option<&mut Work> {
        match self {
            Transaction::None => None,
            Transaction::Implicit(work) | Transaction::Explicit(work) | Transaction::Failed(work) => Some(work),
        }
    }

    pub fn is_explicit(&self) -> bool {
        matches!(self, Transaction::Explicit(_) | Transaction::Failed(_))
    }
}
