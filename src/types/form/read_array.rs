//! Reads an array's text, `{1,"b c",NULL}`, one level deep for each `[]` of the type.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use datafusion::scalar::ScalarValue;

use super::error::FormError;
use crate::types::sql_type::SqlType;

/// Calls `read` for each element in order (`None` for an unquoted NULL) and gives the list.
pub fn read_array(
    text: &str,
    element: &SqlType,
    read: &mut dyn FnMut(Option<&str>) -> Result<ScalarValue, FormError>,
) -> Result<ScalarValue, FormError> {
    let wrong = |detail| FormError::Array { text: text.to_string(), detail };
    let mut values = Vec::new();
    for item in split(inside(text).map_err(wrong)?).map_err(wrong)? {
        values.push(match &item {
            Item::Null => read(None)?,
            Item::Value(value) => read(Some(value))?,
        });
    }
    list(values, element)
}

/// What stands between the outer braces.
pub fn inside(text: &str) -> Result<&str, &'static str> {
    let opened = text.trim().strip_prefix('{').ok_or("Array value must start with \"{\" or dimension information.")?;
    opened.strip_suffix('}').ok_or("Unexpected end of input.")
}

/// One element's text.
pub enum Item {
    /// An unquoted NULL.
    Null,
    Value(String),
}

/// The elements between the outer braces: quotes and backslashes undone, except inside of nested braces.
pub fn split(body: &str) -> Result<Vec<Item>, &'static str> {
    let mut items = Vec::new();
    if body.trim().is_empty() {
        return Ok(items);
    }
    let mut value = String::new();
    let (mut quoted, mut in_quotes, mut depth) = (false, false, 0usize);
    let mut finish = |value: &mut String, quoted: &mut bool| {
        let taken = std::mem::take(value);
        let item = if *quoted { taken } else { taken.trim().to_string() };
        if item.is_empty() && !*quoted {
            return Err("Unexpected \",\" character.");
        }
        items.push(if !*quoted && item.eq_ignore_ascii_case("null") { Item::Null } else { Item::Value(item) });
        *quoted = false;
        Ok(())
    };
    let mut letters = body.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                if depth > 0 {
                    value.push('\\');
                }
                value.push(letters.next().ok_or("Unexpected end of input.")?);
                quoted |= depth == 0;
            }
            '"' => {
                in_quotes = !in_quotes;
                if depth > 0 {
                    value.push('"');
                } else {
                    if in_quotes {
                        // Blanks before the quotes do not count.
                        value.truncate(value.trim_end().len());
                    }
                    quoted = true;
                }
            }
            '{' | '}' if !in_quotes => {
                depth = if letter == '{' { depth + 1 } else { depth.checked_sub(1).ok_or("Unexpected \"}\" character.")? };
                value.push(letter);
            }
            ',' if !in_quotes && depth == 0 => finish(&mut value, &mut quoted)?,
            blank if quoted && !in_quotes && depth == 0 && blank.is_whitespace() => {}
            other => value.push(other),
        }
    }
    if in_quotes || depth > 0 {
        return Err("Unexpected end of input.");
    }
    finish(&mut value, &mut quoted)?;
    Ok(items)
}

/// A list scalar of these elements.
pub fn list(values: Vec<ScalarValue>, element: &SqlType) -> Result<ScalarValue, FormError> {
    let data_type = element.arrow();
    let items: ArrayRef = if values.is_empty() {
        new_empty_array(&data_type)
    } else {
        ScalarValue::iter_to_array(values).map_err(|_| FormError::Unshowable { arrow: data_type.to_string(), name: element.to_string() })?
    };
    let field = Arc::new(element.field("item"));
    let lengths = OffsetBuffer::from_lengths([items.len()]);
    let list = ListArray::try_new(field, lengths, items, None)
        .map_err(|_| FormError::Unshowable { arrow: data_type.to_string(), name: element.to_string() })?;
    Ok(ScalarValue::List(Arc::new(list)))
}
