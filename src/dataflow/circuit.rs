//! A running plan: operators in order, stepped once an epoch. Each node steps its parts at once, on the circuit's workers; the
//! next node begins when all parts are done.

pub mod in_common;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::state::StateError;
use crate::types::{ObjectId, Turn};
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, ZSet};

use super::common::Made;
use super::error::DataflowError;
use super::identity::Identity;
use super::node::{Feed, Node};
use super::operator::{ErrorRow, StepContext};
use super::parts::{self, Parts};
use super::profile::{OperatorProfile, Profile, SharedProfile, Stopped, Stopwatch};
use super::side::Side;
use super::workers::{Crew, Workers};

/// A circuit; the last node is the result.
pub struct Circuit {
    nodes: Vec<Node>,
    result: ResultOf,
    identities: Vec<Identity>,
    next_slot: u16,
    sides: Vec<Side>,
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

/// What state a circuit has.
pub(super) struct StateOf {
    pub next_slot: u16,
    /// The sides of its joins, in the order of their slots.
    pub sides: Vec<Side>,
    /// Of the nodes.
    pub identities: Vec<Identity>,
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
    pub(super) fn new(nodes: Vec<Node>, operators: Vec<OperatorProfile>, result: ResultOf, state: StateOf) -> Circuit {
        let profile = Arc::new(Profile { operators, ..Profile::default() });
        let (stopwatch, workers) = (Arc::new(Stopped), Arc::new(Workers::one()));
        let StateOf { next_slot, sides, identities } = state;
        Circuit { nodes, result, identities, next_slot, sides, profile, stopwatch, workers, piece: parts::PIECE }
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

    /// The sides of its joins, which others may keep too.
    pub fn sides(&self) -> &[Side] {
        &self.sides
    }

    /// This circuit in the place of one of the same plan, which has done what is counted.
    pub fn instead_of(self, other: &Circuit) -> Circuit {
        Circuit { profile: other.profile.clone(), stopwatch: other.stopwatch.clone(), workers: other.workers.clone(), ..self }
    }

    /// The names of the operators, inputs before their consumer.
    pub fn operators(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.nodes.iter().map(Node::name)
    }

    /// Passes one epoch's changes through; equal rows of the result's change are made one. A relation's change is the sum of
    /// those in its list; relations that `inputs` does not name have not changed. `now` is the epoch's time in microseconds
    /// since 1970 UTC. A turn comes once, and circuits that keep state together are given the same changes in it.
    ///
    /// # Errors
    /// When state cannot be read or an input is inconsistent; the circuit is of no use afterwards.
    pub fn step(
        &mut self,
        turn: impl Into<Turn>,
        now: i64,
        inputs: &BTreeMap<ObjectId, impl AsRef<[Delta]>>,
    ) -> Result<Output, DataflowError> {
        let (mut parts, errors) = self.run(turn.into(), now, inputs)?;
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
    pub fn pass(
        &mut self,
        turn: impl Into<Turn>,
        now: i64,
        inputs: &BTreeMap<ObjectId, impl AsRef<[Delta]>>,
    ) -> Result<Output, DataflowError> {
        let (parts, errors) = self.run(turn.into(), now, inputs)?;
        Ok(Output { delta: self.whole(parts)?, errors })
    }

    /// [`Circuit::pass`] for those who do not need the change in one piece: it is the sum of these. The errors beside it.
    pub fn pass_parts(
        &mut self,
        turn: impl Into<Turn>,
        now: i64,
        inputs: &BTreeMap<ObjectId, impl AsRef<[Delta]>>,
    ) -> Result<(Vec<Delta>, ZSet), DataflowError> {
        let (parts, errors) = self.run(turn.into(), now, inputs)?;
        Ok((parts.into_iter().flatten().filter(|part| !part.is_empty()).collect(), errors))
    }

    fn whole(&self, parts: Parts) -> Result<Delta, DataflowError> {
        let whole = parts::gather(parts, &self.result.schema)?.pop().flatten();
        Ok(whole.unwrap_or_else(|| Delta::empty(self.result.schema.clone())))
    }

    /// When a node fails the nodes are stepped all the same that others have too, if what they read is there: it is this circuit alone
    /// that fails.
    fn run(&mut self, turn: Turn, now: i64, inputs: &BTreeMap<ObjectId, impl AsRef<[Delta]>>) -> Result<(Parts, ZSet), DataflowError> {
        let context = StepContext::new(turn, now);
        let mut errors = Vec::new();
        let mut made = self.made_by_others(turn)?;
        let mut waiting = self.readers(&made);
        // `None` where what came out is not there.
        let mut outputs: Vec<Option<Parts>> = Vec::with_capacity(self.nodes.len());
        let mut failure = None;
        let last = self.nodes.len().saturating_sub(1);
        let mut began = self.stopwatch.nanos();
        for (place, (node, profile)) in self.nodes.iter_mut().zip(&self.profile.operators).enumerate() {
            let is_read = place == last || waiting[place] > 0;
            let made = match made[place].take() {
                Some(made) => Ok(made),
                None if !is_read && profile.slots.is_empty() => Ok(Made { parts: None, errors: Vec::new(), rows: (0, 0) }),
                None if failure.is_some() && node.common.is_none() && matches!(node.feed, Feed::Nodes(_)) => {
                    outputs.push(None);
                    continue;
                }
                None => {
                    let mut changes_of = |feed: &usize| {
                        waiting[*feed] -= 1;
                        if waiting[*feed] == 0 { outputs[*feed].take() } else { outputs[*feed].clone() }
                    };
                    let changes: Option<Vec<Parts>> = match &node.feed {
                        Feed::Relation(relation) => {
                            let deltas = inputs.get(relation).map_or(&[][..], AsRef::as_ref);
                            Some(vec![deltas.iter().filter(|delta| !delta.is_empty()).cloned().map(Some).collect()])
                        }
                        Feed::Nodes(feeds) => feeds.iter().map(&mut changes_of).collect(),
                    };
                    let crew = Crew { workers: &self.workers, stopwatch: &*self.stopwatch, counts: &profile.counts };
                    match changes {
                        Some(changes) => node.step_for_all(changes, &context, &crew, !profile.slots.is_empty(), self.piece),
                        // Whoever has made what it reads has failed here, and what is wrong with it is the same here.
                        None => Err(StateError::HalfChanged.into()),
                    }
                }
            };
            let Made { parts, errors: more, rows: (taken, given) } = match made {
                Ok(made) => made,
                Err(error) => {
                    failure.get_or_insert(error);
                    outputs.push(None);
                    continue;
                }
            };
            errors.extend(more);
            let ended = self.stopwatch.nanos();
            profile.counts.add(taken, given, ended - began);
            began = ended;
            outputs.push(parts.filter(|_| is_read));
        }
        match (failure, outputs.pop().flatten()) {
            (Some(failure), _) => Err(failure),
            (None, Some(parts)) => Ok((parts, error_rows(errors)?)),
            (None, None) => Err(DataflowError::Plan("a circuit without operators".into())),
        }
    }

    /// By node: what another circuit has made there in this turn.
    fn made_by_others(&self, turn: Turn) -> Result<Vec<Option<Made>>, DataflowError> {
        let take = |node: &Node| match &node.common {
            Some(common) if turn.piece == 0 => common.take(turn),
            _ => Ok(None),
        };
        self.nodes.iter().map(take).collect()
    }

    /// By node: how many read what comes out of it. Who has it from others reads nothing, and nor does who keeps no state and is
    /// not read.
    fn readers(&self, made: &[Option<Made>]) -> Vec<usize> {
        let mut readers = vec![0; self.nodes.len()];
        let last = self.nodes.len().saturating_sub(1);
        for (place, node) in self.nodes.iter().enumerate().rev() {
            let is_stepped = place == last || readers[place] > 0 || !self.profile.operators[place].slots.is_empty();
            if let (Feed::Nodes(feeds), true, None) = (&node.feed, is_stepped, &made[place]) {
                feeds.iter().for_each(|feed| readers[*feed] += 1);
            }
        }
        readers
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
