//! A running plan: operators in order, stepped once an epoch. Each node steps its parts at once, on the circuit's workers; the
//! next node begins when all parts are done.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::types::{Epoch, ObjectId};
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, ZSet};

use super::error::DataflowError;
use super::node::{Feed, Node};
use super::operator::{ErrorRow, StepContext};
use super::parts::{self, Parts};
use super::profile::{OperatorProfile, Profile, SharedProfile, Stopped, Stopwatch};
use super::workers::{Crew, Workers};

/// A circuit; the last node is the result.
pub struct Circuit {
    nodes: Vec<Node>,
    result: ResultOf,
    /// How many read each node.
    readers: Vec<usize>,
    next_slot: u16,
    profile: SharedProfile,
    stopwatch: Arc<dyn Stopwatch>,
    workers: Arc<Workers>,
    /// A relation's change is cut into pieces of so many rows at least.
    piece: usize,
}

/// What comes out of a circuit.
pub(super) struct ResultOf {
    pub schema: SchemaRef,
    /// Equal rows are in one part.
    pub gathers_equals: bool,
}

/// What one step gives.
#[derive(Clone, Debug)]
pub struct Output {
    /// The change of the result.
    pub delta: Delta,
    /// The change of the row errors, consolidated; of [`error_schema`].
    pub errors: ZSet,
}

impl Circuit {
    pub(super) fn new(nodes: Vec<Node>, operators: Vec<OperatorProfile>, result: ResultOf, next_slot: u16) -> Circuit {
        let mut readers = vec![0; nodes.len()];
        for node in &nodes {
            if let Feed::Nodes(feeds) = &node.feed {
                feeds.iter().for_each(|feed| readers[*feed] += 1);
            }
        }
        let profile = Arc::new(Profile { operators, ..Profile::default() });
        let (stopwatch, workers) = (Arc::new(Stopped), Arc::new(Workers::one()));
        Circuit { nodes, result, readers, next_slot, profile, stopwatch, workers, piece: parts::PIECE }
    }

    /// The same circuit, whose profile has the time that this tells.
    pub fn timed(self, stopwatch: Arc<dyn Stopwatch>) -> Circuit {
        Circuit { stopwatch, ..self }
    }

    /// The same circuit, stepped by those.
    pub fn on(self, workers: Arc<Workers>) -> Circuit {
        Circuit { workers, ..self }
    }

    /// The same circuit, with the smallest pieces, and everything that can be in two stages.
    #[cfg(test)]
    pub fn ground(mut self) -> Circuit {
        for node in &mut self.nodes {
            if let super::node::Work::Staged(staged) = &mut node.work {
                staged.worth = 0;
            }
        }
        Circuit { piece: 1, ..self }
    }

    /// What its operators have done so far.
    pub fn profile(&self) -> &SharedProfile {
        &self.profile
    }

    /// The first trace slot of the object that the circuit does not use.
    pub fn next_slot(&self) -> u16 {
        self.next_slot
    }

    /// The names of the operators, inputs before their consumer.
    pub fn operators(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.nodes.iter().map(Node::name)
    }

    /// Passes one epoch's changes through; equal rows of the result's change are made one. A relation's change is the sum of
    /// those in its list; relations that `inputs` does not name have not changed. `now` is the epoch's time in microseconds
    /// since 1970 UTC.
    ///
    /// # Errors
    /// When state cannot be read or an input is inconsistent; the circuit is of no use afterwards.
    pub fn step(&mut self, epoch: Epoch, now: i64, inputs: &BTreeMap<ObjectId, impl AsRef<[Delta]>>) -> Result<Output, DataflowError> {
        let (mut parts, errors) = self.run(epoch, now, inputs)?;
        let began = self.stopwatch.nanos();
        let rows = parts::rows_of(&parts);
        if !self.result.gathers_equals {
            parts = parts::gather(parts, &self.result.schema)?;
        }
        let crew = Crew { workers: &self.workers, stopwatch: &*self.stopwatch, counts: &self.profile.kept };
        let combined = crew.each(rows, parts.into_iter().flatten().collect(), combined);
        let combined = combined.into_iter().map(|part| Ok(Some(part?))).collect::<Result<Parts, DataflowError>>()?;
        let delta = self.whole(combined)?;
        // How many rows are kept, whoever keeps them counts.
        self.profile.kept.add(rows, 0, self.stopwatch.nanos() - began);
        Ok(Output { delta, errors })
    }

    /// [`Circuit::step`] for those who add up the changes themselves: the result's change as it comes.
    pub fn pass(&mut self, epoch: Epoch, now: i64, inputs: &BTreeMap<ObjectId, impl AsRef<[Delta]>>) -> Result<Output, DataflowError> {
        let (parts, errors) = self.run(epoch, now, inputs)?;
        Ok(Output { delta: self.whole(parts)?, errors })
    }

    /// [`Circuit::pass`] for those who do not need the change in one piece: it is the sum of these. The errors beside it.
    pub fn pass_parts(
        &mut self,
        epoch: Epoch,
        now: i64,
        inputs: &BTreeMap<ObjectId, impl AsRef<[Delta]>>,
    ) -> Result<(Vec<Delta>, ZSet), DataflowError> {
        let (parts, errors) = self.run(epoch, now, inputs)?;
        Ok((parts.into_iter().flatten().filter(|part| !part.is_empty()).collect(), errors))
    }

    fn whole(&self, parts: Parts) -> Result<Delta, DataflowError> {
        let whole = parts::gather(parts, &self.result.schema)?.pop().flatten();
        Ok(whole.unwrap_or_else(|| Delta::empty(self.result.schema.clone())))
    }

    fn run(&mut self, epoch: Epoch, now: i64, inputs: &BTreeMap<ObjectId, impl AsRef<[Delta]>>) -> Result<(Parts, ZSet), DataflowError> {
        let context = StepContext::new(epoch, now);
        let mut errors = Vec::new();
        let mut outputs: Vec<Parts> = Vec::with_capacity(self.nodes.len());
        let mut waiting = self.readers.clone();
        let mut began = self.stopwatch.nanos();
        for (node, profile) in self.nodes.iter_mut().zip(&self.profile.operators) {
            let changes: Vec<Parts> = match &node.feed {
                Feed::Relation(relation) => {
                    let deltas = inputs.get(relation).map_or(&[][..], AsRef::as_ref);
                    vec![deltas.iter().filter(|delta| !delta.is_empty()).cloned().map(Some).collect()]
                }
                Feed::Nodes(feeds) => feeds
                    .iter()
                    .map(|feed| {
                        waiting[*feed] -= 1;
                        if waiting[*feed] == 0 { std::mem::take(&mut outputs[*feed]) } else { outputs[*feed].clone() }
                    })
                    .collect(),
            };
            let taken = changes.iter().map(parts::rows_of).sum();
            let is_relation = matches!(node.feed, Feed::Relation(_));
            let crew = Crew { workers: &self.workers, stopwatch: &*self.stopwatch, counts: &profile.counts };
            let (mut parts, more) = node.step(changes, &context, &crew)?;
            if is_relation {
                parts = parts::pieces(parts, self.piece)?;
            }
            errors.extend(more);
            let ended = self.stopwatch.nanos();
            profile.counts.add(taken, parts::rows_of(&parts), ended - began);
            began = ended;
            outputs.push(parts);
        }
        let parts = outputs.pop().ok_or_else(|| DataflowError::Plan("a circuit without operators".into()))?;
        Ok((parts, error_rows(errors)?))
    }
}

/// Equal rows made one.
fn combined(part: Delta) -> Result<Delta, DataflowError> {
    let (rows, weights) = part.0.into_parts();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let columns = rows.columns().iter().map(canonical).collect();
    Ok(Delta(ZSet::new(RecordBatch::try_new_with_options(rows.schema(), columns, &options)?, weights).combined()?))
}

/// The schema of row errors: `sqlstate text, message text`.
pub fn error_schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![text("sqlstate"), text("message")]))
}

fn error_rows(errors: Vec<ErrorRow>) -> Result<ZSet, DataflowError> {
    let states: ArrayRef = Arc::new(errors.iter().map(|e| Some(e.sqlstate.0)).collect::<StringArray>());
    let messages: ArrayRef = Arc::new(errors.iter().map(|e| Some(e.message.as_str())).collect::<StringArray>());
    let weights: Int64Array = errors.iter().map(|e| Some(e.weight)).collect();
    Ok(ZSet::new(RecordBatch::try_new(error_schema(), vec![states, messages])?, weights).consolidate()?)
}
