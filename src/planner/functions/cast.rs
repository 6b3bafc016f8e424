//! Casts as PostgreSQL makes them: numbers round instead of being cut, texts are trimmed before they are read, and what
//! does not fit is an error with PostgreSQL's words.
//!
//! Each target type is a function of its own, named `cast integer`, `cast numeric(12,2)`: the binder looks it up by
//! that name.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Float64Type};
use arrow::util::display::FormatOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::planner::error::PlanError;
use crate::types::eval_error::{out_of_range, report_of_arrow};
use crate::types::{Report, SqlState, SqlType};

use super::cast_text::{parse_text, text_of};

const PREFIX: &str = "cast ";

/// `expr::sql_type`.
pub fn cast(expr: Expr, sql_type: &SqlType) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(cast_function(sql_type), vec![expr]))
}

/// The cast by which a value enters a column: a text that is too long is an error and not cut.
pub fn assignment_cast(expr: Expr, sql_type: &SqlType) -> Expr {
    let function = Cast { assignment: true, ..Cast::new(sql_type.clone()) };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), vec![expr]))
}

fn cast_function(sql_type: &SqlType) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Cast::new(sql_type.clone())))
}

/// How a cast is called in a syntax tree.
pub fn cast_name(sql_type: &SqlType) -> String {
    format!("{PREFIX}{}", serde_json::to_string(sql_type).unwrap_or_default())
}

pub fn is_cast_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The function of a name that [`cast_name`] made.
pub fn cast_named(name: &str) -> Option<Arc<ScalarUDF>> {
    let sql_type = serde_json::from_str(name.strip_prefix(PREFIX)?).ok()?;
    Some(cast_function(&sql_type))
}

/// The target, if the expression is a cast.
pub fn cast_target(expr: &Expr) -> Option<(&Expr, &SqlType)> {
    let Expr::ScalarFunction(function) = expr else { return None };
    let cast = function.func.inner().as_any().downcast_ref::<Cast>()?;
    function.args.first().map(|argument| (argument, &cast.target))
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cast {
    target: SqlType,
    assignment: bool,
    name: String,
    signature: Signature,
}

impl Cast {
    fn new(target: SqlType) -> Cast {
        Cast { name: format!("{PREFIX}{target}"), target, assignment: false, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl Cast {
    /// Blanks at the end do not count, as the standard has it.
    fn check_length(&self, array: &ArrayRef) -> Result<(), Report> {
        let (SqlType::Varchar(Some(length)), DataType::Utf8) = (&self.target, array.data_type()) else { return Ok(()) };
        let too_long = |text: &str| text.trim_end_matches(' ').chars().count() > *length as usize;
        match array.as_string::<i32>().iter().flatten().any(too_long) {
            true => Err(Report::error(SqlState::STRING_DATA_RIGHT_TRUNCATION, format!("value too long for type {}", self.target))),
            false => Ok(()),
        }
    }
}

impl ScalarUDFImpl for Cast {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("{}::{}", args.first().map(Expr::to_string).unwrap_or_default(), self.target))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.target.arrow())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        if let Some(from) = args.arg_fields.first() {
            let from = SqlType::of_field(from);
            if !castable(&from, &self.target) {
                return Err(PlanError::new(SqlState::CANNOT_COERCE, format!("cannot cast type {from} to {}", self.target)).external());
            }
        }
        Ok(Arc::new(self.target.field(&self.name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else { return Err(PlanError::from(Report::internal("a cast has one argument")).external()) };
        let from = args.arg_fields.first().map(|field| SqlType::of_field(field)).unwrap_or(SqlType::Unknown);
        if self.assignment {
            let array = value.to_array(args.number_rows)?;
            self.check_length(&array).map_err(|report| PlanError::from(report).external())?;
        }
        let converted = |array: &ArrayRef| convert(array, &from, &self.target).map_err(|report| PlanError::from(report).external());
        Ok(match value {
            ColumnarValue::Array(array) => ColumnarValue::Array(converted(array)?),
            ColumnarValue::Scalar(scalar) => ColumnarValue::Scalar(ScalarValue::try_from_array(&converted(&scalar.to_array()?)?, 0)?),
        })
    }
}

fn is_number(t: &SqlType) -> bool {
    use SqlType::*;
    matches!(t, SmallInt | Integer | BigInt | Real | Double | Numeric { .. } | Oid)
}

fn is_text(t: &SqlType) -> bool {
    use SqlType::*;
    matches!(t, Text | Varchar(_) | Name | Char | Unknown | Json | Jsonb | Uuid)
}

fn castable(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::*;
    if from == to || is_text(from) || is_text(to) {
        return true;
    }
    match (from, to) {
        (Array(from), Array(to)) => castable(from, to),
        (from, to) if is_number(from) && is_number(to) => true,
        (Boolean, Integer) | (Integer, Boolean) => true,
        (Date | Timestamp | TimestampTz, Date | Timestamp | TimestampTz) => true,
        (Timestamp | TimestampTz | Interval, Time) | (Time, Interval) => true,
        _ => false,
    }
}

/// The values of `array`, which are of type `from`, as type `to`.
pub fn convert(array: &ArrayRef, from: &SqlType, to: &SqlType) -> Result<ArrayRef, Report> {
    let target = to.arrow();
    match (array.data_type(), &target) {
        (DataType::Null, _) => Ok(arrow::array::new_null_array(&target, array.len())),
        (DataType::Utf8, DataType::Utf8) => text_to_text(array, to),
        (DataType::Utf8View | DataType::LargeUtf8, _) => {
            let array = plain(array, &DataType::Utf8)?;
            convert(&array, from, to)
        }
        (DataType::Utf8, _) => parse_text(array.as_string::<i32>(), to),
        (_, DataType::Utf8) => text_to_text(&(Arc::new(text_of(array, from)?) as ArrayRef), to),
        (DataType::Float32 | DataType::Float64, DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32) => {
            let doubles = plain(array, &DataType::Float64)?;
            // Halves go to the even neighbour, as the platform rounds for PostgreSQL.
            let rounded: Float64Array = doubles.as_primitive::<Float64Type>().unary(f64::round_ties_even);
            plain(&(Arc::new(rounded) as ArrayRef), &target).map_err(|_| out_of_range(to))
        }
        (DataType::Decimal128(precision, scale), DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32) => {
            let rounded = rounded(array.as_primitive::<Decimal128Type>(), *precision, *scale, 0)?;
            plain(&(Arc::new(rounded) as ArrayRef), &target).map_err(|_| out_of_range(to))
        }
        (DataType::Decimal128(precision, scale), DataType::Decimal128(_, to_scale)) if to_scale < scale => {
            let rounded = rounded(array.as_primitive::<Decimal128Type>(), *precision, *scale, *to_scale)?;
            fitting(&(Arc::new(rounded) as ArrayRef), to)
        }
        (_, DataType::Decimal128(..)) => fitting(array, to),
        _ => plain(array, &target).map_err(|report| match report.sqlstate {
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE => out_of_range(to),
            _ => report,
        }),
    }
}

fn plain(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, Report> {
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    cast_with_options(array, target, &options).map_err(|error| report_of_arrow(&error))
}

/// Into a decimal type: what has too many digits is a field overflow, whatever arrow says.
fn fitting(array: &ArrayRef, to: &SqlType) -> Result<ArrayRef, Report> {
    plain(array, &to.arrow()).map_err(|report| match to {
        SqlType::Numeric { precision, scale } if report.sqlstate != SqlState::FEATURE_NOT_SUPPORTED => {
            let limit = precision.saturating_sub(scale.max(&0).unsigned_abs());
            out_of_range(to)
                .detail(format!("A field with precision {precision}, scale {scale} must round to an absolute value less than 10^{limit}."))
        }
        _ => report,
    })
}

/// The decimals with fewer digits behind the point, halves away from zero; the precision stays.
fn rounded(array: &Decimal128Array, precision: u8, scale: i8, to: i8) -> Result<Decimal128Array, Report> {
    let divisor = 10i128.checked_pow((scale - to).unsigned_abs().into()).ok_or_else(|| Report::internal("decimal scale out of range"))?;
    let rounded: Decimal128Array = array.unary(|value| {
        let (quotient, rest) = (value / divisor, value % divisor);
        if rest.unsigned_abs() * 2 >= divisor.unsigned_abs() { quotient + rest.signum() } else { quotient }
    });
    rounded.with_precision_and_scale(precision.max(1), to).map_err(|error| report_of_arrow(&error))
}

/// Explicit casts cut a text to its length; uuid and JSON are checked.
fn text_to_text(array: &ArrayRef, to: &SqlType) -> Result<ArrayRef, Report> {
    let texts = array.as_string::<i32>();
    match to {
        SqlType::Varchar(Some(length)) => {
            let cut = texts.iter().map(|text| text.map(|text| text.chars().take(*length as usize).collect::<String>()));
            Ok(Arc::new(cut.collect::<StringArray>()))
        }
        SqlType::Uuid | SqlType::Json | SqlType::Jsonb => parse_text(texts, to),
        _ => Ok(array.clone()),
    }
}
