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

/// A relation's change in pieces of about as many rows as there are to a shard, but no small ones. The rows stay where they
/// are and keep their order; only parts of less than `least` rows are put together.
pub fn pieces(parts: Parts, least: usize) -> Result<Parts, DataflowError> {
    let size = (rows_of(&parts) / SHARDS).max(least).max(1);
    let (mut pieces, mut small) = (Vec::with_capacity(2 * SHARDS), Vec::new());
    for part in parts.into_iter().flatten() {
        if part.0.len() < least {
            small.push(part.0);
            if small.iter().map(ZSet::len).sum::<usize>() < least {
                continue;
            }
            pieces.extend(one_of(&mut small)?);
        } else {
            pieces.extend(one_of(&mut small)?);
            cut(&part, size, &mut pieces);
        }
    }
    pieces.extend(one_of(&mut small)?);
    Ok(pieces)
}

fn one_of(small: &mut Vec<ZSet>) -> Result<Option<Option<Delta>>, DataflowError> {
    let Some(first) = small.first() else { return Ok(None) };
    let one = ZSet::concat(&first.schema(), small.iter())?;
    small.clear();
    Ok(Some(Some(Delta(one))))
}

/// Pieces of that many rows, or somewhat more.
fn cut(part: &Delta, size: usize, pieces: &mut Parts) {
    let rows = part.0.len();
    let count = (rows / size).max(1);
    let ends = (0..=count).map(|n| rows * n / count).collect::<Vec<_>>();
    pieces.extend(ends.windows(2).map(|ends| Some(Delta(part.0.slice(ends[0], ends[1] - ends[0])))));
}

/// Steps one part, whose errors are its own.
pub fn stepped(whole: &StepContext, step: impl FnOnce(&mut StepContext) -> Result<Delta, DataflowError>) -> Result<Stepped, DataflowError> {
    let mut context = StepContext::new(whole.turn, whole.now);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zset::text::{parse, print};

    #[test]
    fn pieces_are_the_change_in_its_order() {
        for sizes in [vec![], vec![0], vec![1], vec![100], vec![3, 0, 40, 2, 1, 1, 1, 9, 70], vec![1; 50], vec![30; 20], vec![2, 500, 2]] {
            for least in [0, 1, 4, 25, 1000] {
                let mut text = (0..).map(|n| format!("{n} +1\n"));
                let parts: Vec<ZSet> = sizes.iter().map(|size| parse("v int8", &text.by_ref().take(*size).collect::<String>())).collect();
                let whole: String = parts.iter().map(print).collect();
                let rows: usize = sizes.iter().sum();
                let pieces = pieces(parts.into_iter().map(|part| Some(Delta(part))).collect(), least).unwrap();
                let pieces: Vec<ZSet> = pieces.into_iter().flatten().map(|piece| piece.0).collect();
                assert_eq!(pieces.iter().map(print).collect::<String>(), whole, "{sizes:?} of {least}");
                let small = pieces.iter().filter(|piece| piece.len() < least).count();
                assert!(small <= 1 + sizes.iter().filter(|size| **size >= least).count(), "{sizes:?} of {least}: {small} small pieces");
                let largest = pieces.iter().map(ZSet::len).max().unwrap_or(0);
                assert!(largest < 2 * (rows / SHARDS).max(least).max(1), "{sizes:?} of {least}: {largest} rows in one");
            }
        }
    }
}
