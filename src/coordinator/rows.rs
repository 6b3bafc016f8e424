//! A relation at one epoch, as a table that one-shot queries scan.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;

use crate::dataflow::Materialized;
use crate::sources::{Reading, SourceSpec};
use crate::types::{Offsets, Projection, Report};
use crate::zset::{Delta, ZSet, take_rows};

use super::backfill;
use super::key_filter;

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

/// A table over those rows.
pub fn table(schema: SchemaRef, rows: Rows) -> Arc<dyn TableProvider> {
    Arc::new(Table { schema, rows: Arc::new(rows) })
}

#[derive(Debug)]
struct Table {
    schema: SchemaRef,
    rows: Arc<Rows>,
}

impl Table {
    /// The columns by which rows are found without reading all of them.
    fn key(&self) -> &[usize] {
        match &*self.rows {
            Rows::Kept(snapshot) => snapshot.key(),
            Rows::Changed(..) | Rows::ReadAgain { .. } => &[],
        }
    }
}

#[async_trait]
impl TableProvider for Table {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        // What is found by key is filtered once more above.
        let names_key = |filter: &&Expr| match key_filter::values_of(filter, &self.schema, self.key()) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(names_key).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let probes = key_filter::probes(filters, &self.schema, self.key())?;
        let scan = Scan { schema: schema.clone(), columns, rows: self.rows.clone(), probes };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(scan)], None, None, false, limit)?))
    }
}

#[derive(Debug)]
struct Scan {
    /// Of the columns that are read.
    schema: SchemaRef,
    columns: Vec<usize>,
    rows: Arc<Rows>,
    /// The keys whose rows are asked for; `None` for all rows.
    probes: Option<Vec<ArrayRef>>,
}

impl Scan {
    fn found(&self) -> Result<RecordBatch, DataFusionError> {
        let (Rows::Kept(snapshot), Some(probes)) = (&*self.rows, &self.probes) else {
            return Err(DataFusionError::Internal("only kept rows are found by key".to_string()));
        };
        let count = probes.first().map_or(0, |keys| keys.len());
        let found = snapshot.lookup(probes, count).map_err(|e| external(e.report()))?;
        Ok(repeated(&found.rows)?.project(&self.columns)?)
    }
}

impl PartitionStream for Scan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (schema, columns) = (self.schema.clone(), self.columns.clone());
        let rows = self.rows.clone();
        match &*self.rows {
            Rows::Kept(_) if self.probes.is_some() => {
                Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([self.found()])))
            }
            Rows::Kept(snapshot) => {
                let chunks = snapshot.chunks(BATCH_ROWS, Some(&self.columns));
                let batches = chunks.map(|chunk| chunk.map_err(|e| external(e.report())).and_then(|c| repeated(&c)));
                Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches)))
            }
            Rows::Changed(..) => {
                let batch = futures::stream::once(async move { Ok(merged(&rows)?.project(&columns)?) });
                Box::pin(RecordBatchStreamAdapter::new(schema, batch.boxed()))
            }
            Rows::ReadAgain { .. } => {
                let mut builder = RecordBatchReceiverStream::builder(schema, 2);
                let out = builder.tx();
                builder.spawn_blocking(move || {
                    let Rows::ReadAgain { spec, from, until } = &*rows else { return Ok(()) };
                    let mut read = Projection::nothing(spec.schema.columns.len());
                    columns.iter().for_each(|column| read.add(*column));
                    let reading = Reading { columns: read, threads: 1 };
                    let sent = backfill::read_again(spec, &reading, from, until, &mut |delta| {
                        let batch = repeated(&delta.0).and_then(|batch| Ok(batch.project(&columns)?));
                        // The reader of the stream may have stopped early: nothing more is wanted.
                        out.blocking_send(batch).map_err(|_| Report::internal("nobody reads any more"))
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
    for chunk in snapshot.chunks(BATCH_ROWS, None) {
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

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::collect;
    use datafusion::prelude::{SessionContext, col, lit};

    use super::*;
    use crate::dataflow::Materialize;
    use crate::state::{Store, TraceSet};
    use crate::types::{ObjectId, TraceId};
    use crate::zset::text::{parse, print};

    /// What a scan gives for the filters, which nobody looks at after it.
    async fn scanned(filters: &[Expr], columns: &[usize]) -> String {
        let rows = parse("k int8, v text", "1 a +1\n2 b +1\n3 c +1");
        let traces = TraceSet::new(Arc::new(Store::memory()));
        let kept = Materialize::new(&traces, TraceId::new(ObjectId(1), 0), &rows.schema(), &[0], false).unwrap();
        kept.step(&Delta(rows.clone())).unwrap();
        let session = SessionContext::new().state();
        let table = table(rows.schema(), Rows::Kept(kept.snapshot()));
        let plan = table.scan(&session, Some(&columns.to_vec()), filters, None).await.unwrap();
        let batches = collect(plan, session.task_ctx()).await.unwrap();
        batches.iter().map(|batch| print(&ZSet::of_rows(batch.clone()))).collect()
    }

    #[tokio::test]
    async fn a_whole_key_is_looked_up_and_anything_else_is_read() {
        assert_eq!(scanned(&[col("k").eq(lit(2i64))], &[1, 0]).await, "b 2 +1\n");
        assert_eq!(scanned(&[col("k").in_list(vec![lit(3i64), lit(9i64), lit(1i64)], false)], &[0]).await, "3 +1\n1 +1\n");
        assert_eq!(scanned(&[col("v").eq(lit("b"))], &[0]).await, "1 +1\n2 +1\n3 +1\n");
        assert_eq!(scanned(&[], &[]).await, "+1\n+1\n+1\n");
    }
}
