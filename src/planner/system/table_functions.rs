//! Functions that stand in FROM and whose rows do not depend on the row beside them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::registry;
use super::value::{self, Value};
use super::view::SystemView;
use crate::types::{Report, SqlState};

/// More rows than this are refused: they would all be in memory at once.
const MOST_ROWS: i128 = 10_000_000;

/// The rows of a table function called with constants; `None` when there is no such function. The batch's columns
/// are nullable and are called as PostgreSQL calls them.
///
/// # Errors
/// Arguments that the function does not take.
pub fn table_function(name: &str, arguments: &[ArrayRef], view: &SystemView) -> Option<Result<RecordBatch, Report>> {
    match name {
        "generate_series" => Some(generate_series(arguments)),
        "pg_show_all_settings" => Some(whole("pg_settings", view)),
        "pg_stat_get_activity" => Some(whole("pg_stat_activity", view)),
        "pg_get_keywords" => Some(keywords()),
        "pg_options_to_table" => Some(pairs(["option_name", "option_value"], &[])),
        _ => None,
    }
}

fn whole(relation: &str, view: &SystemView) -> Result<RecordBatch, Report> {
    let missing = || Report::internal(format!("the relation {relation} is missing"));
    registry::relation("pg_catalog", relation, view).ok_or_else(missing)?.map_err(Report::internal)
}

fn generate_series(arguments: &[ArrayRef]) -> Result<RecordBatch, Report> {
    let mut numbers = Vec::new();
    for argument in arguments {
        let value = value::values(argument).map_err(Report::internal)?.into_iter().next().unwrap_or(Value::Null);
        numbers.push(value.int());
    }
    let series: Vec<i64> = match numbers.as_slice() {
        [Some(_), Some(_), Some(0)] => {
            return Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
        }
        [Some(start), Some(stop)] => steps(*start, *stop, 1)?,
        [Some(start), Some(stop), Some(step)] => steps(*start, *stop, *step)?,
        [_, _] | [_, _, _] => Vec::new(),
        _ => return Err(Report::error(SqlState::UNDEFINED_FUNCTION, "function generate_series takes two or three integers")),
    };
    let wide = arguments.iter().any(|argument| *argument.data_type() == DataType::Int64);
    let column: ArrayRef = Arc::new(Int64Array::from(series));
    let data_type = if wide { DataType::Int64 } else { DataType::Int32 };
    let column = arrow::compute::cast(&column, &data_type).map_err(Report::internal)?;
    let schema = Schema::new(vec![Field::new("generate_series", data_type, true)]);
    RecordBatch::try_new(Arc::new(schema), vec![column]).map_err(Report::internal)
}

fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Report> {
    let span = if step > 0 { i128::from(stop) - i128::from(start) } else { i128::from(start) - i128::from(stop) };
    if span < 0 {
        return Ok(Vec::new());
    }
    let rows = span / i128::from(step.unsigned_abs()) + 1;
    if rows > MOST_ROWS {
        let message = format!("generate_series of {rows} rows is more than floe makes at once");
        return Err(Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, message).hint(format!("The most is {MOST_ROWS} rows.")));
    }
    let mut series = Vec::with_capacity(usize::try_from(rows).unwrap_or(0));
    let mut next = Some(start);
    while let Some(n) = next.filter(|n| if step > 0 { *n <= stop } else { *n >= stop }) {
        series.push(n);
        next = n.checked_add(step);
    }
    Ok(series)
}

/// floe reserves what the parser does; the words that PostgreSQL adds to the standard's are what pgjdbc asks for.
fn keywords() -> Result<RecordBatch, Report> {
    pairs(["word", "catcode"], &[("sink", "U"), ("source", "U"), ("watermark", "U")])
}

fn pairs(names: [&str; 2], rows: &[(&str, &str)]) -> Result<RecordBatch, Report> {
    let schema = Schema::new(names.map(|name| Field::new(name, DataType::Utf8, true)).to_vec());
    let first: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    let second: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)));
    RecordBatch::try_new(Arc::new(schema), vec![first, second]).map_err(Report::internal)
}
