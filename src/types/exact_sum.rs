//! Sums of integers and decimals that never round and never wrap, and the means taken of them.
//!
//! A sum kept under retraction must depend on the multiset of its values only, not on the order in which they came and
//! went; and whether it overflows is a question about the result, not about the way there. So the sum is 192 bits wide
//! (10^38 times 2^63 rows fits), and only asking for it in a narrower type can fail. Decimals are summed as
//! their unscaled integers, all of one scale. [`ExactFloat`](super::exact_float::ExactFloat) is the same for floats.

use arrow::datatypes::i256;

/// The sum of weighted integers: a number of 192 bits in two's complement. The default is the empty sum, 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExactInteger {
    low: u128,
    high: i64,
}

impl ExactInteger {
    /// The size of [`ExactInteger::to_bytes`].
    pub const BYTES: usize = 24;

    /// Adds `weight` times `value`.
    pub fn add(&mut self, value: i128, weight: i64) {
        let wide = i128::from(weight);
        match value.checked_mul(wide) {
            Some(product) => self.add_parts(product as u128, (product >> 127) as i64),
            None => {
                let (low, high) = i256::from_i128(value).wrapping_mul(i256::from_i128(wide)).to_parts();
                self.add_parts(low, high as i64);
            }
        }
    }

    pub fn merge(&mut self, other: &ExactInteger) {
        self.add_parts(other.low, other.high);
    }

    fn add_parts(&mut self, low: u128, high: i64) {
        let (sum, carry) = self.low.overflowing_add(low);
        self.low = sum;
        self.high = self.high.wrapping_add(high).wrapping_add(i64::from(carry));
    }

    pub fn total(&self) -> i256 {
        i256::from_parts(self.low, i128::from(self.high))
    }

    fn to_i128(self) -> Option<i128> {
        let low = self.low as i128;
        (i128::from(self.high) == low >> 127).then_some(low)
    }

    /// The sum in a fixed number of bytes, little endian.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.low.to_le_bytes());
        bytes[16..].copy_from_slice(&self.high.to_le_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> ExactInteger {
        let (mut low, mut high) = ([0; 16], [0; 8]);
        low.copy_from_slice(&bytes[..16]);
        high.copy_from_slice(&bytes[16..]);
        ExactInteger { low: u128::from_le_bytes(low), high: i64::from_le_bytes(high) }
    }

    /// The sum as a bigint, `None` when it does not fit.
    pub fn to_i64(&self) -> Option<i64> {
        self.to_i128().and_then(|v| i64::try_from(v).ok())
    }

    /// The sum as the unscaled value of a decimal of that many digits, `None` when it does not fit.
    pub fn to_decimal(&self, precision: u8) -> Option<i128> {
        self.to_i128().filter(|v| fits(*v, precision))
    }

    /// The sum divided by `count`, rounded half away from zero, as the unscaled value of a decimal of `precision`
    /// digits with `more_scale` digits more behind the point than the summed values have. `None` when it does not fit
    /// or `count` is 0.
    pub fn mean(&self, count: i64, more_scale: u8, precision: u8) -> Option<i128> {
        if let Some(total) = self.to_i128()
            && let Some(scaled) = total.checked_mul(10i128.checked_pow(u32::from(more_scale))?)
            && count != 0
        {
            let count = i128::from(count);
            let (quotient, rest) = (scaled / count, scaled % count);
            let away = if rest.unsigned_abs() * 2 < count.unsigned_abs() {
                0
            } else if (scaled < 0) == (count < 0) {
                1
            } else {
                -1
            };
            return Some(quotient + away).filter(|v| fits(*v, precision));
        }
        let scaled = self.total().checked_mul(i256::from_i128(10).checked_pow(more_scale as u32)?)?;
        let count = i256::from_i128(count as i128);
        let (quotient, rest) = (scaled.checked_div(count)?, scaled.checked_rem(count)?);
        let twice = rest.wrapping_abs().wrapping_add(rest.wrapping_abs());
        let away = if twice < count.wrapping_abs() {
            i256::ZERO
        } else if scaled.is_negative() == count.is_negative() {
            i256::ONE
        } else {
            i256::MINUS_ONE
        };
        quotient.wrapping_add(away).to_i128().filter(|v| fits(*v, precision))
    }

    /// Appends the sum, in as few bytes as it needs: equal sums, equal bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let bytes = self.to_bytes();
        let sign = if self.high < 0 { 0xff } else { 0 };
        let mut len = bytes.len();
        while len > 0 && bytes[len - 1] == sign && (len == 1 || bytes[len - 2] >> 7 == sign >> 7) {
            len -= 1;
        }
        // -1 would need no byte at all by the rule above, but then it could not be told from 0.
        len = len.max((sign != 0) as usize);
        out.push(len as u8);
        out.extend_from_slice(&bytes[..len]);
    }

    /// Reads what [`encode`](ExactInteger::encode) wrote and moves `input` behind it. `None` for bytes it did not write.
    pub fn decode(input: &mut &[u8]) -> Option<ExactInteger> {
        let (len, rest) = input.split_first()?;
        let bytes = rest.get(..*len as usize)?;
        let sign = if bytes.last().is_some_and(|b| b >> 7 == 1) { 0xff } else { 0 };
        let mut wide = [sign; Self::BYTES];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        *input = &rest[bytes.len()..];
        Some(ExactInteger::from_bytes(&wide))
    }
}

fn fits(value: i128, precision: u8) -> bool {
    10i128.checked_pow(precision as u32).is_some_and(|bound| -bound < value && value < bound)
}

#[cfg(test)]
mod tests;
