//! Exchange: rows go to the part that the shard of their key is. What every part gets is in the order of the parts that it
//! comes from, so that it is the same whoever does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{Int64Type, SchemaRef};

use crate::zset::row_codec::canonical;
use crate::zset::shards::{self, SHARDS};
use crate::zset::{Delta, ZSet};

use super::deal::{deal, is_text};
use super::error::DataflowError;
use super::parts::{Parts, rows_of};
use super::weave::Weave;
use super::workers::Crew;

/// Texts of fewer rows are gathered like the rest.
const MANY: usize = 4096;

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
    if rows >= MANY && schema.fields().iter().any(|field| is_text(field.data_type())) {
        return dealt_out(&parts, &placed, schema, rows, crew);
    }
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

/// What is done for an exchange with texts: a column of them for all shards, or the others for one shard.
enum Work {
    Texts(usize),
    Others(usize),
}

enum Done {
    Texts(usize, Vec<ArrayRef>),
    Others(usize, Vec<Option<ArrayRef>>, Int64Array),
}

/// Every row in the part of its shard, where there are texts. `placed` are the rows of each shard, for each part.
fn dealt_out(parts: &[ZSet], placed: &[Vec<Vec<u32>>], schema: &SchemaRef, rows: usize, crew: &Crew) -> Result<Parts, DataflowError> {
    let shards = crew.each(rows, parts.iter().zip(placed).collect(), |(part, placed)| {
        let mut shards = vec![0; part.len()];
        for (shard, rows) in (0..).zip(placed) {
            rows.iter().for_each(|row| shards[*row as usize] = shard);
        }
        shards
    });
    let column = |column: usize| parts.iter().map(|part| part.column(column)).collect::<Vec<_>>();
    let mut texts: Vec<usize> = (0..schema.fields().len()).filter(|c| is_text(schema.field(*c).data_type())).collect();
    // What takes long comes first, so that all are done at about the same time.
    texts.sort_by_key(|text| std::cmp::Reverse(column(*text).iter().map(|texts| texts.get_buffer_memory_size()).sum::<usize>()));
    let work = texts.into_iter().map(Work::Texts).chain((0..SHARDS).map(Work::Others)).collect();
    let done = crew.each(rows, work, |work| -> Result<Done, DataflowError> {
        match work {
            Work::Texts(text) => Ok(Done::Texts(text, deal(&column(text), &shards)?)),
            Work::Others(shard) => {
                let mut weave = Weave::new(placed.iter().map(|shards| shards[shard].as_slice()).collect());
                let columns = schema.fields().iter().enumerate().map(|(number, field)| match is_text(field.data_type()) {
                    true => Ok(None),
                    false => weave.column(&column(number)).map(Some),
                });
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                let weights: Vec<ArrayRef> = parts.iter().map(|part| Arc::new(part.weights().clone()) as ArrayRef).collect();
                let weights = weave.column(&weights.iter().collect::<Vec<_>>())?.as_primitive::<Int64Type>().clone();
                Ok(Done::Others(shard, columns, weights))
            }
        }
    });
    let (mut texts, mut others) = (BTreeMap::new(), Vec::new());
    for done in done {
        match done? {
            Done::Texts(text, shards) => drop(texts.insert(text, shards)),
            Done::Others(shard, columns, weights) => others.push((shard, columns, weights)),
        }
    }
    let assembled = others.into_iter().map(|(shard, columns, weights)| {
        if weights.is_empty() {
            return Ok(None);
        }
        let missing = || DataflowError::Plan("a column of an exchange is missing".into());
        let columns = columns.into_iter().enumerate().map(|(number, column)| {
            column.or_else(|| texts.get(&number).and_then(|shards| shards.get(shard)).cloned()).ok_or_else(missing)
        });
        Ok(Some(Delta(ZSet::new(RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?, weights))))
    });
    assembled.collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataflow::profile::{Counts, Stopped};
    use crate::dataflow::workers::Workers;
    use crate::zset::text::parse;

    /// So many rows that texts are dealt out, and so few that they are not: every row is in the part of its shard, in its order.
    #[test]
    fn every_row_goes_to_the_part_of_its_shard() {
        let columns = "a int8, b text, c text, d numeric(12,2)";
        for rows in [30, MANY] {
            let part = |from: usize| {
                let line = |n: usize| match n % 5 {
                    0 => format!("{n} NULL x{n} {n}.50 +{}\n", 1 + n % 2),
                    _ => format!("{n} b{} NULL NULL -1\n", n % 9),
                };
                parse(columns, &(from..from + rows).map(line).collect::<String>())
            };
            let parts: Vec<ZSet> = [0, rows, 2 * rows].map(part).into();
            let schema = parts[0].schema();
            let (workers, counts) = (Workers::eager(2), Counts::default());
            let crew = Crew { workers: &workers, stopwatch: &Stopped, counts: &counts };
            let given: Parts = parts.iter().cloned().map(|part| Some(Delta(part))).chain([None]).collect();
            let moved = exchange(given, &[0], &schema, &crew).unwrap();
            assert_eq!(moved.len(), SHARDS);
            for (shard, moved) in moved.into_iter().enumerate() {
                let of_part = |part: &ZSet| {
                    let placed = shards::positions(&[part.column(0).clone()], part.len()).unwrap();
                    part.take(&UInt32Array::from(placed[shard].clone())).unwrap()
                };
                let expected = ZSet::concat(&schema, &parts.iter().map(of_part).collect::<Vec<_>>()).unwrap();
                let moved = moved.map_or_else(|| ZSet::empty(schema.clone()), |delta| delta.0);
                assert_eq!((moved.rows(), moved.weights()), (expected.rows(), expected.weights()), "{rows} rows, shard {shard}");
            }
        }
    }
}
