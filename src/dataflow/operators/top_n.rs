//! Top N: the first rows of each group by an order, and if asked for each row's rank.
//!
//! All rows are kept, by group; of an input that only grows, those within the limit: the others can never come back. For
//! the groups that changed, the rows that were there and those that are there now are
//! walked side by side in one order: the plan's order, then all columns, so that no two different rows are equal in it and
//! the answer depends on nothing but the rows that are there.
//!
//! 1. The change is grouped, and the rows of its groups are looked up.
//! 2. Of both together each row has a weight before and a weight after.
//! 3. A row whose place is within the limit is there as often as the limit lets it; what differs between before and after
//!    is the change of the result.
//! 4. The change is taken in, without what need not be kept.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, cast, take};
use arrow::datatypes::SchemaRef;
use arrow_row::{RowConverter, Rows, SortField};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::dataflow::operators::slots::Slots;
use crate::planner::circuit_plan::SortKey;
use crate::state::Arrangement;
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

pub struct TopN {
    spec: TopNSpec,
    limit: i64,
    /// Of the order, then all columns.
    sorter: RowConverter,
    rows: Arrangement,
}

/// An entry of a group: where it is among the rows, and its weights.
struct Entry {
    row: u32,
    before: i64,
    after: i64,
}

/// Ranks from one to the other, both included; empty where the second is less.
type Ranks = (i64, i64);

/// The change of the result: positions among the rows, ranks, weights.
#[derive(Default)]
struct Change {
    rows: Vec<u32>,
    ranks: Vec<i64>,
    weights: Vec<i64>,
}

impl TopN {
    pub fn new(spec: TopNSpec, input: &SchemaRef, slots: &mut Slots) -> Result<TopN, DataflowError> {
        let last = SortOptions { descending: false, nulls_first: false };
        let by = spec.order.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(input.field(key.column).data_type().clone(), options)
        });
        let all = input.fields().iter().map(|field| SortField::new_with_options(field.data_type().clone(), last));
        let sorter = RowConverter::new(by.chain(all).collect())?;
        let rows = slots.arrangement(input, &spec.partition)?;
        Ok(TopN { limit: i64::try_from(spec.limit).unwrap_or(i64::MAX), spec, sorter, rows })
    }

    /// The rows as bytes that compare in the order.
    fn sorted_by(&self, rows: &RecordBatch) -> Result<Rows, DataflowError> {
        let by = self.spec.order.iter().map(|key| rows.column(key.column));
        let columns: Vec<ArrayRef> = by.chain(rows.columns()).map(canonical).collect();
        Ok(self.sorter.convert_columns(&columns)?)
    }

    /// The ranks that the limit leaves to a row that is there so often, behind `before` others.
    fn ranks(&self, before: i64, weight: i64) -> Ranks {
        (before + 1, before.saturating_add(weight).min(self.limit))
    }

    /// The change of what is kept of a group that only grows: all within the limit, with one row at least of each rank.
    fn keep(&self, entries: &[Entry], kept: &mut Change) {
        let mut after = 0i64;
        for entry in entries {
            let wanted = if after < self.limit { entry.after } else { 0 };
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
    fn push(&mut self, row: u32, rank: i64, weight: i64) {
        if weight != 0 {
            self.rows.push(row);
            self.ranks.push(rank);
            self.weights.push(weight);
        }
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
        let columns: Vec<ArrayRef> = self.spec.partition.iter().map(|c| canonical(delta.column(*c))).collect();
        let groups = if columns.is_empty() { Groups::everything(delta.len()) } else { Groups::of(&columns, delta.len())? };
        let count = groups.len();
        let first = UInt32Array::from(groups.first.clone());
        let keys = columns.iter().map(|column| take(column, &first, None)).collect::<Result<Vec<_>, _>>()?;
        let found = self.rows.lookup(&keys, count)?;

        // 2. Both together, in order, equal rows made one.
        let there = found.rows.len();
        let all = ZSet::concat(&delta.schema(), [&found.rows, delta])?;
        let bytes = self.sorted_by(all.rows())?;
        let mut by_group: Vec<Vec<u32>> = vec![Vec::new(); count];
        for row in 0..all.len() {
            let group = match row.checked_sub(there) {
                None => found.probe.value(row),
                Some(row) => groups.ids[row],
            };
            by_group[group as usize].push(row as u32);
        }
        let mut change = Change::default();
        let mut kept = Change::default();
        for mut rows in by_group {
            rows.sort_unstable_by(|a, b| bytes.row(*a as usize).cmp(&bytes.row(*b as usize)));
            let mut entries: Vec<Entry> = Vec::new();
            for row in rows {
                let weight = all.weights().value(row as usize);
                let before = if (row as usize) < there { weight } else { 0 };
                match entries.last_mut().filter(|last| bytes.row(last.row as usize) == bytes.row(row as usize)) {
                    Some(last) => {
                        last.before += before;
                        last.after = last.after.checked_add(weight).ok_or(DataflowError::WeightOutOfRange)?;
                    }
                    None => entries.push(Entry { row, before, after: weight }),
                }
            }
            if let Some(negative) = entries.iter().find(|entry| entry.after < 0) {
                let row = all.rows().slice(negative.row as usize, 1);
                let key = row.columns().iter().map(|c| arrow::util::display::array_value_to_string(c, 0)).collect::<Result<Vec<_>, _>>()?;
                return Err(DataflowError::NegativeWeight { operator: self.name(), weight: negative.after, key: key.join(", ") });
            }
            // 3. What differs.
            self.walk(&entries, &mut change)?;
            self.keep(&entries, &mut kept);
        }
        // 4. What is kept.
        match self.spec.append_only {
            true => {
                let rows = all.take(&UInt32Array::from(kept.rows))?.into_parts().0;
                self.rows.insert(&ZSet::new(rows, kept.weights.into()))?;
            }
            false => self.rows.insert(delta)?,
        }
        let taken = all.take(&UInt32Array::from(change.rows))?;
        let mut columns = taken.rows().columns().to_vec();
        if self.spec.rank {
            let ranks: ArrayRef = Arc::new(Int64Array::from(change.ranks));
            columns.push(cast(&ranks, self.spec.schema.field(columns.len()).data_type())?);
        }
        Ok(Delta(ZSet::new(RecordBatch::try_new(self.spec.schema.clone(), columns)?, change.weights.into())))
    }
}

#[cfg(test)]
mod tests;
