//! Intervals from text: PostgreSQL's own form (`1 year 2 mons -3 days 04:05:06.789`) and ISO 8601 (`P1Y2M3DT4H5M6.7S`).

use arrow::datatypes::IntervalMonthDayNano;

const MALFORMED: &str = "not an interval";
const OUT_OF_RANGE: &str = "out of range";

/// Months, days and nanoseconds, summed exactly and checked at the end.
#[derive(Default)]
struct Parts {
    months: i128,
    days: i128,
    nanos: i128,
}

impl Parts {
    fn finish(self) -> Result<IntervalMonthDayNano, &'static str> {
        Ok(IntervalMonthDayNano::new(
            i32::try_from(self.months).map_err(|_| OUT_OF_RANGE)?,
            i32::try_from(self.days).map_err(|_| OUT_OF_RANGE)?,
            i64::try_from(self.nanos).map_err(|_| OUT_OF_RANGE)?,
        ))
    }
}

/// A number with up to nine decimal places, in billionths.
fn billionths(text: &str) -> Result<i128, &'static str> {
    super::decimal::parse(text, 24, 9).map(|s| s.unscaled).map_err(|_| MALFORMED)
}

pub fn parse(text: &str) -> Result<IntervalMonthDayNano, &'static str> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    match text.strip_prefix(['P', 'p']) {
        Some(iso) => parse_iso(iso),
        None => parse_postgres(text),
    }
}

/// The whole months, days or nanoseconds in `amount` (billionths) of a unit; a fraction of a month has no length.
fn add(parts: &mut Parts, amount: i128, unit: &str) -> Result<(), &'static str> {
    const WHOLE: i128 = 1_000_000_000;
    let nanos_per = match unit {
        "microsecond" | "us" | "usec" => 1_000,
        "millisecond" | "ms" | "msec" => 1_000_000,
        "second" | "sec" | "s" => WHOLE,
        "minute" | "min" | "m" => 60 * WHOLE,
        "hour" | "hr" | "h" => 3600 * WHOLE,
        "day" | "d" | "week" | "w" => {
            let days = amount * if unit.starts_with('w') { 7 } else { 1 };
            parts.days += days / WHOLE;
            parts.nanos += days % WHOLE * 86_400;
            return Ok(());
        }
        "month" | "mon" | "year" | "yr" | "y" => {
            let months = amount * if unit.starts_with('y') { 12 } else { 1 };
            if months % WHOLE != 0 {
                return Err("a fraction of a month");
            }
            parts.months += months / WHOLE;
            return Ok(());
        }
        _ => return Err(MALFORMED),
    };
    parts.nanos += amount * nanos_per / WHOLE;
    Ok(())
}

fn parse_postgres(text: &str) -> Result<IntervalMonthDayNano, &'static str> {
    let mut words = text.split_ascii_whitespace().peekable();
    let mut parts = Parts::default();
    if words.peek().is_none() {
        return Err(MALFORMED);
    }
    while let Some(word) = words.next() {
        if word.contains(':') {
            parts.nanos += clock(word)?;
            continue;
        }
        let amount = billionths(word)?;
        let unit = words.next().ok_or(MALFORMED)?.to_ascii_lowercase();
        let singular = if unit.len() > 2 { unit.trim_end_matches('s') } else { &unit };
        add(&mut parts, amount, singular)?;
    }
    parts.finish()
}

/// `[-]HH:MM[:SS.ffffff]` in nanoseconds.
fn clock(text: &str) -> Result<i128, &'static str> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut fields = text.splitn(3, ':');
    let mut field = || fields.next().filter(|f| f.starts_with(|c: char| c.is_ascii_digit()));
    let hours = billionths(field().ok_or(MALFORMED)?)?;
    let minutes = billionths(field().ok_or(MALFORMED)?)?;
    let seconds = field().map_or(Ok(0), billionths)?;
    Ok(sign * (hours * 3600 + minutes * 60 + seconds))
}

fn parse_iso(text: &str) -> Result<IntervalMonthDayNano, &'static str> {
    let mut parts = Parts::default();
    let mut in_time = false;
    let mut number = String::new();
    let mut fields = 0;
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            't' if number.is_empty() => in_time = true,
            '0'..='9' | '.' | '-' | '+' => number.push(c),
            unit => {
                let unit = match (unit, in_time) {
                    ('y', false) => "y",
                    ('m', false) => "mon",
                    ('w', false) => "w",
                    ('d', false) => "d",
                    ('h', true) => "h",
                    ('m', true) => "m",
                    ('s', true) => "s",
                    _ => return Err(MALFORMED),
                };
                add(&mut parts, billionths(&number)?, unit)?;
                number.clear();
                fields += 1;
            }
        }
    }
    if fields == 0 || !number.is_empty() { Err(MALFORMED) } else { parts.finish() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let full = IntervalMonthDayNano::new(14, 3, 14_706_789_000_000);
        for (text, expected) in [
            ("1 year 2 mons 3 days 04:05:06.789", Ok(full)),
            ("P1Y2M3DT4H5M6.789S", Ok(full)),
            ("-1 days -00:00:01", Ok(IntervalMonthDayNano::new(0, -1, -1_000_000_000))),
            ("10 seconds", Ok(IntervalMonthDayNano::new(0, 0, 10_000_000_000))),
            ("1.5 days", Ok(IntervalMonthDayNano::new(0, 1, 43_200_000_000_000))),
            ("PT0.000001S", Ok(IntervalMonthDayNano::new(0, 0, 1000))),
            ("2 weeks", Ok(IntervalMonthDayNano::new(0, 14, 0))),
            ("1.5 months", Err("a fraction of a month")),
            ("9999999999 years", Err(OUT_OF_RANGE)),
            ("", Err(MALFORMED)),
            ("P", Err(MALFORMED)),
            ("5", Err(MALFORMED)),
            ("5 parsecs", Err(MALFORMED)),
            ("1:2:3:4", Err(MALFORMED)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
