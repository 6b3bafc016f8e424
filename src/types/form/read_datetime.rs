//! Reads dates and times in ISO form, with what clients really send around it: `T` or a blank between date and time,
//! a zone as `Z`, `+02`, `+02:00` or a name, years before Christ, infinities.
//!
//! Words that ask for a clock (`now`, `today`) are refused: a value must mean the same when it is read again.

use super::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, days};
use super::error::FormError;
use super::zone::{Zone, parse_offset};
use crate::types::sql_type::SqlType;

/// Days since 1970.
pub fn read_date(text: &str) -> Result<i32, FormError> {
    match special(text) {
        Some(Special::Infinity) => return Ok(i32::MAX),
        Some(Special::MinusInfinity) => return Ok(i32::MIN),
        Some(Special::Epoch) => return Ok(0),
        None => {}
    }
    let moment = Moment::parse(text, &SqlType::Date)?;
    moment.days.try_into().map_err(|_| FormError::DatetimeRange { text: text.to_string() })
}

/// Microseconds since midnight; 24:00 is allowed.
pub fn read_time(text: &str) -> Result<i64, FormError> {
    let wrong = || FormError::datetime(&SqlType::Time, text);
    let trimmed = text.trim();
    let (clock, _zone) = split_zone(trimmed);
    clock_micros(clock.trim()).ok_or_else(wrong)?.ok_or_else(|| FormError::DatetimeRange { text: text.to_string() })
}

/// Microseconds since 1970; a zone in the text is ignored, as PostgreSQL does.
pub fn read_timestamp(text: &str) -> Result<i64, FormError> {
    match special(text) {
        Some(special) => Ok(special.micros()),
        None => Moment::parse(text, &SqlType::Timestamp)?.local(text),
    }
}

/// The instant in microseconds since 1970 UTC; without a zone in the text it is a local time of `zone`.
pub fn read_timestamptz(text: &str, zone: &Zone) -> Result<i64, FormError> {
    if let Some(special) = special(text) {
        return Ok(special.micros());
    }
    let moment = Moment::parse(text, &SqlType::TimestampTz)?;
    let local = moment.local(text)?;
    match moment.zone {
        None => Ok(zone.instant_of(local)),
        Some(name) => match parse_offset(name) {
            Some(offset) => Ok(local.saturating_sub(offset * MICROS_PER_SECOND)),
            None => match Zone::parse(name) {
                Some(zone) => Ok(zone.instant_of(local)),
                None => Err(FormError::datetime(&SqlType::TimestampTz, text)),
            },
        },
    }
}

enum Special {
    Infinity,
    MinusInfinity,
    Epoch,
}

impl Special {
    fn micros(&self) -> i64 {
        match self {
            Special::Infinity => i64::MAX,
            Special::MinusInfinity => i64::MIN,
            Special::Epoch => 0,
        }
    }
}

fn special(text: &str) -> Option<Special> {
    match text.trim().to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => Some(Special::Infinity),
        "-infinity" => Some(Special::MinusInfinity),
        "epoch" => Some(Special::Epoch),
        _ => None,
    }
}

/// What a text names: a day, a time of that day, a zone.
struct Moment<'a> {
    days: i64,
    micros: i64,
    zone: Option<&'a str>,
}

impl<'a> Moment<'a> {
    fn parse(text: &'a str, sql_type: &SqlType) -> Result<Moment<'a>, FormError> {
        let wrong = || FormError::datetime(sql_type, text);
        let range = || FormError::DatetimeRange { text: text.to_string() };
        let mut rest = text.trim();
        let before_christ = match rest.get(rest.len().saturating_sub(3)..) {
            Some(era) if era.eq_ignore_ascii_case(" bc") => {
                rest = rest[..rest.len() - 3].trim_end();
                true
            }
            Some(era) if era.eq_ignore_ascii_case(" ad") => {
                rest = rest[..rest.len() - 3].trim_end();
                false
            }
            _ => false,
        };
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '/' || c == '.')).unwrap_or(rest.len());
        let (date, rest) = rest.split_at(end);
        let (year, month, day) = date_fields(date).ok_or_else(wrong)?;
        if before_christ && year < 1 {
            return Err(range());
        }
        let year = if before_christ { 1 - year } else { year };
        let days = days(year, month, day).ok_or_else(range)?;
        let rest = match rest.strip_prefix(['T', 't']) {
            Some(clock) => clock,
            None => rest.trim_start(),
        };
        if rest.is_empty() {
            return Ok(Moment { days, micros: 0, zone: None });
        }
        let (clock, zone) = split_zone(rest);
        let micros = if clock.is_empty() { 0 } else { clock_micros(clock).ok_or_else(wrong)?.ok_or_else(range)? };
        if let Some(name) = zone
            && parse_offset(name).is_none()
            && Zone::parse(name).is_none()
        {
            return Err(wrong());
        }
        Ok(Moment { days, micros, zone })
    }

    fn local(&self, text: &str) -> Result<i64, FormError> {
        self.days
            .checked_mul(MICROS_PER_DAY)
            .and_then(|days| days.checked_add(self.micros))
            .ok_or_else(|| FormError::DatetimeRange { text: text.to_string() })
    }
}

/// `2024-02-29`, `2024/02/29`, `20240229`.
fn date_fields(date: &str) -> Option<(i64, u32, u32)> {
    let fields: Vec<&str> = date.split(['-', '/', '.']).collect();
    match fields.as_slice() {
        [year, month, day] if year.len() >= 3 && year.len() <= 7 => Some((year.parse().ok()?, short(month)?, short(day)?)),
        [compact] if compact.len() == 8 => Some((compact[..4].parse().ok()?, compact[4..6].parse().ok()?, compact[6..].parse().ok()?)),
        _ => None,
    }
}

fn short(field: &str) -> Option<u32> {
    (matches!(field.len(), 1 | 2) && field.bytes().all(|b| b.is_ascii_digit())).then(|| field.parse().ok()).flatten()
}

/// The clock's own characters, and the zone after them.
fn split_zone(text: &str) -> (&str, Option<&str>) {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let zone = zone.trim();
    (clock, (!zone.is_empty()).then_some(zone))
}

/// `None` when it is no time at all, `Some(None)` when it is one that no clock shows.
fn clock_micros(clock: &str) -> Option<Option<i64>> {
    let (whole, fraction) = match clock.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (clock, ""),
    };
    let fields: Vec<i64> = whole.split(':').map(|f| short(f).map(i64::from)).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match fields.as_slice() {
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        [hours, minutes] if fraction.is_empty() => (*hours, *minutes, 0),
        _ => return None,
    };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = (hours * 3600 + minutes * 60 + seconds) * MICROS_PER_SECOND + fraction_micros(fraction);
    Some((hours <= 24 && minutes < 60 && seconds <= 60 && micros <= MICROS_PER_DAY).then_some(micros))
}

/// Microseconds of the digits after a point, rounded at the seventh. All digits are ASCII.
pub fn fraction_micros(fraction: &str) -> i64 {
    let mut micros = 0;
    for at in 0..6 {
        micros = micros * 10 + fraction.as_bytes().get(at).map_or(0, |d| i64::from(d - b'0'));
    }
    micros + i64::from(fraction.as_bytes().get(6).is_some_and(|d| *d >= b'5'))
}
