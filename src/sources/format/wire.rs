//! How Kafka Connect writes a value into JSON: the reading that a field's semantic type asks for.
//!
//! The same SQL type comes in many readings: a `timestamp(3)` as milliseconds, a `timestamp(6)` as microseconds, a
//! `numeric` as base64 of its unscaled bytes, or as text when the connector is told so. Only the schema in the message
//! knows; without it the column's type and the options decide.

use std::borrow::Cow;

use arrow::datatypes::IntervalMonthDayNano;

use super::column::Misfit;
use super::scalar::{Scalar, items_of, text_of};
use super::{bytea, decimal, temporal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    pub fn of_name(name: &str) -> Option<Unit> {
        Some(match name {
            "seconds" => Unit::Seconds,
            "millis" => Unit::Millis,
            "micros" => Unit::Micros,
            "nanos" => Unit::Nanos,
            _ => return None,
        })
    }

    fn to_micros(self, count: i64) -> Result<i64, Misfit> {
        match self {
            Unit::Seconds => count.checked_mul(1_000_000),
            Unit::Millis => count.checked_mul(1_000),
            Unit::Micros => Some(count),
            Unit::Nanos => Some(count.div_euclid(1_000)),
        }
        .ok_or_else(|| temporal::OUT_OF_RANGE.into())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// As plain JSON has it.
    Plain,
    /// A text that holds JSON.
    JsonText,
    Base64,
    /// Base64 of an unscaled number, or a structure of scale and such a number.
    Decimal {
        scale: i32,
    },
    Date,
    Time(Unit),
    Timestamp(Unit),
    Duration(Unit),
    Bits {
        length: usize,
    },
    Array(Box<Wire>),
    /// A semantic type that floe does not know: its name. Reading it as its bare number would be a guess.
    Unknown(String),
}

impl Wire {
    /// What a checked JSON text means in this reading. Forms that Connect's header converter uses instead (a decimal as a
    /// number, a date as text) are understood too.
    pub fn read<'a>(&self, raw: &'a str) -> Result<Scalar<'a>, Misfit> {
        let first = raw.as_bytes().first().copied().unwrap_or(b'n');
        if first == b'n' {
            return Ok(Scalar::Null);
        }
        match (self, first) {
            (Wire::JsonText, b'"') => Ok(Scalar::Json(text_of(raw)?)),
            (Wire::Base64, b'"') => Ok(Scalar::Bytes(bytes_of(raw)?)),
            (Wire::Decimal { scale }, b'"') => decimal_of(raw, *scale),
            (Wire::Decimal { .. }, b'{') => variable_decimal(raw),
            (Wire::Date, b'-' | b'0'..=b'9') => Ok(Scalar::Date(integer_of(raw)?)),
            (Wire::Time(unit), b'-' | b'0'..=b'9') => Ok(Scalar::Time(unit.to_micros(integer_of(raw)?)?)),
            (Wire::Timestamp(unit), b'-' | b'0'..=b'9') => Ok(Scalar::Timestamp(unit.to_micros(integer_of(raw)?)?)),
            (Wire::Duration(unit), b'-' | b'0'..=b'9') => {
                let count = integer_of(raw)?;
                let nanos = match unit {
                    Unit::Nanos => Some(count),
                    unit => unit.to_micros(count)?.checked_mul(1000),
                };
                Ok(Scalar::Interval(IntervalMonthDayNano::new(0, 0, nanos.ok_or("out of range")?)))
            }
            (Wire::Bits { length }, b'"') => bits(raw, *length),
            (Wire::Array(item), b'[') => {
                let items = items_of(raw)?.into_iter().map(|raw| item.read(raw)).collect::<Result<Vec<_>, _>>()?;
                Ok(Scalar::List(items))
            }
            (Wire::Unknown(name), _) => Err(format!("values of the semantic type {name} are not understood").into()),
            _ => Ok(Scalar::of_json(raw)?),
        }
    }
}

fn integer_of(raw: &str) -> Result<i64, Misfit> {
    raw.parse().map_err(|_| "not a whole number of 64 bits".into())
}

fn bytes_of(raw: &str) -> Result<Vec<u8>, Misfit> {
    Ok(bytea::parse_base64(&text_of(raw)?)?)
}

fn decimal_of(raw: &str, scale: i32) -> Result<Scalar<'static>, Misfit> {
    /// More than PostgreSQL's largest numeric, and few enough to be printed in decimal quickly.
    const MOST_BYTES: usize = 4096;
    let bytes = bytes_of(raw).map_err(|_| "not base64 of a decimal (is decimal.handling.mode set as in the connector?)")?;
    if bytes.len() > MOST_BYTES {
        return Err("out of range".into());
    }
    Ok(match decimal::from_bytes(&bytes) {
        Ok(unscaled) => Scalar::Decimal { unscaled, scale },
        Err(digits) => Scalar::Number(Cow::Owned(format!("{digits}e{}", -i64::from(scale)))),
    })
}

/// `{"scale": 9, "value": "ESIQ9H3pgRU="}`
fn variable_decimal(raw: &str) -> Result<Scalar<'static>, Misfit> {
    let mut scanner = super::json::Scanner::new(raw);
    let (mut scale, mut value) = (None, None);
    scanner.enter_object().map_err(|e| e.what)?;
    let mut first = true;
    while let Some(name) = scanner.member(first).map_err(|e| e.what)? {
        let raw = scanner.value().map_err(|e| e.what)?;
        match name {
            "scale" => scale = raw.parse::<i32>().ok(),
            "value" => value = raw.starts_with('"').then_some(raw),
            _ => {}
        }
        first = false;
    }
    match (scale, value) {
        (Some(scale), Some(value)) => decimal_of(value, scale),
        _ => Err("not a structure of a decimal's scale and value".into()),
    }
}

/// Debezium writes bit strings with their lowest byte first; PostgreSQL prints the highest bit first.
fn bits(raw: &str, length: usize) -> Result<Scalar<'static>, Misfit> {
    let bytes = bytes_of(raw)?;
    let length = if length == 0 || length > bytes.len() * 8 { bytes.len() * 8 } else { length };
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
    Ok(Scalar::Text((0..length).rev().map(|at| if bit(at) { '1' } else { '0' }).collect::<String>().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings() {
        let decimal = |unscaled, scale| Ok(Scalar::Decimal { unscaled, scale });
        let text = |text: &'static str| Ok(Scalar::Text(text.into()));
        for (wire, raw, expected) in [
            (Wire::Decimal { scale: 2 }, "\"BBo=\"", decimal(1050, 2)),
            (Wire::Decimal { scale: 2 }, "\"/w==\"", decimal(-1, 2)),
            (Wire::Decimal { scale: 0 }, r#"{"scale":9,"value":"ESIQ9H3pgRU="}"#, decimal(1_234_567_890_123_456_789, 9)),
            (Wire::Decimal { scale: 2 }, "10.5", Ok(Scalar::Number("10.5".into()))),
            (Wire::Date, "20512", Ok(Scalar::Date(20512))),
            (Wire::Date, "\"2026-02-28\"", text("2026-02-28")),
            (Wire::Time(Unit::Millis), "43200000", Ok(Scalar::Time(43_200_000_000))),
            (Wire::Timestamp(Unit::Millis), "-1", Ok(Scalar::Timestamp(-1000))),
            (Wire::Timestamp(Unit::Nanos), "-1", Ok(Scalar::Timestamp(-1))),
            (Wire::Timestamp(Unit::Millis), "9223372036854775807", Err(temporal::OUT_OF_RANGE.into())),
            (Wire::Timestamp(Unit::Micros), "1.5", Err("not a whole number of 64 bits".into())),
            (Wire::Bits { length: 3 }, "\"BQ==\"", text("101")),
            (Wire::Bits { length: 10 }, "\"AQI=\"", text("1000000001")),
            (Wire::JsonText, "\"{\\\"a\\\": 1}\"", Ok(Scalar::Json("{\"a\": 1}".into()))),
            (Wire::Base64, "\"AP8Q\"", Ok(Scalar::Bytes(vec![0, 0xff, 0x10]))),
            (Wire::Base64, "null", Ok(Scalar::Null)),
            (Wire::Array(Box::new(Wire::Plain)), "[1,null]", Ok(Scalar::List(vec![Scalar::Number("1".into()), Scalar::Null]))),
            (Wire::Duration(Unit::Micros), "1000", Ok(Scalar::Interval(IntervalMonthDayNano::new(0, 0, 1_000_000)))),
        ] {
            assert_eq!(wire.read(raw), expected, "{raw}");
        }
        assert!(Wire::Unknown("x.y".into()).read("5").is_err());
    }
}
