//! Greatest: of each group the rows whose value in one column is the group's greatest, all of them if several are.
//!
//! For an input whose greatest values never fall (`circuit_plan::growth`): what is less than a group's greatest value is
//! forgotten, and the rows that have it are kept.
//!
//! 1. The greatest value that comes to each group is found, and the rows that are there.
//! 2. Rows that are there go where a greater value came. Rows of the change stay that have what is the greatest now.
//! 3. That is the change of the result, and of what is kept.
//!
//! Rows that a change both brings and takes are no rows: where one of them seemed to be the greatest, the change is taken
//! again without them.

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::dataflow::operators::aggregate::extremes;
use crate::dataflow::operators::slots::Slots;
use crate::state::{Arrangement, Find};
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, Groups, ZSet};

pub mod sift;

pub struct Greatest {
    partition: Vec<usize>,
    column: usize,
    schema: SchemaRef,
    /// The result, by partition.
    rows: Arrangement,
}

impl Greatest {
    pub fn new(input: &SchemaRef, partition: Vec<usize>, column: usize, slots: &mut Slots) -> Result<Greatest, DataflowError> {
        let rows = slots.arrangement(input, &partition, Find::ByRow)?;
        Ok(Greatest { partition, column, schema: input.clone(), rows })
    }

    /// What the change does to the result; `None` where a group would be left without a row.
    fn change(&self, delta: &ZSet) -> Result<Option<ZSet>, DataflowError> {
        // 1. What comes, and what is there.
        let Coming { columns, groups, values, mut greatest } = Coming::of(delta, &self.partition, self.column)?;
        let first = UInt32Array::from(groups.first.clone());
        let keys = columns.iter().map(|column| take(column, &first, None)).collect::<Result<Vec<_>, _>>()?;
        let found = self.rows.lookup(&keys, groups.len())?;
        let there = extremes::ordered(&canonical(found.rows.column(self.column)))?;
        for (value, group) in there.iter().zip(found.probe.values()) {
            let best = &mut greatest[*group as usize];
            *best = (*best).max(Some(*value));
        }

        // 2. What goes, and what comes; `left` are the weights of a group's rows then.
        let mut left: Vec<i64> = vec![0; groups.len()];
        let mut gone = Vec::new();
        for (row, (value, group)) in (0u32..).zip(there.iter().zip(found.probe.values())) {
            match greatest[*group as usize] == Some(*value) {
                true => left[*group as usize] += found.rows.weights().value(row as usize),
                false => gone.push(row),
            }
        }
        let mut chosen = Vec::new();
        for (row, (value, group)) in (0u32..).zip(values.iter().zip(&groups.ids)) {
            if greatest[*group as usize] == Some(*value) {
                let weight = delta.weights().value(row as usize);
                left[*group as usize] = left[*group as usize].checked_add(weight).ok_or(DataflowError::WeightOutOfRange)?;
                chosen.push(row);
            }
        }
        if left.iter().zip(&greatest).any(|(left, greatest)| *left <= 0 && greatest.is_some()) {
            return Ok(None);
        }
        let gone = found.rows.take(&gone.into())?.negate();
        let change = delta.take(&chosen.into())?.combined()?;
        Ok(Some(ZSet::concat(&self.schema, [&gone, &change])?))
    }
}

/// The rows of a change by group, and the greatest value that comes to each.
struct Coming {
    /// The partition's columns.
    columns: Vec<ArrayRef>,
    groups: Groups,
    /// Of each row.
    values: Vec<i128>,
    /// Of each group; `None` where rows go only.
    greatest: Vec<Option<i128>>,
}

impl Coming {
    fn of(delta: &ZSet, partition: &[usize], column: usize) -> Result<Coming, DataflowError> {
        let columns: Vec<ArrayRef> = partition.iter().map(|column| canonical(delta.column(*column))).collect();
        let groups = if columns.is_empty() { Groups::everything(delta.len()) } else { Groups::of(&columns, delta.len())? };
        let values = extremes::ordered(&canonical(delta.column(column)))?;
        let mut greatest: Vec<Option<i128>> = vec![None; groups.len()];
        for ((value, group), weight) in values.iter().zip(&groups.ids).zip(delta.weights().values()) {
            let best = &mut greatest[*group as usize];
            if *weight > 0 && best.is_none_or(|best| *value > best) {
                *best = Some(*value);
            }
        }
        Ok(Coming { columns, groups, values, greatest })
    }
}

/// The rows without those that have a null where they may not.
fn without_nulls(rows: &ZSet, partition: &[usize], column: usize) -> Result<ZSet, DataflowError> {
    let columns = || partition.iter().chain([&column]).map(|column| rows.column(*column));
    if columns().all(|column| column.logical_null_count() == 0) {
        return Ok(rows.clone());
    }
    let nulls: Vec<_> = columns().filter_map(|column| column.logical_nulls()).collect();
    let whole: BooleanArray = (0..rows.len()).map(|row| Some(nulls.iter().all(|nulls| nulls.is_valid(row)))).collect();
    Ok(rows.filter(&whole)?)
}

impl Operator for Greatest {
    fn name(&self) -> &'static str {
        "Greatest"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        let [Delta(delta)] = inputs else { return Err(DataflowError::Plan("the greatest rows have one input".into())) };
        let delta = without_nulls(delta, &self.partition, self.column)?;
        if delta.is_empty() {
            return Ok(Delta::empty(self.schema.clone()));
        }
        let change = match self.change(&delta)? {
            Some(change) => change,
            None => self.change(&delta.combined()?)?.ok_or_else(|| DataflowError::NegativeWeight {
                operator: self.name(),
                weight: 0,
                key: "a greatest value that fell".into(),
            })?,
        };
        // 3. The result is what is kept.
        self.rows.insert(&change)?;
        Ok(Delta(change))
    }
}

#[cfg(test)]
mod tests;
