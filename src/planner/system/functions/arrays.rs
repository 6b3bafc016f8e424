//! Functions on arrays that DataFusion has not, or has with another meaning for NULL and for empty arrays.

use super::super::value::Value;
use super::routine::{Routine, routine};
use crate::types::SqlType;

pub fn routines() -> Vec<Routine> {
    vec![
        routine("array_lower", 2..=2, SqlType::Integer, |_, row| Ok(length(row).map(|_| 1).into())),
        routine("array_upper", 2..=2, SqlType::Integer, |_, row| Ok(length(row).into())),
        routine("pg_array_text", 1..=1, SqlType::Text, |_, row| Ok(row.first().and_then(Value::text).into())),
        routine("pg_text_array", 1..=1, SqlType::Array(Box::new(SqlType::Text)), |_, row| {
            Ok(match row.first() {
                Some(Value::List(items)) => Value::List(items.iter().map(|item| item.text().into()).collect()),
                _ => Value::List(Vec::new()),
            })
        })
        .lenient(),
        routine("pg_array_prefixed", 2..=2, SqlType::Array(Box::new(SqlType::Text)), |_, row| {
            let prefix = row.first().and_then(Value::text).unwrap_or_default();
            Ok(match row.get(1) {
                Some(Value::List(items)) => {
                    Value::List(items.iter().map(|item| item.text().map(|text| format!("{prefix}{text}")).into()).collect())
                }
                _ => Value::List(Vec::new()),
            })
        })
        .lenient(),
        routine("pg_array_concat", 2..=2, SqlType::Array(Box::new(SqlType::Text)), |_, row| {
            // As with PostgreSQL's `||`, a NULL beside an array is no elements.
            Ok(match row {
                [Value::List(left), Value::List(right)] => Value::List(left.iter().chain(right).cloned().collect()),
                [Value::List(one), _] | [_, Value::List(one)] => Value::List(one.clone()),
                _ => Value::Null,
            })
        })
        .lenient(),
        // The subscripts of an array whose first is the second argument.
        routine("pg_positions", 2..=2, SqlType::Array(Box::new(SqlType::Integer)), |_, row| {
            Ok(match (row.first(), row.get(1).and_then(Value::int)) {
                (Some(Value::List(items)), Some(first)) => Value::ints((first..).take(items.len())),
                _ => Value::Null,
            })
        }),
    ]
}

/// The length along the dimension; NULL for an empty array and for any but the first dimension.
fn length(row: &[Value]) -> Option<i32> {
    match (row.first(), row.get(1).and_then(Value::int)) {
        (Some(Value::List(items)), Some(1)) if !items.is_empty() => i32::try_from(items.len()).ok(),
        _ => None,
    }
}
