//! The session itself: its state, and the small questions that the server asks of it.
//!
//! What it does with statements is in the files beside this one: [`super::execute`], [`super::describe`],
//! [`super::begin_commit`], [`super::show`], [`super::variables_statements`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::cursor::Cursor;
use super::engine::{Context, Engine};
use super::interrupt::Interrupt;
use super::prepared::PreparedStatements;
use super::transaction::{Transaction, Work};
use super::variables::Variables;
use crate::coordinator::api::{Login, TransactionStatus};
use crate::sql::{ParsedStatement, Statement};
use crate::types::form::Zone;
use crate::types::{Report, SqlState};

pub struct Session {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) login: Login,
    pub(super) variables: Variables,
    /// What the client was last told of the reported variables.
    pub(super) told: Vec<(String, String)>,
    pub(super) transaction: Transaction,
    pub(super) cursors: HashMap<String, Cursor>,
    pub(super) prepared: PreparedStatements,
    pub(super) notices: Vec<Report>,
    pub(super) interrupt: Interrupt,
}

impl Session {
    /// A session for a client whose name and password have been checked. Start-up parameters that PostgreSQL would refuse
    /// are refused.
    pub fn new(engine: Arc<dyn Engine>, login: Login) -> Result<Session, Report> {
        let mut variables = Variables::default();
        variables.set_fixed("session_authorization", &login.user);
        let (most, every) = engine.keeping();
        variables.note_keeping(most, every);
        for (name, value) in &login.parameters {
            match name.as_str() {
                "options" => {
                    for (name, value) in options(value)? {
                        variables.set_initial(&name, &value)?;
                    }
                }
                // Asks for a stream of the log; not a variable.
                "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
                "replication" => return Err(Report::unsupported("replication connections are not supported")),
                name => variables.set_initial(name, value)?,
            }
        }
        Ok(Session {
            told: variables.reported(),
            engine,
            login,
            variables,
            transaction: Transaction::None,
            cursors: HashMap::new(),
            prepared: PreparedStatements::default(),
            notices: Vec::new(),
            interrupt: Interrupt::default(),
        })
    }

    pub fn login(&self) -> &Login {
        &self.login
    }

    /// The statements of a text, in order; none for an empty one.
    pub fn parse(&self, text: &str) -> Result<Vec<ParsedStatement>, Report> {
        crate::sql::parse(text).map_err(|error| error.report())
    }

    pub fn status(&self) -> TransactionStatus {
        match self.transaction {
            Transaction::None | Transaction::Implicit(_) => TransactionStatus::Idle,
            Transaction::Explicit(_) => TransactionStatus::InTransaction,
            Transaction::Failed(_) => TransactionStatus::Failed,
        }
    }

    /// How cancel requests and the server's end reach this session.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    pub fn statement_timeout(&self) -> Option<Duration> {
        self.variables.statement_timeout()
    }

    /// The zone in which `timestamptz` values are shown and read.
    pub fn zone(&self) -> Zone {
        self.variables.zone().clone()
    }

    /// Notices that came up since the last call.
    pub fn take_notices(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.notices)
    }

    /// The parameters that a client is told when it connects.
    pub fn parameters(&self) -> Vec<(String, String)> {
        self.variables.reported()
    }

    /// Those of them that changed since the client was last told.
    pub fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        let now = self.variables.reported();
        let changed = now.iter().filter(|entry| !self.told.contains(entry)).cloned().collect();
        self.told = now;
        changed
    }

    pub fn prepared(&self) -> &PreparedStatements {
        &self.prepared
    }

    pub fn prepared_mut(&mut self) -> &mut PreparedStatements {
        &mut self.prepared
    }

    /// Whether the transaction's state lets this statement be parsed, described or run at all.
    pub fn admit(&self, statement: &ParsedStatement) -> Result<(), Report> {
        let ends = matches!(statement.statement, Statement::Commit | Statement::Rollback | Statement::RollbackTo(_));
        if matches!(self.transaction, Transaction::Failed(_)) && !ends {
            return Err(Report::error(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// The surroundings of a statement: from its transaction's first read on the same epoch.
    pub(super) fn context(&mut self) -> Context {
        let engine = &self.engine;
        let (pin, overlay) = match self.transaction.work_mut() {
            Some(work) => {
                work.used = true;
                (work.pin.get_or_insert_with(|| engine.pin()).clone(), work.changes.clone())
            }
            None => (engine.pin(), Vec::new()),
        };
        self.context_of(pin, overlay)
    }

    /// The same without beginning to read: for Describe.
    pub(super) fn passing_context(&self) -> Context {
        let work = self.transaction.work();
        let pin = work.and_then(|w| w.pin.clone()).unwrap_or_else(|| self.engine.pin());
        self.context_of(pin, work.map(|w| w.changes.clone()).unwrap_or_default())
    }

    fn context_of(&self, pin: super::engine::Pin, overlay: Vec<super::engine::TableChange>) -> Context {
        Context {
            pin,
            overlay,
            user: self.login.user.clone(),
            database: self.login.database.clone(),
            process_id: self.login.process_id,
            variables: self.variables.map(),
            interrupt: self.interrupt.clone(),
        }
    }

    /// The work of the current transaction; statements run only inside one.
    pub(super) fn work(&mut self) -> &mut Work {
        if let Transaction::None = self.transaction {
            self.transaction = Transaction::Implicit(Work::default());
        }
        match &mut self.transaction {
            Transaction::Implicit(work) | Transaction::Explicit(work) | Transaction::Failed(work) => work,
            Transaction::None => unreachable!("a transaction was begun above"),
        }
    }

    pub(super) fn warn(&mut self, sqlstate: SqlState, message: &str) {
        self.notices.push(Report { severity: crate::types::Severity::Warning, ..Report::error(sqlstate, message) });
    }
}

/// `-c name=value --name=value` of the start-up parameter `options`; a backslash keeps the blank after it.
fn options(text: &str) -> Result<Vec<(String, String)>, Report> {
    let mut words = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => words.last_mut().into_iter().for_each(|w| w.extend(letters.next())),
            blank if blank.is_whitespace() => words.push(String::new()),
            other => words.last_mut().into_iter().for_each(|w| w.push(other)),
        }
    }
    let wrong = |word: &str| {
        Report::error(SqlState::SYNTAX_ERROR, format!("invalid command-line argument for server process: {word}"))
            .hint("write options as \"-c name=value\"")
    };
    let mut settings = Vec::new();
    let mut words = words.into_iter().filter(|w| !w.is_empty());
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next().ok_or_else(|| wrong(&word))?
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.to_string()
        } else {
            return Err(wrong(&word));
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| wrong(&assignment))?;
        settings.push((name.replace('-', "_"), value.to_string()));
    }
    Ok(settings)
}
