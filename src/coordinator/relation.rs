//! A relation at work: what turns an epoch's input into the relation's change and keeps its rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};

use crate::dataflow::circuit::error_schema;
use crate::dataflow::{Circuit, Materialize, Upsert, Workers};
use crate::planner::CircuitPlan;
use crate::planner::circuit_plan::needs;
use crate::sources::{DeadRecord, SourceBatch, SourceSpec};
use crate::state::{Trace, TraceSet};
use crate::types::{Column, Epoch, ObjectId, Offsets, Projection, RelationSchema, Report, SqlType, TraceId, Turn};
use crate::zset::{ChangeBatch, Delta};

use super::clock;
use super::source_worker::SourceWorker;

/// The slot of a relation's own rows; a circuit's traces come after the fixed ones.
pub const ROWS: u16 = 0;
const ERRORS: u16 = 1;
const CIRCUIT: u16 = 2;

/// The changes of relations in one epoch, each as a list of changes whose sum it is: what comes in many batches is not put
/// together for those who can take one after the other.
pub type Changes = BTreeMap<ObjectId, Vec<Delta>>;

/// The schema of every `"<source>$dead"`.
pub fn dead_letter_schema() -> RelationSchema {
    let columns = [
        ("topic", SqlType::Text),
        ("partition", SqlType::Text),
        ("offset", SqlType::BigInt),
        ("raw", SqlType::Bytea),
        ("reason", SqlType::Text),
    ];
    let mut schema = RelationSchema::new(columns.into_iter().map(|(name, sql_type)| Column::new(name, sql_type)).collect());
    schema.append_only = true;
    schema
}

/// Dead letters as rows of that schema.
pub fn dead_letter_rows(dead: &[DeadRecord]) -> Result<RecordBatch, Report> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(dead.iter().map(|d| &d.topic))),
        Arc::new(StringArray::from_iter_values(dead.iter().map(|d| &d.partition))),
        Arc::new(Int64Array::from_iter_values(dead.iter().map(|d| d.offset))),
        Arc::new(BinaryArray::from_iter_values(dead.iter().map(|d| &d.raw))),
        Arc::new(StringArray::from_iter_values(dead.iter().map(|d| &d.reason))),
    ];
    RecordBatch::try_new(dead_letter_schema().arrow(), columns).map_err(Report::internal)
}

pub struct Relation {
    pub kind: RelationKind,
    /// Why its upkeep stopped; it stays as it was.
    pub failed: Option<Report>,
    pub changed: Epoch,
}

pub enum RelationKind {
    Source(Box<SourceRelation>),
    /// Tables and dead letters: rows as they are given.
    Stored(Materialize),
    View(Box<ViewRelation>),
}

pub struct SourceRelation {
    pub spec: SourceSpec,
    pub dead_letter: ObjectId,
    pub start: Offsets,
    /// `None` when the rows have no key and are not kept.
    pub upsert: Option<Upsert>,
    /// Read but not yet in an epoch.
    pub queue: Vec<SourceBatch>,
    /// `None` while recovering.
    pub worker: Option<SourceWorker>,
    /// How many readers there were, and what the last of them reads.
    pub run: u64,
    pub read: Option<Projection>,
    /// Why it is not read now, and whether it has stopped for good.
    pub error: Option<Report>,
    pub stopped: bool,
    pub counts: SourceCounts,
}

/// What became of the records, since the process started.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceCounts {
    pub records: u64,
    pub bytes: u64,
    pub dead: u64,
    /// Deletes of keys that were not there.
    pub ignored_deletes: u64,
}

pub struct ViewRelation {
    /// Under whose number its state is.
    pub id: ObjectId,
    plan: CircuitPlan,
    pub circuit: Circuit,
    /// The relations that the circuit reads.
    pub inputs: Vec<ObjectId>,
    /// What of them.
    pub reads: BTreeMap<ObjectId, Projection>,
    /// `None` for the query of a sink: its changes go out, and nobody reads their sum.
    pub rows: Option<Materialize>,
    pub errors: Trace,
}

/// What a source's records of one epoch come to.
pub struct SourceStep {
    /// What is read of the change of its rows: the sum of these.
    pub deltas: Vec<Delta>,
    /// Whether rows that are kept have changed, also in what is not read.
    pub changed: bool,
    pub dead: Vec<DeadRecord>,
    pub offsets: Offsets,
}

impl SourceRelation {
    pub fn new(id: ObjectId, spec: SourceSpec, dead_letter: ObjectId, start: Offsets, traces: &TraceSet) -> Result<SourceRelation, Report> {
        let keyed = !spec.schema.primary_key.is_empty();
        let upsert = match keyed {
            true => Some(Upsert::new(&spec.schema, id, traces, ROWS).map_err(|e| e.report())?),
            false => None,
        };
        Ok(SourceRelation {
            spec,
            dead_letter,
            start,
            upsert,
            queue: Vec::new(),
            worker: None,
            run: 0,
            read: None,
            error: None,
            stopped: false,
            counts: SourceCounts::default(),
        })
    }

    /// Takes the records that wait, those whose changes take about `most` bytes of memory. Partitions go in the order of their
    /// names, so that the same records give the same change whatever order they came in. `read` is what is read of the rows.
    pub fn step(&mut self, read: &Projection, most: usize) -> Result<SourceStep, Report> {
        let count = first_of(self.queue.iter().map(SourceBatch::held), most);
        let mut batches: Vec<SourceBatch> = self.queue.drain(..count).collect();
        if let Some(worker) = &self.worker {
            worker.taken(batches.iter().map(SourceBatch::held).sum());
        }
        batches.sort_by(|a, b| a.partition.cmp(&b.partition));
        self.apply(batches, read)
    }

    fn apply(&mut self, mut batches: Vec<SourceBatch>, read: &Projection) -> Result<SourceStep, Report> {
        let mut offsets = Offsets::default();
        let mut dead = Vec::new();
        for batch in &mut batches {
            offsets.set(batch.partition.clone(), batch.next);
            self.counts.records += batch.records as u64;
            self.counts.bytes += batch.bytes as u64;
            dead.append(&mut batch.dead);
        }
        let changes: Vec<_> = batches.iter().map(|b| b.changes.clone()).collect();
        let (deltas, changed) = match &mut self.upsert {
            Some(upsert) => {
                let output = upsert.step_for(&changes, read).map_err(|e| e.report())?;
                self.counts.ignored_deletes += output.ignored_deletes as u64;
                dead.extend(output.unresolved.iter().filter_map(|(batch, row)| {
                    let batch = batches.get(*batch)?;
                    Some(unresolved(&self.spec.name, batch, *row))
                }));
                (vec![output.delta], output.changed)
            }
            None => (changes.into_iter().flat_map(ChangeBatch::into_added).map(Delta::inserts).collect(), false),
        };
        self.counts.dead += dead.len() as u64;
        Ok(SourceStep { deltas: deltas.into_iter().filter(|delta| !delta.is_empty()).collect(), changed, dead, offsets })
    }
}

/// How many of the sizes reach so much together, or all; one at least.
fn first_of(sizes: impl Iterator<Item = usize>, most: usize) -> usize {
    let before = sizes.scan(0usize, |sum, size| Some(std::mem::replace(sum, *sum + size)));
    before.enumerate().take_while(|(place, before)| *place == 0 || *before < most).count()
}

/// The dead letter of a change whose unsent column floe does not know.
fn unresolved(topic: &str, batch: &SourceBatch, row: usize) -> DeadRecord {
    let row = batch.changes.rows.slice(row.min(batch.changes.len().saturating_sub(1)), 1.min(batch.changes.len()));
    let text = arrow::util::pretty::pretty_format_batches(&[row]).map(|t| t.to_string()).unwrap_or_default();
    DeadRecord {
        topic: topic.to_string(),
        partition: batch.partition.clone(),
        offset: batch.next,
        raw: text.into_bytes(),
        reason: "the record leaves out a column that did not change, and no earlier row of its key is known".to_string(),
    }
}

impl ViewRelation {
    /// `key` are the columns that rows are found by; without any, rows are found by all their columns. `None` keeps no rows.
    pub fn new(
        id: ObjectId,
        plan: &CircuitPlan,
        key: Option<&[usize]>,
        traces: &TraceSet,
        workers: Arc<Workers>,
    ) -> Result<ViewRelation, Report> {
        let rows = key.map(|key| {
            Materialize::new(traces, TraceId::new(id, ROWS), &plan.schema(), key, plan.is_append_only()).map_err(|e| e.report())
        });
        let rows = rows.transpose()?;
        let errors = error_schema();
        let errors = traces.trace(TraceId::new(id, ERRORS), errors.clone(), errors.fields().len()).map_err(|e| e.report())?;
        let circuit = Circuit::render(plan, id, traces, CIRCUIT, &workers).map_err(|e| e.report())?;
        let circuit = circuit.timed(clock::stopwatch()).on(workers);
        let (inputs, reads) = (plan.relations(), needs::of_relations(plan));
        Ok(ViewRelation { id, plan: plan.clone(), circuit, inputs, reads, rows, errors })
    }

    /// Has the circuit take its state from the traces once more: which of them are one has changed.
    pub fn take_state_again(&mut self, traces: &TraceSet, workers: &Workers) -> Result<(), Report> {
        let circuit = Circuit::render(&self.plan, self.id, traces, CIRCUIT, workers).map_err(|e| e.report())?;
        self.circuit = circuit.instead_of(&self.circuit);
        Ok(())
    }

    /// The view's change for the changes of its inputs, as changes whose sum it is, and whether its errors changed; both are
    /// brought up to date. Where rows are not kept, or only come, equal rows stay apart: whoever takes them adds up many of
    /// them anyway.
    pub fn step(&mut self, turn: Turn, now: i64, inputs: &Changes) -> Result<(Vec<Delta>, bool), Report> {
        let (deltas, errors) = match &self.rows {
            Some(rows) => {
                let (output, taken) = match rows {
                    Materialize::Arranged(_) => (self.circuit.step(turn, now, inputs), 0),
                    Materialize::Growing(..) => (self.circuit.pass(turn, now, inputs), 1),
                };
                let output = output.map_err(|e| e.report())?;
                let began = clock::nanos();
                rows.step_distinct(&output.delta).map_err(|e| e.report())?;
                // The circuit has counted what it made one of.
                let count = output.delta.0.len();
                self.circuit.profile().kept.add(taken * count, count, clock::nanos() - began);
                (Some(output.delta).filter(|delta| !delta.is_empty()).into_iter().collect(), output.errors)
            }
            None => self.circuit.pass_parts(turn, now, inputs).map_err(|e| e.report())?,
        };
        self.errors.insert(&errors).map_err(|e| e.report())?;
        Ok((deltas, !errors.is_empty()))
    }
}

impl Relation {
    pub fn stored(id: ObjectId, schema: &RelationSchema, traces: &TraceSet) -> Result<Relation, Report> {
        let rows = Materialize::new(traces, TraceId::new(id, ROWS), &schema.arrow(), &schema.primary_key, schema.append_only)
            .map_err(|e| e.report())?;
        Ok(Relation { kind: RelationKind::Stored(rows), failed: None, changed: Epoch::default() })
    }

    pub fn source(source: SourceRelation) -> Relation {
        Relation { kind: RelationKind::Source(Box::new(source)), failed: None, changed: Epoch::default() }
    }

    pub fn view(view: ViewRelation) -> Relation {
        Relation { kind: RelationKind::View(Box::new(view)), failed: None, changed: Epoch::default() }
    }

    /// It is stepped no more: what it had in common with others is theirs.
    pub fn leave_to_others(&mut self) {
        if let RelationKind::View(view) = &mut self.kind {
            view.circuit.leave();
        }
    }

    /// Whether its upkeep has stopped, or row errors stand in it.
    pub fn is_in_error(&self) -> bool {
        self.failed.is_some() || matches!(&self.kind, RelationKind::View(view) if !view.errors.is_empty())
    }

    /// The relation's rows, where they are kept.
    pub fn rows(&self) -> Option<Materialize> {
        match &self.kind {
            RelationKind::Source(source) => source.upsert.as_ref().and_then(|u| u.rows().cloned()).map(Materialize::Arranged),
            RelationKind::Stored(rows) => Some(rows.clone()),
            RelationKind::View(view) => view.rows.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_takes_what_it_should_and_something_always() {
        for (most, count) in [(0, 1), (1, 1), (10, 1), (11, 2), (15, 2), (16, 3), (17, 4), (usize::MAX, 4)] {
            assert_eq!(first_of([10, 5, 1, 7].into_iter(), most), count, "{most} bytes");
        }
        assert_eq!(first_of([].into_iter(), 5), 0);
    }
}
