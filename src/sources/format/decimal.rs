//! Exact decimals: from text and from two's complement bytes into a column's scale, never by way of a float.
//!
//! More fractional digits than the column keeps are rounded half away from zero, as PostgreSQL does on assignment; more
//! integer digits than it has room for are an error.

use num_bigint::BigInt;

/// Why a number does not become the decimal or integer that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not a number at all, NaN and infinity included.
    Malformed,
    OutOfRange,
}

/// A decimal at some scale, and whether rounding changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaled {
    pub unscaled: i128,
    pub exact: bool,
}

/// The number in `text` (`-12.5`, `1e3`, ` 7 `) times 10^scale, at most `precision` (1..=38) digits.
pub fn parse(text: &str, precision: u8, scale: i8) -> Result<Scaled, DecimalError> {
    let bytes = text.trim_matches(|c: char| c.is_ascii_whitespace()).as_bytes();
    let (negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mantissa = bytes.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(bytes.len());
    let exponent = match bytes.get(mantissa + 1..) {
        None => 0,
        Some(digits) => exponent(digits)?,
    };
    let point = bytes[..mantissa].iter().position(|b| *b == b'.').unwrap_or(mantissa);
    let whole = &bytes[..point];
    let fraction = bytes.get(point + 1..mantissa).unwrap_or(&[]);
    if whole.is_empty() && fraction.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(DecimalError::Malformed);
    }
    let leading_zeros = whole.iter().chain(fraction).take_while(|b| **b == b'0').count();
    let significant = whole.len() + fraction.len() - leading_zeros;
    if significant == 0 {
        return Ok(Scaled { unscaled: 0, exact: true });
    }
    // How many of the significant digits stand before the last place that the scale keeps.
    let kept = significant as i64 - fraction.len() as i64 + exponent + i64::from(scale);
    if kept > i64::from(precision) {
        return Err(DecimalError::OutOfRange);
    }
    let mut digits = whole.iter().chain(fraction).skip(leading_zeros).map(|b| i128::from(b - b'0'));
    let mut unscaled: i128 = 0;
    for _ in 0..kept {
        unscaled = unscaled * 10 + digits.next().unwrap_or(0);
    }
    let next = if kept < 0 { None } else { digits.next() };
    let exact = kept >= 0 && next.unwrap_or(0) == 0 && digits.all(|d| d == 0);
    if next.is_some_and(|digit| digit >= 5) {
        unscaled += 1;
    }
    check(if negative { -unscaled } else { unscaled }, precision).map(|unscaled| Scaled { unscaled, exact })
}

fn exponent(digits: &[u8]) -> Result<i64, DecimalError> {
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::Malformed);
    }
    // Far past what any column can hold, and far from overflowing the sums it goes into.
    let size = digits.iter().fold(0i64, |n, d| (n * 10 + i64::from(d - b'0')).min(1 << 40));
    Ok(if negative { -size } else { size })
}

/// `unscaled` x 10^-`from`, at scale `to`.
pub fn rescale(unscaled: i128, from: i32, precision: u8, to: i8) -> Result<Scaled, DecimalError> {
    let shift = i64::from(to) - i64::from(from);
    if unscaled == 0 {
        return Ok(Scaled { unscaled: 0, exact: true });
    }
    if shift >= 0 {
        let factor = u32::try_from(shift).ok().and_then(|s| 10i128.checked_pow(s)).ok_or(DecimalError::OutOfRange)?;
        let unscaled = unscaled.checked_mul(factor).ok_or(DecimalError::OutOfRange)?;
        return check(unscaled, precision).map(|unscaled| Scaled { unscaled, exact: true });
    }
    let Some(divisor) = u32::try_from(-shift).ok().and_then(|s| 10i128.checked_pow(s)) else {
        // The divisor is more than twice any i128.
        return Ok(Scaled { unscaled: 0, exact: false });
    };
    let (quotient, remainder) = (unscaled / divisor, unscaled % divisor);
    let away = if remainder.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2) { unscaled.signum() } else { 0 };
    check(quotient + away, precision).map(|unscaled| Scaled { unscaled, exact: remainder == 0 })
}

fn check(unscaled: i128, precision: u8) -> Result<i128, DecimalError> {
    let limit = 10i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    if unscaled.unsigned_abs() >= limit.unsigned_abs() { Err(DecimalError::OutOfRange) } else { Ok(unscaled) }
}

/// Kafka Connect's decimal, big-endian two's complement: the unscaled number, or its text where 128 bits are too few.
pub fn from_bytes(bytes: &[u8]) -> Result<i128, String> {
    if bytes.len() <= 16 {
        let fill = if bytes.first().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [fill; 16];
        wide[16 - bytes.len()..].copy_from_slice(bytes);
        return Ok(i128::from_be_bytes(wide));
    }
    Err(BigInt::from_signed_bytes_be(bytes).to_string())
}

/// `unscaled` x 10^-`scale` as PostgreSQL prints it.
pub fn print(unscaled: i128, scale: i32) -> String {
    if scale <= 0 {
        return format!("{unscaled}{}", if unscaled == 0 { String::new() } else { "0".repeat(scale.unsigned_abs().min(1000) as usize) });
    }
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs().to_string(), width = scale.unsigned_abs() as usize + 1);
    let point = digits.len() - scale.unsigned_abs() as usize;
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_to_scale() {
        for (text, precision, scale, expected) in [
            ("12.5", 12, 2, Ok(1250)),
            ("-0.01", 12, 2, Ok(-1)),
            ("0.005", 12, 2, Ok(1)),
            ("-0.005", 12, 2, Ok(-1)),
            ("0.0049999", 12, 2, Ok(0)),
            ("9999999999.99", 12, 2, Ok(999_999_999_999)),
            ("9999999999.994", 12, 2, Ok(999_999_999_999)),
            ("9999999999.995", 12, 2, Err(DecimalError::OutOfRange)),
            ("10000000000", 12, 2, Err(DecimalError::OutOfRange)),
            ("1e3", 12, 2, Ok(100_000)),
            ("1.5E-1", 12, 2, Ok(15)),
            ("0e99999999999999999999", 12, 2, Ok(0)),
            ("1e99999999999999999999", 12, 2, Err(DecimalError::OutOfRange)),
            ("1e-99999999999999999999", 12, 2, Ok(0)),
            ("00012", 2, 0, Ok(12)),
            (".5", 1, 1, Ok(5)),
            ("5.", 1, 0, Ok(5)),
            ("99999999999999999999999999999999999999", 38, 0, Ok(99_999_999_999_999_999_999_999_999_999_999_999_999)),
            ("100000000000000000000000000000000000000", 38, 0, Err(DecimalError::OutOfRange)),
            ("0.000000000000000000000000000000000000000000000000009", 38, 10, Ok(0)),
            ("NaN", 12, 2, Err(DecimalError::Malformed)),
            ("", 12, 2, Err(DecimalError::Malformed)),
            (".", 12, 2, Err(DecimalError::Malformed)),
            ("-", 12, 2, Err(DecimalError::Malformed)),
            ("1e", 12, 2, Err(DecimalError::Malformed)),
            ("1.2.3", 12, 2, Err(DecimalError::Malformed)),
            ("12x", 12, 2, Err(DecimalError::Malformed)),
        ] {
            assert_eq!(parse(text, precision, scale).map(|s| s.unscaled), expected, "{text}");
        }
    }

    #[test]
    fn exactness_is_known() {
        assert!(parse("1.0", 38, 0).unwrap().exact);
        assert!(!parse("1.01", 38, 0).unwrap().exact);
        assert!(!parse("0.001", 38, 0).unwrap().exact);
    }

    #[test]
    fn other_scales() {
        for (unscaled, from, precision, to, expected) in [
            (105, 1, 12, 2, Ok(1050)),
            (1005, 3, 12, 2, Ok(101)),
            (-1005, 3, 12, 2, Ok(-101)),
            (1004, 3, 12, 2, Ok(100)),
            (-1, 21, 38, 10, Ok(0)),
            (1, 200, 38, 10, Ok(0)),
            (5, -3, 12, 2, Ok(500_000)),
            (i128::MAX, 0, 38, 0, Err(DecimalError::OutOfRange)),
            (i128::MIN, 0, 38, 10, Err(DecimalError::OutOfRange)),
            (1, -100, 38, 0, Err(DecimalError::OutOfRange)),
            (0, -100, 38, 0, Ok(0)),
        ] {
            assert_eq!(rescale(unscaled, from, precision, to).map(|s| s.unscaled), expected, "{unscaled} from {from} to {to}");
        }
    }

    #[test]
    fn bytes_of_connect() {
        assert_eq!(from_bytes(&[0x04, 0x1a]), Ok(1050));
        assert_eq!(from_bytes(&[0xff]), Ok(-1));
        assert_eq!(from_bytes(&[]), Ok(0));
        assert_eq!(from_bytes(&[0x80; 16]), Ok(i128::from_be_bytes([0x80; 16])));
        let mut large = vec![0; 17];
        large[0] = 1;
        assert_eq!(from_bytes(&large), Err((BigInt::from(1) << 128u32).to_string()));
    }

    #[test]
    fn printed() {
        assert_eq!(print(1050, 2), "10.50");
        assert_eq!(print(-1, 2), "-0.01");
        assert_eq!(print(7, 0), "7");
        assert_eq!(print(7, -2), "700");
    }
}
