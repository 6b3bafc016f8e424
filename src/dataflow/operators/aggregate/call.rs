//! One aggregate call: what it accumulates, decided once from the types of its argument and its result.

use arrow::datatypes::{DataType, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::planner::circuit_plan::{AggregateCall, AggregateFunction};
use crate::types::SqlType;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    CountStar,
    Count,
    SumInteger,
    SumFloat,
    /// With the digits that the result has behind the point and the argument has not.
    MeanInteger {
        more_scale: u8,
    },
    MeanFloat,
    Min,
    Max,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub kind: Kind,
    /// The argument; 0 for `count(*)`, which has none.
    pub column: usize,
    pub distinct: bool,
    pub filter: Option<usize>,
    pub output: DataType,
    /// See [`AggregateCall::lasting`].
    pub lasting: bool,
}

impl Call {
    pub fn new(call: &AggregateCall, input: &SchemaRef) -> Result<Call, DataflowError> {
        use AggregateFunction::{Avg, Count, CountStar, Max, Min, Sum};
        let column = call.argument.unwrap_or(0);
        let argument = call.argument.map(|c| input.field(c).data_type());
        let scale = match argument {
            Some(DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt32) => Some(0),
            Some(DataType::Decimal128(_, scale)) => Some(*scale),
            _ => None,
        };
        let float = matches!(argument, Some(DataType::Float32 | DataType::Float64));
        let kind = match (call.function, &call.output) {
            (CountStar, DataType::Int64) => Kind::CountStar,
            (Count, DataType::Int64) if argument.is_some() => Kind::Count,
            (Sum, DataType::Int64) if scale == Some(0) => Kind::SumInteger,
            (Sum, DataType::Decimal128(_, to)) if scale == Some(*to) => Kind::SumInteger,
            (Sum, DataType::Float32 | DataType::Float64) if float => Kind::SumFloat,
            (Avg, DataType::Decimal128(_, to)) if scale.is_some_and(|from| from <= *to) => {
                Kind::MeanInteger { more_scale: (to - scale.unwrap_or(0)) as u8 }
            }
            (Avg, DataType::Float32 | DataType::Float64) if float => Kind::MeanFloat,
            (Min, output) if argument == Some(output) => Kind::Min,
            (Max, output) if argument == Some(output) => Kind::Max,
            (function, output) => {
                let name = format!("{function:?}").to_lowercase();
                let of = argument.map_or("nothing".to_string(), |t| SqlType::of_arrow(t).to_string());
                return Err(DataflowError::Unsupported(format!("{name}({of}) as {} is not supported", SqlType::of_arrow(output))));
            }
        };
        Ok(Call { kind, column, distinct: call.distinct, filter: call.filter, output: call.output.clone(), lasting: call.lasting })
    }
}
