//! Top N: the first rows of each group by an order, and if asked for each row's rank.
//!
//! All rows are kept, by group; of an input that only grows, those within the limit: the others can never come back. For
//! the groups that changed, the rows that were there and those that are there now are
//! walked side by side in one order: the plan's order, then all columns, so that no two different rows are equal in it and
//! the answer depends on nothing but the rows that are there.
//!
//! 1. The change is grouped, and the rows of its groups are looked up.
//! 2. Of both together each row has a weight before and a weight after. They are put in order by the columns of the order
//!    alone; only rows that tie are compared by all columns.
//! 3. A row whose place is within the limit is there as often as the limit lets it; what differs between before and after
//!    is the change of the result.
//! 4. The change is taken in, without what need not be kept.

pub mod first_row;
mod order;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, interleave, take};
use arrow::datatypes::SchemaRef;
use arrow_row::Rows;
use hashbrown::HashMap;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::dataflow::operators::slots::Slots;
use crate::planner::circuit_plan::SortKey;
use crate::state::{Arrangement, Find};
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, Groups, ZSet};

use order::RowOrder;

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
    order: RowOrder,
    rows: Arrangement,
}

/// A row of a group: in the rows that were there, or in the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum At {
    There(u32),
    Change(u32),
}

/// An entry of a group: where its row is, and its weights.
struct Entry {
    row: At,
    before: i64,
    after: i64,
}

/// Ranks from one to the other, both included; empty where the second is less.
type Ranks = (i64, i64);

/// Some rows with ranks and weights.
#[derive(Default)]
struct Change {
    rows: Vec<At>,
    ranks: Vec<i64>,
    weights: Vec<i64>,
}

impl TopN {
    pub fn new(spec: TopNSpec, input: &SchemaRef, slots: &mut Slots) -> Result<TopN, DataflowError> {
        let order = RowOrder::new(&spec.order, input)?;
        let rows = slots.arrangement(input, &spec.partition, Find::ByRow)?;
        Ok(TopN { limit: i64::try_from(spec.limit).unwrap_or(i64::MAX), spec, order, rows })
    }

    /// The rows as bytes that compare in the order; `None` where there is no order.
    fn ordered(&self, rows: &ZSet) -> Result<Option<Rows>, DataflowError> {
        self.order.bytes(&self.order.columns().iter().map(|column| rows.column(*column).clone()).collect::<Vec<_>>())
    }

    /// The ranks that the limit leaves to a row that is there so often, behind `before` others.
    fn ranks(&self, before: i64, weight: i64) -> Ranks {
        (before + 1, before.saturating_add(weight).min(self.limit))
    }

    /// The change of what is kept of a group that only grows: the rows of the ranks, and no copy more.
    fn keep(&self, entries: &[Entry], kept: &mut Change) {
        let mut after = 0i64;
        for entry in entries {
            let wanted = entry.after.min(self.limit - after).max(0);
            kept.push(entry.row, 0, wanted - entry.before);
            after = after.saturating_add(entry.after);
        }
    }

    fn walk(&self, entries: &[Entry], change: &mut Change) -> Result<(), DataflowError> {
        let (mut before, mut after) = (0i64, 0i64);
        for entry in entries {
            if before >= self.limit && after >= self.limit {
                break;
            }
            let (old, new) = (self.ranks(before, entry.before), self.ranks(after, entry.after));
            if self.spec.rank {
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
}

impl Change {
    fn push(&mut self, row: At, rank: i64, weight: i64) {
        if weight != 0 {
            self.rows.push(row);
            self.ranks.push(rank);
            self.weights.push(weight);
        }
    }
}

/// The rows that were there, and those of the change.
struct Both<'a> {
    there: &'a ZSet,
    change: &'a ZSet,
}

impl Both<'_> {
    /// The columns of those rows.
    fn gather(&self, rows: &[At]) -> Result<Vec<ArrayRef>, DataflowError> {
        let picks: Vec<(usize, usize)> = rows
            .iter()
            .map(|at| match at {
                At::There(row) => (0, *row as usize),
                At::Change(row) => (1, *row as usize),
            })
            .collect();
        let columns = self.there.rows().columns().iter().zip(self.change.rows().columns());
        Ok(columns.map(|(there, change)| interleave(&[there, change], &picks)).collect::<Result<_, _>>()?)
    }
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
        // 1. The groups of the change and their rows.
        let (groups, keys) = self.spec.groups(delta)?;
        let count = groups.len();
        let found = self.rows.lookup(&keys, count)?;

        // 2. Both together, in order.
        let both = Both { there: &found.rows, change: delta };
        let (there, change) = (self.ordered(both.there)?, self.ordered(both.change)?);
        let bytes = |at: At| match at {
            At::There(row) => there.as_ref().map(|rows| rows.row(row as usize)),
            At::Change(row) => change.as_ref().map(|rows| rows.row(row as usize)),
        };
        let mut by_group: Vec<Vec<At>> = vec![Vec::new(); count];
        for (row, group) in found.probe.values().iter().enumerate() {
            by_group[*group as usize].push(At::There(row as u32));
        }
        for (row, group) in groups.ids.iter().enumerate() {
            by_group[*group as usize].push(At::Change(row as u32));
        }
        let mut ties: Vec<At> = Vec::new();
        for rows in &mut by_group {
            rows.sort_unstable_by(|a, b| bytes(*a).cmp(&bytes(*b)));
            ties.extend(rows.chunk_by(|a, b| bytes(*a) == bytes(*b)).filter(|tie| tie.len() > 1).flatten());
        }
        let tied = self.order.whole_bytes(&both.gather(&ties)?)?;
        let places: HashMap<At, usize> = ties.iter().enumerate().map(|(place, at)| (*at, place)).collect();
        let whole = |at: At| places.get(&at).map(|place| tied.row(*place));

        let mut change = Change::default();
        let mut kept = Change::default();
        for mut rows in by_group {
            for tie in rows.chunk_by_mut(|a, b| bytes(*a) == bytes(*b)).filter(|tie| tie.len() > 1) {
                tie.sort_unstable_by(|a, b| whole(*a).cmp(&whole(*b)));
            }
            // Equal rows are made one.
            let mut entries: Vec<Entry> = Vec::new();
            for row in rows {
                let (before, weight) = match row {
                    At::There(at) => (both.there.weights().value(at as usize), both.there.weights().value(at as usize)),
                    At::Change(at) => (0, both.change.weights().value(at as usize)),
                };
                let same = |last: &&mut Entry| whole(row).is_some_and(|bytes| whole(last.row) == Some(bytes));
                match entries.last_mut().filter(same) {
                    Some(last) => {
                        last.before += before;
                        last.after = last.after.checked_add(weight).ok_or(DataflowError::WeightOutOfRange)?;
                    }
                    None => entries.push(Entry { row, before, after: weight }),
                }
            }
            if let Some(negative) = entries.iter().find(|entry| entry.after < 0) {
                let row = both.gather(&[negative.row])?;
                let key = row.iter().map(|c| arrow::util::display::array_value_to_string(c, 0)).collect::<Result<Vec<_>, _>>()?;
                return Err(DataflowError::NegativeWeight { operator: self.name(), weight: negative.after, key: key.join(", ") });
            }
            // 3. What differs.
            self.walk(&entries, &mut change)?;
            self.keep(&entries, &mut kept);
        }
        // 4. What is kept.
        match self.spec.append_only {
            true => {
                let rows = RecordBatch::try_new(delta.schema(), both.gather(&kept.rows)?)?;
                self.rows.insert(&ZSet::new(rows, kept.weights.into()))?;
            }
            false => self.rows.insert(delta)?,
        }
        let mut columns = both.gather(&change.rows)?;
        if self.spec.rank {
            let ranks: ArrayRef = Arc::new(Int64Array::from(change.ranks));
            columns.push(cast(&ranks, self.spec.schema.field(columns.len()).data_type())?);
        }
        Ok(Delta(ZSet::new(RecordBatch::try_new(self.spec.schema.clone(), columns)?, change.weights.into())))
    }
}

#[cfg(test)]
mod tests;
