//! A relation at one epoch, as a table that one-shot queries scan.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;

use crate::dataflow::Materialized;
use crate::sources::SourceSpec;
use crate::types::{Offsets, Report};
use crate::zset::{Delta, ZSet, take_rows};

use super::backfill;

/// Rows a batch that a scan gives.
const BATCH_ROWS: usize = 8192;

/// Where a relation's rows come from.
#[derive(Debug)]
pub enum Rows {
    Kept(Materialized),
    /// A table with changes of the reader's own transaction on top.
    Changed(Materialized, Delta),
    /// An append-only source, read again.
    ReadAgain {
        spec: Box<SourceSpec>,
        from: Offsets,
        until: Offsets,
    },
}

#[derive(Debug)]
struct Scan {
    schema: SchemaRef,
    rows: Arc<Rows>,
}

/// A table over those rows.
pub fn table(schema: SchemaRef, rows: Rows) -> Result<Arc<dyn TableProvider>, Report> {
    let scan = Scan { schema: schema.clone(), rows: Arc::new(rows) };
    Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(scan)]).map_err(Report::internal)?))
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = self.schema.clone();
        let rows = self.rows.clone();
        match &*self.rows {
            Rows::Kept(snapshot) => {
                let chunks = snapshot.chunks(BATCH_ROWS);
                let batches = chunks.map(|chunk| chunk.map_err(|e| external(e.report())).and_then(|c| repeated(&c)));
                Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches)))
            }
            Rows::Changed(..) => {
                let batch = futures::stream::once(async move { merged(&rows) });
                Box::pin(RecordBatchStreamAdapter::new(schema, batch.boxed()))
            }
            Rows::ReadAgain { .. } => {
                let mut builder = RecordBatchReceiverStream::builder(schema, 2);
                let out = builder.tx();
                builder.spawn_blocking(move || {
                    let Rows::ReadAgain { spec, from, until } = &*rows else { return Ok(()) };
                    let sent = backfill::read_again(spec, from, until, &mut |delta| {
                        // The reader of the stream may have stopped early: nothing more is wanted.
                        out.blocking_send(repeated(&delta.0)).map_err(|_| Report::internal("nobody reads any more"))
                    });
                    match sent {
                        Err(report) if !out.is_closed() => Err(external(report)),
                        _ => Ok(()),
                    }
                });
                builder.build()
            }
        }
    }
}

fn external(report: Report) -> DataFusionError {
    DataFusionError::External(Box::new(report))
}

fn merged(rows: &Rows) -> Result<RecordBatch, DataFusionError> {
    let Rows::Changed(snapshot, delta) = rows else {
        return Err(DataFusionError::Internal("only changed tables are merged".to_string()));
    };
    let mut parts = Vec::new();
    for chunk in snapshot.chunks(BATCH_ROWS) {
        parts.push(chunk.map_err(|e| external(e.report()))?);
    }
    parts.push(delta.0.clone());
    let sum = ZSet::concat(&delta.schema(), &parts).and_then(|z| z.consolidate())?;
    repeated(&sum)
}

/// Each row as often as its weight says.
fn repeated(zset: &ZSet) -> Result<RecordBatch, DataFusionError> {
    if zset.weights().values().iter().all(|w| *w == 1) {
        return Ok(zset.rows().clone());
    }
    let positions: Vec<u32> =
        zset.weights().values().iter().enumerate().flat_map(|(row, w)| std::iter::repeat_n(row as u32, (*w).max(0) as usize)).collect();
    Ok(take_rows(zset.rows(), &UInt32Array::from(positions))?)
}
