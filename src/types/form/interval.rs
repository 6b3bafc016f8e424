//! Intervals in PostgreSQL's `postgres` style: `1 year 2 mons -3 days +04:05:06.5`.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};

use super::text::write_fraction;

/// Months, days and microseconds, which do not convert into one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl Interval {
    pub fn write(&self, out: &mut BytesMut) {
        let mut first = true;
        // After a negative part a positive one shows its sign.
        let mut negative_before = false;
        for (value, unit) in [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")] {
            if value == 0 {
                continue;
            }
            if !first {
                out.put_u8(b' ');
            }
            if negative_before && value > 0 {
                out.put_u8(b'+');
            }
            let _ = write!(out, "{value} {unit}");
            if value != 1 {
                out.put_u8(b's');
            }
            negative_before = value < 0;
            first = false;
        }
        if first || self.micros != 0 {
            if !first {
                out.put_u8(b' ');
            }
            if self.micros < 0 {
                out.put_u8(b'-');
            } else if negative_before {
                out.put_u8(b'+');
            }
            let micros = self.micros.unsigned_abs();
            let seconds = micros / 1_000_000;
            let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
            write_fraction((micros % 1_000_000) as u32, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_postgres_style() {
        for ((months, days, micros), text) in [
            ((0, 0, 0), "00:00:00"),
            ((0, 1, 7_384_000_000), "1 day 02:03:04"),
            ((14, 3, 14_706_789_000), "1 year 2 mons 3 days 04:05:06.789"),
            ((0, -1, 3_600_000_000), "-1 days +01:00:00"),
            ((0, 0, -1_500_000), "-00:00:01.5"),
            ((-13, 2, 0), "-1 years -1 mons +2 days"),
            ((1, 0, -60_000_000), "1 mon -00:01:00"),
            ((0, 0, 360_000_000_000), "100:00:00"),
        ] {
            let mut out = BytesMut::new();
            Interval { months, days, micros }.write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }
}
