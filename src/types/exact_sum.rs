//! Sums of integers and decimals that never round and never wrap, and the means taken of them.
//!
//! A sum kept under retraction must depend on the multiset of its values only, not on the order in which they came and
//! went; and whether it overflows is a question about the result, not about the way there. So the sum is 256 bits wide
//! (10^38 times 2^63 rows fits twice over), and only asking for it in a narrower type can fail. Decimals are summed as
//! their unscaled integers, all of one scale. [`ExactFloat`](super::exact_float::ExactFloat) is the same for floats.

use arrow::datatypes::i256;

/// The sum of weighted integers. The default is the empty sum, 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExactInteger {
    /// What has been added since the last carry: nearly all additions stay in here.
    low: i128,
    high: i256,
}

impl PartialEq for ExactInteger {
    fn eq(&self, other: &ExactInteger) -> bool {
        self.total() == other.total()
    }
}

impl Eq for ExactInteger {}

impl ExactInteger {
    /// Adds `weight` times `value`.
    pub fn add(&mut self, value: i128, weight: i64) {
        match value.checked_mul(weight as i128) {
            Some(product) => match self.low.checked_add(product) {
                Some(sum) => self.low = sum,
                None => {
                    self.high = self.high.wrapping_add(i256::from_i128(self.low));
                    self.low = product;
                }
            },
            None => self.high = self.high.wrapping_add(i256::from_i128(value).wrapping_mul(i256::from_i128(weight as i128))),
        }
    }

    pub fn merge(&mut self, other: &ExactInteger) {
        *self = ExactInteger { low: 0, high: self.total().wrapping_add(other.total()) };
    }

    pub fn total(&self) -> i256 {
        self.high.wrapping_add(i256::from_i128(self.low))
    }

    /// The sum as a bigint, `None` when it does not fit.
    pub fn to_i64(&self) -> Option<i64> {
        self.total().to_i128().and_then(|v| i64::try_from(v).ok())
    }

    /// The sum as the unscaled value of a decimal of that many digits, `None` when it does not fit.
    pub fn to_decimal(&self, precision: u8) -> Option<i128> {
        self.total().to_i128().filter(|v| fits(*v, precision))
    }

    /// The sum divided by `count`, rounded half away from zero, as the unscaled value of a decimal of `precision`
    /// digits with `more_scale` digits more behind the point than the summed values have. `None` when it does not fit
    /// or `count` is 0.
    pub fn mean(&self, count: i64, more_scale: u8, precision: u8) -> Option<i128> {
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
        let bytes = self.total().to_le_bytes();
        let sign = if self.total().is_negative() { 0xff } else { 0 };
        let mut len = 32;
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
        let mut wide = [sign; 32];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
        *input = &rest[bytes.len()..];
        Some(ExactInteger { low: 0, high: i256::from_le_bytes(wide) })
    }
}

fn fits(value: i128, precision: u8) -> bool {
    10i128.checked_pow(precision as u32).is_some_and(|bound| -bound < value && value < bound)
}

#[cfg(test)]
mod tests;
