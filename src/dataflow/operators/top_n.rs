//! Top N: the first rows of each group by an order, and if asked for each row's rank.
//!
//! Rows are kept by group in the plan's order, then that of all columns, so that no two different rows are equal in it and the
//! answer depends on nothing but the rows that are there. All rows are kept, of an input that only grows those within
//! the limit: the others can never come back. Of a group as many are looked at as the limit lets through, however many it has.
//!
//! 1. The change is grouped, and the first rows of its groups are read.
//! 2. Of an input that only grows the rows of the change go in between. Otherwise the change is taken in, and the first rows
//!    are read again.
//! 3. Both are walked side by side: a row whose place is within the limit is there as often as the limit lets it, and what
//!    differs between before and after is the change of the result.

pub mod first_row;
mod order;

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::dataflow::keyed_trace::KeyedTrace;
use crate::dataflow::operator::{Operator, StepContext};
use crate::dataflow::operators::slots::Slots;
use crate::planner::circuit_plan::SortKey;
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, Groups, ZSet};

pub struct TopNSpec {
    pub partition: Vec<usize>,
    pub order: Vec<SortKey>,
    pub limit: usize,
    pub rank: bool,
    pub schema: SchemaRef,
    /// No row of the input is ever taken back.
    pub append_only: bool,
}

impl TopNSpec {
    /// The groups of the rows, and the key of each.
    fn groups(&self, rows: &ZSet) -> Result<(Groups, Vec<ArrayRef>), DataflowError> {
        let columns: Vec<ArrayRef> = self.partition.iter().map(|column| canonical(rows.column(*column))).collect();
        let groups = if columns.is_empty() { Groups::everything(rows.len()) } else { Groups::of(&columns, rows.len())? };
        let first = UInt32Array::from(groups.first.clone());
        let keys = columns.iter().map(|column| take(column, &first, None)).collect::<Result<_, _>>()?;
        Ok((groups, keys))
    }
}

pub struct TopN {
    spec: TopNSpec,
    limit: i64,
    rows: KeyedTrace,
}

/// A row of a group as bytes, and how often it is there before and after.
#[derive(Clone, Copy)]
struct Entry<'a> {
    row: &'a [u8],
    before: i64,
    after: i64,
}

/// Ranks from one to the other, both included; empty where the second is less.
type Ranks = (i64, i64);

/// Some rows with ranks and weights.
#[derive(Default)]
struct Change<'a> {
    rows: Vec<&'a [u8]>,
    ranks: Vec<i64>,
    weights: Vec<i64>,
}

impl TopN {
    pub fn new(spec: TopNSpec, input: &SchemaRef, slots: &mut Slots) -> Result<TopN, DataflowError> {
        let rows = slots.trace_in_order(input, &spec.partition, &spec.order)?;
        Ok(TopN { limit: i64::try_from(spec.limit).unwrap_or(i64::MAX), spec, rows })
    }

    /// The ranks that the limit leaves to a row that is there so often, behind `before` others.
    fn ranks(&self, before: i64, weight: i64) -> Ranks {
        (before + 1, before.saturating_add(weight).min(self.limit))
    }

    /// What differs of a group, with ranks if they are asked for.
    fn walk<'a>(&self, entries: &[Entry<'a>], ranks: bool, change: &mut Change<'a>) -> Result<(), DataflowError> {
        let (mut before, mut after) = (0i64, 0i64);
        for entry in entries {
            if before >= self.limit && after >= self.limit {
                break;
            }
            let (old, new) = (self.ranks(before, entry.before), self.ranks(after, entry.after));
            if ranks {
                for (these, those, weight) in [(old, new, -1), (new, old, 1)] {
                    let changed = (these.0..=these.1).filter(|rank| !(those.0..=those.1).contains(rank));
                    changed.for_each(|rank| change.push(entry.row, rank, weight));
                }
            } else {
                let count = |ranks: Ranks| (ranks.1 - ranks.0 + 1).max(0);
                change.push(entry.row, 0, count(new) - count(old));
            }
            before = before.checked_add(entry.before).ok_or(DataflowError::WeightOutOfRange)?;
            after = after.checked_add(entry.after).ok_or(DataflowError::WeightOutOfRange)?;
        }
        Ok(())
    }

    fn negative(&self, row: &[u8], weight: i64) -> DataflowError {
        let printed = self.rows.decode([row]).map_err(DataflowError::from).and_then(|row| {
            let values = row.columns().iter().map(|column| arrow::util::display::array_value_to_string(column, 0));
            Ok(values.collect::<Result<Vec<_>, _>>()?.join(", "))
        });
        match printed {
            Ok(key) => DataflowError::NegativeWeight { operator: self.name(), weight, key },
            Err(error) => error,
        }
    }
}

impl<'a> Change<'a> {
    fn push(&mut self, row: &'a [u8], rank: i64, weight: i64) {
        if weight != 0 {
            self.rows.push(row);
            self.ranks.push(rank);
            self.weights.push(weight);
        }
    }
}

/// The rows that are in one of the two, in their order: `right` tells what its weights are of those that `left` has.
fn side_by_side<'a>(
    left: &[(&'a [u8], i64)],
    right: &[(&'a [u8], i64)],
    entry: impl Fn(&'a [u8], i64, i64) -> Result<Entry<'a>, DataflowError>,
) -> Result<Vec<Entry<'a>>, DataflowError> {
    let mut entries = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some((a, _)), Some((b, _))) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return Ok(entries),
        };
        let a = if order == Ordering::Greater { None } else { left.next() };
        let b = if order == Ordering::Less { None } else { right.next() };
        if let Some((row, _)) = a.or(b) {
            entries.push(entry(row, a.map_or(0, |(_, weight)| weight), b.map_or(0, |(_, weight)| weight))?);
        }
    }
}

/// Rows with their groups and weights in the order of rows, equal ones as one.
fn consolidated(mut rows: Vec<(u32, &[u8], i64)>) -> Result<Vec<(u32, &[u8], i64)>, DataflowError> {
    rows.sort_unstable_by_key(|(_, row, _)| *row);
    let mut single: Vec<(u32, &[u8], i64)> = Vec::with_capacity(rows.len());
    for (group, row, weight) in rows {
        match single.last_mut().filter(|last| last.1 == row) {
            Some(last) => last.2 = last.2.checked_add(weight).ok_or(DataflowError::WeightOutOfRange)?,
            None => single.push((group, row, weight)),
        }
    }
    single.retain(|(_, _, weight)| *weight != 0);
    Ok(single)
}

/// Rows of groups by group.
fn by_group<'a>(rows: impl Iterator<Item = (u32, &'a [u8], i64)>, count: usize) -> Vec<Vec<(&'a [u8], i64)>> {
    let mut groups = vec![Vec::new(); count];
    rows.for_each(|(group, row, weight)| groups[group as usize].push((row, weight)));
    groups
}

impl Operator for TopN {
    fn name(&self) -> &'static str {
        "TopN"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        let [Delta(delta)] = inputs else { return Err(DataflowError::Plan("a top n has one input".into())) };
        if delta.is_empty() {
            return Ok(Delta::empty(self.spec.schema.clone()));
        }
        // 1. The groups of the change and their first rows.
        let (groups, keys) = self.spec.groups(delta)?;
        let count = groups.len();
        let encoded = self.rows.encode(delta)?;
        let weights = delta.weights().values().iter().copied();
        let rows = groups.ids.iter().zip(encoded.iter()).zip(weights).map(|((group, row), weight)| (*group, row.data(), weight));
        let rows = consolidated(rows.collect())?;
        let before = self.rows.leading(&keys, count, self.limit)?;

        // 2. Those rows with the change.
        let mut change = Change::default();
        let mut kept = Change::default();
        let after;
        if self.spec.append_only {
            for (there, come) in by_group(before.iter(), count).into_iter().zip(by_group(rows.into_iter(), count)) {
                let entries = side_by_side(&there, &come, |row, before, more| match before.checked_add(more) {
                    Some(after) if after < 0 => Err(self.negative(row, after)),
                    Some(after) => Ok(Entry { row, before, after }),
                    None => Err(DataflowError::WeightOutOfRange),
                })?;
                // 3. What differs; without ranks, it is what is kept from now on.
                self.walk(&entries, self.spec.rank, &mut change)?;
                if self.spec.rank {
                    self.walk(&entries, false, &mut kept)?;
                }
            }
            let kept = if self.spec.rank { &kept } else { &change };
            self.rows.add(kept.rows.iter().copied().zip(kept.weights.iter().copied()))?;
        } else {
            if let Some((row, weight)) = self.rows.add(rows.iter().map(|(_, row, weight)| (*row, *weight)))? {
                return Err(self.negative(row, weight));
            }
            after = self.rows.leading(&keys, count, self.limit)?;
            for (there, now) in by_group(before.iter(), count).into_iter().zip(by_group(after.iter(), count)) {
                let entries = side_by_side(&there, &now, |row, before, after| Ok(Entry { row, before, after }))?;
                self.walk(&entries, self.spec.rank, &mut change)?;
            }
        }
        let mut columns = self.rows.decode(change.rows)?.columns().to_vec();
        if self.spec.rank {
            let ranks: ArrayRef = Arc::new(Int64Array::from(change.ranks));
            columns.push(cast(&ranks, self.spec.schema.field(columns.len()).data_type())?);
        }
        Ok(Delta(ZSet::new(RecordBatch::try_new(self.spec.schema.clone(), columns)?, change.weights.into())))
    }
}

#[cfg(test)]
mod tests;
