//! Reads a value from its binary form, as a driver sends parameters. Every length is checked: the bytes come from outside.

use arrow::datatypes::IntervalMonthDayNano;
use bytes::Buf;
use datafusion::scalar::ScalarValue;

use super::calendar::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS};
use super::error::FormError;
use super::read_array::list;
use super::read_text::{decimal, null, varchar};
use crate::types::sql_type::{SqlType, UTC};

pub fn read_binary(bytes: &[u8], sql_type: &SqlType) -> Result<ScalarValue, FormError> {
    let wrong = || FormError::binary(sql_type);
    let text = || std::str::from_utf8(bytes).map_err(|_| FormError::Encoding);
    Ok(match sql_type {
        SqlType::Boolean => ScalarValue::Boolean(Some(u8::from_be_bytes(exact(bytes, sql_type)?) != 0)),
        SqlType::SmallInt => ScalarValue::Int16(Some(i16::from_be_bytes(exact(bytes, sql_type)?))),
        SqlType::Integer => ScalarValue::Int32(Some(i32::from_be_bytes(exact(bytes, sql_type)?))),
        SqlType::BigInt => ScalarValue::Int64(Some(i64::from_be_bytes(exact(bytes, sql_type)?))),
        SqlType::Oid => ScalarValue::UInt32(Some(u32::from_be_bytes(exact(bytes, sql_type)?))),
        SqlType::Real => ScalarValue::Float32(Some(f32::from_be_bytes(exact(bytes, sql_type)?))),
        SqlType::Double => ScalarValue::Float64(Some(f64::from_be_bytes(exact(bytes, sql_type)?))),
        SqlType::Numeric { precision, scale } => {
            let text = numeric_text(bytes).ok_or_else(wrong)?;
            ScalarValue::Decimal128(Some(decimal(&text, *precision, *scale)?), *precision, *scale)
        }
        SqlType::Text | SqlType::Name | SqlType::Json | SqlType::Char | SqlType::Unknown => ScalarValue::Utf8(Some(text()?.to_string())),
        SqlType::Varchar(limit) => ScalarValue::Utf8(Some(varchar(text()?, *limit)?)),
        SqlType::Jsonb => match bytes.split_first() {
            Some((1, json)) => ScalarValue::Utf8(Some(std::str::from_utf8(json).map_err(|_| FormError::Encoding)?.to_string())),
            _ => return Err(wrong()),
        },
        SqlType::Uuid => ScalarValue::Utf8(Some(uuid::Uuid::from_bytes(exact(bytes, sql_type)?).to_string())),
        SqlType::Bytea => ScalarValue::Binary(Some(bytes.to_vec())),
        SqlType::Date => ScalarValue::Date32(Some(match i32::from_be_bytes(exact(bytes, sql_type)?) {
            infinity @ (i32::MAX | i32::MIN) => infinity,
            days => days.checked_add(POSTGRES_EPOCH_DAYS as i32).ok_or_else(wrong)?,
        })),
        SqlType::Time => {
            let micros = i64::from_be_bytes(exact(bytes, sql_type)?);
            if !(0..=86_400_000_000).contains(&micros) {
                return Err(wrong());
            }
            ScalarValue::Time64Microsecond(Some(micros))
        }
        SqlType::Timestamp => ScalarValue::TimestampMicrosecond(Some(instant(bytes, sql_type)?), None),
        SqlType::TimestampTz => ScalarValue::TimestampMicrosecond(Some(instant(bytes, sql_type)?), Some(UTC.into())),
        SqlType::Interval => {
            let mut bytes: &[u8] = &exact::<16>(bytes, sql_type)?;
            let (micros, days, months) = (bytes.get_i64(), bytes.get_i32(), bytes.get_i32());
            let nanos = micros.checked_mul(1000).ok_or_else(wrong)?;
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, nanos)))
        }
        SqlType::Array(element) => array(bytes, element)?,
        SqlType::Struct(_) => return Err(FormError::NoBinary { name: sql_type.to_string() }),
    })
}

fn exact<const N: usize>(bytes: &[u8], sql_type: &SqlType) -> Result<[u8; N], FormError> {
    bytes.try_into().map_err(|_| FormError::binary(sql_type))
}

fn instant(bytes: &[u8], sql_type: &SqlType) -> Result<i64, FormError> {
    match i64::from_be_bytes(exact(bytes, sql_type)?) {
        infinity @ (i64::MAX | i64::MIN) => Ok(infinity),
        micros => micros.checked_add(POSTGRES_EPOCH_MICROS).ok_or_else(|| FormError::binary(sql_type)),
    }
}

/// The decimal text of a binary numeric; `None` when the bytes are none, or are NaN or an infinity, which floe's
/// decimals do not have.
fn numeric_text(mut bytes: &[u8]) -> Option<String> {
    let count = usize::from(bytes.try_get_u16().ok()?);
    let weight = i32::from(bytes.try_get_i16().ok()?);
    let sign = bytes.try_get_u16().ok()?;
    let _display_scale = bytes.try_get_u16().ok()?;
    if bytes.len() != count * 2 || !matches!(sign, 0 | 0x4000) {
        return None;
    }
    let mut text = String::from(if sign == 0 { "" } else { "-" });
    let mut any = false;
    for _ in 0..count {
        let group = bytes.try_get_i16().ok()?;
        if !(0..10_000).contains(&group) {
            return None;
        }
        text.push_str(&format!("{group:04}"));
        any = true;
    }
    if !any {
        text.push('0');
    }
    // The groups as one whole number, times ten thousand to the weight of the last.
    Some(format!("{text}e{}", (weight + 1 - count as i32) * 4))
}

fn array(mut bytes: &[u8], element: &SqlType) -> Result<ScalarValue, FormError> {
    let array_type = SqlType::Array(Box::new(element.clone()));
    let wrong = |_| FormError::binary(&array_type);
    let dimensions = bytes.try_get_i32().map_err(wrong)?;
    let _has_null = bytes.try_get_i32().map_err(wrong)?;
    let oid = bytes.try_get_u32().map_err(wrong)?;
    if dimensions == 0 {
        return list(Vec::new(), element);
    }
    let sent = SqlType::of_oid(oid).ok_or_else(|| FormError::binary(&array_type))?;
    if dimensions != 1 || sent.arrow() != element.arrow() && !matches!(element, SqlType::Numeric { .. }) {
        return Err(FormError::binary(&array_type));
    }
    let length = bytes.try_get_i32().map_err(wrong)?;
    let _lower_bound = bytes.try_get_i32().map_err(wrong)?;
    let mut values = Vec::new();
    for _ in 0..length {
        let size = bytes.try_get_i32().map_err(wrong)?;
        let Ok(size) = usize::try_from(size) else {
            values.push(null(element)?);
            continue;
        };
        if bytes.len() < size {
            return Err(FormError::binary(&array_type));
        }
        let (value, rest) = bytes.split_at(size);
        values.push(read_binary(value, element)?);
        bytes = rest;
    }
    list(values, element)
}
