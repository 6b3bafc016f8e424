//! COPY over the wire: the client's data in, the server's data out.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

use super::backend;
use super::connection::Connection;
use super::error::Stop;
use super::frontend::Frontend;
use super::row_sender::flush;
use crate::coordinator::session::CopyIn;
use crate::types::{Report, SqlState};

impl Connection {
    /// Takes the client's data until it is done; gives the command tag.
    pub(super) async fn copy_in(&mut self, columns: usize, mut copy: Box<CopyIn>) -> Result<String, Stop> {
        backend::copy_response(&mut self.wire.outbound, b'G', columns);
        self.wire.flush().await?;
        loop {
            let message = tokio::select! {
                biased;
                report = self.interrupt.raised() => return Err(report.into()),
                message = self.wire.read() => message?,
            };
            match message {
                Frontend::CopyData(data) => copy.write(&data)?,
                Frontend::CopyDone => break,
                Frontend::CopyFail(reason) => {
                    return Err(Report::error(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {reason}")).into());
                }
                // Drivers send these right after Execute, before they know that data is wanted.
                Frontend::Flush | Frontend::Sync => {}
                Frontend::Terminate => return Err(Stop::Gone),
                _ => {
                    return Err(Stop::Fatal(Report::error(SqlState::PROTOCOL_VIOLATION, "unexpected message type during COPY from stdin")));
                }
            }
        }
        Ok(self.session.finish_copy(copy).await?)
    }

    /// Sends all data; gives the command tag. Each piece of data is whole rows.
    pub(super) async fn copy_out(
        &mut self,
        columns: usize,
        mut data: BoxStream<'static, Result<crate::coordinator::api::CopyRows, Report>>,
    ) -> Result<String, Stop> {
        backend::copy_response(&mut self.wire.outbound, b'H', columns);
        let mut rows = 0;
        while let Some(piece) = self.next_piece(&mut data).await? {
            rows += piece.rows;
            self.send_lines(&piece.lines).await?;
        }
        backend::copy_done(&mut self.wire.outbound);
        Ok(format!("COPY {rows}"))
    }

    async fn next_piece(
        &mut self,
        data: &mut BoxStream<'static, Result<crate::coordinator::api::CopyRows, Report>>,
    ) -> Result<Option<crate::coordinator::api::CopyRows>, Stop> {
        if let Some(ready) = data.next().now_or_never() {
            return Ok(ready.transpose()?);
        }
        let wire = &mut self.wire;
        let mut wait = async || {
            if wire.flush().await.is_ok() {
                wire.gone().await;
            }
        };
        tokio::select! {
            biased;
            piece = data.next() => Ok(piece.transpose()?),
            () = wait() => Err(Stop::Gone),
        }
    }

    /// One CopyData a row, as clients expect of the text formats.
    async fn send_lines(&mut self, lines: &[Bytes]) -> Result<(), Stop> {
        for line in lines {
            backend::copy_data(&mut self.wire.outbound, line);
            if self.wire.is_full() {
                flush(&mut self.wire, &self.interrupt).await?;
            }
        }
        Ok(())
    }
}
