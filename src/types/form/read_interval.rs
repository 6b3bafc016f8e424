//! Reads intervals: `1 day 02:03:04`, `5 minutes`, `1 year 2 mons ago`, `@ 3 hours`, and ISO 8601's `P1DT2H`.

use super::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND};
use super::error::FormError;
use super::interval::Interval;
use super::read_datetime::fraction_micros;
use crate::types::sql_type::SqlType;

pub fn read_interval(text: &str) -> Result<Interval, FormError> {
    let trimmed = text.trim();
    let sum = if trimmed.starts_with(['P', 'p']) { iso(trimmed) } else { words(trimmed) };
    let sum = sum.ok_or_else(|| FormError::datetime(&SqlType::Interval, text))?;
    sum.finish().ok_or_else(|| FormError::Range { name: "interval".to_string(), text: text.to_string() })
}

#[derive(Default)]
struct Sum {
    months: f64,
    days: f64,
    micros: f64,
}

impl Sum {
    /// Adds `value` of `unit`; `None` for a unit that is none.
    fn add(&mut self, value: f64, unit: &str) -> Option<()> {
        let second = MICROS_PER_SECOND as f64;
        match unit.to_ascii_lowercase().as_str() {
            "us" | "usec" | "usecs" | "microsecond" | "microseconds" => self.micros += value,
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => self.micros += value * 1000.0,
            "s" | "sec" | "secs" | "second" | "seconds" => self.micros += value * second,
            "m" | "min" | "mins" | "minute" | "minutes" => self.micros += value * 60.0 * second,
            "h" | "hr" | "hrs" | "hour" | "hours" => self.micros += value * 3600.0 * second,
            "d" | "day" | "days" => self.days += value,
            "w" | "week" | "weeks" => self.days += value * 7.0,
            "mon" | "mons" | "month" | "months" => self.months += value,
            "y" | "yr" | "yrs" | "year" | "years" => self.months += value * 12.0,
            "decade" | "decades" => self.months += value * 120.0,
            "c" | "century" | "centuries" => self.months += value * 1200.0,
            _ => return None,
        }
        Some(())
    }

    /// Fractions of a month become days of 30 to the month, fractions of a day a time.
    fn finish(self) -> Option<Interval> {
        let months = self.months.trunc();
        let all_days = self.days + ((self.months - months) * 30.0 * 1e6).round() / 1e6;
        let days = all_days.trunc();
        let micros = (self.micros + (all_days - days) * MICROS_PER_DAY as f64).round();
        let fits = |value: f64| value.abs() <= f64::from(i32::MAX);
        (fits(months) && fits(days) && micros.abs() < 9.2e18).then_some(Interval {
            months: months as i32,
            days: days as i32,
            micros: micros as i64,
        })
    }
}

fn words(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let mut words = tokens(text.strip_prefix('@').unwrap_or(text)).into_iter().peekable();
    let (mut any, mut ago) = (false, false);
    while let Some(word) = words.next() {
        if ago {
            return None;
        }
        if word.eq_ignore_ascii_case("ago") && any {
            ago = true;
        } else if word.contains(':') {
            sum.micros += clock(&word)?;
        } else {
            let value = number(&word)?;
            match words.next() {
                Some(unit) if !unit.eq_ignore_ascii_case("ago") => sum.add(value, &unit)?,
                // A bare number counts seconds.
                other => {
                    sum.add(value, "s")?;
                    ago = other.is_some();
                }
            }
        }
        any = true;
    }
    if ago {
        sum = Sum { months: -sum.months, days: -sum.days, micros: -sum.micros };
    }
    any.then_some(sum)
}

/// Splits at blanks and between a number and its unit: `1day`, `10 s`.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match word.find(|c: char| c.is_ascii_alphabetic()) {
            Some(at) if at > 0 && !word.contains(':') => {
                tokens.push(word[..at].to_string());
                tokens.push(word[at..].to_string());
            }
            _ => tokens.push(word.to_string()),
        }
    }
    tokens
}

fn number(word: &str) -> Option<f64> {
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    (digits.bytes().any(|b| b.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        .then(|| word.parse().ok())
        .flatten()
}

/// Microseconds of `[-]hh:mm[:ss[.f]]`.
fn clock(word: &str) -> Option<f64> {
    let negative = word.starts_with('-');
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut fields = whole.split(':');
    let hours = whole_number(fields.next()?)?;
    let minutes = whole_number(fields.next()?)?;
    let seconds = fields.next().map_or(Some(0.0), whole_number)?;
    if fields.next().is_some() || minutes >= 60.0 || seconds >= 60.0 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = (hours * 3600.0 + minutes * 60.0 + seconds) * MICROS_PER_SECOND as f64 + fraction_micros(fraction) as f64;
    Some(if negative { -micros } else { micros })
}

fn whole_number(field: &str) -> Option<f64> {
    (!field.is_empty() && field.bytes().all(|b| b.is_ascii_digit())).then(|| field.parse().ok()).flatten()
}

fn iso(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let mut rest = &text[1..];
    let mut in_time = false;
    let mut any = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['T', 't']) {
            in_time = true;
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let value = number(&rest[..end])?;
        let unit = match (rest.as_bytes()[end].to_ascii_uppercase(), in_time) {
            (b'Y', false) => "year",
            (b'M', false) => "month",
            (b'W', false) => "week",
            (b'D', false) => "day",
            (b'H', true) => "hour",
            (b'M', true) => "minute",
            (b'S', true) => "second",
            _ => return None,
        };
        sum.add(value, unit)?;
        any = true;
        rest = &rest[end + 1..];
    }
    any.then_some(sum)
}
