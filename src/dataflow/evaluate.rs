//! Scalar expressions over batches, where one bad row fails alone.
//!
//! Expressions are vectorised and fail as a whole. When that happens the batch is halved until the rows that fail stand
//! alone; each becomes an error with its weight. A batch without failures costs one evaluation, `k` failures in `n` rows
//! about `k log n`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::concat;
use arrow::datatypes::DataType;

use crate::planner::circuit_plan::ScalarExpr;
use crate::types::{Report, eval_error};
use crate::zset::ZSet;
use crate::zset::row_codec::canonical;

use super::error::DataflowError;
use super::operator::ErrorRow;

/// The values of the expressions, and the entries of the input that they were computed for: those where none failed.
pub struct Evaluated {
    pub values: Vec<ArrayRef>,
    pub input: ZSet,
}

/// Evaluates all expressions for each row of `input`, which is not empty.
pub fn evaluate(expressions: &[ScalarExpr], input: &ZSet, errors: &mut Vec<ErrorRow>) -> Result<Evaluated, DataflowError> {
    let first_failure = match attempt(expressions, input.rows()) {
        Ok(values) => return Ok(Evaluated { values, input: input.clone() }),
        Err(report) => report,
    };
    let mut parts = Vec::new();
    divide(expressions, input, 0, input.len(), first_failure, &mut parts, errors);
    let kept: UInt32Array = parts.iter().flat_map(|(from, to, _)| *from as u32..*to as u32).collect();
    let values = (0..expressions.len()).map(|i| {
        let pieces: Vec<&dyn Array> = parts.iter().map(|(_, _, values)| values[i].as_ref()).collect();
        match pieces.is_empty() {
            true => Ok(arrow::array::new_empty_array(&expressions[i].physical.data_type(&input.schema()).unwrap_or(DataType::Null))),
            false => concat(&pieces),
        }
    });
    Ok(Evaluated { values: values.collect::<Result<_, _>>()?, input: input.take(&kept)? })
}

/// Where the predicate is true; false where it is null or fails. `input` is not empty.
pub fn holds(predicate: &ScalarExpr, input: &ZSet, errors: &mut Vec<ErrorRow>) -> Result<BooleanArray, DataflowError> {
    let expressions = std::slice::from_ref(predicate);
    let mut parts = Vec::new();
    match attempt(expressions, input.rows()) {
        Ok(values) => {
            let values = values.first().and_then(|v| v.as_boolean_opt());
            let values = values.ok_or_else(|| DataflowError::Plan(format!("predicate {predicate} is not boolean")))?;
            return Ok(BooleanArray::new(is_true(values), None));
        }
        Err(report) => divide(expressions, input, 0, input.len(), report, &mut parts, errors),
    }
    let mut mask = vec![false; input.len()];
    for (from, _, values) in parts {
        let values = values.first().and_then(|v| v.as_boolean_opt());
        let values = values.ok_or_else(|| DataflowError::Plan(format!("predicate {predicate} is not boolean")))?;
        for (i, value) in values.iter().enumerate() {
            mask[from + i] = value == Some(true);
        }
    }
    Ok(BooleanArray::from(mask))
}

/// Where the value is true, and not null.
pub fn is_true(values: &BooleanArray) -> BooleanBuffer {
    match values.nulls() {
        Some(nulls) => values.values() & nulls.inner(),
        None => values.values().clone(),
    }
}

type Part = (usize, usize, Vec<ArrayRef>);

/// Rows `from..to` are known to fail together with `failure`.
fn divide(
    expressions: &[ScalarExpr],
    input: &ZSet,
    from: usize,
    to: usize,
    failure: Report,
    parts: &mut Vec<Part>,
    errors: &mut Vec<ErrorRow>,
) {
    if to - from == 1 {
        errors.push(ErrorRow::new(&failure, input.weights().value(from)));
        return;
    }
    let middle = from + (to - from) / 2;
    for (from, to) in [(from, middle), (middle, to)] {
        match attempt(expressions, &input.rows().slice(from, to - from)) {
            Ok(values) => parts.push((from, to, values)),
            Err(report) => divide(expressions, input, from, to, report, parts, errors),
        }
    }
}

fn attempt(expressions: &[ScalarExpr], rows: &RecordBatch) -> Result<Vec<ArrayRef>, Report> {
    expressions.iter().map(|expression| attempt_one(expression, rows)).collect()
}

/// A kernel that panics on a value (an unchecked sum of dates, say) has failed for that value like any other.
fn attempt_one(expression: &ScalarExpr, rows: &RecordBatch) -> Result<ArrayRef, Report> {
    let evaluated = catch_unwind(AssertUnwindSafe(|| expression.physical.evaluate(rows)?.into_array(rows.num_rows())));
    match evaluated {
        Ok(Ok(values)) => Ok(canonical(&values)),
        Ok(Err(error)) => Err(eval_error::report_of(&error)),
        Err(_) => Err(Report::internal(format!("expression {expression} cannot be computed"))),
    }
}
