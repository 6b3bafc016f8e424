//! Arithmetic of time that DataFusion does otherwise than PostgreSQL: the difference of two timestamps is days and a
//! time, and an interval can be multiplied.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::planner::error::PlanError;
use crate::types::eval_error::report_of_arrow;
use crate::types::{Report, SqlState};

const DAY: i64 = 86_400_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// timestamp - timestamp, both in microseconds.
    Difference,
    /// interval * double precision.
    Scale,
}

pub fn difference(left: Expr, right: Expr) -> Expr {
    call(Kind::Difference, left, right)
}

pub fn scale(interval: Expr, factor: Expr) -> Expr {
    call(Kind::Scale, interval, factor)
}

fn call(kind: Kind, left: Expr, right: Expr) -> Expr {
    let function = TimeArithmetic { kind, signature: Signature::any(2, Volatility::Immutable) };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), vec![left, right]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeArithmetic {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for TimeArithmetic {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        match self.kind {
            Kind::Difference => "timestamp_difference",
            Kind::Scale => "interval_scale",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [left, right] = arrays.as_slice() else { return Err(PlanError::from(Report::internal("two operands")).external()) };
        let result = match self.kind {
            Kind::Difference => differences(left, right),
            Kind::Scale => scaled(left, right),
        };
        let result: ArrayRef = Arc::new(result.map_err(|report| PlanError::from(report).external())?);
        match args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)),
            false => Ok(ColumnarValue::Array(result)),
        }
    }
}

fn out_of_range() -> Report {
    Report::error(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
}

fn differences(left: &ArrayRef, right: &ArrayRef) -> Result<IntervalMonthDayNanoArray, Report> {
    let micros = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
    let plain = |array: &ArrayRef| arrow::compute::cast(array, &micros).map_err(|error| report_of_arrow(&error));
    let (left, right) = (plain(left)?, plain(right)?);
    let (left, right) = (left.as_primitive::<TimestampMicrosecondType>(), right.as_primitive::<TimestampMicrosecondType>());
    let one = |i: usize| -> Result<Option<IntervalMonthDayNano>, Report> {
        if left.is_null(i) || right.is_null(i) {
            return Ok(None);
        }
        let micros = left.value(i).checked_sub(right.value(i)).ok_or_else(out_of_range)?;
        let days = i32::try_from(micros / DAY).map_err(|_| out_of_range())?;
        Ok(Some(IntervalMonthDayNano::new(0, days, micros % DAY * 1000)))
    };
    (0..left.len()).map(one).collect()
}

fn scaled(intervals: &ArrayRef, factors: &ArrayRef) -> Result<IntervalMonthDayNanoArray, Report> {
    let (intervals, factors) = (intervals.as_primitive::<IntervalMonthDayNanoType>(), factors.as_primitive::<Float64Type>());
    let one = |i: usize| -> Result<Option<IntervalMonthDayNano>, Report> {
        if intervals.is_null(i) || factors.is_null(i) {
            return Ok(None);
        }
        let (value, factor) = (intervals.value(i), factors.value(i));
        // What is left of a month flows into days, and what is left of a day into time.
        let months = value.months as f64 * factor;
        let days = value.days as f64 * factor + months.fract() * 30.0;
        let micros = ((value.nanoseconds / 1000) as f64 * factor + days.fract() * DAY as f64).round();
        let fits = |v: f64| v.is_finite() && v.abs() <= i32::MAX as f64;
        if !fits(months) || !fits(days) || micros.abs() > (i64::MAX / 1000) as f64 {
            return Err(out_of_range());
        }
        Ok(Some(IntervalMonthDayNano::new(months.trunc() as i32, days.trunc() as i32, micros as i64 * 1000)))
    };
    (0..intervals.len()).map(one).collect()
}
