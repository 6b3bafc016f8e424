//! A time zone by name: the session's, in which `timestamptz` values are shown and read.

use std::fmt;

use arrow::array::timezone::Tz;
use chrono::{DateTime, Offset, TimeZone};

use super::calendar::MICROS_PER_SECOND;

/// An IANA name (`Europe/Paris`) or a fixed offset (`+05:30`), with what is needed to apply it.
#[derive(Clone)]
pub struct Zone {
    name: String,
    tz: Tz,
}

impl Zone {
    pub fn utc() -> Zone {
        Zone::parse("UTC").expect("UTC is a zone")
    }

    /// `None` for a name that no zone has. Upper and lower case do not matter.
    pub fn parse(name: &str) -> Option<Zone> {
        let name = name.trim();
        if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") || name.eq_ignore_ascii_case("zulu") {
            return Some(Zone { name: "UTC".to_string(), tz: "+00:00".parse().ok()? });
        }
        // A bare number counts hours east of Greenwich; the POSIX forms, `-03:30` and `<+05>-05`, count west.
        if let Ok(hours) = name.parse::<i64>() {
            let seconds = parse_offset(name)?;
            let (sign, back) = if hours < 0 { ('-', '+') } else { ('+', '-') };
            let shown = format!("<{sign}{:02}>{back}{:02}", hours.abs(), hours.abs());
            return Some(Zone { name: shown, tz: fixed(seconds)? });
        }
        let posix = match name.strip_prefix('<') {
            Some(rest) => Some(rest.split_once('>')?.1),
            None => name.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-').then_some(name),
        };
        if let Some(west) = posix {
            return Some(Zone { name: name.to_string(), tz: fixed(-parse_offset(west)?)? });
        }
        if let Ok(tz) = name.parse() {
            return Some(Zone { name: name.to_string(), tz });
        }
        // europe/paris, US/EASTERN
        let folded: String =
            name.split('/').map(|part| part.split('_').map(capitalised).collect::<Vec<_>>().join("_")).collect::<Vec<_>>().join("/");
        let upper = name.to_uppercase();
        [folded, upper].into_iter().find_map(|name| Some(Zone { tz: name.parse().ok()?, name }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seconds east of Greenwich at an instant, in microseconds since 1970. 0 beyond the calendar of the zone's rules.
    pub fn offset_at(&self, instant: i64) -> i64 {
        DateTime::from_timestamp_micros(instant)
            .map_or(0, |utc| i64::from(self.tz.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc()))
    }

    /// The instant of a local time; in an hour that happens twice the second, in one that is skipped the instant by the
    /// offset before it: PostgreSQL's choices.
    pub fn instant_of(&self, local: i64) -> i64 {
        let before = self.offset_at(local.saturating_sub(86_400 * MICROS_PER_SECOND));
        let after = self.offset_at(local.saturating_add(86_400 * MICROS_PER_SECOND));
        let by_before = local.saturating_sub(before * MICROS_PER_SECOND);
        let by_after = local.saturating_sub(after * MICROS_PER_SECOND);
        if self.offset_at(by_after) == after { by_after } else { by_before }
    }
}

/// Arrow's zones have whole minutes.
fn fixed(seconds_east: i64) -> Option<Tz> {
    let (sign, minutes) = (if seconds_east < 0 { '-' } else { '+' }, seconds_east.abs() / 60);
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60).parse().ok()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect(),
        None => String::new(),
    }
}

/// Seconds of `+hh`, `+hhmm`, `+hh:mm`, `+hh:mm:ss`; the sign may be missing.
pub fn parse_offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => (1, text),
    };
    let parts: Vec<&str> = if digits.contains(':') {
        digits.split(':').collect()
    } else if digits.is_ascii() && digits.len() == 4 {
        vec![&digits[..2], &digits[2..]]
    } else {
        vec![digits]
    };
    if parts.len() > 3 || parts.iter().any(|p| p.is_empty() || p.len() > 2 || !p.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let mut fields = [0i64; 3];
    for (field, part) in fields.iter_mut().zip(&parts) {
        *field = part.parse().ok()?;
    }
    let [hours, minutes, seconds] = fields;
    (hours <= 15 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_offsets() {
        for (given, name) in
            [("utc", "UTC"), ("Europe/Paris", "Europe/Paris"), ("europe/paris", "Europe/Paris"), ("+5", "<+05>-05"), ("-03:30", "-03:30")]
        {
            assert_eq!(Zone::parse(given).map(|z| z.name().to_string()), Some(name.to_string()), "{given}");
        }
        for wrong in ["", "Mars/Olympus", "+99", "+1:2:3:4", "+é"] {
            assert!(Zone::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn local_times_at_the_change_of_the_clocks() {
        let zone = Zone::parse("America/New_York").expect("a zone");
        let at = |text: &str| text.parse::<chrono::NaiveDateTime>().expect("a time").and_utc().timestamp_micros();
        assert_eq!(zone.instant_of(at("2024-03-10T02:30:00")), at("2024-03-10T07:30:00"), "a skipped hour");
        assert_eq!(zone.instant_of(at("2024-11-03T00:30:00")), at("2024-11-03T04:30:00"));
        assert_eq!(zone.instant_of(at("2024-11-03T01:30:00")), at("2024-11-03T06:30:00"), "the second of the repeated hour");
        assert_eq!(zone.instant_of(at("2024-07-01T12:00:00")), at("2024-07-01T16:00:00"));
    }
}
