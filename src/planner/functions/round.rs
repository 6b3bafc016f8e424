//! `round` of a numeric: halves go away from zero, and the result has the digits that were asked for, as in PostgreSQL.
//! Floats round as DataFusion's own function does.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::math::round as platform_round;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::planner::error::PlanError;
use crate::types::eval_error::out_of_range;
use crate::types::{SqlState, SqlType};

pub fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Round { signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Round {
    signature: Signature,
}

impl ScalarUDFImpl for Round {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "round"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let value = match types.first() {
            Some(DataType::Decimal128(p, s)) => DataType::Decimal128(*p, *s),
            Some(DataType::Int16 | DataType::Int32 | DataType::Int64) if types.len() == 2 => DataType::Decimal128(38, 0),
            Some(t) if t.is_numeric() || t.is_null() => DataType::Float64,
            _ => return Err(PlanError::new(SqlState::UNDEFINED_FUNCTION, "function round does not exist for these arguments").external()),
        };
        match (types, &value) {
            ([_], _) => Ok(vec![value]),
            ([_, digits], DataType::Decimal128(..)) if digits.is_integer() || digits.is_null() => {
                Ok(vec![value, if digits.is_null() { DataType::Int32 } else { digits.clone() }])
            }
            _ => Err(PlanError::new(SqlState::UNDEFINED_FUNCTION, "function round(double precision, integer) does not exist").external()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Float64))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let data_type = match args.arg_fields.first().map(|f| f.data_type()) {
            Some(DataType::Decimal128(precision, scale)) => {
                match digits(args.arg_fields.len(), args.scalar_arguments.get(1).copied().flatten()) {
                    Some(digits) => {
                        let to = digits.clamp(0, 38) as i8;
                        // One digit more before the point: 9.9 rounds to 10.
                        let before_point = i16::from(*precision) - i16::from(*scale) + 1;
                        DataType::Decimal128((before_point + i16::from(to)).clamp(1, 38) as u8, to)
                    }
                    None => DataType::Decimal128(*precision, *scale),
                }
            }
            Some(other) => other.clone(),
            None => DataType::Float64,
        };
        Ok(Arc::new(Field::new("round", data_type, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (DataType::Decimal128(_, from), DataType::Decimal128(precision, to)) =
            (args.args[0].data_type(), args.return_field.data_type().clone())
        else {
            return platform_round().invoke_with_args(args);
        };
        let scalar = args.args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let values = args.args[0].to_array(rows)?;
        let digits: ArrayRef = match args.args.get(1) {
            Some(digits) => digits.to_array(rows)?,
            None => ScalarValue::Int64(Some(0)).to_array_of_size(rows)?,
        };
        let digits = arrow::compute::cast(&digits, &DataType::Int64)?;
        let digits = digits.as_primitive::<arrow::datatypes::Int64Type>();
        let rounded = values.as_primitive::<Decimal128Type>().iter().zip(digits.iter()).map(|(value, digits)| match (value, digits) {
            (Some(value), Some(digits)) => at(value, from, digits, to)
                .map(Some)
                .ok_or_else(|| PlanError::from(out_of_range(&SqlType::Numeric { precision, scale: to })).external()),
            _ => Ok(None),
        });
        let rounded = rounded.collect::<Result<Decimal128Array>>()?.with_precision_and_scale(precision, to)?;
        let array: ArrayRef = Arc::new(rounded);
        Ok(if scalar { ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?) } else { ColumnarValue::Array(array) })
    }
}

/// The number of digits that the call asks for, where it is a constant.
fn digits(arguments: usize, constant: Option<&ScalarValue>) -> Option<i64> {
    match (arguments, constant) {
        (1, _) => Some(0),
        (_, Some(ScalarValue::Int64(digits))) => *digits,
        (_, Some(ScalarValue::Int32(digits))) => digits.map(i64::from),
        (_, Some(ScalarValue::Int16(digits))) => digits.map(i64::from),
        _ => None,
    }
}

/// `value` of scale `from`, rounded to so many digits behind the point, in scale `to`; `None` when it does not fit.
fn at(value: i128, from: i8, digits: i64, to: i8) -> Option<i128> {
    let drop = i64::from(from) - digits.min(i64::from(from));
    if drop > 38 {
        return Some(0);
    }
    let unit = 10i128.checked_pow(drop as u32)?;
    let quotient = value / unit;
    let remainder = (value % unit).unsigned_abs();
    let rounded = if remainder * 2 >= unit.unsigned_abs() && unit > 1 { quotient + value.signum() } else { quotient };
    // `rounded` counts units of 10^-(from - drop).
    let shift = i64::from(to) - (i64::from(from) - drop);
    match shift {
        0 => Some(rounded),
        1.. => rounded.checked_mul(10i128.checked_pow(shift as u32)?),
        _ => Some(rounded / 10i128.checked_pow((-shift) as u32)?),
    }
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn halves_go_away_from_zero() {
        assert_eq!(at(25, 1, 0, 0), Some(3));
        assert_eq!(at(-25, 1, 0, 0), Some(-3));
        assert_eq!(at(12345678, 4, 2, 2), Some(123457));
        assert_eq!(at(123456, 2, -2, 0), Some(1200));
        assert_eq!(at(99, 1, 0, 0), Some(10));
        assert_eq!(at(105, 2, 5, 2), Some(105));
    }
}
