//! A running plan: operators in order, stepped once an epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::types::{Epoch, ObjectId};
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, ZSet};

use super::error::DataflowError;
use super::operator::{ErrorRow, Operator, StepContext};
use super::profile::{OperatorProfile, Profile, SharedProfile, Stopped, Stopwatch};

/// Where a node's changes come from.
pub(super) enum Feed {
    /// A relation outside; its schema as the plan has it.
    Relation(ObjectId, SchemaRef),
    /// Earlier nodes.
    Nodes(Vec<usize>),
}

pub(super) struct Node {
    pub feed: Feed,
    pub operator: Box<dyn Operator>,
}

/// A circuit; the last node is the result.
pub struct Circuit {
    nodes: Vec<Node>,
    /// How many read each node.
    readers: Vec<usize>,
    next_slot: u16,
    profile: SharedProfile,
    stopwatch: Arc<dyn Stopwatch>,
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
    pub(super) fn new(nodes: Vec<Node>, operators: Vec<OperatorProfile>, next_slot: u16) -> Circuit {
        let mut readers = vec![0; nodes.len()];
        for node in &nodes {
            if let Feed::Nodes(feeds) = &node.feed {
                feeds.iter().for_each(|feed| readers[*feed] += 1);
            }
        }
        let profile = Arc::new(Profile { operators, ..Profile::default() });
        Circuit { nodes, readers, next_slot, profile, stopwatch: Arc::new(Stopped) }
    }

    /// The same circuit, whose profile has the time that this tells.
    pub fn timed(self, stopwatch: Arc<dyn Stopwatch>) -> Circuit {
        Circuit { stopwatch, ..self }
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
        self.nodes.iter().map(|node| node.operator.name())
    }

    /// Passes one epoch's changes through; equal rows of the result's change are made one. Relations that `inputs` does not
    /// name have not changed. `now` is the epoch's time in microseconds since 1970 UTC.
    ///
    /// # Errors
    /// When state cannot be read or an input is inconsistent; the circuit is of no use afterwards.
    pub fn step(&mut self, epoch: Epoch, now: i64, inputs: &BTreeMap<ObjectId, Delta>) -> Result<Output, DataflowError> {
        let output = self.pass(epoch, now, inputs)?;
        let began = self.stopwatch.nanos();
        let (rows, weights) = output.delta.0.into_parts();
        let (count, options) = (rows.num_rows(), RecordBatchOptions::new().with_row_count(Some(rows.num_rows())));
        let columns = rows.columns().iter().map(canonical).collect();
        let delta = ZSet::new(RecordBatch::try_new_with_options(rows.schema(), columns, &options)?, weights).combined()?;
        // How many rows are kept, whoever keeps them counts.
        self.profile.kept.add(count, 0, self.stopwatch.nanos() - began);
        Ok(Output { delta: Delta(delta), errors: output.errors })
    }

    /// [`Circuit::step`] for those who add up the changes themselves: the result's change as it comes.
    pub fn pass(&mut self, epoch: Epoch, now: i64, inputs: &BTreeMap<ObjectId, Delta>) -> Result<Output, DataflowError> {
        let mut context = StepContext::new(epoch, now);
        let mut outputs: Vec<Option<Delta>> = Vec::with_capacity(self.nodes.len());
        let mut waiting = self.readers.clone();
        let mut began = self.stopwatch.nanos();
        for (node, profile) in self.nodes.iter_mut().zip(&self.profile.operators) {
            let changes: Vec<Delta> = match &node.feed {
                Feed::Relation(relation, schema) => match inputs.get(relation) {
                    Some(delta) => vec![delta.clone()],
                    None => vec![Delta::empty(schema.clone())],
                },
                Feed::Nodes(feeds) => feeds
                    .iter()
                    .filter_map(|feed| {
                        waiting[*feed] -= 1;
                        if waiting[*feed] == 0 { outputs[*feed].take() } else { outputs[*feed].clone() }
                    })
                    .collect(),
            };
            let taken = changes.iter().map(|change| change.0.len()).sum();
            let changes: Vec<&Delta> = changes.iter().collect();
            let output = node.operator.step(&changes, &mut context)?;
            let ended = self.stopwatch.nanos();
            profile.counts.add(taken, output.0.len(), ended - began);
            began = ended;
            outputs.push(Some(output));
        }
        let delta = outputs.pop().flatten().ok_or_else(|| DataflowError::Plan("a circuit without operators".into()))?;
        Ok(Output { delta, errors: error_rows(context.errors)? })
    }
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
