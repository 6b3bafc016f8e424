//! One value of a system relation or of a system function's argument, and columns made of such values.
//!
//! System relations are small and their functions are called a few times a statement, so both are written row by row
//! over this dynamic value; only the edge is columnar.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, ListArray, StringArray,
    TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::error::ArrowError;

use crate::types::SqlType;
use crate::types::sql_type::UTC;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
}

impl Value {
    pub fn texts<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Value {
        Value::List(items.into_iter().map(|item| Value::Text(item.into())).collect())
    }

    pub fn ints(items: impl IntoIterator<Item = i64>) -> Value {
        Value::List(items.into_iter().map(Value::Int).collect())
    }

    pub fn is_null(&self) -> bool {
        *self == Value::Null
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Float(x) => Some(*x as i64),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub fn oid(&self) -> Option<u32> {
        self.int().and_then(|n| u32::try_from(n).ok())
    }

    pub fn bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// PostgreSQL's text form; `None` for NULL.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(b) => if *b { "t" } else { "f" }.to_string(),
            Value::Int(n) => n.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Text(text) => text.clone(),
            Value::List(items) => {
                let quoted = |item: &Value| item.text().map_or("NULL".to_string(), |text| quote_element(&text));
                format!("{{{}}}", items.iter().map(quoted).collect::<Vec<_>>().join(","))
            }
        })
    }
}

/// An array element in an array's text form.
fn quote_element(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && !text.chars().any(|c| c.is_whitespace() || matches!(c, '{' | '}' | ',' | '"' | '\\'));
    if plain { text.to_string() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Int(n)
    }
}
impl From<i32> for Value {
    fn from(n: i32) -> Value {
        Value::Int(n.into())
    }
}
impl From<u32> for Value {
    fn from(n: u32) -> Value {
        Value::Int(n.into())
    }
}
impl From<usize> for Value {
    fn from(n: usize) -> Value {
        Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_string())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(text.clone())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// A column of that type; a value of another kind becomes NULL.
pub fn column(sql_type: &SqlType, values: &[Value]) -> Result<ArrayRef, ArrowError> {
    let ints = || values.iter().map(|value| if let Value::Int(n) = value { Some(*n) } else { None });
    let floats = || {
        values.iter().map(|value| match value {
            Value::Float(x) => Some(*x),
            Value::Int(n) => Some(*n as f64),
            _ => None,
        })
    };
    Ok(match sql_type {
        SqlType::Boolean => Arc::new(values.iter().map(Value::bool).collect::<BooleanArray>()),
        SqlType::SmallInt => Arc::new(ints().map(|n| n.and_then(|n| i16::try_from(n).ok())).collect::<Int16Array>()),
        SqlType::Integer => Arc::new(ints().map(|n| n.and_then(|n| i32::try_from(n).ok())).collect::<Int32Array>()),
        SqlType::BigInt => Arc::new(ints().collect::<Int64Array>()),
        SqlType::Oid => Arc::new(ints().map(|n| n.and_then(|n| u32::try_from(n).ok())).collect::<UInt32Array>()),
        SqlType::Real => Arc::new(floats().map(|x| x.map(|x| x as f32)).collect::<Float32Array>()),
        SqlType::Double => Arc::new(floats().collect::<Float64Array>()),
        SqlType::Text | SqlType::Varchar(_) | SqlType::Name | SqlType::Char => {
            Arc::new(values.iter().map(Value::text).collect::<StringArray>())
        }
        SqlType::TimestampTz => Arc::new(ints().collect::<TimestampMicrosecondArray>().with_timezone(UTC)),
        SqlType::Timestamp => Arc::new(ints().collect::<TimestampMicrosecondArray>()),
        SqlType::Array(element) => {
            let lists = values.iter().map(|value| if let Value::List(items) = value { Some(items.as_slice()) } else { None });
            let nulls: NullBuffer = lists.clone().map(|items| items.is_some()).collect();
            let items: Vec<Value> = lists.clone().flatten().flatten().cloned().collect();
            let offsets = OffsetBuffer::from_lengths(lists.map(|items| items.map_or(0, <[Value]>::len)));
            Arc::new(ListArray::try_new(Arc::new(element.field("item")), offsets, column(element, &items)?, Some(nulls))?)
        }
        other => new_null_array(&other.arrow(), values.len()),
    })
}

/// The values of a column, whatever its type: what is no boolean, number or list is taken as text.
pub fn values(array: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    Ok(match array.data_type() {
        DataType::Null => vec![Value::Null; array.len()],
        DataType::Boolean => array.as_boolean().iter().map(Value::from).collect(),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().iter().map(Value::from).collect(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let array = cast(array, &DataType::Float64)?;
            array.as_primitive::<Float64Type>().iter().map(|x| x.map_or(Value::Null, Value::Float)).collect()
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let items = |list: Option<ArrayRef>| Ok(list.map(|list| values(&list)).transpose()?.map_or(Value::Null, Value::List));
            lists.iter().map(items).collect::<Result<_, ArrowError>>()?
        }
        _ => cast(array, &DataType::Utf8)?.as_string::<i32>().iter().map(Value::from).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_and_values_are_inverse() {
        let cases = [
            (SqlType::Oid, vec![Value::Int(16384), Value::Null]),
            (SqlType::Name, vec![Value::from("a"), Value::Null]),
            (SqlType::Boolean, vec![Value::Bool(true), Value::Null]),
            (SqlType::Array(Box::new(SqlType::SmallInt)), vec![Value::ints([1, 2]), Value::Null, Value::ints([])]),
            (SqlType::Array(Box::new(SqlType::Name)), vec![Value::texts(["public"])]),
        ];
        for (sql_type, expected) in cases {
            let array = column(&sql_type, &expected).unwrap();
            assert_eq!(*array.data_type(), sql_type.arrow());
            assert_eq!(values(&array).unwrap(), expected);
        }
    }

    #[test]
    fn arrays_have_postgres_text_form() {
        assert_eq!(Value::texts(["a", "b c", "", "null", "q\"t"]).text().unwrap(), r#"{a,"b c","","null","q\"t"}"#);
        assert_eq!(Value::List(vec![Value::Int(1), Value::Null]).text().unwrap(), "{1,NULL}");
    }
}
