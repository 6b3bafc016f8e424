//! A column of a result, ready to be written value by value, as text or as binary.

use std::fmt::Write as _;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array, Int32Array,
    Int64Array, IntervalMonthDayNanoArray, ListArray, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt32Type,
};
use bytes::{BufMut, BytesMut};

use super::binary;
use super::error::FormError;
use super::float::{write_f32, write_f64};
use super::interval::Interval;
use super::text::{trimmed, write_date, write_decimal, write_time, write_timestamp, write_timestamptz};
use super::zone::Zone;
use crate::types::sql_type::SqlType;

/// The values of one array under the SQL type that its column has.
pub enum Values {
    Null,
    Boolean(BooleanArray),
    SmallInt(Int16Array),
    Integer(Int32Array),
    BigInt(Int64Array),
    Oid(UInt32Array),
    Real(Float32Array),
    Double(Float64Array),
    Numeric {
        array: Decimal128Array,
        scale: i8,
        trim: bool,
    },
    /// `sql_type` decides the binary form: a uuid is bytes, a jsonb has a version.
    Text {
        array: StringArray,
        sql_type: SqlType,
    },
    Bytea(BinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    TimestampTz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    Array {
        array: ListArray,
        elements: Box<Values>,
        element_type: SqlType,
    },
    Struct {
        nulls: Option<NullBuffer>,
        fields: Vec<Values>,
        types: Vec<SqlType>,
    },
}

impl Values {
    /// An array that is not in the Arrow form of the type is cast to it.
    pub fn new(array: &ArrayRef, sql_type: &SqlType) -> Result<Values, FormError> {
        Ok(match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Boolean(array.as_boolean().clone()),
            DataType::Int16 => Values::SmallInt(array.as_primitive::<Int16Type>().clone()),
            DataType::Int32 => Values::Integer(array.as_primitive::<Int32Type>().clone()),
            DataType::Int64 => Values::BigInt(array.as_primitive::<Int64Type>().clone()),
            DataType::UInt32 => Values::Oid(array.as_primitive::<UInt32Type>().clone()),
            DataType::Float32 => Values::Real(array.as_primitive::<Float32Type>().clone()),
            DataType::Float64 => Values::Double(array.as_primitive::<Float64Type>().clone()),
            DataType::Decimal128(_, scale) => Values::Numeric {
                array: array.as_primitive::<Decimal128Type>().clone(),
                scale: *scale,
                trim: *sql_type == SqlType::NUMERIC,
            },
            DataType::Utf8 => Values::Text { array: array.as_string::<i32>().clone(), sql_type: sql_type.clone() },
            DataType::Binary => Values::Bytea(array.as_binary::<i32>().clone()),
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>().clone()),
            DataType::Time64(TimeUnit::Microsecond) => Values::Time(array.as_primitive::<Time64MicrosecondType>().clone()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Values::Timestamp(array.as_primitive::<TimestampMicrosecondType>().clone()),
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                Values::TimestampTz(array.as_primitive::<TimestampMicrosecondType>().clone())
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => Values::Interval(array.as_primitive::<IntervalMonthDayNanoType>().clone()),
            DataType::List(item) => {
                let list = array.as_list::<i32>().clone();
                let element_type = match sql_type {
                    SqlType::Array(element) => (**element).clone(),
                    _ => SqlType::of_field(item),
                };
                let elements = Box::new(Values::new(list.values(), &element_type)?);
                Values::Array { array: list, elements, element_type }
            }
            DataType::Struct(fields) => {
                let array = array.as_struct();
                let types: Vec<SqlType> = fields.iter().map(|field| SqlType::of_field(field)).collect();
                let fields = array.columns().iter().zip(&types).map(|(column, sql_type)| Values::new(column, sql_type));
                Values::Struct { nulls: array.nulls().cloned(), fields: fields.collect::<Result<_, _>>()?, types }
            }
            other => {
                let unshowable = || FormError::Unshowable { arrow: other.to_string(), name: sql_type.to_string() };
                let target = sql_type.arrow();
                if target == *other {
                    return Err(unshowable());
                }
                return Values::new(&cast(array, &target).map_err(|_| unshowable())?, sql_type);
            }
        })
    }

    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Values::Null => true,
            Values::Boolean(a) => a.is_null(row),
            Values::SmallInt(a) => a.is_null(row),
            Values::Integer(a) => a.is_null(row),
            Values::BigInt(a) => a.is_null(row),
            Values::Oid(a) => a.is_null(row),
            Values::Real(a) => a.is_null(row),
            Values::Double(a) => a.is_null(row),
            Values::Numeric { array, .. } => array.is_null(row),
            Values::Text { array, .. } => array.is_null(row),
            Values::Bytea(a) => a.is_null(row),
            Values::Date(a) => a.is_null(row),
            Values::Time(a) => a.is_null(row),
            Values::Timestamp(a) | Values::TimestampTz(a) => a.is_null(row),
            Values::Interval(a) => a.is_null(row),
            Values::Array { array, .. } => array.is_null(row),
            Values::Struct { nulls, .. } => nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)),
        }
    }

    /// Appends the text form of a value that is not null.
    pub fn write_text(&self, row: usize, zone: &Zone, out: &mut BytesMut) {
        match self {
            Values::Null => {}
            Values::Boolean(a) => out.put_u8(if a.value(row) { b't' } else { b'f' }),
            Values::SmallInt(a) => write_display(a.value(row), out),
            Values::Integer(a) => write_display(a.value(row), out),
            Values::BigInt(a) => write_display(a.value(row), out),
            Values::Oid(a) => write_display(a.value(row), out),
            Values::Real(a) => write_f32(a.value(row), out),
            Values::Double(a) => write_f64(a.value(row), out),
            Values::Numeric { array, scale, trim } => {
                let (unscaled, scale) = if *trim { trimmed(array.value(row), *scale) } else { (array.value(row), *scale) };
                write_decimal(unscaled, scale, out);
            }
            Values::Text { array, .. } => out.put_slice(array.value(row).as_bytes()),
            Values::Bytea(a) => {
                out.put_slice(b"\\x");
                for byte in a.value(row) {
                    let _ = write!(out, "{byte:02x}");
                }
            }
            Values::Date(a) => write_date(a.value(row), out),
            Values::Time(a) => write_time(a.value(row), out),
            Values::Timestamp(a) => write_timestamp(a.value(row), out),
            Values::TimestampTz(a) => write_timestamptz(a.value(row), zone, out),
            Values::Interval(a) => interval(a, row).write(out),
            Values::Array { array, elements, .. } => {
                let (start, end) = bounds(array, row);
                out.put_u8(b'{');
                for at in start..end {
                    if at > start {
                        out.put_u8(b',');
                    }
                    if elements.is_null(at) {
                        out.put_slice(b"NULL");
                    } else if matches!(**elements, Values::Array { .. }) {
                        elements.write_text(at, zone, out);
                    } else {
                        let mut element = BytesMut::new();
                        elements.write_text(at, zone, &mut element);
                        write_element(&element, out);
                    }
                }
                out.put_u8(b'}');
            }
            Values::Struct { fields, .. } => {
                out.put_u8(b'(');
                for (at, field) in fields.iter().enumerate() {
                    if at > 0 {
                        out.put_u8(b',');
                    }
                    if !field.is_null(row) {
                        let mut text = BytesMut::new();
                        field.write_text(row, zone, &mut text);
                        write_field(&text, out);
                    }
                }
                out.put_u8(b')');
            }
        }
    }

    /// Appends the binary form of a value that is not null, without its length.
    pub fn write_binary(&self, row: usize, out: &mut BytesMut) -> Result<(), FormError> {
        match self {
            Values::Null => {}
            Values::Boolean(a) => out.put_u8(u8::from(a.value(row))),
            Values::SmallInt(a) => out.put_i16(a.value(row)),
            Values::Integer(a) => out.put_i32(a.value(row)),
            Values::BigInt(a) => out.put_i64(a.value(row)),
            Values::Oid(a) => out.put_u32(a.value(row)),
            Values::Real(a) => out.put_f32(a.value(row)),
            Values::Double(a) => out.put_f64(a.value(row)),
            Values::Numeric { array, scale, trim } => {
                let (unscaled, scale) = if *trim { trimmed(array.value(row), *scale) } else { (array.value(row), *scale) };
                binary::write_numeric(unscaled, scale, out);
            }
            Values::Text { array, sql_type } => binary::write_text(array.value(row), sql_type, out)?,
            Values::Bytea(a) => out.put_slice(a.value(row)),
            Values::Date(a) => binary::write_date(a.value(row), out),
            Values::Time(a) => out.put_i64(a.value(row)),
            Values::Timestamp(a) | Values::TimestampTz(a) => binary::write_timestamp(a.value(row), out),
            Values::Interval(a) => {
                let Interval { months, days, micros } = interval(a, row);
                out.put_i64(micros);
                out.put_i32(days);
                out.put_i32(months);
            }
            Values::Array { array, elements, element_type } => {
                if matches!(**elements, Values::Array { .. }) {
                    return Err(FormError::NoBinary { name: format!("{element_type}[]") });
                }
                let (start, end) = bounds(array, row);
                let any_null = (start..end).any(|at| elements.is_null(at));
                out.put_i32(i32::from(end > start)); // dimensions: an empty array has none
                out.put_i32(i32::from(any_null));
                out.put_u32(element_type.oid());
                if end > start {
                    out.put_i32((end - start) as i32);
                    out.put_i32(1); // lower bound
                }
                for at in start..end {
                    if elements.is_null(at) {
                        out.put_i32(-1);
                    } else {
                        binary::with_length(out, |out| elements.write_binary(at, out))?;
                    }
                }
            }
            Values::Struct { fields, types, .. } => {
                out.put_i32(fields.len() as i32);
                for (field, sql_type) in fields.iter().zip(types) {
                    out.put_u32(sql_type.oid());
                    if field.is_null(row) {
                        out.put_i32(-1);
                    } else {
                        binary::with_length(out, |out| field.write_binary(row, out))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn write_display(value: impl std::fmt::Display, out: &mut BytesMut) {
    let _ = write!(out, "{value}");
}

fn interval(array: &IntervalMonthDayNanoArray, row: usize) -> Interval {
    let value = array.value(row);
    Interval { months: value.months, days: value.days, micros: value.nanoseconds / 1000 }
}

fn bounds(array: &ListArray, row: usize) -> (usize, usize) {
    let offsets = array.value_offsets();
    (offsets[row] as usize, offsets[row + 1] as usize)
}

/// An element in an array's text: in quotes when it could be misread.
fn write_element(element: &[u8], out: &mut BytesMut) {
    let special = |b: &u8| matches!(b, b'{' | b'}' | b',' | b'"' | b'\\') || b.is_ascii_whitespace() || *b == 0x0b;
    if element.is_empty() || element.eq_ignore_ascii_case(b"null") || element.iter().any(special) {
        out.put_u8(b'"');
        for byte in element {
            if matches!(byte, b'"' | b'\\') {
                out.put_u8(b'\\');
            }
            out.put_u8(*byte);
        }
        out.put_u8(b'"');
    } else {
        out.put_slice(element);
    }
}

/// A field in a struct's text: in quotes when it could be misread, with what is special written twice.
fn write_field(field: &[u8], out: &mut BytesMut) {
    let special = |b: &u8| matches!(b, b'(' | b')' | b',' | b'"' | b'\\') || b.is_ascii_whitespace() || *b == 0x0b;
    if !field.is_empty() && !field.iter().any(special) {
        return out.put_slice(field);
    }
    out.put_u8(b'"');
    for byte in field {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(*byte);
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

#[cfg(test)]
mod tests;
