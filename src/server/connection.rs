//! One client's conversation after its login: reads messages and answers them until it leaves.

use std::collections::HashMap;
use std::time::Instant;

use super::backend;
use super::error::Stop;
use super::frontend::Frontend;
use super::portal::Portal;
use super::wire::Wire;
use crate::coordinator::api::{ParsedStatement, Response, TransactionStatus};
use crate::coordinator::session::{Interrupt, Remembered, Session};
use crate::coordinator::statement_times::StatementTimes;
use crate::types::{Report, SqlState};
use datafusion::scalar::ScalarValue;

pub struct Connection {
    pub(super) wire: Wire,
    pub(super) session: Session,
    pub(super) interrupt: Interrupt,
    pub(super) portals: HashMap<String, Portal>,
    /// After an error in the extended protocol everything up to the next Sync is ignored.
    pub(super) skipping: bool,
    times: StatementTimes,
    /// When the first message came of the statement that is being answered, and what it was answered with.
    began: Option<Instant>,
    answered: Option<String>,
}

impl Connection {
    pub fn new(wire: Wire, session: Session, times: StatementTimes) -> Connection {
        let interrupt = session.interrupt();
        Connection { wire, session, interrupt, portals: HashMap::new(), skipping: false, times, began: None, answered: None }
    }

    /// Talks until the client leaves or the server stops.
    pub async fn run(mut self) {
        loop {
            match self.turn().await {
                Ok(true) => {}
                Ok(false) | Err(Stop::Gone) => break,
                Err(Stop::Fatal(report) | Stop::Statement(report)) => {
                    backend::fatal(&mut self.wire.outbound, &report);
                    break;
                }
            }
        }
        self.session.fail();
        self.wire.close().await;
    }

    /// One message and its answer; false when the client says goodbye.
    async fn turn(&mut self) -> Result<bool, Stop> {
        let message = tokio::select! {
            biased;
            message = self.wire.read() => message?,
            () = self.interrupt.shut_down_raised() => {
                return Err(Stop::Fatal(self.interrupt.raised().await));
            }
        };
        // What is left over from a COPY that has failed begins nothing.
        if !matches!(message, Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_)) {
            self.began.get_or_insert_with(|| self.times.begin());
        }
        match message {
            Frontend::Terminate => return Ok(false),
            Frontend::Sync => {
                self.skipping = false;
                return self.sync().await.map(|()| true);
            }
            _ if self.skipping => return Ok(true),
            // Left over from a COPY that has failed.
            Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_) => return Ok(true),
            Frontend::Malformed { report, simple: true } => {
                self.report(&report);
                return self.ready().await.map(|()| true);
            }
            Frontend::Query(text) => return self.simple_query(&text).await.map(|()| true),
            message => {
                let waits = matches!(message, Frontend::Flush);
                let result = self.extended(message).await;
                self.end_extended(result).await?;
                if waits {
                    // The client has its answer; what it does until it sends more is its own time.
                    self.began = None;
                }
            }
        }
        Ok(true)
    }

    /// After an error in the extended protocol the client hears of it at once and nothing is done until Sync.
    async fn end_extended(&mut self, result: Result<(), Stop>) -> Result<(), Stop> {
        match result {
            Err(Stop::Statement(report)) => {
                self.report(&report);
                self.skipping = true;
                self.end_on_shutdown(&report)?;
                Ok(self.wire.flush().await?)
            }
            other => other,
        }
    }

    /// Tells of a failed statement and lets the transaction know.
    pub(super) fn report(&mut self, report: &Report) {
        tracing::debug!(%report, "statement failed");
        self.session.fail();
        if self.session.status() != TransactionStatus::InTransaction {
            self.portals.clear();
        }
        self.tell_notices();
        backend::error(&mut self.wire.outbound, report);
    }

    /// An error that means the server's end ends the connection as well.
    pub(super) fn end_on_shutdown(&self, report: &Report) -> Result<(), Stop> {
        if report.sqlstate == SqlState::ADMIN_SHUTDOWN { Err(Stop::Gone) } else { Ok(()) }
    }

    pub(super) fn tell_notices(&mut self) {
        for notice in self.session.take_notices() {
            backend::notice(&mut self.wire.outbound, &notice);
        }
    }

    /// Says that the next statement may come, and sends all that is gathered.
    pub(super) async fn ready(&mut self) -> Result<(), Stop> {
        self.interrupt.rest();
        self.tell_notices();
        for (name, value) in self.session.take_parameter_changes() {
            backend::parameter_status(&mut self.wire.outbound, &name, &value);
        }
        let status = self.session.status();
        if status == TransactionStatus::Idle {
            self.portals.clear();
        }
        backend::ready(&mut self.wire.outbound, status);
        self.wire.flush().await?;
        if let (Some(began), Some(tag)) = (self.began.take(), self.answered.take()) {
            self.times.end(&tag, began);
        }
        Ok(())
    }

    /// Says that a statement is complete. Of several that are answered together the last counts.
    pub(super) fn complete(&mut self, tag: &str) {
        backend::command_complete(&mut self.wire.outbound, tag);
        self.answered = Some(tag.to_string());
    }

    /// The statement's answer, unless the client leaves before it is there.
    pub(super) async fn execute(
        &mut self,
        statement: &ParsedStatement,
        parameters: Vec<ScalarValue>,
        remembered: &Remembered,
    ) -> Result<Response, Stop> {
        self.interrupt.start(self.session.statement_timeout());
        // Results before this statement must not wait for it.
        let wire = &mut self.wire;
        let mut wait = async || {
            if wire.flush().await.is_ok() {
                wire.gone().await;
            }
        };
        tokio::select! {
            biased;
            response = self.session.execute(statement, parameters, remembered) => Ok(response?),
            () = wait() => Err(Stop::Gone),
        }
    }

    /// Ends an implicit transaction well, while watching the client no more: a commit is not broken off.
    async fn sync(&mut self) -> Result<(), Stop> {
        if let Err(report) = self.session.commit_implicit().await {
            self.report(&report);
        }
        self.ready().await
    }
}
