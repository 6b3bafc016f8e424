//! Intervals in all the spellings that are accepted: `INTERVAL '5 minutes'`, `INTERVAL '5' MINUTE`, `INTERVAL 5 MINUTES`,
//! `'1 day 02:03:04.5'`, `'PT5M'`.

use sqlparser::ast;

use crate::types::SqlState;

use super::error::SqlError;

const SECOND: i128 = 1_000_000_000;

/// An interval as PostgreSQL keeps it: months, days and time are three things, because none has a fixed length in
/// another. Time is in nanoseconds, always whole microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntervalValue {
    pub months: i32,
    pub days: i32,
    pub nanos: i64,
}

impl IntervalValue {
    /// The length in microseconds with days of 24 hours; `None` when months are in it.
    pub fn micros(&self) -> Option<i64> {
        if self.months != 0 {
            return None;
        }
        (self.days as i64).checked_mul(86_400_000_000)?.checked_add(self.nanos / 1000)
    }
}

/// The value of an interval literal of the syntax tree.
pub fn interval(literal: &ast::Interval) -> Result<IntervalValue, SqlError> {
    if literal.last_field.is_some() {
        return Err(SqlError::unsupported("an interval of two fields", "write the units into the text: INTERVAL '1 day 2 hours'"));
    }
    let text = match literal.value.as_ref() {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Number(number, _) => number.clone(),
            value => value.clone().into_string().ok_or_else(not_constant)?,
        },
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => match expr.as_ref() {
            ast::Expr::Value(ast::ValueWithSpan { value: ast::Value::Number(number, _), .. }) => format!("-{number}"),
            _ => return Err(not_constant()),
        },
        _ => return Err(not_constant()),
    };
    match &literal.leading_field {
        Some(field) if is_number(text.trim()) => parse(&format!("{text} {field}")),
        _ => parse(&text),
    }
}

fn not_constant() -> SqlError {
    SqlError::unsupported("an interval that is not a constant", "multiply: n * INTERVAL '1 second'")
}

fn is_number(text: &str) -> bool {
    text.trim_start_matches(['-', '+']).chars().all(|c| c.is_ascii_digit() || c == '.') && text.chars().any(|c| c.is_ascii_digit())
}

/// The value of an interval's text.
///
/// # Errors
/// 22007 for a text that is not one, 22015's sibling 22008 for one too large to keep.
pub fn parse(text: &str) -> Result<IntervalValue, SqlError> {
    let bad = || SqlError::invalid(SqlState::INVALID_DATETIME_FORMAT, format!("invalid input syntax for type interval: \"{text}\""));
    let trimmed = text.trim();
    let mut sum = Sum::default();
    if let Some(iso) = trimmed.strip_prefix(['P', 'p']) {
        iso_8601(iso, &mut sum).ok_or_else(bad)?;
    } else {
        let (body, ago) = match trimmed.to_lowercase().strip_suffix("ago") {
            Some(body) => (body.trim().to_string(), true),
            None => (trimmed.to_lowercase(), false),
        };
        let body = body.strip_prefix('@').unwrap_or(&body);
        words(body, &mut sum).ok_or_else(bad)?;
        if ago {
            sum = Sum { months: -sum.months, days: -sum.days, nanos: -sum.nanos, parts: sum.parts };
        }
    }
    if sum.parts == 0 {
        return Err(bad());
    }
    let too_large = || SqlError::invalid(SqlState::DATETIME_FIELD_OVERFLOW, format!("interval field value out of range: \"{text}\""));
    Ok(IntervalValue {
        months: i32::try_from(sum.months).map_err(|_| too_large())?,
        days: i32::try_from(sum.days).map_err(|_| too_large())?,
        // A microsecond is the smallest that is kept.
        nanos: i64::try_from(sum.nanos / 1000 * 1000).map_err(|_| too_large())?,
    })
}

#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    nanos: i128,
    parts: usize,
}

impl Sum {
    /// Adds `number` of a unit; a fraction flows down into the next smaller unit, a month counting 30 days.
    fn add(&mut self, number: &str, unit: &str) -> Option<()> {
        let (whole, billionths) = decimal(number)?;
        let unit = unit.strip_suffix('s').filter(|u| u.len() > 1 && *u != "m").unwrap_or(unit);
        let months = |n: i128| n;
        match unit {
            "millennium" | "millennia" => self.months += months(whole * 12_000) + billionths * 12_000 / SECOND,
            "century" | "centurie" | "c" => self.months += months(whole * 1200) + billionths * 1200 / SECOND,
            "decade" => self.months += months(whole * 120) + billionths * 120 / SECOND,
            "year" | "yr" | "y" => self.months += months(whole * 12) + billionths * 12 / SECOND,
            "month" | "mon" => {
                self.months += whole;
                self.days(billionths * 30);
            }
            "week" | "w" => self.days((whole * SECOND + billionths) * 7),
            "day" | "d" => self.days(whole * SECOND + billionths),
            "hour" | "hr" | "h" => self.nanos += (whole * SECOND + billionths) * 3600,
            "minute" | "min" | "m" => self.nanos += (whole * SECOND + billionths) * 60,
            "second" | "sec" | "s" => self.nanos += whole * SECOND + billionths,
            "millisecond" | "msec" | "ms" => self.nanos += (whole * SECOND + billionths) / 1000,
            "microsecond" | "usec" | "us" => self.nanos += (whole * SECOND + billionths) / 1_000_000,
            _ => return None,
        }
        self.parts += 1;
        Some(())
    }

    /// Adds days given in billionths of a day.
    fn days(&mut self, billionths: i128) {
        self.days += billionths / SECOND;
        self.nanos += billionths % SECOND * 86_400;
    }
}

/// A decimal number as its whole part and billionths, both with its sign.
fn decimal(text: &str) -> Option<(i128, i128)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 || whole.len() > 18 || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let billionths: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    Some((sign * whole, sign * billionths.parse::<i128>().ok()?))
}

/// `1 year 2 mons 3 days 04:05:06.7`, `5minutes`, and a bare number, which is seconds.
fn words(text: &str, sum: &mut Sum) -> Option<()> {
    let mut parts = text.split_whitespace().peekable();
    while let Some(part) = parts.next() {
        if part.contains(':') {
            clock(part, sum)?;
            continue;
        }
        let digits = part.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(part.len());
        let (number, unit) = part.split_at(digits);
        match (unit, parts.peek()) {
            ("", Some(next)) if next.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                let unit = parts.next()?;
                sum.add(number, unit)?;
            }
            // A number before a clock is days.
            ("", Some(next)) if next.contains(':') => sum.add(number, "day")?,
            ("", None) => sum.add(number, "second")?,
            ("", Some(_)) => return None,
            _ => sum.add(number, unit)?,
        }
    }
    Some(())
}

/// `[-]h:m[:s]`.
fn clock(text: &str, sum: &mut Sum) -> Option<()> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let fields: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&fields.len()) || fields.iter().any(|field| field.is_empty()) {
        return None;
    }
    for (field, unit) in fields.iter().zip(["hour", "minute", "second"]) {
        sum.add(&format!("{sign}{field}"), unit)?;
    }
    Some(())
}

/// `1Y2M3DT4H5M6S` behind the P.
fn iso_8601(text: &str, sum: &mut Sum) -> Option<()> {
    let (mut time, mut number) = (false, String::new());
    for c in text.chars() {
        match c.to_ascii_uppercase() {
            'T' if number.is_empty() => time = true,
            c if c.is_ascii_digit() || matches!(c, '.' | '-' | '+') => number.push(c),
            c => {
                let unit = match (c, time) {
                    ('Y', false) => "year",
                    ('M', false) => "month",
                    ('W', false) => "week",
                    ('D', false) => "day",
                    ('H', true) => "hour",
                    ('M', true) => "minute",
                    ('S', true) => "second",
                    _ => return None,
                };
                sum.add(&std::mem::take(&mut number), unit)?;
            }
        }
    }
    number.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let value = |months, days, seconds: f64| IntervalValue { months, days, nanos: (seconds * 1e6) as i64 * 1000 };
        for (text, expected) in [
            ("10 seconds", value(0, 0, 10.0)),
            ("1 minute", value(0, 0, 60.0)),
            ("5minutes", value(0, 0, 300.0)),
            ("1 s", value(0, 0, 1.0)),
            ("10", value(0, 0, 10.0)),
            ("1.5 hours", value(0, 0, 5400.0)),
            ("1 day 02:03:04.5", value(0, 1, 7384.5)),
            ("-1 day -00:00:01", value(0, -1, -1.0)),
            ("1 year 2 mons", value(14, 0, 0.0)),
            ("0.5 days", value(0, 0, 43200.0)),
            ("250 ms", value(0, 0, 0.25)),
            ("PT5M", value(0, 0, 300.0)),
            ("P1DT12H", value(0, 1, 43200.0)),
            ("2 weeks ago", value(0, -14, 0.0)),
            ("3 4:05:06", value(0, 3, 14706.0)),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for text in ["", "x", "1 foo", "1 2", "minute", "P", "PT1D", "1:2:3:4", "9999999999999999999 days"] {
            assert_eq!(parse(text).unwrap_err().report().sqlstate, SqlState::INVALID_DATETIME_FORMAT, "{text}");
        }
        assert_eq!(parse("99999999999 days").unwrap_err().report().sqlstate, SqlState::DATETIME_FIELD_OVERFLOW);
    }
}
