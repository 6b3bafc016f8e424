//! Prepared statements. PREPARE and the protocol's Parse share one set of names, as in PostgreSQL, so that DEALLOCATE and
//! DISCARD reach what a driver prepared.

use std::collections::HashMap;
use std::sync::Arc;

use crate::coordinator::api::Description;
use crate::sql::ParsedStatement;
use crate::types::{Report, SqlState};

use super::remembered::Remembered;

pub struct Prepared {
    /// `None` for an empty statement.
    pub statement: Option<Arc<ParsedStatement>>,
    pub description: Description,
    /// The types that the protocol's Parse declared, as OIDs; 0 where it left one open.
    pub declared: Vec<u32>,
    pub remembered: Remembered,
}

impl Prepared {
    pub fn new(statement: Option<ParsedStatement>, description: Description, declared: Vec<u32>) -> Prepared {
        Prepared { statement: statement.map(Arc::new), description, declared, remembered: Remembered::for_many_runs() }
    }
}

#[derive(Default)]
pub struct PreparedStatements {
    named: HashMap<String, Arc<Prepared>>,
}

impl PreparedStatements {
    /// The unnamed statement (an empty name) may be replaced, another not.
    pub fn add(&mut self, name: &str, prepared: Prepared) -> Result<(), Report> {
        if !name.is_empty() && self.named.contains_key(name) {
            return Err(Report::error(SqlState::DUPLICATE_PREPARED_STATEMENT, format!("prepared statement \"{name}\" already exists")));
        }
        self.named.insert(name.to_string(), Arc::new(prepared));
        Ok(())
    }

    pub fn get(&self, name: &str) -> Result<Arc<Prepared>, Report> {
        self.named.get(name).cloned().ok_or_else(|| missing(name))
    }

    /// Closing what is not there is no error in the protocol.
    pub fn remove(&mut self, name: &str) -> bool {
        self.named.remove(name).is_some()
    }

    pub fn deallocate(&mut self, name: &str) -> Result<(), Report> {
        if self.remove(name) { Ok(()) } else { Err(missing(name)) }
    }

    pub fn clear(&mut self) {
        self.named.clear();
    }
}

fn missing(name: &str) -> Report {
    let message = match name {
        "" => "unnamed prepared statement does not exist".to_string(),
        name => format!("prepared statement \"{name}\" does not exist"),
    };
    Report::error(SqlState::INVALID_SQL_STATEMENT_NAME, message)
}
