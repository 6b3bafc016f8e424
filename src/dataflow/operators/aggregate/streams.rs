//! The weights that a call sees: all rows', those of rows that a filter lets through, or of the first of equal values
//! ([`super::distinct`]).

use std::borrow::Cow;

use arrow::array::AsArray;

use crate::dataflow::error::DataflowError;
use crate::dataflow::evaluate::is_true;
use crate::dataflow::operators::aggregate::distinct::Distinct;
use crate::dataflow::operators::aggregate::layout::Stream;
use crate::zset::{Groups, ZSet};

/// Of each stream the weight of each row of the batch; what is kept of distinct values is brought up to date.
pub fn weights<'a>(
    streams: &[Stream],
    distinct: &[Distinct],
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
    for values in distinct {
        values.take_in(input, groups, numbers, &mut weights)?;
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
