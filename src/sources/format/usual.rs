//! Values in the form in which producers nearly always write them, read straight from the record's bytes.
//!
//! Each reader takes what follows from a value's first byte on and gives the value with the number of bytes it took, or
//! `None` for every other form: that value is then read the general way, which knows them all. What a reader does take
//! means the same there.

use super::glue::word;
use super::temporal::{MICROS_PER_DAY, days_from_civil, days_in_month};
use super::walk::plain_run;

/// A whole number of at most 18 digits.
#[inline(always)]
pub fn integer(bytes: &[u8]) -> Option<(i64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let (mut number, mut at) = digits(word(bytes, start));
    if at == 8 {
        let (more, count) = digits(word(bytes, start + 8));
        number = number * POWERS[count] + more;
        at = 8 + count;
        if count == 8 {
            let (more, count) = digits(word(bytes, start + 16));
            if count > 2 {
                return None;
            }
            number = number * POWERS[count] + more;
            at = 16 + count;
        }
    }
    let goes_on = matches!(bytes.get(start + at), Some(b'.' | b'e' | b'E'));
    if at == 0 || goes_on || (at > 1 && bytes[start] == b'0') {
        return None;
    }
    let number = number as i64;
    Some((if negative { -number } else { number }, start + at))
}

/// The length of a whole number of any size.
#[inline]
pub fn whole_number(bytes: &[u8]) -> Option<usize> {
    let start = usize::from(bytes.first() == Some(&b'-'));
    let mut at = start;
    loop {
        let count = marks(word(bytes, at)).trailing_zeros() as usize / 8;
        at += count;
        if count < 8 {
            break;
        }
    }
    let goes_on = matches!(bytes.get(at), Some(b'.' | b'e' | b'E'));
    (at > start && !goes_on && (at == start + 1 || bytes[start] != b'0')).then_some(at)
}

/// The length up to which every whole number is in the range, a sign counted in.
pub fn safe_length(least: i64, most: i64) -> usize {
    (1..=18u32).take_while(|digits| least <= 1 - 10i64.pow(*digits) && most >= 10i64.pow(*digits) - 1).count()
}

/// A text of at most so many bytes without an escape in it; its length with the quotes.
#[inline]
pub fn text(bytes: &[u8], most: usize) -> Option<(&[u8], usize)> {
    let inner = bytes.get(1..).filter(|_| bytes[0] == b'"')?;
    let run = plain_run(inner);
    let (text, behind) = inner.split_at_checked(run.length)?;
    let good = behind.first() == Some(&b'"') && run.length <= most && (run.ascii || std::str::from_utf8(text).is_ok());
    good.then_some((text, run.length + 2))
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Marks the bytes that are no digits; the lowest mark is right.
#[inline]
fn marks(word: u64) -> u64 {
    let values = word ^ ZEROS;
    // A digit leaves less than ten; a carry can only mark bytes above one that is marked rightly.
    (values.wrapping_add(0x0606_0606_0606_0606) | values) & 0xf0f0_f0f0_f0f0_f0f0
}

/// The number that the digits at the beginning of eight bytes are, and how many they are.
#[inline]
fn digits(word: u64) -> (u64, usize) {
    let values = word ^ ZEROS;
    let count = marks(word).trailing_zeros() as usize / 8;
    if count == 0 {
        return (0, 0);
    }
    // Zeros in front, then neighbours are put together: twos, fours, all eight.
    let aligned = values << (64 - 8 * count);
    let twos = (aligned.wrapping_mul(10).wrapping_add(aligned >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos.wrapping_mul(100).wrapping_add(twos >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff;
    (eight, count)
}

/// A decimal as its digits and how many of them stand behind the point; at most 18 digits.
pub fn decimal(bytes: &[u8]) -> Option<(i64, u32, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let (mut number, mut at, mut point) = (0i64, start, None);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')),
            b'.' if point.is_none() && at > start => point = Some(at),
            _ => break,
        }
        at += 1;
    }
    let whole = point.unwrap_or(at) - start;
    let fraction = point.map_or(0, |point| at - point - 1);
    let goes_on = matches!(bytes.get(at), Some(b'e' | b'E' | b'.'));
    let malformed = whole == 0 || (point.is_some() && fraction == 0) || (whole > 1 && bytes[start] == b'0');
    if malformed || goes_on || whole + fraction > 18 {
        return None;
    }
    Some((if negative { -number } else { number }, fraction as u32, at))
}

/// [`decimal`] as the unscaled value of a column of this scale, within the bound.
#[inline]
pub fn unscaled(bytes: &[u8], scale: i8, bound: i64) -> Option<(i64, usize)> {
    let (digits, fraction, length) = decimal(bytes)?;
    let more = u32::try_from(scale).ok()?.checked_sub(fraction)?;
    let unscaled = digits.checked_mul(10i64.checked_pow(more)?)?;
    (-bound < unscaled && unscaled < bound).then_some((unscaled, length))
}

/// `"2026-01-02 03:04:05"`, with `T` in the middle and a fraction of up to six digits too, and with no other zone than
/// `Z`: microseconds since 1970. Years of four digits are all in the range of timestamps.
pub fn timestamp(bytes: &[u8]) -> Option<(i64, usize)> {
    let text = bytes.first_chunk::<20>()?;
    let number = |from: usize, digits: usize| {
        let mut number = 0u32;
        for byte in &text[from..from + digits] {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            number = number * 10 + u32::from(digit);
        }
        Some(number)
    };
    let apart = [text[0], text[5], text[8], text[14], text[17]] == [b'"', b'-', b'-', b':', b':'];
    if !apart || !matches!(text[11], b' ' | b'T') {
        return None;
    }
    let (year, month, day) = (i64::from(number(1, 4)?), number(6, 2)?, number(9, 2)?);
    let (hour, minute, second) = (number(12, 2)?, number(15, 2)?, number(18, 2)?);
    let exists = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month) && hour < 24 && minute < 60 && second < 60;
    if !exists || year == 0 {
        return None;
    }
    let mut at = text.len();
    let mut fraction = 0i64;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let start = at;
        while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10 && at - start < 6) {
            fraction = fraction * 10 + i64::from(digit);
            at += 1;
        }
        let digits = at - start;
        if digits == 0 {
            return None;
        }
        fraction *= 10i64.pow(6 - digits as u32);
    }
    at += usize::from(bytes.get(at) == Some(&b'Z'));
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some((days_from_civil(year, month, day) * MICROS_PER_DAY + seconds * 1_000_000 + fraction, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::format::temporal::parse_timestamp;

    #[test]
    fn whole_numbers() {
        for (text, expected) in [
            ("0,", Some(1)),
            ("-0}", Some(2)),
            ("1767225600000000000,", Some(19)),
            ("-12345678 ", Some(9)),
            ("01", None),
            ("-", None),
            ("1.5", None),
            ("123456781e5", None),
            ("x", None),
        ] {
            assert_eq!(whole_number(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn integers() {
        for (text, expected) in [
            ("0,", Some((0, 1))),
            ("-0}", Some((0, 2))),
            ("123456789012345678", Some((123_456_789_012_345_678, 18))),
            ("-42 ", Some((-42, 3))),
            ("1234567890123456789", None),
            ("01", None),
            ("1.0", None),
            ("1e3", None),
            ("-", None),
            ("\"1\"", None),
            ("null", None),
            ("", None),
            ("12345678", Some((12_345_678, 8))),
            ("-123456789,", Some((-123_456_789, 10))),
            ("1700000000000}", Some((1_700_000_000_000, 13))),
            ("1234567890123456,", Some((1_234_567_890_123_456, 16))),
            ("12345678901234567.", None),
            ("00", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn decimals() {
        for (text, expected) in [
            ("12.50,", Some((1250, 2, 5))),
            ("-0.1", Some((-1, 1, 4))),
            ("7", Some((7, 0, 1))),
            ("1.", None),
            (".5", None),
            ("00.5", None),
            ("1.5e3", None),
            ("1.2.3", None),
            ("1234567890.123456789", None),
        ] {
            assert_eq!(decimal(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn lengths_that_are_always_in_the_range() {
        let lengths = [(i64::MIN, i64::MAX), (i32::MIN.into(), i32::MAX.into()), (i16::MIN.into(), i16::MAX.into()), (-9, 98), (0, 5)];
        assert_eq!(lengths.map(|(least, most)| safe_length(least, most)), [18, 9, 4, 1, 0]);
    }

    #[test]
    fn texts_and_unscaled_decimals() {
        assert_eq!(text("\"çok\",".as_bytes(), 4), Some(("çok".as_bytes(), 6)));
        for (bytes, most) in [(&b"\"abc\""[..], 2), (b"\"a\\n\"", 9), (b"\"abc", 9), (b"abc\"", 9), (b"\"\xff\"", 9), (b"", 9), (b"\"", 9)]
        {
            assert_eq!(text(bytes, most), None, "{bytes:?}");
        }
        for (bytes, expected) in
            [("12.5,", Some((1250, 4))), ("-7}", Some((-700, 2))), ("1.005", None), ("1000", None), ("999.99 ", Some((99_999, 6)))]
        {
            assert_eq!(unscaled(bytes.as_bytes(), 2, 100_000), expected, "{bytes}");
        }
    }

    #[test]
    fn timestamps_mean_what_they_mean_elsewhere() {
        for text in [
            "2026-02-28 23:59:59",
            "1969-12-31T23:59:59.999999",
            "0001-01-01 00:00:00.5",
            "9999-12-31T00:00:00.123",
            "2024-02-29 01:02:03Z",
        ] {
            let quoted = format!("\"{text}\"");
            assert_eq!(timestamp(quoted.as_bytes()), Some((parse_timestamp(text).unwrap().0, quoted.len())), "{text}");
        }
        for text in [
            "2023-02-29 00:00:00",
            "2023-02-28 24:00:00",
            "2023-02-28 00:00:60",
            "2023-02-28 00:00",
            "2023-02-28 00:00:00+01",
            "2023-02-28 00:00:00.",
            "2023-02-28 00:00:00.1234567",
            "2023-2-28 00:00:00.0",
            "0000-01-01 00:00:00",
        ] {
            assert_eq!(timestamp(format!("\"{text}\"").as_bytes()), None, "{text}");
        }
    }
}
