//! What is kept of the values of a distinct call: of each value in each group, by the streams that want it, how many rows have it.
//! Where rows only come it is enough to know that some have: a bit a stream.
//!
//! A value's weight in a stream is what its presence changed by: +1 when it came, -1 when the last of it went. It stands at one
//! row of the batch that has the value.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::aggregate::layout::Stream;
use crate::dataflow::operators::slots::Slots;
use crate::state::Records;
use crate::zset::row_codec::canonical;
use crate::zset::{Groups, RowCodec, ZSet};

use super::layout::number;

/// The values of one column.
pub struct Distinct {
    column: usize,
    streams: Vec<usize>,
    kept: Kept,
    /// By the group's number, 4 bytes, and the value's row bytes.
    records: Records,
    codec: RowCodec,
}

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// A count of 8 bytes for each stream.
    Counts,
    /// A bit for each stream.
    Marks,
}

impl Kept {
    fn bytes(self, streams: usize) -> usize {
        match self {
            Kept::Counts => 8 * streams,
            Kept::Marks => streams.div_ceil(8),
        }
    }
}

/// By value in a group, numbered as the batch has them: what it changes by in each stream, or in which it is.
enum Changes {
    Counts(Vec<i64>),
    Marks(Vec<u8>),
}

impl Distinct {
    /// One for each column that some stream wants the distinct values of. `append_only`: no row is ever taken back.
    pub fn all(streams: &[Stream], input: &SchemaRef, append_only: bool, slots: &mut Slots) -> Result<Vec<Distinct>, DataflowError> {
        let kept = if append_only { Kept::Marks } else { Kept::Counts };
        let mut all: Vec<Distinct> = Vec::new();
        for column in streams.iter().filter_map(|stream| stream.distinct) {
            if all.iter().any(|known| known.column == column) {
                continue;
            }
            let wanting: Vec<usize> = (0..streams.len()).filter(|s| streams[*s].distinct == Some(column)).collect();
            let records = slots.records(kept.bytes(wanting.len()))?;
            let codec = RowCodec::new(Arc::new(Schema::new(vec![input.field(column).clone()])))?;
            all.push(Distinct { column, streams: wanting, kept, records, codec });
        }
        Ok(all)
    }

    /// Takes the rows in, and gives each stream the weights of what came and went. `weights` are the streams' before equal
    /// values are made one; `numbers` are those of the groups.
    pub fn take_in(&self, input: &ZSet, groups: &Groups, numbers: &[u32], weights: &mut [Cow<'_, [i64]>]) -> Result<(), DataflowError> {
        let column = canonical(input.column(self.column));
        let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(groups.ids.iter().map(|id| *id as i32)));
        let pairs = Groups::of(&[ids, column.clone()], input.len())?;
        let values = self.codec.encode(&[take(&column, &UInt32Array::from(pairs.first.clone()), None)?])?;
        let changes = self.changes(&pairs, weights)?;
        self.streams.iter().for_each(|stream| weights[*stream].to_mut().fill(0));
        let nulls = column.logical_nulls();
        let mut table = self.records.lock();
        let key_of = |pair: usize, key: &mut Vec<u8>| {
            key.clear();
            key.extend_from_slice(&numbers[groups.ids[pairs.first[pair] as usize] as usize].to_be_bytes());
            key.extend_from_slice(values.row(pair).data());
        };
        if !table.is_resident() {
            let keys: Vec<Vec<u8>> = (0..pairs.len())
                .map(|pair| {
                    let mut key = Vec::new();
                    key_of(pair, &mut key);
                    key
                })
                .collect();
            table.fetch(keys.iter().map(Vec::as_slice))?;
        }
        let mut key = Vec::new();
        let count = self.streams.len();
        for (pair, row) in pairs.first.iter().map(|row| *row as usize).enumerate() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) || changes.is_nothing(pair, count) {
                continue;
            }
            key_of(pair, &mut key);
            let slot = table.find(&key)?;
            let slot = slot.unwrap_or_else(|| table.insert(&key));
            match &changes {
                Changes::Marks(came) => {
                    let came = &came[pair * Kept::Marks.bytes(count)..][..Kept::Marks.bytes(count)];
                    if came.iter().zip(table.record(slot)).all(|(came, known)| came & !known == 0) {
                        continue;
                    }
                    let record = table.record_mut(slot);
                    for (place, stream) in self.streams.iter().enumerate() {
                        let is_new = came[place / 8] & !record[place / 8] & 1 << (place % 8) != 0;
                        weights[*stream].to_mut()[row] = i64::from(is_new);
                    }
                    record.iter_mut().zip(came).for_each(|(known, came)| *known |= came);
                }
                Changes::Counts(changes) => {
                    let record = table.record_mut(slot);
                    let mut empty = true;
                    for ((bytes, change), stream) in record.chunks_exact_mut(8).zip(&changes[pair * count..]).zip(&self.streams) {
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
                        table.remove(slot);
                    }
                }
            }
        }
        Ok(())
    }

    /// The streams' weights added up by value.
    fn changes(&self, pairs: &Groups, weights: &[Cow<'_, [i64]>]) -> Result<Changes, DataflowError> {
        let count = self.streams.len();
        if self.kept == Kept::Counts {
            let mut changes = vec![0i64; pairs.len() * count];
            for (place, stream) in self.streams.iter().enumerate() {
                for (pair, weight) in pairs.ids.iter().zip(weights[*stream].iter()) {
                    let change = &mut changes[*pair as usize * count + place];
                    let Some(sum) = change.checked_add(*weight) else { return Err(DataflowError::WeightOutOfRange) };
                    *change = sum;
                }
            }
            return Ok(Changes::Counts(changes));
        }
        let bytes = Kept::Marks.bytes(count);
        let mut came = vec![0u8; pairs.len() * bytes];
        for (place, stream) in self.streams.iter().enumerate() {
            let (byte, bit) = (place / 8, place % 8);
            let mut least = 0;
            for (pair, weight) in pairs.ids.iter().zip(weights[*stream].iter()) {
                came[*pair as usize * bytes + byte] |= u8::from(*weight > 0) << bit;
                least = least.min(*weight);
            }
            if least < 0 {
                return Err(DataflowError::NegativeWeight {
                    operator: "Aggregate",
                    weight: least,
                    key: "a value of rows that only come".into(),
                });
            }
        }
        Ok(Changes::Marks(came))
    }
}

impl Changes {
    /// Whether a value is in no stream what it was not.
    fn is_nothing(&self, pair: usize, streams: usize) -> bool {
        match self {
            Changes::Counts(changes) => changes[pair * streams..][..streams].iter().all(|change| *change == 0),
            Changes::Marks(came) => {
                let bytes = Kept::Marks.bytes(streams);
                came[pair * bytes..][..bytes].iter().all(|bits| *bits == 0)
            }
        }
    }
}
