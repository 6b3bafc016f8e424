//! The first row of each group, where no row is ever taken back: one row a group is kept, and is replaced by one that comes
//! before it.
//!
//! 1. Of the rows that come the first of each group is found.
//! 2. The row that each of these groups has is found, and compared by the columns of the order; all its columns are
//!    looked at only where the two tie.
//! 3. A row that comes before it takes its place; the change of the result is the same.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::SchemaRef;
use arrow_row::Rows;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::dataflow::operators::slots::Slots;
use crate::state::{Arrangement, Find, RowAt};
use crate::zset::{Delta, Groups, ZSet};

use super::TopNSpec;
use super::order::RowOrder;

pub struct FirstRow {
    spec: TopNSpec,
    order: RowOrder,
    rows: Arrangement,
}

impl FirstRow {
    /// Of a limit of one and an input that only grows.
    pub fn new(spec: TopNSpec, input: &SchemaRef, slots: &mut Slots) -> Result<FirstRow, DataflowError> {
        let order = RowOrder::new(&spec.order, input)?;
        let rows = slots.arrangement(input, &spec.partition, Find::Never)?;
        Ok(FirstRow { spec, order, rows })
    }

    /// The first row of each group.
    fn first(&self, delta: &ZSet, groups: &Groups, bytes: Option<&Rows>) -> Result<Vec<u32>, DataflowError> {
        let mut first = groups.first.clone();
        let mut ties = false;
        for (row, group) in (0..).zip(&groups.ids) {
            let best = &mut first[*group as usize];
            match compare(bytes, row, bytes, *best) {
                Ordering::Less => *best = row,
                Ordering::Equal => ties |= row != *best,
                Ordering::Greater => {}
            }
        }
        if !ties {
            return Ok(first);
        }
        // Rows that tie with the first of their group, and those themselves, by all columns.
        let is_first = |row: u32, group: u32| compare(bytes, row, bytes, first[group as usize]) == Ordering::Equal;
        let mut firsts = vec![0u32; groups.len()];
        let all: Vec<(u32, u32)> =
            (0..).zip(&groups.ids).map(|(row, group)| (row, *group)).filter(|(row, group)| is_first(*row, *group)).collect();
        all.iter().for_each(|(_, group)| firsts[*group as usize] += 1);
        let tied: Vec<u32> = all.into_iter().filter(|(_, group)| firsts[*group as usize] > 1).map(|(row, _)| row).collect();
        let whole = self.order.whole_bytes(&taken(delta, &UInt32Array::from(tied.clone()))?)?;
        let mut best: Vec<Option<usize>> = vec![None; groups.len()];
        for (place, row) in tied.iter().enumerate() {
            let best = &mut best[groups.ids[*row as usize] as usize];
            if best.is_none_or(|best| whole.row(place) < whole.row(best)) {
                *best = Some(place);
            }
        }
        for (first, best) in first.iter_mut().zip(best) {
            *first = best.map_or(*first, |place| tied[place]);
        }
        Ok(first)
    }

    /// Which of those rows come before the ones in the same places of `of_change`.
    fn are_before(&self, there: &[RowAt], delta: &ZSet, of_change: Vec<u32>) -> Result<Vec<bool>, DataflowError> {
        let there = self.order.whole_bytes(&self.rows.gather(there, &self.all())?)?;
        let change = self.order.whole_bytes(&taken(delta, &UInt32Array::from(of_change))?)?;
        Ok(there.iter().zip(change.iter()).map(|(there, change)| change < there).collect())
    }

    fn all(&self) -> Vec<usize> {
        (0..self.rows.schema().fields().len()).collect()
    }
}

/// Rows compared by the order; without one all are equal.
fn compare(these: Option<&Rows>, this: u32, those: Option<&Rows>, that: u32) -> Ordering {
    match (these, those) {
        (Some(these), Some(those)) => these.row(this as usize).cmp(&those.row(that as usize)),
        _ => Ordering::Equal,
    }
}

fn taken(delta: &ZSet, rows: &UInt32Array) -> Result<Vec<ArrayRef>, DataflowError> {
    Ok(delta.rows().columns().iter().map(|column| take(column, rows, None)).collect::<Result<_, _>>()?)
}

impl Operator for FirstRow {
    fn name(&self) -> &'static str {
        "FirstRow"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        let [Delta(delta)] = inputs else { return Err(DataflowError::Plan("a first row has one input".into())) };
        if delta.is_empty() {
            return Ok(Delta::empty(self.spec.schema.clone()));
        }
        if let Some(weight) = delta.weights().values().iter().find(|weight| **weight < 0) {
            return Err(DataflowError::NegativeWeight { operator: self.name(), weight: *weight, key: "a row that only came".into() });
        }
        // 1. The first of what comes.
        let (groups, keys) = self.spec.groups(delta)?;
        let by: Vec<ArrayRef> = self.order.columns().iter().map(|column| delta.column(*column).clone()).collect();
        let bytes = self.order.bytes(&by)?;
        let first = self.first(delta, &groups, bytes.as_ref())?;

        // 2. Against what is there.
        let (probe, places) = self.rows.find(&keys, groups.len())?;
        let there = self.order.bytes(&self.rows.gather(&places, self.order.columns())?)?;
        let mut stays = vec![false; groups.len()];
        let (mut gone, mut tied) = (Vec::new(), Vec::new());
        for (row, (group, place)) in (0..).zip(probe.iter().zip(&places)) {
            match compare(there.as_ref(), row, bytes.as_ref(), first[*group as usize]) {
                Ordering::Less => stays[*group as usize] = true,
                Ordering::Equal => tied.push((*group, *place)),
                Ordering::Greater => gone.push(*place),
            }
        }
        if !tied.is_empty() {
            let places: Vec<RowAt> = tied.iter().map(|(_, place)| *place).collect();
            let before = self.are_before(&places, delta, tied.iter().map(|(group, _)| first[*group as usize]).collect())?;
            for ((group, place), before) in tied.into_iter().zip(before) {
                match before {
                    true => gone.push(place),
                    false => stays[group as usize] = true,
                }
            }
        }

        // 3. The change.
        let come: Vec<u32> = first.into_iter().zip(stays).filter(|(_, stays)| !stays).map(|(row, _)| row).collect();
        let (went, came) = (gone.len(), come.len());
        let old = self.rows.gather(&gone, &self.all())?;
        let new = taken(delta, &UInt32Array::from(come))?;
        let mut columns = match went {
            0 => new.clone(),
            _ => old.iter().zip(&new).map(|(old, new)| concat(&[old, new])).collect::<Result<_, _>>()?,
        };
        self.rows.exchange(&gone, &ZSet::of_rows(RecordBatch::try_new(self.rows.schema(), new)?))?;
        if self.spec.rank {
            let ranks: ArrayRef = Arc::new(Int64Array::from(vec![1; went + came]));
            columns.push(cast(&ranks, self.spec.schema.field(columns.len()).data_type())?);
        }
        let weights: Int64Array = std::iter::repeat_n(-1, went).chain(std::iter::repeat_n(1, came)).collect();
        Ok(Delta(ZSet::new(RecordBatch::try_new(self.spec.schema.clone(), columns)?, weights)))
    }
}
