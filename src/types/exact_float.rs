//! Sums of floating point numbers without any rounding, so that what was added can be taken away again.
//!
//! Addition of floats is not associative: a running sum depends on the order in which values came, and taking one away
//! leaves what its rounding did. Here the sum is a fixed-point number that covers the whole range of a double, from
//! 2^-1074 up, and is rounded once, when it is read. It is kept as digits of 32 bits in a window around the
//! values seen, each digit in a wide signed integer so that additions need no carry; sums of like magnitude take
//! three or four digits. NaN and the infinities cannot be summed away and are counted beside it.
//!
//! The result is PostgreSQL's, up to its rounding: NaN wins, opposite infinities are NaN, a finite sum beyond the range
//! is an error, and there is one zero.

/// The sum of weighted doubles. The default is the empty sum, 0.
#[derive(Clone, Debug, Default)]
pub struct ExactFloat {
    /// The place of `digits[0]`: it counts 2^(32 * base - 1074).
    base: usize,
    digits: Vec<i128>,
    nan: i64,
    infinite: i64,
    minus_infinite: i64,
}

/// The finite part with its carries done: two's complement, without needless digits on either end.
#[derive(PartialEq, Eq, Debug)]
struct Normal {
    base: usize,
    digits: Vec<u32>,
    negative: bool,
}

impl PartialEq for ExactFloat {
    fn eq(&self, other: &ExactFloat) -> bool {
        self.normal() == other.normal() && self.specials() == other.specials()
    }
}

impl ExactFloat {
    /// Adds `weight` times `value`.
    pub fn add(&mut self, value: f64, weight: i64) {
        if value.is_nan() {
            self.nan = self.nan.wrapping_add(weight);
        } else if value == f64::INFINITY {
            self.infinite = self.infinite.wrapping_add(weight);
        } else if value == f64::NEG_INFINITY {
            self.minus_infinite = self.minus_infinite.wrapping_add(weight);
        } else if value != 0.0 && weight != 0 {
            let bits = value.to_bits();
            let (exponent, fraction) = ((bits >> 52 & 0x7ff) as usize, bits & ((1 << 52) - 1));
            let (place, mantissa) = if exponent == 0 { (0, fraction) } else { (exponent - 1, fraction | 1 << 52) };
            let wide = (mantissa as u128) << (place % 32);
            let signed = if value < 0.0 { -(weight as i128) } else { weight as i128 };
            let at = self.reach(place / 32, 3);
            for i in 0..3 {
                self.digits[at + i] += (wide >> (32 * i) & 0xffff_ffff) as i128 * signed;
            }
        }
    }

    pub fn merge(&mut self, other: &ExactFloat) {
        if !other.digits.is_empty() {
            let at = self.reach(other.base, other.digits.len());
            for (mine, theirs) in self.digits[at..].iter_mut().zip(&other.digits) {
                *mine += theirs;
            }
        }
        self.nan = self.nan.wrapping_add(other.nan);
        self.infinite = self.infinite.wrapping_add(other.infinite);
        self.minus_infinite = self.minus_infinite.wrapping_add(other.minus_infinite);
    }

    /// The sum rounded to the nearest double; `None` when a finite sum is beyond the range of doubles.
    pub fn value(&self) -> Option<f64> {
        self.special().or_else(|| self.normal().round(0))
    }

    /// The sum divided by `count`, which is not 0; `None` when the mean is beyond the range of doubles.
    pub fn mean(&self, count: i64) -> Option<f64> {
        if let Some(special) = self.special() {
            return Some(special);
        }
        let normal = self.normal();
        let mean = match normal.round(0) {
            Some(sum) => sum / count as f64,
            // The sum may be beyond the range where the mean is not: divide a 2^64th of it.
            None => normal.round(2)? / count as f64 * 2f64.powi(64),
        };
        mean.is_finite().then_some(mean)
    }

    fn special(&self) -> Option<f64> {
        match self.specials() {
            [0, 0, 0] => None,
            [0, _, 0] => Some(f64::INFINITY),
            [0, 0, _] => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }

    fn specials(&self) -> [i64; 3] {
        [self.nan, self.infinite, self.minus_infinite]
    }

    /// Widens the window to hold `count` digits from `place` on; where in it they are.
    fn reach(&mut self, place: usize, count: usize) -> usize {
        if self.digits.is_empty() {
            self.base = place;
        } else if place < self.base {
            self.digits.splice(0..0, std::iter::repeat_n(0, self.base - place));
            self.base = place;
        }
        let at = place - self.base;
        if self.digits.len() < at + count {
            self.digits.resize(at + count, 0);
        }
        at
    }

    fn normal(&self) -> Normal {
        let mut digits = Vec::with_capacity(self.digits.len() + 3);
        let mut carry = 0i128;
        for digit in &self.digits {
            let sum = digit + carry;
            digits.push(sum as u32);
            carry = sum >> 32;
        }
        while carry != 0 && carry != -1 {
            digits.push(carry as u32);
            carry >>= 32;
        }
        let negative = carry == -1;
        let extension = if negative { u32::MAX } else { 0 };
        while digits.last() == Some(&extension) {
            digits.pop();
        }
        let zeros = digits.iter().take_while(|d| **d == 0).count();
        digits.drain(..zeros);
        let base = if digits.is_empty() && !negative { 0 } else { self.base + zeros };
        Normal { base, digits, negative }
    }

    /// Appends the sum: equal sums, equal bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let normal = self.normal();
        let special = self.specials() != [0; 3];
        out.push(normal.base as u8 | (special as u8) << 7);
        out.push(normal.digits.len() as u8 | (normal.negative as u8) << 7);
        normal.digits.iter().for_each(|digit| out.extend_from_slice(&digit.to_le_bytes()));
        if special {
            self.specials().iter().for_each(|count| out.extend_from_slice(&count.to_le_bytes()));
        }
    }

    /// Reads what [`encode`](ExactFloat::encode) wrote and moves `input` behind it. `None` for bytes it did not write.
    pub fn decode(input: &mut &[u8]) -> Option<ExactFloat> {
        let (head, mut rest) = input.split_first_chunk::<2>()?;
        let mut sum = ExactFloat { base: (head[0] & 0x7f) as usize, ..ExactFloat::default() };
        for _ in 0..head[1] & 0x7f {
            sum.digits.push(u32::from_le_bytes(take(&mut rest)?) as i128);
        }
        if head[1] >> 7 == 1 {
            sum.digits.push(-1);
        }
        if head[0] >> 7 == 1 {
            sum.nan = i64::from_le_bytes(take(&mut rest)?);
            sum.infinite = i64::from_le_bytes(take(&mut rest)?);
            sum.minus_infinite = i64::from_le_bytes(take(&mut rest)?);
        }
        *input = rest;
        Some(sum)
    }
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

impl Normal {
    /// The nearest double, ties to even, of the number shifted down by `down` digits; `None` beyond the range.
    fn round(&self, down: usize) -> Option<f64> {
        let (mut base, mut digits) = (self.base, self.digits.clone());
        if self.negative {
            let mut carry = true;
            for digit in &mut digits {
                (*digit, carry) = (!*digit).overflowing_add(carry as u32);
            }
            digits.push(carry as u32);
        }
        let dropped = down.saturating_sub(base).min(digits.len());
        digits.drain(..dropped);
        base = (base + dropped).saturating_sub(down);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let Some(last) = digits.last() else { return Some(0.0) };
        // Bits are counted from 2^-1074 up.
        let top = 32 * (base + digits.len()) - 1 - last.leading_zeros() as usize;
        let window = |from: usize| {
            let digit = |i: usize| i.checked_sub(base).and_then(|i| digits.get(i)).copied().unwrap_or(0) as u128;
            let at = from / 32;
            ((digit(at) | digit(at + 1) << 32 | digit(at + 2) << 64) >> (from % 32)) as u64
        };
        let bits = if top <= 52 {
            window(0)
        } else {
            let lowest = top - 52;
            let kept = window(lowest) & ((1 << 53) - 1);
            let half = window(lowest - 1) & 1 == 1;
            let below = (0..lowest - 1).step_by(32).any(|from| {
                let width = (lowest - 1 - from).min(32);
                window(from) & ((1 << width) - 1) != 0
            });
            let up = half && (below || kept & 1 == 1);
            // The hidden bit of `kept` adds one to the exponent, and a carry out of the fraction does too.
            ((lowest as u64) << 52) + kept + up as u64
        };
        let magnitude = (bits < 0x7ff0 << 48).then(|| f64::from_bits(bits))?;
        Some(if self.negative { -magnitude } else { magnitude })
    }
}

#[cfg(test)]
mod tests;
