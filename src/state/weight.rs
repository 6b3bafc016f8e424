//! A row's weight as the value of its entry: positive numbers doubled, negative ones doubled and one less, without the sign, as
//! little endian bytes up to the last one that is not zero. Most weights are one byte.

use super::error::StateError;

pub(super) struct Weight {
    bytes: [u8; 8],
    count: usize,
}

impl Weight {
    /// Of one that is not zero: no row is there zero times.
    pub(super) fn of(weight: i64) -> Weight {
        let bytes = ((weight << 1) ^ (weight >> 63)).to_le_bytes();
        Weight { bytes, count: bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1) }
    }

    /// # Errors
    /// `Corrupted` for bytes that are no weight.
    pub(super) fn read(value: &[u8]) -> Result<i64, StateError> {
        let mut bytes = [0; 8];
        let place = bytes.get_mut(..value.len()).filter(|place| !place.is_empty());
        place.ok_or_else(|| StateError::corrupted(format!("{value:02x?} is no weight of a row")))?.copy_from_slice(value);
        let folded = u64::from_le_bytes(bytes);
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }
}

impl AsRef<[u8]> for Weight {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_back() {
        for (weight, bytes) in [(1, &[2][..]), (-1, &[1]), (63, &[126]), (-64, &[127]), (64, &[128]), (128, &[0, 1])] {
            assert_eq!(Weight::of(weight).as_ref(), bytes);
        }
        for weight in [1, -1, 255, -256, i64::MAX, i64::MIN, i64::MAX / 3] {
            assert_eq!(Weight::read(Weight::of(weight).as_ref()).unwrap(), weight);
        }
        assert!(Weight::read(&[1; 9]).is_err() && Weight::read(&[]).is_err());
    }
}
