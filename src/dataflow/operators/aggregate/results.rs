//! From records to the values of the result columns, and the failures of those that do not fit their type.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float32Array, Float64Array, Int64Array};
use arrow::datatypes::DataType;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::aggregate::accumulate::{extreme, integer_sum};
use crate::dataflow::operators::aggregate::call::{Call, Kind};
use crate::dataflow::operators::aggregate::extremes;
use crate::dataflow::operators::aggregate::layout::Access;
use crate::dataflow::operators::aggregate::layout::number;
use crate::types::eval_error::out_of_range;
use crate::types::{ExactFloat, Report, SqlType};
use crate::zset::row_codec::canonical;

/// The state of some groups at one moment.
pub struct States<'a> {
    /// Their records, one after the other.
    pub records: &'a [u8],
    pub width: usize,
    /// Their sums of floats, by accumulator and group.
    pub floats: &'a [Vec<ExactFloat>],
    /// The first and last values of the groups, by trace.
    pub values: &'a [(Option<ArrayRef>, Option<ArrayRef>)],
}

impl States<'_> {
    fn each(&self, at: usize) -> impl Iterator<Item = &[u8]> {
        self.records.chunks_exact(self.width).map(move |record| &record[at..])
    }

    /// The column of a call's results; null for a group that fails, with the reason in `failures` unless an earlier call
    /// left one there.
    pub fn results(&self, call: &Call, access: Access, failures: &mut [Option<Report>]) -> Result<ArrayRef, DataflowError> {
        let mut fail = |group: usize| {
            failures[group].get_or_insert_with(|| out_of_range(&SqlType::of_arrow(&call.output)));
        };
        let column: ArrayRef = match access {
            Access::Weight => Arc::new(self.each(0).map(|record| Some(number(record))).collect::<Int64Array>()),
            Access::Count(at) => Arc::new(self.each(at).map(|record| Some(number(record))).collect::<Int64Array>()),
            Access::Extreme(at) => extremes::column(&call.output, self.each(at).map(extreme))?,
            Access::Values { at, last } => {
                let (first, greatest) = &self.values[at];
                let column = if last { greatest } else { first };
                column.clone().ok_or_else(|| DataflowError::Plan("no trace of an aggregate's values".into()))?
            }
            Access::Integers { sum, count } => {
                let groups = self.each(sum).map(integer_sum).zip(self.each(count).map(number)).enumerate();
                macro_rules! values {
                    ($value:expr) => {
                        groups.map(|(group, (sum, count))| {
                            let value = if count == 0 { None } else { Some($value(sum, count)) };
                            value.and_then(|value| {
                                value.or_else(|| {
                                    fail(group);
                                    None
                                })
                            })
                        })
                    };
                }
                match (&call.output, call.kind) {
                    (DataType::Decimal128(precision, scale), Kind::MeanInteger { more_scale }) => {
                        let values: Decimal128Array =
                            values!(|sum: crate::types::ExactInteger, count| sum.mean(count, more_scale, *precision)).collect();
                        Arc::new(values.with_precision_and_scale(*precision, *scale)?)
                    }
                    (DataType::Decimal128(precision, scale), _) => {
                        let values: Decimal128Array = values!(|sum: crate::types::ExactInteger, _| sum.to_decimal(*precision)).collect();
                        Arc::new(values.with_precision_and_scale(*precision, *scale)?)
                    }
                    _ => Arc::new(values!(|sum: crate::types::ExactInteger, _| sum.to_i64()).collect::<Int64Array>()),
                }
            }
            Access::Floats { sum, count } => {
                let mean = call.kind == Kind::MeanFloat;
                let narrow = call.output == DataType::Float32;
                let values = self.floats[sum].iter().zip(self.each(count).map(number)).enumerate().map(|(group, (sum, count))| {
                    if count == 0 {
                        return None;
                    }
                    let value = if mean { sum.mean(count) } else { sum.value() };
                    let fits = |value: &f64| !narrow || !(*value as f32).is_infinite() || value.is_infinite();
                    value.filter(fits).or_else(|| {
                        fail(group);
                        None
                    })
                });
                match narrow {
                    true => Arc::new(values.map(|value| value.map(|v| v as f32)).collect::<Float32Array>()),
                    false => Arc::new(values.collect::<Float64Array>()),
                }
            }
        };
        Ok(canonical(&column))
    }
}
