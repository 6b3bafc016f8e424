//! Whole numbers that are near to each other, in few bytes: the least of them, and how much more each is.

use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    least: i64,
    more: More,
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
        // What is more than the least by so much as fits is so modulo 2^64 too.
        let more = |number: &i64| number.wrapping_sub(least) as u64;
        let more = match more(&greatest) {
            0..0x100 => More::One(numbers.iter().map(|number| more(number) as u8).collect()),
            0x100..0x1_0000 => More::Two(numbers.iter().map(|number| more(number) as u16).collect()),
            0x1_0000..0x1_0000_0000 => More::Four(numbers.iter().map(|number| more(number) as u32).collect()),
            _ => return None,
        };
        Some(Arc::new(Near { least, more }))
    }

    pub fn len(&self) -> usize {
        match &self.more {
            More::One(more) => more.len(),
            More::Two(more) => more.len(),
            More::Four(more) => more.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn get(&self, at: usize) -> i64 {
        let more = match &self.more {
            More::One(more) => u32::from(more[at]),
            More::Two(more) => u32::from(more[at]),
            More::Four(more) => more[at],
        };
        self.least.wrapping_add(i64::from(more))
    }

    /// Those numbers, one loop for each width.
    pub fn each(&self, from: usize, length: usize, see: &mut impl FnMut(i64)) {
        let least = self.least;
        match &self.more {
            More::One(more) => more[from..from + length].iter().for_each(|more| see(least.wrapping_add(i64::from(*more)))),
            More::Two(more) => more[from..from + length].iter().for_each(|more| see(least.wrapping_add(i64::from(*more)))),
            More::Four(more) => more[from..from + length].iter().for_each(|more| see(least.wrapping_add(i64::from(*more)))),
        }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        let more = match &self.more {
            More::One(more) => more.len(),
            More::Two(more) => more.len() * 2,
            More::Four(more) => more.len() * 4,
        };
        size_of::<Near>() + more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (numbers, bytes) in cases {
            let near = Near::of(numbers).unwrap();
            assert_eq!((near.len(), near.bytes()), (numbers.len(), size_of::<Near>() + bytes), "{numbers:?}");
            assert!((0..numbers.len()).all(|at| near.get(at) == numbers[at]));
            let mut seen = Vec::new();
            near.each(1, numbers.len() - 1, &mut |number| seen.push(number));
            assert_eq!(seen, numbers[1..]);
        }
        for numbers in [&[][..], &[-6, far - 5], &[i64::MIN, i64::MAX], &[i64::MAX, -1]] {
            assert!(Near::of(numbers).is_none(), "{numbers:?}");
        }
    }
}
