//! Sends the rows of a running result: as they come, without ever holding the whole of it.

use bytes::{BufMut, BytesMut};
use futures::{FutureExt, StreamExt};

use super::error::Stop;
use super::portal::Running;
use super::wire::Wire;
use crate::coordinator::session::Interrupt;
use crate::types::form::binary::with_length;
use crate::types::form::{FormError, Values, Zone};
use crate::types::{Report, SqlState};

/// How a portion of rows ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// There are no more rows.
    Complete,
    /// `limit` rows were sent; there may be more.
    Suspended,
}

/// Sends rows until there are no more or `limit` of them have been sent. What is gathered is flushed whenever the next
/// batch is not there yet, so that a slow stream's rows arrive; the client's leaving and the statement's interruption end it.
pub async fn send(
    wire: &mut Wire,
    running: &mut Running,
    formats: &[i16],
    zone: &Zone,
    interrupt: &Interrupt,
    limit: Option<u64>,
) -> Result<Portion, Stop> {
    running.sent = 0;
    loop {
        if limit.is_some_and(|limit| running.sent >= limit) {
            return Ok(Portion::Suspended);
        }
        let (batch, mut at) = match running.rest.take() {
            Some(rest) => rest,
            None => match next(wire, running).await? {
                Some(batch) => (batch, 0),
                None => return Ok(Portion::Complete),
            },
        };
        let columns = batch
            .columns()
            .iter()
            .zip(&running.columns)
            .map(|(array, column)| Values::new(array, &column.sql_type))
            .collect::<Result<Vec<_>, _>>()?;
        if columns.len() != running.columns.len() {
            return Err(Report::internal(format!("a batch of {} columns for a result of {}", columns.len(), running.columns.len())).into());
        }
        while at < batch.num_rows() && limit.is_none_or(|limit| running.sent < limit) {
            write_row(&columns, at, formats, zone, &mut wire.outbound)?;
            at += 1;
            running.sent += 1;
            if wire.is_full() {
                flush(wire, interrupt).await?;
            }
        }
        if at < batch.num_rows() {
            running.rest = Some((batch, at));
        }
    }
}

/// The next batch; while it is not there, what was written goes out and the client is watched.
async fn next(wire: &mut Wire, running: &mut Running) -> Result<Option<arrow::array::RecordBatch>, Stop> {
    if let Some(ready) = running.rows.next().now_or_never() {
        return Ok(ready.transpose()?);
    }
    let rows = &mut running.rows;
    let mut wait = async || {
        wire.flush().await?;
        wire.gone().await;
        Err::<std::convert::Infallible, Stop>(Stop::Gone)
    };
    tokio::select! {
        biased;
        batch = rows.next() => Ok(batch.transpose()?),
        gone = wait() => gone.map(|never| match never {}),
    }
}

/// Sends what is gathered; a client that does not read does not keep the statement from being stopped.
pub async fn flush(wire: &mut Wire, interrupt: &Interrupt) -> Result<(), Stop> {
    tokio::select! {
        biased;
        sent = wire.flush() => Ok(sent?),
        report = interrupt.raised() => Err(report.into()),
    }
}

/// One DataRow; when a value cannot be written, none of it stays.
pub fn write_row(columns: &[Values], row: usize, formats: &[i16], zone: &Zone, out: &mut BytesMut) -> Result<(), Report> {
    let start = out.len();
    out.put_u8(b'D');
    let written = with_length(out, |out| {
        // `with_length` counts what follows it; a message's length also counts itself.
        out.put_i16(columns.len() as i16);
        for (values, format) in columns.iter().zip(formats) {
            if values.is_null(row) {
                out.put_i32(-1);
            } else {
                with_length(out, |out| match format {
                    0 => {
                        values.write_text(row, zone, out);
                        Ok(())
                    }
                    _ => values.write_binary(row, out),
                })?;
            }
        }
        Ok::<(), FormError>(())
    });
    let length = out.len() - start - 1;
    if let Err(error) = written {
        out.truncate(start);
        return Err(error.into());
    }
    let Ok(length) = i32::try_from(length) else {
        out.truncate(start);
        return Err(Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, "a row is longer than the protocol allows"));
    };
    out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
    Ok(())
}
