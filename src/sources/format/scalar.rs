//! One value between its text and its column: what the record says, not yet what the column wants.
//!
//! Texts and numbers borrow from the record, so that most values are copied once, into the column.

use std::borrow::Cow;

use arrow::datatypes::IntervalMonthDayNano;

use super::json::{self, Scanner};

#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    /// A number as it is written.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    /// An object or an array as it is written, or the text of a JSON value.
    Json(Cow<'a, str>),
    List(Vec<Scalar<'a>>),
    /// The fields of a struct, all of them in order.
    Fields(Vec<Scalar<'a>>),
    Decimal {
        unscaled: i128,
        scale: i32,
    },
    Bytes(Vec<u8>),
    /// Days since 1970.
    Date(i64),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 1970, of no zone or of UTC.
    Timestamp(i64),
    Interval(IntervalMonthDayNano),
}

impl<'a> Scalar<'a> {
    /// The value of a JSON text that the scanner has checked. Objects and arrays stay as they are written.
    pub fn of_json(raw: &'a str) -> Result<Scalar<'a>, &'static str> {
        Ok(match raw.as_bytes().first() {
            Some(b'"') => Scalar::Text(text_of(raw)?),
            Some(b'{' | b'[') => Scalar::Json(Cow::Borrowed(raw)),
            Some(b't') => Scalar::Bool(true),
            Some(b'f') => Scalar::Bool(false),
            Some(b'n') | None => Scalar::Null,
            Some(_) => Scalar::Number(Cow::Borrowed(raw)),
        })
    }
}

/// What a JSON text in its quotes stands for.
pub fn text_of(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    json::unescape(raw.get(1..raw.len().saturating_sub(1)).unwrap_or(""))
}

/// The items of a JSON array as they are written.
pub fn items_of(raw: &str) -> Result<Vec<&str>, &'static str> {
    let mut scanner = Scanner::new(raw);
    scanner.enter_array().map_err(|e| e.what)?;
    let mut items = Vec::new();
    while let Some(item) = scanner.item(items.is_empty()).map_err(|e| e.what)? {
        items.push(item);
    }
    Ok(items)
}
