//! What PostgreSQL would have said: the report of an expression that failed for a row.
//!
//! Expressions run in DataFusion and Arrow, whose errors have texts of their own and no SQLSTATE. Views keep these
//! failures as data and peeks raise them, so both must say the same: this is the one place that translates. A function
//! of floe that knows better returns a [`Report`] as `DataFusionError::External`, and it comes through as it is.

use std::error::Error;

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use super::{Report, SqlState, SqlType};

/// The report of an evaluation that failed.
pub fn report_of(error: &DataFusionError) -> Report {
    match error {
        DataFusionError::ArrowError(inner, _) => report_of_arrow(inner),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => report_of(inner),
        DataFusionError::Shared(inner) => report_of(inner),
        DataFusionError::Collection(inner) => match inner.first() {
            Some(first) => report_of(first),
            None => data_exception(&error.to_string()),
        },
        DataFusionError::External(inner) => report_of_any(inner.as_ref()),
        DataFusionError::Execution(text) => of_text(text),
        DataFusionError::NotImplemented(text) => Report::unsupported(first_line(text)),
        DataFusionError::ResourcesExhausted(text) => Report::error(SqlState::OUT_OF_MEMORY, "out of memory")
            .detail(first_line(text))
            .hint("queries share a quarter of --memory: give floe more, or keep what is asked for in a materialized view"),
        other => Report::internal(first_line(&other.to_string())),
    }
}

/// The report of a kernel that failed.
pub fn report_of_arrow(error: &ArrowError) -> Report {
    match error {
        ArrowError::DivideByZero => division_by_zero(),
        ArrowError::ArithmeticOverflow(text) => overflow(text),
        ArrowError::ExternalError(inner) => report_of_any(inner.as_ref()),
        ArrowError::CastError(text)
        | ArrowError::ParseError(text)
        | ArrowError::ComputeError(text)
        | ArrowError::InvalidArgumentError(text) => of_text(text),
        ArrowError::NotYetImplemented(text) => Report::unsupported(first_line(text)),
        ArrowError::OffsetOverflowError(_) => Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, "out of memory: text too long for one batch"),
        other => data_exception(&other.to_string()),
    }
}

fn report_of_any(error: &(dyn Error + Send + Sync + 'static)) -> Report {
    if let Some(report) = error.downcast_ref::<Report>() {
        report.clone()
    } else if let Some(inner) = error.downcast_ref::<DataFusionError>() {
        report_of(inner)
    } else if let Some(inner) = error.downcast_ref::<ArrowError>() {
        report_of_arrow(inner)
    } else {
        of_text(&error.to_string())
    }
}

/// Where only the text tells what happened.
fn of_text(text: &str) -> Report {
    let text = first_line(text);
    if text.eq_ignore_ascii_case("divide by zero") || text.eq_ignore_ascii_case("division by zero") {
        return division_by_zero();
    }
    if text.starts_with("Overflow happened on") {
        return overflow(text);
    }
    if text.contains("is too large to store in a Decimal")
        || text.contains("is too small to store in a Decimal")
        || text.contains("decimal overflow")
    {
        return Report::error(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
    }
    if let Some(rest) = text.strip_prefix("Cannot cast string '").or_else(|| text.strip_prefix("Cannot cast value '"))
        && let Some((value, target)) = rest.rsplit_once("' to value of ")
    {
        return invalid_input(value, &sql_type(target.trim_end_matches(" type")));
    }
    if let Some(rest) = text.strip_prefix("Can't cast value ")
        && let Some((_, target)) = rest.rsplit_once(" to type ")
    {
        return out_of_range(&sql_type(target));
    }
    if let Some(rest) = text.strip_prefix("can't parse the string value ")
        && let Some(value) = rest.strip_suffix(" to decimal")
    {
        return invalid_input(value, &SqlType::NUMERIC);
    }
    if let Some(rest) = text.strip_prefix("Error parsing timestamp from '")
        && let Some((value, _)) = rest.split_once("': ")
    {
        return invalid_input(value, &SqlType::Timestamp);
    }
    if let Some(value) = text.strip_prefix("Invalid input syntax for type interval: ") {
        return invalid_input(value.trim_matches('"'), &SqlType::Interval);
    }
    data_exception(text)
}

fn division_by_zero() -> Report {
    Report::error(SqlState::DIVISION_BY_ZERO, "division by zero")
}

fn data_exception(text: &str) -> Report {
    Report::error(SqlState::DATA_EXCEPTION, first_line(text))
}

/// `Overflow happened on: 2147483647 + 1`. Arithmetic of a width overflows only when an operand no longer fits half of
/// it, so the largest operand tells the type.
fn overflow(text: &str) -> Report {
    let largest = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse::<u128>().unwrap_or(u128::MAX))
        .max();
    out_of_range(&match largest {
        Some(n) if n <= 1 << 15 => SqlType::SmallInt,
        Some(n) if n <= 1 << 31 => SqlType::Integer,
        Some(n) if n > 1 << 63 => SqlType::NUMERIC,
        _ => SqlType::BigInt,
    })
}

/// A value that its type cannot hold, in the words PostgreSQL has for that type.
pub fn out_of_range(sql_type: &SqlType) -> Report {
    let message = match sql_type {
        SqlType::Numeric { .. } => "numeric field overflow".to_string(),
        SqlType::Real | SqlType::Double => "value out of range: overflow".to_string(),
        other => format!("{other} out of range"),
    };
    Report::error(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

fn invalid_input(value: &str, sql_type: &SqlType) -> Report {
    let name = if matches!(sql_type, SqlType::Numeric { .. }) { "numeric".to_string() } else { sql_type.to_string() };
    let digits = value.trim().trim_start_matches(['-', '+']);
    let integer = matches!(sql_type, SqlType::SmallInt | SqlType::Integer | SqlType::BigInt);
    if integer && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("value \"{value}\" is out of range for type {name}");
        return Report::error(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message);
    }
    let state = match sql_type {
        SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz | SqlType::Interval => SqlState::INVALID_DATETIME_FORMAT,
        _ => SqlState::INVALID_TEXT_REPRESENTATION,
    };
    Report::error(state, format!("invalid input syntax for type {name}: \"{value}\""))
}

/// The SQL type of an Arrow type's printed name.
fn sql_type(arrow: &str) -> SqlType {
    arrow.parse::<DataType>().map_or(SqlType::Unknown, |data_type| SqlType::of_arrow(&data_type))
}

/// Without the backtrace that DataFusion may put behind an empty line.
fn first_line(text: &str) -> &str {
    text.split("\n\n").next().unwrap_or(text)
}

#[cfg(test)]
mod tests;
