//! Values as numbers of one kind that order as the values do, to keep the least or greatest of them in a record.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt32Type,
};

use crate::dataflow::error::DataflowError;

/// The column's values, those of null rows being anything. Floats are canonical.
pub fn ordered(column: &ArrayRef) -> Result<Vec<i128>, DataflowError> {
    fn all<T: ArrowPrimitiveType>(column: &ArrayRef) -> Vec<i128>
    where
        T::Native: Into<i128>,
    {
        column.as_primitive::<T>().values().iter().map(|value| (*value).into()).collect()
    }
    Ok(match column.data_type() {
        DataType::Int8 => all::<Int8Type>(column),
        DataType::Int16 => all::<Int16Type>(column),
        DataType::Int32 => all::<Int32Type>(column),
        DataType::Int64 => all::<Int64Type>(column),
        DataType::UInt32 => all::<UInt32Type>(column),
        DataType::Date32 => all::<Date32Type>(column),
        DataType::Time64(TimeUnit::Microsecond) => all::<Time64MicrosecondType>(column),
        DataType::Timestamp(TimeUnit::Microsecond, _) => all::<TimestampMicrosecondType>(column),
        DataType::Decimal128(..) => all::<Decimal128Type>(column),
        DataType::Float32 => column.as_primitive::<Float32Type>().values().iter().map(|v| of_float(f64::from(*v))).collect(),
        DataType::Float64 => column.as_primitive::<Float64Type>().values().iter().map(|v| of_float(*v)).collect(),
        other => return Err(DataflowError::Plan(format!("min or max of {other} in a record"))),
    })
}

/// The values back in a column of the type.
pub fn column(data_type: &DataType, values: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef, DataflowError> {
    fn all<T: ArrowPrimitiveType>(data_type: &DataType, values: impl Iterator<Item = Option<i128>>) -> ArrayRef
    where
        T::Native: TryFrom<i128>,
    {
        let values: PrimitiveArray<T> = values.map(|value| value.and_then(|v| T::Native::try_from(v).ok())).collect();
        Arc::new(values.with_data_type(data_type.clone()))
    }
    Ok(match data_type {
        DataType::Int8 => all::<Int8Type>(data_type, values),
        DataType::Int16 => all::<Int16Type>(data_type, values),
        DataType::Int32 => all::<Int32Type>(data_type, values),
        DataType::Int64 => all::<Int64Type>(data_type, values),
        DataType::UInt32 => all::<UInt32Type>(data_type, values),
        DataType::Date32 => all::<Date32Type>(data_type, values),
        DataType::Time64(TimeUnit::Microsecond) => all::<Time64MicrosecondType>(data_type, values),
        DataType::Timestamp(TimeUnit::Microsecond, _) => all::<TimestampMicrosecondType>(data_type, values),
        DataType::Decimal128(..) => all::<Decimal128Type>(data_type, values),
        DataType::Float32 => Arc::new(values.map(|v| v.map(|v| to_float(v) as f32)).collect::<Float32Array>()),
        DataType::Float64 => Arc::new(values.map(|v| v.map(to_float)).collect::<Float64Array>()),
        other => return Err(DataflowError::Plan(format!("min or max of {other} in a record"))),
    })
}

/// NaN is greater than everything, as in PostgreSQL.
fn of_float(value: f64) -> i128 {
    let bits = value.to_bits() as i64;
    i128::from(bits ^ ((bits >> 63) as u64 >> 1) as i64)
}

fn to_float(ordered: i128) -> f64 {
    let bits = ordered as i64;
    f64::from_bits((bits ^ ((bits >> 63) as u64 >> 1) as i64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_keep_their_order() {
        let values = [f64::NEG_INFINITY, -1e300, -1.5, -f64::MIN_POSITIVE, 0.0, f64::MIN_POSITIVE, 2.0, f64::INFINITY, f64::NAN];
        for pair in values.windows(2) {
            assert!(of_float(pair[0]) < of_float(pair[1]), "{pair:?}");
        }
        for value in values {
            assert_eq!(to_float(of_float(value)).to_bits(), value.to_bits());
        }
    }
}
