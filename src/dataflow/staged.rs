//! Aggregation in two stages: the rows of each piece are added up where they are, and what they come to moves to the shards
//! of the groups. For a change of many rows and few groups; another moves its rows instead.

use arrow::datatypes::SchemaRef;

use crate::zset::{Delta, Groups};

use super::error::DataflowError;
use super::exchange::exchange;
use super::operator::{ErrorRow, Operator, StepContext};
use super::operators::aggregate::{Aggregate, Change};
use super::parts::{self, Parts};
use super::workers::Crew;

/// So many rows of a change are looked at.
const SAMPLE: usize = 1024;
/// See [`Staged::worth`].
const WORTH: usize = 8;

pub struct Staged {
    /// The columns of the input that groups are found by, the first of those of the group.
    key: Vec<usize>,
    /// One a shard; one when there is one group.
    shards: Vec<Aggregate>,
    /// No rows, of what it takes in.
    nothing: Delta,
    records: SchemaRef,
    /// So many rows have to come to one record.
    pub worth: usize,
}

impl Staged {
    /// `shards` are at least one, and all of one aggregate, which adds up; `rows` is the schema of what it takes in.
    pub fn new(key: Vec<usize>, shards: Vec<Aggregate>, rows: SchemaRef) -> Staged {
        let records = shards.first().map_or_else(|| rows.clone(), Aggregate::partial_schema);
        Staged { key, shards, nothing: Delta::empty(rows), records, worth: WORTH }
    }

    pub fn name(&self) -> &'static str {
        self.shards.first().map_or("Aggregate", |shard| shard.name())
    }

    pub fn step(&mut self, input: Parts, context: &StepContext, crew: &Crew) -> Result<(Parts, Vec<ErrorRow>), DataflowError> {
        let adds = self.is_worth_adding(&input)?;
        let parts = match self.shards.first() {
            Some(any) if adds => {
                let (rows, parts) = (parts::rows_of(&input), input.into_iter().flatten().collect());
                let added = crew.each(rows, parts, |part: Delta| any.partial(&part.0, &self.records));
                let added = added.into_iter().map(|part| Ok(Some(Delta(part?)))).collect::<Result<Parts, DataflowError>>()?;
                let key: Vec<usize> = (0..self.key.len()).collect();
                moved(added, &key, &self.records, crew)?
            }
            _ => moved(input, &self.key, &self.nothing.schema(), crew)?,
        };
        let rows = parts::rows_of(&parts);
        let nothing = &self.nothing;
        let items: Vec<_> = self.shards.iter_mut().zip(parts).collect();
        let stepped = crew.each(rows, items, |(shard, part)| {
            if part.is_none() && !shard.acts_unasked() {
                return Ok((None, Vec::new()));
            }
            let change = match &part {
                Some(part) if adds => Change::Records(&part.0),
                Some(part) => Change::Rows(&part.0),
                None => Change::Rows(&nothing.0),
            };
            parts::stepped(context, |context| shard.take(change, context))
        });
        parts::together(stepped)
    }

    fn is_worth_adding(&self, input: &Parts) -> Result<bool, DataflowError> {
        let mut parts = input.iter().flatten();
        let (Some(first), Some(_)) = (parts.next(), parts.next()) else { return Ok(false) };
        if self.key.is_empty() {
            return Ok(true);
        }
        let sample = first.0.slice(0, first.0.len().min(SAMPLE));
        let group = self.shards.first().map_or(&self.key[..], Aggregate::group);
        let columns: Vec<_> = group.iter().map(|column| sample.column(*column).clone()).collect();
        Ok(Groups::of(&columns, sample.len())?.len() * self.worth <= sample.len())
    }
}

/// To the shards of the key; without one, to one part.
fn moved(parts: Parts, key: &[usize], schema: &SchemaRef, crew: &Crew) -> Result<Parts, DataflowError> {
    match key {
        [] => parts::gather(parts, schema),
        key => exchange(parts, key, schema, crew),
    }
}
