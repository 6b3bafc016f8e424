//! Exchange: rows go to the part that the shard of their key is. What every part gets is in the order of the parts that it
//! comes from, so that it is the same whoever does it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{Int64Type, SchemaRef};

use crate::zset::row_codec::canonical;
use crate::zset::shards::{self, SHARDS};
use crate::zset::{Delta, ZSet};

use super::error::DataflowError;
use super::parts::{Parts, rows_of};
use super::weave::Weave;
use super::workers::Crew;

/// Every row in the part of its key's shard.
pub fn exchange(parts: Parts, key: &[usize], schema: &SchemaRef, crew: &Crew) -> Result<Parts, DataflowError> {
    let rows = rows_of(&parts);
    if rows == 0 {
        return Ok(vec![None; SHARDS]);
    }
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
    let mut weave = Weave::new(from.iter().map(|(_, rows)| *rows).collect());
    let columns = (0..schema.fields().len())
        .map(|column| weave.column(&from.iter().map(|(part, _)| part.column(column)).collect::<Vec<_>>()))
        .collect::<Result<Vec<_>, _>>()?;
    let weights: Vec<ArrayRef> = from.iter().map(|(part, _)| Arc::new(part.weights().clone()) as ArrayRef).collect();
    let weights = weave.column(&weights.iter().collect::<Vec<_>>())?.as_primitive::<Int64Type>().clone();
    let options = RecordBatchOptions::new().with_row_count(Some(weave.len()));
    Ok(ZSet::new(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?, weights))
}
