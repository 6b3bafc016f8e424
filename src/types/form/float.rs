//! Floating point numbers as PostgreSQL writes them: the shortest digits that read back as the same number, positional
//! while the exponent is small, else `1.5e+20`.

use bytes::{BufMut, BytesMut};

pub fn write_f64(value: f64, out: &mut BytesMut) {
    match special(value) {
        Some(text) => out.put_slice(text),
        None => write_shortest(&format!("{value:e}"), 15, out),
    }
}

pub fn write_f32(value: f32, out: &mut BytesMut) {
    match special(f64::from(value)) {
        Some(text) => out.put_slice(text),
        None => write_shortest(&format!("{value:e}"), 6, out),
    }
}

fn special(value: f64) -> Option<&'static [u8]> {
    match value {
        v if v.is_nan() => Some(b"NaN"),
        f64::INFINITY => Some(b"Infinity"),
        f64::NEG_INFINITY => Some(b"-Infinity"),
        _ => None,
    }
}

/// Lays out `-d.ddde-x`, the shortest scientific form, positionally when `-4 <= x < limit`.
fn write_shortest(scientific: &str, limit: i32, out: &mut BytesMut) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = match mantissa.strip_prefix('-') {
        Some(rest) => {
            out.put_u8(b'-');
            rest
        }
        None => mantissa,
    };
    if !(-4..limit).contains(&exponent) {
        out.put_slice(mantissa.as_bytes());
        out.put_u8(b'e');
        out.put_u8(if exponent < 0 { b'-' } else { b'+' });
        out.put_slice(format!("{:02}", exponent.abs()).as_bytes());
        return;
    }
    let digits: Vec<u8> = mantissa.bytes().filter(|b| *b != b'.').collect();
    if exponent < 0 {
        out.put_slice(b"0.");
        out.put_bytes(b'0', (-exponent - 1) as usize);
        out.put_slice(&digits);
        return;
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.put_slice(&digits);
        out.put_bytes(b'0', whole - digits.len());
    } else {
        out.put_slice(&digits[..whole]);
        out.put_u8(b'.');
        out.put_slice(&digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = BytesMut::new();
        write_f64(value, &mut out);
        String::from_utf8(out.to_vec()).expect("ASCII")
    }

    fn real(value: f32) -> String {
        let mut out = BytesMut::new();
        write_f32(value, &mut out);
        String::from_utf8(out.to_vec()).expect("ASCII")
    }

    #[test]
    fn doubles_as_postgresql_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100.0, "100"),
            (123456.789, "123456.789"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (123456789012345.6, "123456789012345.6"),
            (1.5e20, "1.5e+20"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (1e308, "1e+308"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn reals_have_a_lower_limit() {
        for (value, text) in
            [(1.0f32, "1"), (0.1, "0.1"), (100000.0, "100000"), (1e6, "1e+06"), (123456.7, "123456.7"), (3.4e38, "3.4e+38")]
        {
            assert_eq!(real(value), text);
        }
    }
}
