//! The value of a column's type that a record's value is, or why it is none.

use std::borrow::Cow;

use crate::sources::format::decimal::{self, DecimalError};
use crate::sources::format::scalar::Scalar;
use crate::sources::format::{bytea, json, temporal};
use crate::types::SqlType;

/// Why a value does not become a value of the column; the caller names the column and shows the value.
pub type Misfit = Cow<'static, str>;

pub fn boolean(value: &Scalar<'_>) -> Result<bool, Misfit> {
    match value {
        Scalar::Bool(value) => Ok(*value),
        Scalar::Number(text) if text == "1" => Ok(true),
        Scalar::Number(text) if text == "0" => Ok(false),
        Scalar::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => Ok(true),
            "f" | "false" | "n" | "no" | "off" | "0" => Ok(false),
            _ => Err("neither true nor false".into()),
        },
        _ => Err("neither true nor false".into()),
    }
}

fn decimal_misfit(error: DecimalError) -> Misfit {
    match error {
        DecimalError::Malformed => "not a number".into(),
        DecimalError::OutOfRange => "out of range".into(),
    }
}

pub fn integer(value: &Scalar<'_>) -> Result<i64, Misfit> {
    let scaled = match value {
        Scalar::Number(text) | Scalar::Text(text) => {
            if let Ok(number) = text.trim().parse::<i64>() {
                return Ok(number);
            }
            decimal::parse(text, 38, 0)
        }
        Scalar::Decimal { unscaled, scale } => decimal::rescale(*unscaled, *scale, 38, 0),
        _ => return Err("not a whole number".into()),
    }
    .map_err(decimal_misfit)?;
    if !scaled.exact {
        return Err("not a whole number".into());
    }
    i64::try_from(scaled.unscaled).map_err(|_| "out of range".into())
}

pub fn numeric(value: &Scalar<'_>, precision: u8, scale: i8) -> Result<i128, Misfit> {
    let scaled = match value {
        Scalar::Number(text) => decimal::parse(text, precision, scale),
        Scalar::Text(text) => match decimal::parse(text, precision, scale) {
            Err(DecimalError::Malformed) if is_special(text) => return Err("floe's numeric has neither NaN nor infinity".into()),
            parsed => parsed,
        },
        Scalar::Decimal { unscaled, scale: from } => decimal::rescale(*unscaled, *from, precision, scale),
        _ => return Err("not a number".into()),
    };
    scaled.map(|s| s.unscaled).map_err(decimal_misfit)
}

fn is_special(text: &str) -> bool {
    let name = text.trim().trim_start_matches(['-', '+']).to_ascii_lowercase();
    matches!(name.as_str(), "nan" | "inf" | "infinity" | "positive_infinity" | "negative_infinity")
}

pub fn float<F: std::str::FromStr + Copy>(value: &Scalar<'_>, is_finite: fn(F) -> bool) -> Result<F, Misfit> {
    let (text, may_be_special) = match value {
        Scalar::Number(text) => (text.clone(), false),
        Scalar::Text(text) => (text.clone(), is_special(text)),
        Scalar::Decimal { unscaled, scale } => (decimal::print(*unscaled, *scale).into(), false),
        _ => return Err("not a number".into()),
    };
    let number: F = text.trim().parse().map_err(|_| "not a number")?;
    if is_finite(number) || may_be_special { Ok(number) } else { Err("out of range".into()) }
}

pub fn date(value: &Scalar<'_>) -> Result<i32, Misfit> {
    match value {
        Scalar::Date(days) => Ok(temporal::checked_days(*days)?),
        Scalar::Text(text) => Ok(temporal::parse_date(text)?),
        Scalar::Number(_) => Err("a number, whose unit is not known, where a date is expected".into()),
        _ => Err("not a date".into()),
    }
}

pub fn time(value: &Scalar<'_>) -> Result<i64, Misfit> {
    match value {
        Scalar::Time(micros) => Ok(temporal::checked_time(*micros)?),
        Scalar::Text(text) => Ok(temporal::parse_time(text)?),
        Scalar::Number(_) => Err("a number, whose unit is not known, where a time is expected".into()),
        _ => Err("not a time".into()),
    }
}

/// The reading of the text's own clock: PostgreSQL ignores a zone given to a `timestamp`.
pub fn timestamp(value: &Scalar<'_>) -> Result<i64, Misfit> {
    match value {
        Scalar::Timestamp(micros) => Ok(temporal::checked_micros(*micros)?),
        Scalar::Date(days) => Ok(temporal::checked_micros(days.checked_mul(temporal::MICROS_PER_DAY).ok_or(temporal::OUT_OF_RANGE)?)?),
        Scalar::Text(text) => Ok(temporal::parse_timestamp(text)?.0),
        Scalar::Number(_) => Err("a number, whose unit is not known, where a timestamp is expected".into()),
        _ => Err("not a timestamp".into()),
    }
}

pub fn instant(value: &Scalar<'_>) -> Result<i64, Misfit> {
    match value {
        Scalar::Text(text) => Ok(temporal::parse_instant(text)?),
        other => timestamp(other),
    }
}

pub fn text_or_bytes<'a>(sql_type: &SqlType, value: Scalar<'a>) -> Result<Cow<'a, [u8]>, Misfit> {
    let text = match (sql_type, value) {
        (SqlType::Bytea, Scalar::Bytes(bytes)) => return Ok(Cow::Owned(bytes)),
        (SqlType::Bytea, Scalar::Text(text)) => return bytea::parse(&text).map(Cow::Owned).map_err(Misfit::from),
        (SqlType::Uuid, Scalar::Text(text)) => {
            let uuid = uuid::Uuid::try_parse(text.trim()).map_err(|_| "not a uuid")?;
            Cow::Owned(uuid.hyphenated().to_string())
        }
        (SqlType::Json | SqlType::Jsonb, Scalar::Json(raw)) => {
            if !json::is_json(&raw) {
                return Err("not JSON".into());
            }
            raw
        }
        (SqlType::Json | SqlType::Jsonb, Scalar::Text(text)) => Cow::Owned(serde_json::Value::from(text.as_ref()).to_string()),
        (SqlType::Text | SqlType::Varchar(_), Scalar::Text(text)) => text,
        (SqlType::Text | SqlType::Varchar(_), Scalar::Json(raw)) => raw,
        (SqlType::Text | SqlType::Varchar(_) | SqlType::Json | SqlType::Jsonb, Scalar::Number(text)) => text,
        (SqlType::Text | SqlType::Varchar(_) | SqlType::Json | SqlType::Jsonb, Scalar::Bool(value)) => {
            Cow::Borrowed(if value { "true" } else { "false" })
        }
        (SqlType::Text | SqlType::Varchar(_) | SqlType::Json | SqlType::Jsonb, Scalar::Decimal { unscaled, scale }) => {
            Cow::Owned(decimal::print(unscaled, scale))
        }
        (_, value) => return Err(format!("{} where {sql_type} is expected", kind(&value)).into()),
    };
    if text.contains('\0') {
        return Err("a text with a NUL character, which PostgreSQL's text cannot hold".into());
    }
    if let SqlType::Varchar(Some(limit)) = sql_type
        && text.len() > *limit as usize
        && text.chars().count() > *limit as usize
    {
        return Err(format!("value too long for type {sql_type}").into());
    }
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

pub fn kind(value: &Scalar<'_>) -> &'static str {
    match value {
        Scalar::Null => "null",
        Scalar::Bool(_) => "a boolean",
        Scalar::Number(_) | Scalar::Decimal { .. } => "a number",
        Scalar::Text(_) => "a text",
        Scalar::Json(_) | Scalar::List(_) | Scalar::Fields(_) => "an object or array",
        Scalar::Bytes(_) => "bytes",
        Scalar::Date(_) => "a date",
        Scalar::Time(_) => "a time",
        Scalar::Timestamp(_) => "a timestamp",
        Scalar::Interval(_) => "an interval",
    }
}
