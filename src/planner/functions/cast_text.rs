//! Texts to values and values to texts for casts, in the forms of [`crate::types::form`].
//!
//! Local times are in UTC here: a view must mean the same whoever asks.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, StringBuilder};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use arrow::util::display::FormatOptions;
use bytes::BytesMut;
use datafusion::common::ScalarValue;

use crate::types::form::read_text::{null, to_array};
use crate::types::form::text::write_timestamp;
use crate::types::form::{Values, Zone, read_text};
use crate::types::{Report, SqlType};

static UTC: LazyLock<Zone> = LazyLock::new(Zone::utc);

/// The texts read as values of another type. The length of a varchar is not looked at.
pub fn parse_text(texts: &StringArray, to: &SqlType) -> Result<ArrayRef, Report> {
    if let SqlType::Varchar(_) = to {
        return Ok(Arc::new(texts.clone()));
    }
    // Arrow reads the plain forms of numbers much faster; what it refuses may still be right, or has its own message.
    if matches!(to, SqlType::SmallInt | SqlType::Integer | SqlType::BigInt | SqlType::Double) {
        let options = CastOptions { safe: false, format_options: FormatOptions::default() };
        if let Ok(values) = cast_with_options(texts, &to.arrow(), &options) {
            return Ok(values);
        }
    }
    let read = |text: Option<&str>| match text {
        Some(text) => read_text(text, to, &UTC),
        None => null(to),
    };
    let values = texts.iter().map(read).collect::<Result<Vec<ScalarValue>, _>>().map_err(Report::from)?;
    to_array(values, to).map_err(Report::from)
}

/// The values as texts.
pub fn text_of(array: &ArrayRef, from: &SqlType) -> Result<StringArray, Report> {
    match array.data_type() {
        DataType::Utf8 => return Ok(array.as_string::<i32>().clone()),
        // Shown as a letter, and cast as a word.
        DataType::Boolean => {
            let words = |booleans: &BooleanArray| booleans.iter().map(|b| b.map(|b| if b { "true" } else { "false" })).collect();
            return Ok(words(array.as_boolean()));
        }
        _ => {}
    }
    let values = Values::new(array, from).map_err(Report::from)?;
    let (mut texts, mut buffer) = (StringBuilder::new(), BytesMut::new());
    for row in 0..array.len() {
        if values.is_null(row) {
            texts.append_null();
            continue;
        }
        buffer.clear();
        values.write_text(row, &UTC, &mut buffer);
        texts.append_value(String::from_utf8_lossy(&buffer));
    }
    Ok(texts.finish())
}

/// `2026-01-01 00:00:00.5`.
pub fn timestamp_text(micros: i64) -> String {
    let mut text = BytesMut::new();
    write_timestamp(micros, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
