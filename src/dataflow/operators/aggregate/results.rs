//! From accumulators to the values of a result column, and the failures of those that do not fit their type.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float32Array, Float64Array, Int64Array};
use arrow::datatypes::DataType;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::aggregate::accumulator::{Accumulator, GroupState};
use crate::dataflow::operators::aggregate::call::{Call, Kind};
use crate::types::eval_error::out_of_range;
use crate::types::{Report, SqlType};

/// The results of the groups, of which this is call `index`; null for a group that fails, with the reason in
/// `failures` unless an earlier call left one there. Not for min and max.
pub fn results(call: &Call, states: &[GroupState], index: usize, failures: &mut [Option<Report>]) -> Result<ArrayRef, DataflowError> {
    let mut fail = |g: usize| {
        failures[g].get_or_insert_with(|| out_of_range(&SqlType::of_arrow(&call.output)));
    };
    let accumulators = || states.iter().map(|state| &state.accumulators[index]).enumerate();
    // The result of each group with values, by a function that gives none when the type does not hold it.
    macro_rules! each {
        ($($pattern:pat => $result:expr),*) => {
            accumulators().map(|(g, accumulator)| match accumulator {
                Accumulator::Integer { count: 0, .. } | Accumulator::Float { count: 0, .. } => None,
                $($pattern => $result.or_else(|| { fail(g); None }),)*
                _ => None,
            })
        };
    }
    Ok(match (&call.output, call.kind) {
        (_, Kind::CountStar) => Arc::new(states.iter().map(|state| Some(state.weight)).collect::<Int64Array>()),
        (_, Kind::Count) => {
            let counts = accumulators().map(|(_, accumulator)| match accumulator {
                Accumulator::Count(count) => Some(*count),
                _ => None,
            });
            Arc::new(counts.collect::<Int64Array>())
        }
        (DataType::Int64, _) => Arc::new(each!(Accumulator::Integer { sum, .. } => sum.to_i64()).collect::<Int64Array>()),
        (DataType::Decimal128(precision, scale), kind) => {
            let values: Decimal128Array = match kind {
                Kind::MeanInteger { more_scale } => {
                    each!(Accumulator::Integer { sum, count } => sum.mean(*count, more_scale, *precision)).collect()
                }
                _ => each!(Accumulator::Integer { sum, .. } => sum.to_decimal(*precision)).collect(),
            };
            Arc::new(values.with_precision_and_scale(*precision, *scale)?)
        }
        (output, kind) => {
            let mean = kind == Kind::MeanFloat;
            let values = each!(Accumulator::Float { sum, count } => if mean { sum.mean(*count) } else { sum.value() });
            match output {
                DataType::Float32 => {
                    let values: Vec<Option<f64>> = values.collect();
                    let narrow = values.into_iter().enumerate().map(|(g, value)| {
                        let value = value?;
                        let narrow = value as f32;
                        if narrow.is_infinite() && value.is_finite() {
                            fail(g);
                            return None;
                        }
                        Some(narrow)
                    });
                    Arc::new(narrow.collect::<Float32Array>())
                }
                _ => Arc::new(values.collect::<Float64Array>()),
            }
        }
    })
}
