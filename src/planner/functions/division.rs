//! Division of decimals: sixteen digits behind the point or as many as the operands have, rounded half away from zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, i256};

use crate::types::eval_error::{out_of_range, report_of_arrow};
use crate::types::{Report, SqlState, SqlType};

const PRECISION: u8 = 38;
const SCALE: i8 = 16;

/// The quotient of two arrays, or of an array and a scalar, as `numeric(38, s)`.
pub fn divide_decimals(left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, Report> {
    let ((dividend, one_dividend), (divisor, one_divisor)) = (left.get(), right.get());
    let (DataType::Decimal128(_, left_scale), DataType::Decimal128(_, right_scale)) = (dividend.data_type(), divisor.data_type()) else {
        return Err(Report::internal("decimals are divided by decimals"));
    };
    let scale = SCALE.max(*left_scale).max(*right_scale);
    let shift = i256::from_i128(10).checked_pow((scale + right_scale - left_scale).unsigned_abs().into());
    let shift = shift.ok_or_else(|| out_of_range(&SqlType::NUMERIC))?;
    let (dividend, divisor) = (dividend.as_primitive::<Decimal128Type>(), divisor.as_primitive::<Decimal128Type>());
    let length = match (one_dividend, one_divisor) {
        (true, true) => 1,
        (true, false) => divisor.len(),
        _ => dividend.len(),
    };
    let value = |array: &Decimal128Array, one: bool, i: usize| {
        let i = if one { 0 } else { i };
        array.is_valid(i).then(|| array.value(i))
    };
    let quotients = (0..length).map(|i| match (value(dividend, one_dividend, i), value(divisor, one_divisor, i)) {
        (Some(_), Some(0)) => Err(Report::error(SqlState::DIVISION_BY_ZERO, "division by zero")),
        (Some(dividend), Some(divisor)) => quotient(dividend, shift, divisor).map(Some).ok_or_else(|| out_of_range(&SqlType::NUMERIC)),
        _ => Ok(None),
    });
    let quotients = quotients.collect::<Result<Decimal128Array, Report>>()?;
    Ok(Arc::new(quotients.with_precision_and_scale(PRECISION, scale).map_err(|error| report_of_arrow(&error))?))
}

/// `dividend * shift / divisor`, if it fits.
fn quotient(dividend: i128, shift: i256, divisor: i128) -> Option<i128> {
    let (scaled, divisor) = (i256::from_i128(dividend).checked_mul(shift)?, i256::from_i128(divisor));
    let (quotient, rest) = (scaled.checked_div(divisor)?, scaled.checked_rem(divisor)?);
    let twice = rest.wrapping_abs().checked_add(rest.wrapping_abs())?;
    let away = match twice >= divisor.wrapping_abs() {
        false => i256::ZERO,
        true if scaled.is_negative() == divisor.is_negative() => i256::ONE,
        true => i256::MINUS_ONE,
    };
    let rounded = quotient.checked_add(away)?.to_i128()?;
    (rounded.unsigned_abs() < 10u128.pow(PRECISION.into())).then_some(rounded)
}
