//! `sum` and `avg` with PostgreSQL's result types, exact whatever the order: the same sums that maintained views keep.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::*;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use crate::planner::error::PlanError;
use crate::types::eval_error::out_of_range;
use crate::types::{ExactFloat, ExactInteger, Report, SqlState, SqlType};

/// Digits behind the point that a mean has at least.
const MEAN_SCALE: i8 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Sum,
    Avg,
}

pub fn functions() -> Vec<Arc<AggregateUDF>> {
    let function = |kind| Arc::new(AggregateUDF::new_from_impl(Exact { kind, signature: Signature::user_defined(Volatility::Immutable) }));
    vec![function(Kind::Sum), function(Kind::Avg)]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    kind: Kind,
    signature: Signature,
}

/// The type of `sum` or `avg` over a type; `None` where there is none.
fn result_type(kind: Kind, argument: &DataType) -> Option<DataType> {
    Some(match (kind, argument) {
        (Kind::Sum, DataType::Int16 | DataType::Int32) => DataType::Int64,
        (Kind::Sum, DataType::Int64) => DataType::Decimal128(38, 0),
        (Kind::Sum, DataType::Decimal128(_, scale)) => DataType::Decimal128(38, *scale),
        (Kind::Sum, DataType::Float32) => DataType::Float32,
        (Kind::Avg, DataType::Int16 | DataType::Int32 | DataType::Int64) => DataType::Decimal128(38, MEAN_SCALE),
        (Kind::Avg, DataType::Decimal128(_, scale)) => DataType::Decimal128(38, MEAN_SCALE.max(*scale)),
        (Kind::Avg, DataType::Float32) => DataType::Float64,
        (_, DataType::Float64) => DataType::Float64,
        _ => return None,
    })
}

impl AggregateUDFImpl for Exact {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Avg => "avg",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [DataType::Null] => Ok(vec![DataType::Float64]),
            [one] if result_type(self.kind, one).is_some() => Ok(types.to_vec()),
            _ => {
                let types: Vec<String> = types.iter().map(|t| SqlType::of_arrow(t).to_string()).collect();
                let message = format!("function {}({}) does not exist", self.name(), types.join(", "));
                let report = Report::error(SqlState::UNDEFINED_FUNCTION, message)
                    .hint("No function matches the given name and argument types. You might need to add explicit type casts.");
                Err(PlanError::from(report).external())
            }
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let types = self.coerce_types(types)?;
        let found = types.first().and_then(|t| result_type(self.kind, t));
        found.ok_or_else(|| PlanError::from(Report::internal("an aggregate has one argument")).external())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let argument = args.expr_fields.first().map_or(DataType::Null, |field| field.data_type().clone());
        Ok(Box::new(ExactAccumulator {
            kind: self.kind,
            result: args.return_field.data_type().clone(),
            distinct: args.is_distinct.then(HashSet::new),
            total: Total::new(&argument),
            count: 0,
            argument,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.is_distinct {
            let argument = args.input_fields.first().map_or(DataType::Null, |field| field.data_type().clone());
            let values = DataType::List(Arc::new(Field::new("item", argument, true)));
            return Ok(vec![Arc::new(Field::new(format!("{}[values]", args.name), values, true))]);
        }
        Ok(vec![
            Arc::new(Field::new(format!("{}[total]", args.name), DataType::Binary, true)),
            Arc::new(Field::new(format!("{}[count]", args.name), DataType::Int64, true)),
        ])
    }
}

#[derive(Debug)]
enum Total {
    /// Integers, and decimals as their unscaled values; `scale` is theirs.
    Integer {
        sum: ExactInteger,
        scale: i8,
    },
    Float(ExactFloat),
}

impl Total {
    fn new(argument: &DataType) -> Total {
        match argument {
            DataType::Float32 | DataType::Float64 | DataType::Null => Total::Float(ExactFloat::default()),
            DataType::Decimal128(_, scale) => Total::Integer { sum: ExactInteger::default(), scale: *scale },
            _ => Total::Integer { sum: ExactInteger::default(), scale: 0 },
        }
    }

    /// Adds every value that is not null; their number comes back.
    fn add(&mut self, values: &ArrayRef, weight: i64) -> i64 {
        match self {
            Total::Integer { sum, .. } => match values.data_type() {
                DataType::Int16 => values.as_primitive::<Int16Type>().iter().flatten().for_each(|v| sum.add(v.into(), weight)),
                DataType::Int32 => values.as_primitive::<Int32Type>().iter().flatten().for_each(|v| sum.add(v.into(), weight)),
                DataType::Int64 => values.as_primitive::<Int64Type>().iter().flatten().for_each(|v| sum.add(v.into(), weight)),
                DataType::Decimal128(..) => values.as_primitive::<Decimal128Type>().iter().flatten().for_each(|v| sum.add(v, weight)),
                _ => return 0,
            },
            Total::Float(sum) => match values.data_type() {
                DataType::Float32 => values.as_primitive::<Float32Type>().iter().flatten().for_each(|v| sum.add(v.into(), weight)),
                DataType::Float64 => values.as_primitive::<Float64Type>().iter().flatten().for_each(|v| sum.add(v, weight)),
                _ => return 0,
            },
        }
        (values.len() - values.null_count()) as i64
    }

    fn result(&self, kind: Kind, count: i64, to: &DataType) -> Option<ScalarValue> {
        Some(match (self, kind, to) {
            (Total::Integer { sum, .. }, Kind::Sum, DataType::Int64) => ScalarValue::Int64(Some(sum.to_i64()?)),
            (Total::Integer { sum, .. }, Kind::Sum, DataType::Decimal128(precision, scale)) => {
                ScalarValue::Decimal128(Some(sum.to_decimal(*precision)?), *precision, *scale)
            }
            (Total::Integer { sum, scale }, Kind::Avg, DataType::Decimal128(precision, to)) => {
                let more = u8::try_from(to - scale).ok()?;
                ScalarValue::Decimal128(Some(sum.mean(count, more, *precision)?), *precision, *to)
            }
            (Total::Float(sum), Kind::Sum, DataType::Float32) => {
                let value = sum.value()?;
                let narrow = value as f32;
                if narrow.is_infinite() && value.is_finite() {
                    return None;
                }
                ScalarValue::Float32(Some(narrow))
            }
            (Total::Float(sum), Kind::Sum, _) => ScalarValue::Float64(Some(sum.value()?)),
            (Total::Float(sum), Kind::Avg, _) => ScalarValue::Float64(Some(sum.mean(count)?)),
            _ => return None,
        })
    }
}

#[derive(Debug)]
struct ExactAccumulator {
    kind: Kind,
    argument: DataType,
    result: DataType,
    /// The values seen, when each counts once.
    distinct: Option<HashSet<ScalarValue>>,
    total: Total,
    count: i64,
}

impl ExactAccumulator {
    fn add(&mut self, values: &ArrayRef, weight: i64) -> Result<()> {
        match &mut self.distinct {
            None => self.count += weight * self.total.add(values, weight),
            Some(seen) => {
                for i in (0..values.len()).filter(|i| values.is_valid(*i)) {
                    seen.insert(ScalarValue::try_from_array(values, i)?);
                }
            }
        }
        Ok(())
    }
}

impl Accumulator for ExactAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values.first().map_or(Ok(()), |values| self.add(values, 1))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        values.first().map_or(Ok(()), |values| self.add(values, -1))
    }

    fn supports_retract_batch(&self) -> bool {
        self.distinct.is_none()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (mut total, mut count) = (Total::new(&self.argument), 0);
        let (total, count) = match &self.distinct {
            None => (&self.total, self.count),
            Some(seen) => {
                for value in seen {
                    count += total.add(&value.to_array()?, 1);
                }
                (&total, count)
            }
        };
        if count == 0 {
            return ScalarValue::try_from(&self.result);
        }
        let result = total.result(self.kind, count, &self.result);
        result.ok_or_else(|| PlanError::from(out_of_range(&SqlType::of_arrow(&self.result))).external())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.distinct.as_ref().map_or(0, |seen| seen.iter().map(ScalarValue::size).sum())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        if let Some(seen) = &self.distinct {
            let values: Vec<ScalarValue> = seen.iter().cloned().collect();
            return Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &self.argument))]);
        }
        let mut bytes = Vec::new();
        match &self.total {
            Total::Integer { sum, .. } => sum.encode(&mut bytes),
            Total::Float(sum) => sum.encode(&mut bytes),
        }
        Ok(vec![ScalarValue::Binary(Some(bytes)), ScalarValue::Int64(Some(self.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        match states {
            [values] => {
                for list in values.as_list::<i32>().iter().flatten() {
                    self.add(&list, 1)?;
                }
                Ok(())
            }
            [totals, counts] => {
                let counts = counts.as_primitive::<Int64Type>();
                for (bytes, count) in totals.as_binary::<i32>().iter().zip(counts.iter()) {
                    let (Some(mut bytes), Some(count)) = (bytes, count) else { continue };
                    let broken = || PlanError::from(Report::internal("a partial sum cannot be read")).external();
                    match &mut self.total {
                        Total::Integer { sum, .. } => sum.merge(&ExactInteger::decode(&mut bytes).ok_or_else(broken)?),
                        Total::Float(sum) => sum.merge(&ExactFloat::decode(&mut bytes).ok_or_else(broken)?),
                    }
                    self.count += count;
                }
                Ok(())
            }
            _ => Err(PlanError::from(Report::internal("a partial sum of other columns")).external()),
        }
    }
}
