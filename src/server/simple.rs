//! The simple protocol: one string of statements, answered one after the other.
//!
//! They share an implicit transaction; results are sent up to the statement that fails.

use super::backend;
use super::connection::Connection;
use super::error::Stop;
use super::portal::Running;
use super::row_sender;
use crate::coordinator::api::{ParsedStatement, Response};
use crate::coordinator::session::Remembered;

impl Connection {
    pub(super) async fn simple_query(&mut self, text: &str) -> Result<(), Stop> {
        // A simple query destroys the unnamed statement and portal of the extended protocol.
        self.session.prepared_mut().remove("");
        self.portals.remove("");
        self.interrupt.start(self.session.statement_timeout());
        match self.run_all(text).await {
            Ok(()) => {}
            Err(Stop::Statement(report)) => {
                self.report(&report);
                self.end_on_shutdown(&report)?;
            }
            Err(stop) => return Err(stop),
        }
        self.ready().await
    }

    async fn run_all(&mut self, text: &str) -> Result<(), Stop> {
        let statements = self.session.parse(text)?;
        if statements.is_empty() {
            backend::empty_query(&mut self.wire.outbound);
            return Ok(());
        }
        let count = statements.len();
        for (at, statement) in statements.iter().enumerate() {
            self.session.begin_implicit();
            self.run_one(statement, at + 1 == count).await?;
        }
        Ok(())
    }

    /// The last statement is complete only when the implicit transaction is committed.
    async fn run_one(&mut self, statement: &ParsedStatement, last: bool) -> Result<(), Stop> {
        let tag = match self.execute(statement, Vec::new(), &Remembered::default()).await? {
            Response::Rows { columns, rows, tag } => {
                let formats = vec![0; columns.len()];
                backend::row_description(&mut self.wire.outbound, &columns, &formats);
                let mut running = Running::new(columns, rows, tag);
                let zone = self.session.zone();
                row_sender::send(&mut self.wire, &mut running, &formats, &zone, &self.interrupt, None).await?;
                Some(backend::rows_tag(&running.tag, running.sent))
            }
            Response::Done { tag } => Some(tag),
            Response::Empty => None,
            Response::CopyIn { columns, copy } => Some(self.copy_in(columns, copy).await?),
            Response::CopyOut { columns, data } => Some(self.copy_out(columns, data).await?),
        };
        if last {
            self.session.commit_implicit().await?;
        }
        self.tell_notices();
        match tag {
            Some(tag) => self.complete(&tag),
            None => backend::empty_query(&mut self.wire.outbound),
        }
        Ok(())
    }
}
