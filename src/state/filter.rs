//! A filter of hashes: says of a hash that it is not there, or that it may be. A Bloom filter in blocks of one cache line:
//! fourteen bits a hash, one walk to memory a question, few answers of a thousand wrong.

pub struct Filter {
    blocks: Vec<[u64; WORDS]>,
}

const WORDS: usize = 8;
const BITS: usize = WORDS * 64;
/// Of a hash in the filter, and bits that it sets.
const BITS_OF_ONE: usize = 14;
const SET: u32 = 7;

impl Filter {
    /// An empty filter with room for so many hashes.
    pub fn new(hashes: usize) -> Filter {
        Filter { blocks: vec![[0; WORDS]; (hashes * BITS_OF_ONE).div_ceil(BITS).max(1)] }
    }

    pub fn add(&mut self, hash: u64) {
        let block = self.block(hash);
        bits(hash).for_each(|(word, bit)| self.blocks[block][word] |= bit);
    }

    pub fn may_have(&self, hash: u64) -> bool {
        let block = &self.blocks[self.block(hash)];
        bits(hash).all(|(word, bit)| block[word] & bit != 0)
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.blocks.len() * size_of::<[u64; WORDS]>()
    }

    /// By the hash's upper half; which bits is said by all of it.
    fn block(&self, hash: u64) -> usize {
        (((hash >> 32) * self.blocks.len() as u64) >> 32) as usize
    }
}

fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    let mixed = hash.wrapping_mul(0x9fb2_1c65_1e98_df25);
    (0..SET).map(move |n| {
        let bit = (mixed >> (1 + 9 * n)) as usize % BITS;
        (bit / 64, 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zset::key_columns::mix;

    #[test]
    fn what_was_added_is_there_and_little_else() {
        for count in [0, 1, 100, 50_000] {
            let mut filter = Filter::new(count);
            (0..count as u64).for_each(|n| filter.add(mix(1, n)));
            assert!((0..count as u64).all(|n| filter.may_have(mix(1, n))), "{count} hashes");
            let wrong = (1 << 40..(1 << 40) + 50_000u64).filter(|n| filter.may_have(mix(1, *n))).count();
            assert!(wrong < 400, "{count} hashes: {wrong} of 50000");
            assert!(filter.bytes() <= count * 2 + 64);
        }
    }
}
