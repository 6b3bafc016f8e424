//! Dates, times and timestamps from text, as ISO 8601 and PostgreSQL write them, into days and microseconds.
//!
//! What floe's types cannot hold is an error with a name: `infinity`, and years past [`MAX_YEAR`].

/// Days since 1970 are kept to the years that every reader of Arrow can print.
pub const MIN_YEAR: i64 = -4712;
pub const MAX_YEAR: i64 = 262_142;

pub const MICROS_PER_DAY: i64 = 86_400_000_000;

const FIRST_DAY: i64 = days_from_civil(MIN_YEAR, 1, 1);
const LAST_DAY: i64 = days_from_civil(MAX_YEAR, 12, 31);

/// The range of timestamps in microseconds since 1970; the first is a whole second, the last one is behind one.
pub const FIRST_MICROS: i64 = FIRST_DAY * MICROS_PER_DAY;
pub const LAST_MICROS: i64 = (LAST_DAY + 1) * MICROS_PER_DAY - 1;

pub type Problem = &'static str;

pub const INFINITE: Problem = "infinity, which floe's dates and timestamps do not have";
pub const OUT_OF_RANGE: Problem = "out of range (or infinity, which floe's dates and timestamps do not have)";

/// Days since 1970-01-01 of a day in the proleptic Gregorian calendar.
pub const fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (month as i64 + if month > 2 { -3 } else { 9 }) + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970, checked to be a date floe holds.
pub fn checked_days(days: i64) -> Result<i32, Problem> {
    if !(FIRST_DAY..=LAST_DAY).contains(&days) {
        return Err(OUT_OF_RANGE);
    }
    i32::try_from(days).map_err(|_| OUT_OF_RANGE)
}

/// Microseconds since 1970, checked to be a timestamp floe holds.
#[inline]
pub fn checked_micros(micros: i64) -> Result<i64, Problem> {
    if (FIRST_MICROS..=LAST_MICROS).contains(&micros) { Ok(micros) } else { Err(OUT_OF_RANGE) }
}

/// Microseconds since midnight, 0 to 24:00:00.
pub fn checked_time(micros: i64) -> Result<i64, Problem> {
    if (0..=MICROS_PER_DAY).contains(&micros) { Ok(micros) } else { Err("out of range") }
}

/// A walk over the text's bytes.
struct Reader<'a> {
    rest: &'a [u8],
}

const MALFORMED: Problem = "not in ISO 8601 form";

impl<'a> Reader<'a> {
    fn eat(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// All the digits that follow, at least `least` and at most `most` of them.
    fn digits(&mut self, least: usize, most: usize) -> Result<&'a [u8], Problem> {
        let count = self.rest.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        if count < least {
            return Err(MALFORMED);
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(digits)
    }

    fn number(&mut self, least: usize, most: usize) -> Result<u32, Problem> {
        Ok(self.digits(least, most)?.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')))
    }

    /// Year, month and day, as days; the era may still follow at the very end of the text.
    fn civil(&mut self) -> Result<(i64, u32, u32), Problem> {
        let negative = self.eat(b'-');
        if !negative {
            self.eat(b'+');
        }
        let year = i64::from(self.number(4, 6)?);
        if !self.eat(b'-') {
            return Err(MALFORMED);
        }
        let month = self.number(2, 2)?;
        if !self.eat(b'-') {
            return Err(MALFORMED);
        }
        let day = self.number(2, 2)?;
        Ok((if negative { -year } else { year }, month, day))
    }

    /// `HH:MM[:SS[.fraction]]` as microseconds since midnight.
    fn clock(&mut self) -> Result<i64, Problem> {
        let hours = self.number(2, 2)?;
        if !self.eat(b':') {
            return Err(MALFORMED);
        }
        let minutes = self.number(2, 2)?;
        let seconds = if self.eat(b':') { self.number(2, 2)? } else { 0 };
        let micros = if self.eat(b'.') || self.eat(b',') { self.fraction()? } else { 0 };
        let total = (i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds)) * 1_000_000 + micros;
        if hours > 24 || minutes > 59 || seconds > 60 || total > MICROS_PER_DAY {
            return Err("a time of day that does not exist");
        }
        Ok(total)
    }

    /// The digits after the point as microseconds, the seventh one rounding.
    fn fraction(&mut self) -> Result<i64, Problem> {
        let digits = self.digits(1, 32)?;
        let micros = (0..6).fold(0, |n, i| n * 10 + i64::from(digits.get(i).map_or(0, |d| d - b'0')));
        Ok(micros + i64::from(digits.get(6).is_some_and(|d| *d >= b'5')))
    }

    /// Seconds east of Greenwich; `None` when the text ends without a zone.
    fn zone(&mut self) -> Result<Option<i64>, Problem> {
        while self.eat(b' ') {}
        match self.rest {
            [] => return Ok(None),
            [b'Z' | b'z'] => {
                self.rest = &[];
                return Ok(Some(0));
            }
            utc if utc.eq_ignore_ascii_case(b"utc") || utc.eq_ignore_ascii_case(b"gmt") => {
                self.rest = &[];
                return Ok(Some(0));
            }
            _ => {}
        }
        let east = self.eat(b'+');
        if !east && !self.eat(b'-') {
            return Err(MALFORMED);
        }
        let hours = self.number(1, 2)?;
        let minutes = if self.eat(b':') || !self.rest.is_empty() { self.number(2, 2)? } else { 0 };
        let seconds = if self.eat(b':') { self.number(2, 2)? } else { 0 };
        if hours > 15 || minutes > 59 || seconds > 59 || !self.rest.is_empty() {
            return Err("a time zone that does not exist");
        }
        let offset = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
        Ok(Some(if east { offset } else { -offset }))
    }
}

/// The text without blanks around it and without its era; true for BC.
fn without_era(text: &str) -> (&str, bool) {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    match text.len().checked_sub(2).and_then(|at| text.split_at_checked(at)) {
        Some((date, era)) if era.eq_ignore_ascii_case("bc") => (date.trim_end(), true),
        _ => (text, false),
    }
}

fn is_infinite(text: &str) -> bool {
    let text = text.trim_start_matches(['-', '+']);
    text.eq_ignore_ascii_case("infinity") || text.eq_ignore_ascii_case("inf")
}

fn days((year, month, day): (i64, u32, u32), bc: bool) -> Result<i64, Problem> {
    let year = if bc { 1 - year } else { year };
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return Err("a day that does not exist");
    }
    Ok(i64::from(checked_days(days_from_civil(year, month, day))?))
}

/// `2026-02-28`, also with ` BC`. A time after it is refused: a date column would lose it.
pub fn parse_date(text: &str) -> Result<i32, Problem> {
    let (text, bc) = without_era(text);
    if is_infinite(text) {
        return Err(INFINITE);
    }
    let mut reader = Reader { rest: text.as_bytes() };
    let civil = reader.civil()?;
    if !reader.rest.is_empty() {
        return Err(MALFORMED);
    }
    checked_days(days(civil, bc)?)
}

/// `23:59:59.999999`, microseconds since midnight. A zone after it is read over, as PostgreSQL does for `time`.
pub fn parse_time(text: &str) -> Result<i64, Problem> {
    let mut reader = Reader { rest: text.trim_matches(|c: char| c.is_ascii_whitespace()).as_bytes() };
    let micros = reader.clock()?;
    reader.zone()?;
    Ok(micros)
}

/// A timestamp's own reading in microseconds since 1970, and its zone in seconds east of Greenwich when it names one.
/// Between date and time stands `T` or a blank; a date alone is its midnight.
pub fn parse_timestamp(text: &str) -> Result<(i64, Option<i64>), Problem> {
    let (text, bc) = without_era(text);
    if is_infinite(text) {
        return Err(INFINITE);
    }
    let mut reader = Reader { rest: text.as_bytes() };
    let civil = reader.civil()?;
    let (clock, zone) = if reader.rest.is_empty() {
        (0, None)
    } else {
        if !(reader.eat(b'T') || reader.eat(b't') || reader.eat(b' ')) {
            return Err(MALFORMED);
        }
        (reader.clock()?, reader.zone()?)
    };
    let local = days(civil, bc)?.checked_mul(MICROS_PER_DAY).and_then(|d| d.checked_add(clock)).ok_or(OUT_OF_RANGE)?;
    Ok((checked_micros(local)?, zone))
}

/// The instant a timestamp names; without a zone it is read as UTC.
pub fn parse_instant(text: &str) -> Result<i64, Problem> {
    let (local, zone) = parse_timestamp(text)?;
    checked_micros(local.checked_sub(zone.unwrap_or(0) * 1_000_000).ok_or(OUT_OF_RANGE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_known_dates() {
        for (text, expected) in [
            ("1970-01-01", Ok(0)),
            ("1969-12-31", Ok(-1)),
            ("2026-02-28", Ok(20512)),
            ("0001-01-01", Ok(-719_162)),
            ("0001-01-01 BC", Ok(-719_528)),
            ("2024-02-29", Ok(19_782)),
            ("2023-02-29", Err("a day that does not exist")),
            ("2023-13-01", Err("a day that does not exist")),
            ("2023-00-01", Err("a day that does not exist")),
            ("infinity", Err(INFINITE)),
            ("999999-01-01", Err(OUT_OF_RANGE)),
            ("2023-1-1", Err(MALFORMED)),
            ("2023-01-01T00:00", Err(MALFORMED)),
            ("", Err(MALFORMED)),
        ] {
            assert_eq!(parse_date(text), expected, "{text}");
        }
    }

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Ok((0, Some(0)))),
            ("1970-01-01 00:00:00", Ok((0, None))),
            ("1970-01-01", Ok((0, None))),
            ("1969-12-31T23:59:59.999999", Ok((-1, None))),
            ("2026-01-02T03:04:05.6789019+02:00", Ok((1_767_323_045_678_902, Some(7200)))),
            ("2026-01-02t03:04:05,5-0330", Ok((1_767_323_045_500_000, Some(-12_600)))),
            ("2026-01-02 03:04 +02", Ok((1_767_323_040_000_000, Some(7200)))),
            ("9999-12-31T23:59:59.999999Z", Ok((253_402_300_799_999_999, Some(0)))),
            ("2016-12-31T23:59:60Z", Ok((1_483_228_800_000_000, Some(0)))),
            ("2026-01-01T24:00:00", Ok((1_767_312_000_000_000, None))),
            ("2026-01-01T24:00:01", Err("a time of day that does not exist")),
            ("2026-01-01T00:60:00", Err("a time of day that does not exist")),
            ("2026-01-01T00:00:00+99", Err("a time zone that does not exist")),
            ("2026-01-01T00:00:00 Europe/Paris", Err(MALFORMED)),
            ("-infinity", Err(INFINITE)),
            ("1767323045", Err(MALFORMED)),
            ("yesterday", Err(MALFORMED)),
        ] {
            assert_eq!(parse_timestamp(text), expected, "{text}");
        }
        assert_eq!(parse_instant("2026-01-02T03:04:05+02:00"), Ok(1_767_315_845_000_000));
    }

    #[test]
    fn times() {
        assert_eq!(parse_time("23:59:59.999999"), Ok(86_399_999_999));
        assert_eq!(parse_time("10:30:00Z"), Ok(37_800_000_000));
        assert_eq!(parse_time("12:00"), Ok(43_200_000_000));
        assert!(parse_time("25:00").is_err());
        assert!(parse_time("noon").is_err());
    }

    #[test]
    fn infinity_as_a_number_is_out_of_range() {
        for micros in [9_223_372_036_825_200_000, -9_223_372_036_832_400_000] {
            assert!(checked_micros(micros).is_err());
        }
        assert!(checked_days(-622_191_234).is_err());
        assert!(checked_days(-2_147_472_692).is_err());
    }
}
