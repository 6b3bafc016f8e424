//! Reads a struct's text, `(1,"b c",)`: a field without text is null.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use datafusion::scalar::ScalarValue;

use super::error::FormError;
use crate::types::sql_type::{SqlType, StructField};

/// Calls `read` for each field in order (`None` for null) and gives the struct.
pub fn read_record(
    text: &str,
    fields: &[StructField],
    read: &mut dyn FnMut(Option<&str>, &SqlType) -> Result<ScalarValue, FormError>,
) -> Result<ScalarValue, FormError> {
    let wrong = |detail| FormError::Record { text: text.to_string(), detail };
    let body = text.trim().strip_prefix('(').ok_or_else(|| wrong("Missing left parenthesis."))?;
    let items = split(body).map_err(wrong)?;
    if items.len() != fields.len() {
        return Err(wrong(if items.len() < fields.len() { "Too few columns." } else { "Too many columns." }));
    }
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (item, field) in items.iter().zip(fields) {
        let value = read(item.as_deref(), &field.sql_type)?;
        let name = || field.sql_type.to_string();
        columns.push(value.to_array().map_err(|_| FormError::Unshowable { arrow: value.data_type().to_string(), name: name() })?);
    }
    record(columns, fields)
}

/// The struct of fields that have one value each.
fn record(columns: Vec<ArrayRef>, fields: &[StructField]) -> Result<ScalarValue, FormError> {
    let arrow_fields = fields.iter().map(|field| field.sql_type.field(&field.name)).collect();
    let made = StructArray::try_new_with_length(arrow_fields, columns, None, 1);
    let sql_type = || SqlType::Struct(fields.to_vec());
    let made = made.map_err(|_| FormError::Unshowable { arrow: sql_type().arrow().to_string(), name: sql_type().to_string() })?;
    Ok(ScalarValue::Struct(Arc::new(made)))
}

/// The fields up to the closing parenthesis, quotes and backslashes undone.
fn split(body: &str) -> Result<Vec<Option<String>>, &'static str> {
    let mut items = Vec::new();
    let mut value: Option<String> = None;
    let mut letters = body.chars().peekable();
    let mut in_quotes = false;
    loop {
        let letter = letters.next().ok_or("Unexpected end of input.")?;
        match letter {
            '"' if in_quotes && letters.next_if_eq(&'"').is_some() => value.get_or_insert_default().push('"'),
            '"' => {
                in_quotes = !in_quotes;
                value.get_or_insert_default();
            }
            '\\' => value.get_or_insert_default().push(letters.next().ok_or("Unexpected end of input.")?),
            ',' if !in_quotes => items.push(value.take()),
            ')' if !in_quotes => {
                let rest: String = letters.collect();
                return match rest.trim().is_empty() {
                    true if items.is_empty() && value.is_none() => Ok(items),
                    true => {
                        items.push(value);
                        Ok(items)
                    }
                    false => Err("Junk after right parenthesis."),
                };
            }
            other => value.get_or_insert_default().push(other),
        }
    }
}
