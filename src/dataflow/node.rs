//! A node of a circuit: where its changes come from, and what is done to each part of them.

use arrow::datatypes::SchemaRef;

use crate::types::ObjectId;
use crate::zset::Delta;

use super::common::{Common, Made};
use super::error::DataflowError;
use super::exchange;
use super::operator::{ErrorRow, Operator, StepContext};
use super::parts::{self, Parts};
use super::staged::Staged;
use super::workers::Crew;

/// Where a node's changes come from.
pub enum Feed {
    /// A relation outside.
    Relation(ObjectId),
    /// Earlier nodes.
    Nodes(Vec<usize>),
}

pub enum Work {
    /// Each part is stepped by an operator of its own, which holds the state of that shard; one operator where all rows are
    /// in one part.
    Operators(Vec<Box<dyn Operator>>),
    /// Groups are added up before their rows move.
    Staged(Staged),
    /// Rows go to the shards of these columns.
    Exchange(Vec<usize>),
    /// All rows go to one part.
    Gather,
}

pub struct Node {
    pub feed: Feed,
    pub work: Work,
    /// Of the circuits that have it too.
    pub common: Option<Common>,
    /// No change, for each input.
    nothing: Vec<Delta>,
    /// Of the result.
    schema: SchemaRef,
}

impl Node {
    pub fn new(feed: Feed, work: Work, inputs: &[SchemaRef], schema: SchemaRef) -> Node {
        Node { feed, work, common: None, nothing: inputs.iter().cloned().map(Delta::empty).collect(), schema }
    }

    pub fn name(&self) -> &'static str {
        match &self.work {
            Work::Operators(operators) => operators.first().map_or("Nothing", |operator| operator.name()),
            Work::Staged(staged) => staged.name(),
            Work::Exchange(_) => "Exchange",
            Work::Gather => "Gather",
        }
    }

    /// Steps the node, and has what was made ready for the other circuits that have it. A relation's change is cut into pieces of so
    /// many rows at least.
    pub fn step_for_all(
        &mut self,
        inputs: Vec<Parts>,
        context: &StepContext,
        crew: &Crew,
        has_state: bool,
        piece: usize,
    ) -> Result<Made, DataflowError> {
        let taken = inputs.iter().map(parts::rows_of).sum();
        let is_given = context.turn.piece == 0 && self.common.as_ref().is_some_and(Common::is_shared);
        let given_by = |node: &Node, what: &dyn Fn(&Common)| node.common.iter().filter(|_| is_given).for_each(what);
        given_by(self, &|common| common.begin(has_state));
        let (mut parts, errors) = self.step(inputs, context, crew)?;
        if matches!(self.feed, Feed::Relation(_)) {
            parts = parts::pieces(parts, piece)?;
        }
        let rows = (taken, parts::rows_of(&parts));
        let made = Made { parts: Some(parts), errors, rows };
        given_by(self, &|common| common.put(context.turn, &made));
        Ok(made)
    }

    /// The change of the result for a change of each input, and the errors of rows.
    fn step(&mut self, mut inputs: Vec<Parts>, context: &StepContext, crew: &Crew) -> Result<(Parts, Vec<ErrorRow>), DataflowError> {
        let operators = match (&mut self.work, inputs.as_mut_slice()) {
            (Work::Operators(operators), _) => operators,
            (Work::Exchange(key), [input]) => {
                return Ok((exchange::exchange(std::mem::take(input), key, &self.schema, crew)?, Vec::new()));
            }
            (Work::Gather, [input]) => return Ok((parts::gather(std::mem::take(input), &self.schema)?, Vec::new())),
            (Work::Staged(staged), [input]) => return staged.step(std::mem::take(input), context, crew),
            _ => return Err(DataflowError::Plan("an exchange has one input".into())),
        };
        let rows = inputs.iter().map(parts::rows_of).sum();
        // Shards are as many as operators. There may be more pieces: an operator takes each of its own by itself.
        let (shards, parts) = (operators.len().max(1), inputs.iter().map(Vec::len).max().unwrap_or(0).max(operators.len()));
        let mut changes_of =
            |part| -> Vec<Option<Delta>> { inputs.iter_mut().map(|parts| parts.get_mut(part).and_then(Option::take)).collect() };
        let items: Vec<_> = operators
            .iter_mut()
            .enumerate()
            .map(|(shard, operator)| (operator, (shard..parts).step_by(shards).map(&mut changes_of).collect()))
            .collect();
        let nothing = &self.nothing;
        let stepped = crew.each(rows, items, |(operator, pieces): (&mut Box<dyn Operator>, Vec<Vec<Option<Delta>>>)| {
            let step = |changes: Vec<Option<Delta>>| {
                if changes.iter().all(Option::is_none) && !operator.acts_unasked() {
                    return Ok((None, Vec::new()));
                }
                let changes: Vec<&Delta> =
                    changes.iter().zip(nothing).map(|(change, nothing)| change.as_ref().unwrap_or(nothing)).collect();
                parts::stepped(context, |context| operator.step(&changes, context))
            };
            pieces.into_iter().map(step).collect::<Vec<_>>()
        });
        // In the order of the pieces again.
        let mut stepped: Vec<_> = stepped.into_iter().map(Vec::into_iter).collect();
        parts::together((0..parts).filter_map(|part| stepped.get_mut(part % shards)?.next()).collect())
    }
}
