//! The ends of transactions: BEGIN, COMMIT, ROLLBACK, savepoints, and the implicit transaction around statements that
//! were sent together.

use super::session::Session;
use super::transaction::{Transaction, Work};
use crate::sql::Statement;
use crate::types::{Report, SqlState};

impl Session {
    /// Statements that belong together begin: those of one query string, or those up to the next Sync. Does nothing when
    /// a transaction is open.
    pub fn begin_implicit(&mut self) {
        if let Transaction::None = self.transaction {
            self.transaction = Transaction::Implicit(Work { variables_before: Some(self.variables.clone()), ..Work::default() });
        }
    }

    /// They end well: what they changed is committed, unless a BEGIN among them opened a transaction that goes on.
    pub async fn commit_implicit(&mut self) -> Result<(), Report> {
        match std::mem::take(&mut self.transaction) {
            Transaction::Implicit(work) => self.finish(work).await,
            other => {
                self.transaction = other;
                Ok(())
            }
        }
    }

    /// A statement failed: an explicit transaction waits for its ROLLBACK, an implicit one is undone.
    pub fn fail(&mut self) {
        self.transaction = match std::mem::take(&mut self.transaction) {
            Transaction::None => Transaction::None,
            Transaction::Implicit(work) => {
                self.undo(work);
                Transaction::None
            }
            Transaction::Explicit(work) | Transaction::Failed(work) => Transaction::Failed(work),
        };
    }

    pub(super) fn begin(&mut self, read_only: bool) -> &'static str {
        let read_only = read_only || self.variables.is_on("default_transaction_read_only");
        match std::mem::take(&mut self.transaction) {
            explicit @ (Transaction::Explicit(_) | Transaction::Failed(_)) => {
                self.transaction = explicit;
                self.warn(SqlState::ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress");
            }
            // What the same string did before BEGIN becomes part of the transaction.
            Transaction::Implicit(work) => {
                let variables_before = work.variables_before.clone().or_else(|| Some(self.variables.clone()));
                self.transaction = Transaction::Explicit(Work { read_only, variables_before, ..work });
            }
            Transaction::None => {
                let variables_before = Some(self.variables.clone());
                self.transaction = Transaction::Explicit(Work { read_only, variables_before, ..Work::default() });
            }
        }
        "BEGIN"
    }

    /// Gives the command tag: a failed transaction answers COMMIT with ROLLBACK.
    pub(super) async fn commit(&mut self) -> Result<&'static str, Report> {
        match std::mem::take(&mut self.transaction) {
            Transaction::Failed(work) => {
                self.undo(work);
                Ok("ROLLBACK")
            }
            Transaction::Explicit(work) => {
                self.finish(work).await?;
                Ok("COMMIT")
            }
            Transaction::Implicit(work) => {
                self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
                self.finish(work).await?;
                Ok("COMMIT")
            }
            Transaction::None => {
                self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
                Ok("COMMIT")
            }
        }
    }

    pub(super) fn rollback(&mut self) -> &'static str {
        match std::mem::take(&mut self.transaction) {
            Transaction::Explicit(work) | Transaction::Failed(work) => self.undo(work),
            Transaction::Implicit(work) => {
                self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress");
                self.undo(work);
            }
            Transaction::None => self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress"),
        }
        "ROLLBACK"
    }

    pub(super) fn savepoint(&mut self, name: &str) -> Result<&'static str, Report> {
        self.explicit("SAVEPOINT")?.savepoint(name);
        Ok("SAVEPOINT")
    }

    pub(super) fn release_savepoint(&mut self, name: &str) -> Result<&'static str, Report> {
        self.explicit("RELEASE SAVEPOINT")?.release(name)?;
        Ok("RELEASE")
    }

    pub(super) fn rollback_to(&mut self, name: &str) -> Result<&'static str, Report> {
        self.explicit("ROLLBACK TO SAVEPOINT")?.rollback_to(name)?;
        if let Transaction::Failed(work) = std::mem::take(&mut self.transaction) {
            self.transaction = Transaction::Explicit(work);
        }
        Ok("ROLLBACK")
    }

    /// The open explicit transaction, for a statement that makes sense only there.
    fn explicit(&mut self, statement: &str) -> Result<&mut Work, Report> {
        match &mut self.transaction {
            Transaction::Explicit(work) | Transaction::Failed(work) => Ok(work),
            _ => Err(Report::error(SqlState::NO_ACTIVE_SQL_TRANSACTION, format!("{statement} can only be used in transaction blocks"))),
        }
    }

    /// A CREATE or DROP. It takes effect at an epoch of its own and cannot be taken back, so outside of BEGIN it first
    /// commits what came before it in the same string, and inside it must be alone: it then runs at COMMIT.
    pub(super) async fn define(&mut self, statement: &Statement, tag: &'static str) -> Result<String, Report> {
        if self.transaction.is_explicit() {
            let work = self.work();
            if work.used || !work.changes.is_empty() || work.definition.is_some() {
                return Err(Report::error(
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    format!("{tag} cannot run inside a transaction block with other statements"),
                )
                .hint("a transaction may hold one CREATE or DROP and nothing else: COMMIT first"));
            }
            work.definition = Some(statement.clone());
            return Ok(tag.to_string());
        }
        self.commit_implicit().await?;
        let context = self.context();
        let (tag, notices) = self.engine.define(statement.clone(), context).await?;
        self.notices.extend(notices);
        Ok(tag)
    }

    /// FLUSH and CHECKPOINT wait for others, so what this session did before must be done.
    pub(super) async fn settle(&mut self, statement: &str) -> Result<(), Report> {
        if self.transaction.is_explicit() {
            return Err(Report::error(SqlState::ACTIVE_SQL_TRANSACTION, format!("{statement} cannot run inside a transaction block")));
        }
        self.commit_implicit().await
    }

    /// Commits; when the engine refuses, nothing of the transaction happened. Not to be interrupted: a client that is told
    /// of a cancelled COMMIT must be able to believe it.
    async fn finish(&mut self, work: Work) -> Result<(), Report> {
        self.cursors.clear();
        let result = match &work.definition {
            Some(statement) => {
                let context = self.passing_context();
                self.engine.define(statement.clone(), context).await.map(|(_, notices)| self.notices.extend(notices))
            }
            None if work.changes.is_empty() => Ok(()),
            None => self.engine.commit(work.changes).await,
        };
        match &result {
            Ok(()) => {
                for (name, value) in work.locals.into_iter().rev() {
                    self.variables.restore(&name, &value);
                }
            }
            Err(_) => {
                if let Some(before) = work.variables_before {
                    self.variables = before;
                }
            }
        }
        result
    }

    fn undo(&mut self, work: Work) {
        self.cursors.clear();
        if let Some(before) = work.variables_before {
            self.variables = before;
        }
    }
}
