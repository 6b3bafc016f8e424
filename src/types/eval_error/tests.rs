//! Each failure of a kernel, made by the kernel itself, and what the user reads.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int16Array, Int32Array, Int64Array, StringArray};
use arrow::compute::kernels::numeric;
use arrow::compute::{CastOptions, cast_with_options};

use super::*;

fn cast(values: ArrayRef, to: DataType) -> String {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    shown(cast_with_options(&values, &to, &options).map(|_| ()))
}

fn shown(result: Result<(), ArrowError>) -> String {
    report_of(&DataFusionError::ArrowError(Box::new(result.unwrap_err()), None)).to_string()
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

#[test]
fn arithmetic() {
    let one = Int32Array::from(vec![1]);
    assert_eq!(shown(numeric::div(&one, &Int32Array::from(vec![0])).map(|_| ())), "division by zero (22012)");
    assert_eq!(shown(numeric::add(&one, &Int32Array::from(vec![i32::MAX])).map(|_| ())), "integer out of range (22003)");
    assert_eq!(shown(numeric::neg(&Int32Array::from(vec![i32::MIN])).map(|_| ())), "integer out of range (22003)");
    let small = Int16Array::from(vec![i16::MAX]);
    assert_eq!(shown(numeric::mul(&small, &small).map(|_| ())), "smallint out of range (22003)");
    let big = Int64Array::from(vec![i64::MIN]);
    assert_eq!(shown(numeric::add(&big, &big).map(|_| ())), "bigint out of range (22003)");
    let huge = Decimal128Array::from(vec![10i128.pow(37)]).with_precision_and_scale(38, 0).unwrap();
    assert_eq!(shown(numeric::mul(&huge, &huge).map(|_| ())), "numeric field overflow (22003)");
}

#[test]
fn casts() {
    assert_eq!(cast(text("x"), DataType::Int32), "invalid input syntax for type integer: \"x\" (22P02)");
    assert_eq!(cast(text("it's"), DataType::Int64), "invalid input syntax for type bigint: \"it's\" (22P02)");
    assert_eq!(cast(text("99999999999"), DataType::Int32), "value \"99999999999\" is out of range for type integer (22003)");
    assert_eq!(cast(text("x"), DataType::Float64), "invalid input syntax for type double precision: \"x\" (22P02)");
    assert_eq!(cast(text("x"), DataType::Boolean), "invalid input syntax for type boolean: \"x\" (22P02)");
    assert_eq!(cast(text("x"), DataType::Decimal128(12, 2)), "invalid input syntax for type numeric: \"x\" (22P02)");
    assert_eq!(cast(text("x"), DataType::Date32), "invalid input syntax for type date: \"x\" (22007)");
    assert_eq!(cast(Arc::new(Int32Array::from(vec![70000])), DataType::Int16), "smallint out of range (22003)");
    let decimal: ArrayRef = Arc::new(Decimal128Array::from(vec![12345]).with_precision_and_scale(5, 0).unwrap());
    assert_eq!(cast(decimal, DataType::Decimal128(4, 0)), "numeric field overflow (22003)");
}

#[test]
fn a_report_inside_comes_through() {
    let report = Report::error(SqlState::SUBSTRING_ERROR, "negative substring length not allowed");
    let external = DataFusionError::External(Box::new(report.clone()));
    assert_eq!(report_of(&DataFusionError::Context("inner".into(), Box::new(external))), report);
    let through_arrow = ArrowError::ExternalError(Box::new(report.clone()));
    assert_eq!(report_of(&DataFusionError::ArrowError(Box::new(through_arrow), None)), report);
    assert_eq!(report_of(&DataFusionError::Execution("odd".into())).to_string(), "odd (22000)");
}
