//! The binary forms that are more than a number in network order.

use bytes::{BufMut, BytesMut};

use super::calendar::{POSTGRES_EPOCH_DAYS, POSTGRES_EPOCH_MICROS};
use super::error::FormError;
use super::read_text::uuid_bytes;
use crate::types::sql_type::SqlType;

/// Writes what `body` writes, with its length as an i32 before it.
pub fn with_length<E>(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut) -> Result<(), E>) -> Result<(), E> {
    let at = out.len();
    out.put_i32(0);
    body(out)?;
    let length = (out.len() - at - 4) as i32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

pub fn write_text(text: &str, sql_type: &SqlType, out: &mut BytesMut) -> Result<(), FormError> {
    match sql_type {
        SqlType::Uuid => out.put_slice(&uuid_bytes(text).ok_or_else(|| FormError::syntax(sql_type, text))?),
        SqlType::Jsonb => {
            out.put_u8(1);
            out.put_slice(text.as_bytes());
        }
        SqlType::Char => out.put_u8(text.as_bytes().first().copied().unwrap_or(0)),
        _ => out.put_slice(text.as_bytes()),
    }
    Ok(())
}

pub fn write_date(days: i32, out: &mut BytesMut) {
    match days {
        i32::MAX | i32::MIN => out.put_i32(days),
        days => out.put_i32(days.saturating_sub(POSTGRES_EPOCH_DAYS as i32)),
    }
}

pub fn write_timestamp(micros: i64, out: &mut BytesMut) {
    match micros {
        i64::MAX | i64::MIN => out.put_i64(micros),
        micros => out.put_i64(micros.saturating_sub(POSTGRES_EPOCH_MICROS)),
    }
}

/// Groups of four decimal digits aligned at the decimal point, the weight of the first, the sign and the scale.
pub fn write_numeric(unscaled: i128, scale: i8, out: &mut BytesMut) {
    let display_scale = scale.max(0) as u16;
    let mut digits = unscaled.unsigned_abs().to_string().into_bytes();
    if scale < 0 {
        digits.resize(digits.len() + usize::from(scale.unsigned_abs()), b'0');
    }
    // Zeros at both ends until the point falls between groups.
    let fraction = usize::from(display_scale);
    digits.resize(digits.len() + (4 - fraction % 4) % 4, b'0');
    let fraction_groups = fraction.div_ceil(4);
    let padding = (4 - digits.len() % 4) % 4;
    let mut padded = vec![b'0'; padding];
    padded.extend_from_slice(&digits);
    let mut groups: Vec<i16> =
        padded.chunks(4).map(|group| group.iter().fold(0, |value, digit| value * 10 + i16::from(digit - b'0'))).collect();
    let mut weight = groups.len() as i32 - fraction_groups as i32 - 1;
    let leading = groups.iter().take_while(|g| **g == 0).count();
    groups.drain(..leading);
    weight -= leading as i32;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    out.put_i16(groups.len() as i16);
    out.put_i16(weight as i16);
    out.put_u16(if unscaled < 0 { 0x4000 } else { 0 });
    out.put_u16(display_scale);
    for group in groups {
        out.put_i16(group);
    }
}
