//! Reads a value from its text form, as PostgreSQL's input functions do: blanks around numbers are allowed, what is left
//! over is an error, and a value that does not fit is refused rather than cut.

use std::sync::Arc;

use arrow::array::IntervalMonthDayNanoArray;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::scalar::ScalarValue;

use super::error::FormError;
use super::read_array::read_array;
use super::read_datetime::{read_date, read_time, read_timestamp, read_timestamptz};
use super::read_interval::read_interval;
use super::read_record::read_record;
use super::zone::Zone;
use crate::types::sql_type::{SqlType, UTC};

/// The value that `text` means as a `sql_type`; `zone` is where local times of a `timestamptz` are.
pub fn read_text(text: &str, sql_type: &SqlType, zone: &Zone) -> Result<ScalarValue, FormError> {
    Ok(match sql_type {
        SqlType::Boolean => ScalarValue::Boolean(Some(boolean(text).ok_or_else(|| FormError::syntax(sql_type, text))?)),
        SqlType::SmallInt => ScalarValue::Int16(Some(integer(text, sql_type)?)),
        SqlType::Integer => ScalarValue::Int32(Some(integer(text, sql_type)?)),
        SqlType::BigInt => ScalarValue::Int64(Some(integer(text, sql_type)?)),
        SqlType::Oid => ScalarValue::UInt32(Some(integer(text, sql_type)?)),
        SqlType::Real => {
            let value = double(text, sql_type)?;
            let narrow = value as f32;
            if narrow.is_infinite() != value.is_infinite() || (narrow == 0.0) != (value == 0.0) {
                return Err(FormError::FloatRange { name: "real".to_string(), text: text.to_string() });
            }
            ScalarValue::Float32(Some(narrow))
        }
        SqlType::Double => ScalarValue::Float64(Some(double(text, sql_type)?)),
        SqlType::Numeric { precision, scale } => ScalarValue::Decimal128(Some(decimal(text, *precision, *scale)?), *precision, *scale),
        SqlType::Text | SqlType::Name | SqlType::Json | SqlType::Jsonb | SqlType::Unknown => {
            if matches!(sql_type, SqlType::Json | SqlType::Jsonb)
                && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text)
            {
                return Err(FormError::Json { detail: error.to_string() });
            }
            ScalarValue::Utf8(Some(text.to_string()))
        }
        SqlType::Char => ScalarValue::Utf8(Some(text.chars().take(1).collect())),
        SqlType::Varchar(limit) => ScalarValue::Utf8(Some(varchar(text, *limit)?)),
        SqlType::Uuid => {
            let bytes = uuid_bytes(text).ok_or_else(|| FormError::syntax(sql_type, text))?;
            ScalarValue::Utf8(Some(uuid::Uuid::from_bytes(bytes).to_string()))
        }
        SqlType::Bytea => ScalarValue::Binary(Some(bytea(text).ok_or_else(|| FormError::syntax(sql_type, text))?)),
        SqlType::Date => ScalarValue::Date32(Some(read_date(text)?)),
        SqlType::Time => ScalarValue::Time64Microsecond(Some(read_time(text)?)),
        SqlType::Timestamp => ScalarValue::TimestampMicrosecond(Some(read_timestamp(text)?), None),
        SqlType::TimestampTz => ScalarValue::TimestampMicrosecond(Some(read_timestamptz(text, zone)?), Some(UTC.into())),
        SqlType::Interval => {
            let value = read_interval(text)?;
            let nanos = value.micros.checked_mul(1000).ok_or_else(|| FormError::range(sql_type, text))?;
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(value.months, value.days, nanos)))
        }
        SqlType::Array(element) => read_array(text, element, &mut |item| match item {
            Some(item) => read_text(item, element, zone),
            None => null(element),
        })?,
        SqlType::Struct(fields) => read_record(text, fields, &mut |item, field| match item {
            Some(item) => read_text(item, field, zone),
            None => null(field),
        })?,
    })
}

/// The null of a type.
pub fn null(sql_type: &SqlType) -> Result<ScalarValue, FormError> {
    // An unknown parameter's null is a text's, so that it fits beside texts.
    let data_type = if *sql_type == SqlType::Unknown { DataType::Utf8 } else { sql_type.arrow() };
    if let DataType::Interval(_) = data_type {
        return Ok(ScalarValue::IntervalMonthDayNano(None));
    }
    ScalarValue::try_from(&data_type).map_err(|_| FormError::Unshowable { arrow: data_type.to_string(), name: sql_type.to_string() })
}

fn boolean(text: &str) -> Option<bool> {
    let word = text.trim().to_ascii_lowercase();
    match word.as_str() {
        "" | "o" => None,
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        w if "true".starts_with(w) || "yes".starts_with(w) => Some(true),
        w if "false".starts_with(w) || "no".starts_with(w) => Some(false),
        _ => None,
    }
}

fn integer<T: TryFrom<i128>>(text: &str, sql_type: &SqlType) -> Result<T, FormError> {
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(FormError::syntax(sql_type, text));
    }
    let value: i128 = trimmed.parse().map_err(|_| FormError::range(sql_type, text))?;
    T::try_from(value).map_err(|_| FormError::range(sql_type, text))
}

fn double(text: &str, sql_type: &SqlType) -> Result<f64, FormError> {
    let trimmed = text.trim();
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let negative = trimmed.starts_with('-');
    if unsigned.eq_ignore_ascii_case("infinity") || unsigned.eq_ignore_ascii_case("inf") {
        return Ok(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if unsigned.eq_ignore_ascii_case("nan") {
        return Ok(f64::NAN);
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(FormError::syntax(sql_type, text));
    }
    let value: f64 = trimmed.parse().map_err(|_| FormError::syntax(sql_type, text))?;
    let has_digit = unsigned.split(['e', 'E']).next().is_some_and(|m| m.bytes().any(|b| (b'1'..=b'9').contains(&b)));
    if value.is_infinite() || (value == 0.0 && has_digit) {
        return Err(FormError::FloatRange { name: sql_type.to_string(), text: text.to_string() });
    }
    Ok(value)
}

/// The unscaled value, rounded half away from zero to the scale.
pub fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128, FormError> {
    let sql_type = SqlType::Numeric { precision, scale };
    let wrong = || FormError::syntax(&sql_type, text);
    let overflow = || FormError::NumericOverflow { precision, scale };
    let trimmed = text.trim();
    let (negative, unsigned) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| wrong())?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    // How many of the digits stand before the cut at `scale`.
    let keep = whole.len() as i64 + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    for at in 0..keep.clamp(0, digits.len() as i64 + 80) {
        let digit = digits.get(at as usize).map_or(0, |d| i128::from(d - b'0'));
        value = value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or_else(overflow)?;
    }
    if keep > digits.len() as i64 + 80 && value != 0 {
        return Err(overflow());
    }
    if keep >= 0 && digits.get(keep as usize).is_some_and(|d| *d >= b'5') {
        value += 1;
    }
    if value >= 10i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX) {
        return Err(overflow());
    }
    Ok(if negative { -value } else { value })
}

/// Blanks beyond the limit are cut, anything else is too long.
pub fn varchar(text: &str, limit: Option<u32>) -> Result<String, FormError> {
    let Some(limit) = limit else { return Ok(text.to_string()) };
    match text.char_indices().nth(limit as usize) {
        None => Ok(text.to_string()),
        Some((end, _)) if text[end..].bytes().all(|b| b == b' ') => Ok(text[..end].to_string()),
        Some(_) => Err(FormError::TooLong { name: SqlType::Varchar(Some(limit)).to_string() }),
    }
}

pub fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let trimmed = text.trim();
    let bare = trimmed.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(trimmed);
    let digits: String = bare.chars().filter(|c| *c != '-').collect();
    (digits.len() == 32).then(|| uuid::Uuid::try_parse(&digits).ok().map(uuid::Uuid::into_bytes)).flatten()
}

/// `\xdeadbeef`, or the escape form with `\\` and `\nnn`.
fn bytea(text: &str) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x") {
        let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        return digits
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
                _ => None,
            })
            .collect();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                out.push(b'\\');
                tail
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                tail
            }
            (b'\\', _) => return None,
            (byte, tail) => {
                out.push(*byte);
                tail
            }
        };
    }
    Some(out)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

/// Scalars of one type as an Arrow array, also of none.
pub fn to_array(values: Vec<ScalarValue>, sql_type: &SqlType) -> Result<arrow::array::ArrayRef, FormError> {
    let data_type = sql_type.arrow();
    if values.is_empty() {
        return Ok(arrow::array::new_empty_array(&data_type));
    }
    let failed = |_| FormError::Unshowable { arrow: data_type.to_string(), name: sql_type.to_string() };
    if *sql_type == SqlType::Interval {
        let values = values.into_iter().map(|v| match v {
            ScalarValue::IntervalMonthDayNano(value) => value,
            _ => None,
        });
        return Ok(Arc::new(values.collect::<IntervalMonthDayNanoArray>()));
    }
    ScalarValue::iter_to_array(values).map_err(failed)
}

#[cfg(test)]
mod tests;
