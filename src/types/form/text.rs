//! The text forms of dates, times and decimals.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, civil};
use super::zone::Zone;

pub fn write_date(days: i32, out: &mut BytesMut) {
    match days {
        i32::MAX => out.put_slice(b"infinity"),
        i32::MIN => out.put_slice(b"-infinity"),
        days => {
            let era = write_civil(i64::from(days), out);
            out.put_slice(era.as_bytes());
        }
    }
}

/// Writes `year-month-day` and gives what follows at the very end: nothing, or ` BC`.
fn write_civil(days: i64, out: &mut BytesMut) -> &'static str {
    let (year, month, day) = civil(days);
    let (shown, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    let _ = write!(out, "{shown:04}-{month:02}-{day:02}");
    era
}

/// `hh:mm:ss` and the fraction as far as it is not zero. The argument is a time of day in microseconds.
pub fn write_time(micros: i64, out: &mut BytesMut) {
    let seconds = micros / MICROS_PER_SECOND;
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    write_fraction((micros % MICROS_PER_SECOND) as u32, out);
}

/// `.5` for 500000 microseconds, nothing for 0.
pub fn write_fraction(micros: u32, out: &mut BytesMut) {
    if micros != 0 {
        let digits = format!("{micros:06}");
        out.put_u8(b'.');
        out.put_slice(digits.trim_end_matches('0').as_bytes());
    }
}

pub fn write_timestamp(micros: i64, out: &mut BytesMut) {
    if !write_infinity(micros, out) {
        let era = write_moment(micros, out);
        out.put_slice(era.as_bytes());
    }
}

pub fn write_timestamptz(micros: i64, zone: &Zone, out: &mut BytesMut) {
    if write_infinity(micros, out) {
        return;
    }
    let offset = zone.offset_at(micros);
    let era = write_moment(micros.saturating_add(offset * MICROS_PER_SECOND), out);
    out.put_u8(if offset < 0 { b'-' } else { b'+' });
    let seconds = offset.abs();
    let _ = write!(out, "{:02}", seconds / 3600);
    if seconds % 3600 != 0 {
        let _ = write!(out, ":{:02}", seconds / 60 % 60);
    }
    if seconds % 60 != 0 {
        let _ = write!(out, ":{:02}", seconds % 60);
    }
    out.put_slice(era.as_bytes());
}

fn write_infinity(micros: i64, out: &mut BytesMut) -> bool {
    match micros {
        i64::MAX => out.put_slice(b"infinity"),
        i64::MIN => out.put_slice(b"-infinity"),
        _ => return false,
    }
    true
}

fn write_moment(micros: i64, out: &mut BytesMut) -> &'static str {
    let era = write_civil(micros.div_euclid(MICROS_PER_DAY), out);
    out.put_u8(b' ');
    write_time(micros.rem_euclid(MICROS_PER_DAY), out);
    era
}

/// A decimal with all digits of its scale.
pub fn write_decimal(unscaled: i128, scale: i8, out: &mut BytesMut) {
    if unscaled < 0 {
        out.put_u8(b'-');
    }
    let digits = unscaled.unsigned_abs();
    match u32::try_from(scale) {
        Ok(0) => {
            let _ = write!(out, "{digits}");
        }
        Ok(scale) => {
            let unit = 10u128.pow(scale.min(38));
            let _ = write!(out, "{}.{:0width$}", digits / unit, digits % unit, width = scale as usize);
        }
        // A negative scale counts tens.
        Err(_) => {
            let _ = write!(out, "{digits}");
            if digits != 0 {
                out.put_bytes(b'0', usize::from(scale.unsigned_abs()));
            }
        }
    }
}

/// A decimal of plain `NUMERIC`, whose scale is only floe's room for it: without the zeros that end it.
pub fn trimmed(mut unscaled: i128, mut scale: i8) -> (i128, i8) {
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    (unscaled, scale)
}
