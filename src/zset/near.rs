//! Whole numbers that are near to each other, in few bytes: the least of them, and by how much more each is. What is more by
//! whole thousands or millions, as times of milliseconds and seconds are, is counted in these. Of equal neighbours each run is
//! there once, where they are many.

use std::sync::Arc;

use super::runs::Runs;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    least: i64,
    /// What the numbers are more by is so many times that.
    unit: i64,
    more: More,
    /// Whose neighbours are equal: a number is that of its run.
    runs: Option<Box<Runs>>,
}

/// By the bytes that the greatest distance needs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum More {
    One(Box<[u8]>),
    Two(Box<[u16]>),
    Four(Box<[u32]>),
}

impl Near {
    /// `None` where they are too far apart to need fewer bytes.
    pub fn of(numbers: &[i64]) -> Option<Arc<Near>> {
        let (mut least, mut greatest) = (*numbers.first()?, *numbers.first()?);
        for number in numbers {
            (least, greatest) = (least.min(*number), greatest.max(*number));
        }
        let runs = Runs::of_equal(numbers).map(Box::new);
        let of_runs: Option<Vec<i64>> = runs.as_ref().map(|runs| runs.iter().map(|rows| numbers[rows.start]).collect());
        let (unit, more) = More::of(of_runs.as_deref().unwrap_or(numbers), (least, greatest))?;
        Some(Arc::new(Near { least, unit, more, runs }))
    }

    pub fn len(&self) -> usize {
        self.runs.as_ref().map_or(self.more.len(), |runs| runs.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn get(&self, at: usize) -> i64 {
        let at = self.runs.as_ref().map_or(at, |runs| runs.number(at));
        let more = match &self.more {
            More::One(more) => u32::from(more[at]),
            More::Two(more) => u32::from(more[at]),
            More::Four(more) => more[at],
        };
        self.number(more)
    }

    #[inline]
    fn number(&self, more: u32) -> i64 {
        self.least.wrapping_add(i64::from(more).wrapping_mul(self.unit))
    }

    /// Those numbers, one loop for each width.
    pub fn each(&self, from: usize, length: usize, see: &mut impl FnMut(i64)) {
        if length == 0 {
            return;
        }
        if let Some(runs) = &self.runs {
            let mut number = self.get(from);
            for at in from..from + length {
                if at > from && runs.begins(at) {
                    number = self.get(at);
                }
                see(number);
            }
            return;
        }
        match &self.more {
            More::One(more) => more[from..from + length].iter().for_each(|more| see(self.number(u32::from(*more)))),
            More::Two(more) => more[from..from + length].iter().for_each(|more| see(self.number(u32::from(*more)))),
            More::Four(more) => more[from..from + length].iter().for_each(|more| see(self.number(*more))),
        }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Near>() + self.more.len() * self.more.width() + self.runs.as_ref().map_or(0, |runs| size_of::<Runs>() + runs.bytes())
    }
}

impl More {
    /// By how much more than the least numbers are, of which the greatest is given too, and in which unit.
    fn of(numbers: &[i64], (least, greatest): (i64, i64)) -> Option<(i64, More)> {
        // What is more than the least by so much as fits is so modulo 2^64 too.
        let distance = |number: i64| number.wrapping_sub(least) as u64;
        let plain = width_of(distance(greatest));
        // Constants, so that nothing is divided by a number that is not known.
        fn whole<const UNIT: u64>(numbers: &[i64], least: i64) -> bool {
            numbers.iter().all(|number| (number.wrapping_sub(least) as u64).is_multiple_of(UNIT))
        }
        fn more<const UNIT: u64>(numbers: &[i64], least: i64, width: usize) -> (i64, More) {
            let more = |number: &i64| number.wrapping_sub(least) as u64 / UNIT;
            let more = match width {
                1 => More::One(numbers.iter().map(|number| more(number) as u8).collect()),
                2 => More::Two(numbers.iter().map(|number| more(number) as u16).collect()),
                _ => More::Four(numbers.iter().map(|number| more(number) as u32).collect()),
            };
            (UNIT as i64, more)
        }
        const SECOND: u64 = 1_000_000;
        const MILLISECOND: u64 = 1_000;
        match plain {
            Some(width @ 1) => return Some(more::<1>(numbers, least, width)),
            _ if whole::<SECOND>(numbers, least) => {
                let width = width_of(distance(greatest) / SECOND)?;
                return Some(more::<SECOND>(numbers, least, width));
            }
            _ if whole::<MILLISECOND>(numbers, least) => {
                let width = width_of(distance(greatest) / MILLISECOND)?;
                return Some(more::<MILLISECOND>(numbers, least, width));
            }
            _ => {}
        }
        plain.map(|width| more::<1>(numbers, least, width))
    }

    fn len(&self) -> usize {
        match self {
            More::One(more) => more.len(),
            More::Two(more) => more.len(),
            More::Four(more) => more.len(),
        }
    }

    fn width(&self) -> usize {
        match self {
            More::One(_) => 1,
            More::Two(_) => 2,
            More::Four(_) => 4,
        }
    }
}

/// The bytes that a distance needs; `None` where they would not be fewer.
fn width_of(distance: u64) -> Option<usize> {
    match distance {
        0..0x100 => Some(1),
        0x100..0x1_0000 => Some(2),
        0x1_0000..0x1_0000_0000 => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[i64], bytes: usize) {
        let near = Near::of(numbers).unwrap();
        let of_runs = near.runs.as_ref().map_or(0, |runs| size_of::<Runs>() + runs.bytes());
        assert_eq!((near.len(), near.bytes()), (numbers.len(), size_of::<Near>() + bytes + of_runs), "{numbers:?}");
        assert!((0..numbers.len()).all(|at| near.get(at) == numbers[at]), "{numbers:?}");
        for from in 0..numbers.len() {
            let mut seen = Vec::new();
            near.each(from, numbers.len() - from, &mut |number| seen.push(number));
            assert_eq!(seen, numbers[from..]);
            near.each(from, 0, &mut |_| panic!("none was asked for"));
        }
    }

    #[test]
    fn numbers_come_back() {
        let far = i64::from(u32::MAX);
        let cases: [(&[i64], usize); 7] = [
            (&[7], 1),
            (&[-3, 252, 0], 3),
            (&[-3, 253], 4),
            (&[i64::MIN, i64::MIN + 0xffff], 4),
            (&[i64::MAX - 0x1_0000, i64::MAX], 8),
            (&[-5, far - 5], 8),
            (&[0, 1, 2, 3], 4),
        ];
        cases.iter().for_each(|(numbers, bytes)| check(numbers, *bytes));
        for numbers in [&[][..], &[-6, far - 5], &[i64::MIN, i64::MAX], &[i64::MAX, -1]] {
            assert!(Near::of(numbers).is_none(), "{numbers:?}");
        }
    }

    #[test]
    fn whole_thousands_and_millions_are_counted_in_these() {
        let cases: [(&[i64], usize); 6] = [
            (&[5, 1_005, 255_005], 3),
            (&[5, 1_005, 256_005], 6),
            (&[-7, 199_999_993, 55_999_993], 3),
            (&[-7, 4_000_000_993, 255_999_993], 12),
            (&[i64::MIN, i64::MIN + 4_000_000_000_000_000], 8),
            (&[1_700_000_000_000_000, 1_700_000_000_001_000, 1_700_000_065_535_001], 12),
        ];
        cases.iter().for_each(|(numbers, bytes)| check(numbers, *bytes));
        assert!(Near::of(&[0, i64::MAX - 775_807]).is_none(), "too far apart in seconds too");
        assert!(Near::of(&[i64::MIN, 192]).is_none(), "a distance beyond i64");
    }

    #[test]
    fn equal_neighbours_are_there_once() {
        let runs: Vec<i64> = (0..1000).map(|row| 5_000_000_000 + row / 10).collect();
        check(&runs, 100);
        assert!(Near::of(&runs).unwrap().bytes() < 500);
        check(&[9; 70], 1);
        check(&(0..1000).map(|row| row / 10 * 1_000_000).collect::<Vec<_>>(), 100);
        check(&(0..1000).map(|row| (row / 10 * 7919) % 100_000).collect::<Vec<_>>(), 400);
        let short: Vec<i64> = (0..1000).map(|row| row / 3).collect();
        check(&short, 2000);
        assert!(Near::of(&short).unwrap().runs.is_none());
        assert!(Near::of(&(0..1000).map(|row| row / 10 * 5_000_000_001).collect::<Vec<_>>()).is_none());
    }
}
