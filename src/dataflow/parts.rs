//! A change in parts: the pieces that a relation's change is cut into, or the shards of a key. Each is stepped by itself.

use arrow::datatypes::SchemaRef;

use crate::zset::shards::SHARDS;
use crate::zset::{Delta, ZSet};

use super::error::DataflowError;
use super::operator::{ErrorRow, StepContext};

/// A change in parts; `None` for a part without rows.
pub type Parts = Vec<Option<Delta>>;

pub fn rows_of(parts: &Parts) -> usize {
    parts.iter().flatten().map(|part| part.0.len()).sum()
}

/// What the step of one part has come to.
pub type Stepped = (Option<Delta>, Vec<ErrorRow>);

/// All rows in one part.
pub fn gather(parts: Parts, schema: &SchemaRef) -> Result<Parts, DataflowError> {
    let mut there: Vec<ZSet> = parts.into_iter().flatten().map(|part| part.0).collect();
    Ok(vec![match there.len() {
        0 | 1 => there.pop().map(Delta),
        _ => Some(Delta(ZSet::concat(schema, &there)?)),
    }])
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

/// Steps one part, whose errors are its own.
pub fn stepped(whole: &StepContext, step: impl FnOnce(&mut StepContext) -> Result<Delta, DataflowError>) -> Result<Stepped, DataflowError> {
    let mut context = StepContext::new(whole.epoch, whole.now);
    let output = step(&mut context)?;
    Ok((Some(output).filter(|output| !output.is_empty()), context.errors))
}

/// What the parts of a step have come to, in their order; the first error, if there is one.
pub fn together(stepped: Vec<Result<Stepped, DataflowError>>) -> Result<(Parts, Vec<ErrorRow>), DataflowError> {
    let mut parts = Vec::with_capacity(stepped.len());
    let mut errors = Vec::new();
    for result in stepped {
        let (part, more) = result?;
        parts.push(part);
        errors.extend(more);
    }
    Ok((parts, errors))
}
