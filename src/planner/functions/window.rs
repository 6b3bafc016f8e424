//! Time windows: where the window that holds an instant starts and ends.
//!
//! Windows are aligned to 1970-01-01 00:00 UTC, hold `[start, end)`, and divide with the floor, so that instants before
//! 1970 fall into their window and not into the one after it.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, TimestampMicrosecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::PhysicalExpr;

use crate::planner::error::PlanError;
use crate::planner::options::options;
use crate::types::eval_error::report_of_arrow;
use crate::types::{Report, SqlState, SqlType};

/// So many windows may hold one instant.
pub const MAX_WINDOWS: i64 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// `tumble_start(t, size)`.
    TumbleStart,
    /// `window_end(start, size)`: start + size.
    WindowEnd,
    /// `hop_starts(t, slide, size)`: the list of starts, ascending.
    HopStarts,
    /// `first_window(t, slide, size)`: the first of these starts, where the size is a whole number of slides. In plans only.
    FirstWindow,
}

/// The functions with the names that they are called by.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![function(Kind::TumbleStart), function(Kind::WindowEnd), function(Kind::HopStarts)]
}

fn function(kind: Kind) -> Arc<ScalarUDF> {
    let arguments = if matches!(kind, Kind::HopStarts | Kind::FirstWindow) { 3 } else { 2 };
    Arc::new(ScalarUDF::new_from_impl(Window { kind, signature: Signature::any(arguments, Volatility::Immutable) }))
}

/// The windows of a list of starts: of what instant, and every how many microseconds one starts of how many.
pub struct Hop {
    pub instant: Arc<dyn PhysicalExpr>,
    pub slide: i64,
    pub size: i64,
    /// The function's arguments.
    arguments: Vec<Arc<dyn PhysicalExpr>>,
}

impl Hop {
    /// What the expression is a list of starts of, if it is one.
    pub fn of(starts: &Arc<dyn PhysicalExpr>) -> Option<Hop> {
        let function = called(starts, Kind::HopStarts)?;
        let [instant, slide, size] = function.args() else { return None };
        Some(Hop { instant: instant.clone(), slide: length(slide)?, size: length(size)?, arguments: function.args().to_vec() })
    }

    /// The first of the starts, over rows of the schema.
    pub fn first(&self, schema: &Schema, options: Arc<ConfigOptions>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(ScalarFunctionExpr::try_new(function(Kind::FirstWindow), self.arguments.clone(), schema, options)?))
    }
}

/// The one window that holds an instant: one begins every `size` microseconds.
pub struct Tumble {
    pub instant: Arc<dyn PhysicalExpr>,
    pub size: i64,
    /// The size as it is written.
    length: Arc<dyn PhysicalExpr>,
}

impl Tumble {
    /// The window that the expression is the start of, if it is that.
    pub fn of_start(start: &Arc<dyn PhysicalExpr>) -> Option<Tumble> {
        let [instant, size] = called(start, Kind::TumbleStart)?.args() else { return None };
        Some(Tumble { instant: instant.clone(), size: length(size)?, length: size.clone() })
    }

    /// The window that the expression is the end of, if it is that.
    pub fn of_end(end: &Arc<dyn PhysicalExpr>) -> Option<Tumble> {
        let [start, size] = called(end, Kind::WindowEnd)?.args() else { return None };
        Tumble::of_start(start).filter(|window| length(size) == Some(window.size))
    }

    pub fn is_same(&self, other: &Tumble) -> bool {
        self.size == other.size && self.instant.eq(&other.instant)
    }

    /// The start of the window that holds that column's instant.
    pub fn start(&self, instant: ScalarColumn) -> Result<Arc<dyn PhysicalExpr>> {
        self.apply(Kind::TumbleStart, instant)
    }

    /// The end of the window that starts then.
    pub fn end(&self, start: ScalarColumn) -> Result<Arc<dyn PhysicalExpr>> {
        self.apply(Kind::WindowEnd, start)
    }

    fn apply(&self, kind: Kind, (column, schema): ScalarColumn) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(ScalarFunctionExpr::try_new(function(kind), vec![column.clone(), self.length.clone()], schema, options())?))
    }
}

/// An expression over rows of a schema.
type ScalarColumn<'a> = (&'a Arc<dyn PhysicalExpr>, &'a Schema);

/// Whether the expression is another instant for each start of a window: its end.
pub fn is_end(expr: &Arc<dyn PhysicalExpr>) -> bool {
    called(expr, Kind::WindowEnd).is_some()
}

/// The call of that function, if the expression is one.
fn called(expr: &Arc<dyn PhysicalExpr>, kind: Kind) -> Option<&ScalarFunctionExpr> {
    let function = ScalarFunctionExpr::try_downcast_func::<Window>(expr.as_ref())?;
    (function.fun().inner().as_any().downcast_ref::<Window>()?.kind == kind).then_some(function)
}

/// The microseconds of a constant interval.
fn length(expr: &Arc<dyn PhysicalExpr>) -> Option<i64> {
    let value = expr.as_any().downcast_ref::<Literal>()?.value().clone();
    micros(&ColumnarValue::Scalar(value)).ok()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Window {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Window {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        match self.kind {
            Kind::TumbleStart => "tumble_start",
            Kind::WindowEnd => "window_end",
            Kind::HopStarts => "hop_starts",
            Kind::FirstWindow => "first_window",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let instant = match types.first() {
            Some(DataType::Timestamp(_, zone)) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            Some(DataType::Date32) => SqlType::Timestamp.arrow(),
            other => {
                let found = other.map_or(SqlType::Unknown, SqlType::of_arrow);
                let message = format!("a time window needs a column of type timestamp, timestamptz or date, not {found}");
                return Err(PlanError::new(SqlState::DATATYPE_MISMATCH, message).external());
            }
        };
        Ok(match self.kind {
            Kind::HopStarts => DataType::List(Arc::new(Field::new("item", instant, true))),
            _ => instant,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let failed = |report: Report| PlanError::from(report).external();
        let Some((instants, sizes)) = args.args.split_first() else { return Err(failed(Report::internal("a window of nothing"))) };
        let sizes = sizes.iter().map(micros).collect::<Result<Vec<i64>, Report>>().map_err(failed)?;
        let array = instants.to_array(if matches!(instants, ColumnarValue::Scalar(_)) { 1 } else { args.number_rows })?;
        let (target, zone) = match args.return_field.data_type() {
            DataType::List(item) => (item.data_type().clone(), zone_of(item.data_type())),
            other => (other.clone(), zone_of(other)),
        };
        let array = arrow::compute::cast(&array, &target)?;
        let instants_micros = array.as_primitive::<TimestampMicrosecondType>();
        let result = match (self.kind, sizes.as_slice()) {
            (Kind::TumbleStart, [size]) => each(instants_micros, zone, |t| floor(t, *size)),
            (Kind::WindowEnd, [size]) => each(instants_micros, zone, |t| t.checked_add(*size)),
            (Kind::FirstWindow, [slide, size]) => each(instants_micros, zone, |t| first(t, *slide, *size)),
            (Kind::HopStarts, [slide, size]) => hops(instants_micros, *slide, *size, &target),
            _ => Err(Report::internal("a window with other arguments")),
        };
        let result = result.map_err(failed)?;
        match instants {
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)),
            ColumnarValue::Array(_) => Ok(ColumnarValue::Array(result)),
        }
    }
}

fn zone_of(data_type: &DataType) -> Option<Arc<str>> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

/// The length of a constant interval, which must be positive and without months.
fn micros(value: &ColumnarValue) -> Result<i64, Report> {
    match value {
        ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(Some(v))) => window_micros(v.months, v.days, v.nanoseconds),
        _ => Err(Report::unsupported("a time window whose size is not a constant").hint("write it as INTERVAL '5 minutes'")),
    }
}

/// A window's size in microseconds.
///
/// # Errors
/// 0A000 with months in it, 22023 when it is not positive.
pub fn window_micros(months: i32, days: i32, nanos: i64) -> Result<i64, Report> {
    if months != 0 {
        return Err(Report::unsupported("time windows of months or years are not supported: they have no fixed length")
            .hint("use days, or group by date_trunc('month', ...)"));
    }
    match (days as i64).checked_mul(86_400_000_000).and_then(|d| d.checked_add(nanos / 1000)) {
        Some(size) if size > 0 => Ok(size),
        _ => Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, "the size of a time window must be positive")),
    }
}

/// The largest multiple of `size` that is not after `t`.
fn floor(t: i64, size: i64) -> Option<i64> {
    t.checked_sub(t.rem_euclid(size))
}

/// The start of the first window that holds `t`, of windows of `size`, a whole number of slides: where [`hops`] begins.
fn first(t: i64, slide: i64, size: i64) -> Option<i64> {
    let last = floor(t, slide)?;
    last.checked_add(size)?;
    last.checked_sub(size)?.checked_add(slide)
}

fn out_of_range() -> Report {
    Report::error(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

fn each(instants: &TimestampMicrosecondArray, zone: Option<Arc<str>>, f: impl Fn(i64) -> Option<i64>) -> Result<ArrayRef, Report> {
    let moved = instants.iter().map(|t| t.map(|t| f(t).ok_or_else(out_of_range)).transpose());
    Ok(Arc::new(moved.collect::<Result<TimestampMicrosecondArray, Report>>()?.with_timezone_opt(zone)))
}

/// For each instant the starts of the windows of `size`, one every `slide`, that hold it.
fn hops(instants: &TimestampMicrosecondArray, slide: i64, size: i64, item: &DataType) -> Result<ArrayRef, Report> {
    if size / slide > MAX_WINDOWS {
        return Err(too_many());
    }
    let (mut starts, mut lengths) = (Vec::new(), Vec::with_capacity(instants.len()));
    for instant in instants.iter() {
        let before = starts.len();
        if let Some(t) = instant {
            let mut start = floor(t, slide).ok_or_else(out_of_range)?;
            while start.checked_add(size).ok_or_else(out_of_range)? > t {
                starts.push(start);
                start = start.checked_sub(slide).ok_or_else(out_of_range)?;
            }
            starts[before..].reverse();
        }
        lengths.push(starts.len() - before);
    }
    let starts = TimestampMicrosecondArray::from(starts).with_timezone_opt(zone_of(item));
    let field = Arc::new(Field::new("item", item.clone(), true));
    let list = ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), Arc::new(starts), instants.nulls().cloned());
    Ok(Arc::new(list.map_err(|error| report_of_arrow(&error))?))
}

pub fn too_many() -> Report {
    Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("more than {MAX_WINDOWS} windows would hold one row"))
        .hint("make the slide larger, or the size smaller")
}

#[cfg(test)]
mod tests;
