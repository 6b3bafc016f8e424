//! Relations whose rows only the running process knows: `floe_checkpoints`, `floe_memory`, `floe_sinks`, `floe_sources`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::catalog::{Entry, Kind};
use crate::planner::system::Runtime;
use crate::state::TraceSet;
use crate::types::Report;

use super::checkpoints_relation;
use super::memory_relation;
use super::metrics::Metrics;
use super::published::Published;

/// Their names, in order.
const NAMES: &[&str] = &["floe_checkpoints", "floe_memory", "floe_sinks", "floe_sources"];

/// What a statement on that epoch sees of them.
pub fn of(published: &Arc<Published>, metrics: &Arc<Metrics>, traces: &TraceSet) -> Runtime {
    let (published, metrics, traces) = (published.clone(), metrics.clone(), traces.clone());
    Runtime::new(NAMES, move || all(&published, &metrics, &traces))
}

fn all(published: &Published, metrics: &Metrics, traces: &TraceSet) -> Result<BTreeMap<String, RecordBatch>, Report> {
    let of = |kind| published.catalog.entries().filter(move |e| e.kind() == kind).map(|e| &**e).collect::<Vec<&Entry>>();
    Ok(BTreeMap::from([
        ("floe_sources".to_string(), sources(&of(Kind::Source), published, metrics)?),
        ("floe_sinks".to_string(), sinks(&of(Kind::Sink), published, metrics)?),
        ("floe_checkpoints".to_string(), batch(checkpoints_relation::columns(&metrics.checkpoints()))?),
        ("floe_memory".to_string(), batch(memory_relation::columns(published, traces))?),
    ]))
}

fn sources(entries: &[&Entry], published: &Published, metrics: &Metrics) -> Result<RecordBatch, Report> {
    let states: Vec<_> = entries.iter().map(|e| metrics.source(e.id)).collect();
    let offsets = entries.iter().map(|e| {
        let offsets = published.offsets.get(&e.id).map(|o| &o.0);
        offsets.and_then(|o| serde_json::to_string(o).ok())
    });
    batch(vec![
        ("name", Arc::new(StringArray::from_iter_values(entries.iter().map(|e| &e.name)))),
        ("records", Arc::new(Int64Array::from_iter_values(states.iter().map(|(c, _)| c.records as i64)))),
        ("bytes", Arc::new(Int64Array::from_iter_values(states.iter().map(|(c, _)| c.bytes as i64)))),
        ("dead_letters", Arc::new(Int64Array::from_iter_values(states.iter().map(|(c, _)| c.dead as i64)))),
        ("ignored_deletes", Arc::new(Int64Array::from_iter_values(states.iter().map(|(c, _)| c.ignored_deletes as i64)))),
        ("offsets", Arc::new(offsets.collect::<StringArray>())),
        ("error", Arc::new(states.iter().map(|(_, e)| e.as_ref().map(|e| e.to_string())).collect::<StringArray>())),
    ])
}

fn sinks(entries: &[&Entry], published: &Published, metrics: &Metrics) -> Result<RecordBatch, Report> {
    let states: Vec<_> = entries.iter().map(|e| metrics.sink(e.id).map(|s| s.borrow().clone()).unwrap_or_default()).collect();
    // What holds a sink may be a row that cannot be computed: nobody can read a sink's own query to be told.
    let errors = entries.iter().zip(&states).map(|(e, s)| s.error.clone().or_else(|| published.error_of(e.id)).map(|e| e.to_string()));
    batch(vec![
        ("name", Arc::new(StringArray::from_iter_values(entries.iter().map(|e| &e.name)))),
        ("committed_epoch", Arc::new(Int64Array::from_iter_values(states.iter().map(|s| s.committed.0 as i64)))),
        ("commits", Arc::new(Int64Array::from_iter_values(states.iter().map(|s| s.commits as i64)))),
        ("rows", Arc::new(Int64Array::from_iter_values(states.iter().map(|s| s.rows as i64)))),
        ("stopped", Arc::new(states.iter().map(|s| Some(s.stopped)).collect::<BooleanArray>())),
        ("error", Arc::new(errors.collect::<StringArray>())),
    ])
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, Report> {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    debug_assert!(fields.iter().all(|f| *f.data_type() != DataType::Null));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, array)| array).collect()).map_err(Report::internal)
}
