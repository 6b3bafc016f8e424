//! Exchange: rows go to the part that the shard of their key is, or all to one. What every part gets is in the order of the
//! parts that it comes from, so that it is the same whoever does it.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::interleave;
use arrow::datatypes::{Int64Type, SchemaRef};

use crate::zset::row_codec::canonical;
use crate::zset::shards::{self, SHARDS};
use crate::zset::{Delta, ZSet};

use super::error::DataflowError;
use super::operator::ErrorRow;
use super::workers::Crew;

/// A change in parts; `None` for a part without rows.
pub type Parts = Vec<Option<Delta>>;

pub fn rows_of(parts: &Parts) -> usize {
    parts.iter().flatten().map(|part| part.0.len()).sum()
}

/// All rows in one part.
pub fn gather(parts: Parts, schema: &SchemaRef) -> Result<Parts, DataflowError> {
    let mut there: Vec<ZSet> = parts.into_iter().flatten().map(|part| part.0).collect();
    Ok(vec![match there.len() {
        0 | 1 => there.pop().map(Delta),
        _ => Some(Delta(ZSet::concat(schema, &there)?)),
    }])
}

/// Every row in the part of its key's shard.
pub fn exchange(parts: Parts, key: &[usize], schema: &SchemaRef, crew: &Crew) -> Result<Parts, DataflowError> {
    let rows = rows_of(&parts);
    let parts: Vec<ZSet> = parts.into_iter().flatten().map(|part| part.0).collect();
    let placed = crew.each(rows, parts.iter().collect(), |part| {
        let columns: Vec<ArrayRef> = key.iter().map(|column| canonical(part.column(*column))).collect();
        shards::positions(&columns, part.len())
    });
    let placed = placed.into_iter().collect::<Result<Vec<_>, _>>()?;
    let taken = crew.each(rows, (0..SHARDS).collect(), |shard| {
        let from: Vec<(&ZSet, &[u32])> =
            parts.iter().zip(&placed).map(|(part, shards)| (part, shards[shard].as_slice())).filter(|(_, rows)| !rows.is_empty()).collect();
        Ok(match from.as_slice() {
            [] => None,
            [(part, rows)] if rows.len() == part.len() => Some(Delta((*part).clone())),
            [(part, rows)] => Some(Delta(part.take(&UInt32Array::from(rows.to_vec()))?)),
            many => Some(Delta(woven(many, schema)?)),
        })
    });
    taken.into_iter().collect()
}

/// Those rows of several parts, one part after the other.
fn woven(from: &[(&ZSet, &[u32])], schema: &SchemaRef) -> Result<ZSet, DataflowError> {
    let picks: Vec<(usize, usize)> =
        (0..).zip(from).flat_map(|(part, (_, rows))| rows.iter().map(move |row| (part, *row as usize))).collect();
    let of_column = |column: usize| {
        let arrays: Vec<&dyn Array> = from.iter().map(|(part, _)| part.column(column).as_ref()).collect();
        interleave(&arrays, &picks)
    };
    let columns = (0..schema.fields().len()).map(of_column).collect::<Result<Vec<_>, _>>()?;
    let weights: Vec<&dyn Array> = from.iter().map(|(part, _)| part.weights() as &dyn Array).collect();
    let weights: Int64Array = interleave(&weights, &picks)?.as_primitive::<Int64Type>().clone();
    let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
    Ok(ZSet::new(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?, weights))
}

/// What the parts of a step have come to, in their order; the first error, if there is one.
pub fn together(stepped: Vec<Result<(Option<Delta>, Vec<ErrorRow>), DataflowError>>) -> Result<(Parts, Vec<ErrorRow>), DataflowError> {
    let mut parts = Vec::with_capacity(stepped.len());
    let mut errors = Vec::new();
    for result in stepped {
        let (part, more) = result?;
        parts.push(part);
        errors.extend(more);
    }
    Ok((parts, errors))
}

/// Fewer rows are not cut.
pub const PIECE: usize = 4096;

/// A change in as many pieces as there are shards, unless they would be small.
pub fn cut(delta: Delta, least: usize) -> Parts {
    let rows = delta.0.len();
    if rows == 0 {
        return vec![None];
    }
    let pieces = (rows / least.max(1)).clamp(1, SHARDS);
    let ends = (0..=pieces).map(|n| rows * n / pieces).collect::<Vec<_>>();
    ends.windows(2).map(|ends| Some(Delta(delta.0.slice(ends[0], ends[1] - ends[0])))).collect()
}
