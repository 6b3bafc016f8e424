//! The weights that a call sees: all rows', those of rows that a filter lets through, or of the first of equal values.
//!
//! For a distinct call a count is kept of each value in each group. A value's weight is then what its presence changed
//! by: +1 when it came, -1 when the last of it went, and it stands at one row of the batch that has the value.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::dataflow::evaluate::is_true;
use crate::dataflow::operators::aggregate::layout::Stream;
use crate::dataflow::operators::slots::Slots;
use crate::state::Records;
use crate::zset::row_codec::canonical;
use crate::zset::{Groups, RowCodec, ZSet};

/// The counts of one column's values by group, a count of 8 bytes for each stream that wants them.
pub struct Counts {
    column: usize,
    streams: Vec<usize>,
    /// By the group's number, 4 bytes, and the value's row bytes.
    counts: Records,
    codec: RowCodec,
}

impl Counts {
    /// One for each column that some stream wants the distinct values of.
    pub fn all(streams: &[Stream], input: &SchemaRef, slots: &mut Slots) -> Result<Vec<Counts>, DataflowError> {
        let mut all: Vec<Counts> = Vec::new();
        for column in streams.iter().filter_map(|stream| stream.distinct) {
            if all.iter().any(|counts| counts.column == column) {
                continue;
            }
            let wanting: Vec<usize> = (0..streams.len()).filter(|s| streams[*s].distinct == Some(column)).collect();
            let counts = slots.records(8 * wanting.len())?;
            let codec = RowCodec::new(Arc::new(Schema::new(vec![input.field(column).clone()])))?;
            all.push(Counts { column, streams: wanting, counts, codec });
        }
        Ok(all)
    }

    /// Counts the rows, and gives each stream the weights of what came and went. `filtered` are the streams' weights
    /// before equal values are made one; `numbers` are those of the groups.
    fn take_in(&self, input: &ZSet, groups: &Groups, numbers: &[u32], weights: &mut [Cow<'_, [i64]>]) -> Result<(), DataflowError> {
        let column = canonical(input.column(self.column));
        let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(groups.ids.iter().map(|id| *id as i32)));
        let pairs = Groups::of(&[ids, column.clone()], input.len())?;
        let values = self.codec.encode(&[take(&column, &UInt32Array::from(pairs.first.clone()), None)?])?;
        let mut changes = vec![0i64; pairs.len() * self.streams.len()];
        for (place, stream) in self.streams.iter().enumerate() {
            for (pair, weight) in pairs.ids.iter().zip(weights[*stream].iter()) {
                let change = &mut changes[*pair as usize * self.streams.len() + place];
                let Some(sum) = change.checked_add(*weight) else { return Err(DataflowError::WeightOutOfRange) };
                *change = sum;
            }
            weights[*stream].to_mut().fill(0);
        }
        let nulls = column.logical_nulls();
        let mut counts = self.counts.lock();
        let key_of = |pair: usize, key: &mut Vec<u8>| {
            key.clear();
            key.extend_from_slice(&numbers[groups.ids[pairs.first[pair] as usize] as usize].to_be_bytes());
            key.extend_from_slice(values.row(pair).data());
        };
        if !counts.is_resident() {
            let keys: Vec<Vec<u8>> = (0..pairs.len())
                .map(|pair| {
                    let mut key = Vec::new();
                    key_of(pair, &mut key);
                    key
                })
                .collect();
            counts.fetch(keys.iter().map(Vec::as_slice))?;
        }
        let mut key = Vec::new();
        for (pair, row) in pairs.first.iter().map(|row| *row as usize).enumerate() {
            let changes = &changes[pair * self.streams.len()..][..self.streams.len()];
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) || changes.iter().all(|change| *change == 0) {
                continue;
            }
            key_of(pair, &mut key);
            let slot = counts.find(&key)?;
            let slot = slot.unwrap_or_else(|| counts.insert(&key));
            let record = counts.record_mut(slot);
            let mut empty = true;
            for ((bytes, change), stream) in record.chunks_exact_mut(8).zip(changes).zip(&self.streams) {
                let before = number(bytes);
                let after = before.checked_add(*change).ok_or(DataflowError::WeightOutOfRange)?;
                if after < 0 {
                    let key = arrow::util::display::array_value_to_string(&column, row)?;
                    return Err(DataflowError::NegativeWeight { operator: "Aggregate", weight: after, key });
                }
                bytes.copy_from_slice(&after.to_le_bytes());
                empty &= after == 0;
                weights[*stream].to_mut()[row] = i64::from(after > 0) - i64::from(before > 0);
            }
            if empty {
                counts.remove(slot);
            }
        }
        Ok(())
    }
}

/// The number in 8 bytes.
pub fn number(bytes: &[u8]) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    i64::from_le_bytes(word)
}

/// Of each stream the weight of each row of the batch; the counts of distinct values are brought up to date.
pub fn weights<'a>(
    streams: &[Stream],
    counts: &[Counts],
    input: &'a ZSet,
    groups: &Groups,
    numbers: &[u32],
) -> Result<Vec<Cow<'a, [i64]>>, DataflowError> {
    let all: &[i64] = input.weights().values();
    let mut weights = Vec::with_capacity(streams.len());
    for stream in streams {
        weights.push(match stream.filter {
            None => Cow::Borrowed(all),
            Some(filter) => Cow::Owned(filtered(input, filter)?),
        });
    }
    for counts in counts {
        counts.take_in(input, groups, numbers, &mut weights)?;
    }
    Ok(weights)
}

/// The weights, zero where the filter's column is not true.
pub fn filtered(input: &ZSet, filter: usize) -> Result<Vec<i64>, DataflowError> {
    let column = input.column(filter);
    let column = column.as_boolean_opt().ok_or_else(|| DataflowError::Plan("filter of an aggregate is not boolean".into()))?;
    let holds = is_true(column);
    // Without a branch: what a filter lets through is often hard to foresee.
    Ok(input.weights().values().iter().zip(&holds).map(|(weight, holds)| *weight & 0i64.wrapping_sub(i64::from(holds))).collect())
}
