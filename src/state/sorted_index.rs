//! An index that lies on the disk: numbers by hash, sorted, in buckets of some dozens. In memory are a [`Filter`], and of each
//! bucket where it ends and a sum that it is checked by.
//!
//! An index never changes. It is made of entries, or of other indexes. It is of use to the process that made it and to no other,
//! and lies in its [`Scratch`].
//!
//! ```text
//! the buckets, each entries of 16 bytes, sorted: hash | number, little endian
//! ```

use std::ops::Range;

use super::error::StateError;
use super::filter::Filter;
use super::scratch::{Extent, Filling, Scratch};
use crate::zset::key_columns::mix;

/// A hash and what it leads to.
pub type Entry = (u64, u64);

pub struct SortedIndex {
    extent: Extent,
    /// Where each bucket ends, in entries, and its sum. There are two to the power of `bits`.
    buckets: Vec<(u64, u64)>,
    bits: u32,
    filter: Filter,
    /// Different hashes, or more.
    hashes: usize,
}

/// What becomes of the number of an entry in the index that its own becomes a part of; `None` for one that is left out.
pub type Keep<'a> = dyn Fn(u64) -> Option<u64> + 'a;

const ENTRY: usize = 16;
/// Entries of a bucket, about. A filter that is wrong costs one to read.
const BUCKET: usize = 64;
/// Buckets that are read at once when an index is made of others.
const AT_ONCE: usize = 1024;

/// The hash as entries are sorted by it: the hashes of a shard have bits in common, and tables go by others.
pub fn spread(hash: u64) -> u64 {
    // Odd, so no two hashes become one.
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl SortedIndex {
    /// An index of those entries, whose hashes are spread.
    pub fn of(mut entries: Vec<Entry>, scratch: &Scratch) -> Result<SortedIndex, StateError> {
        entries.sort_unstable();
        let hashes = entries.chunk_by(|(a, _), (b, _)| a == b).count();
        let mut making = Making::begin(entries.len(), hashes, scratch)?;
        making.put(&entries, making.all())?;
        making.finish()
    }

    /// An index of what others have, whose entries are kept as said.
    pub fn merged(from: &[(&SortedIndex, Box<Keep>)], scratch: &Scratch) -> Result<SortedIndex, StateError> {
        let count = from.iter().map(|(index, _)| index.len()).sum();
        let hashes = from.iter().map(|(index, _)| index.hashes).sum();
        let mut making = Making::begin(count, hashes, scratch)?;
        // In steps of buckets that are whole in all of them.
        let common = from.iter().map(|(index, _)| index.bits).fold(making.bits, u32::min);
        let most = from.iter().map(|(index, _)| 1usize << (index.bits - common)).sum::<usize>();
        let (steps, shift) = ((AT_ONCE / most.max(1)).max(1), making.bits - common);
        for begin in (0..1usize << common).step_by(steps) {
            let end = (begin + steps).min(1 << common);
            let mut entries = Vec::new();
            for (index, keep) in from {
                let shift = index.bits - common;
                index.read(begin << shift..end << shift, &mut |bytes| {
                    let kept = bytes.as_chunks::<ENTRY>().0.iter().map(decode).filter_map(|(hash, number)| Some((hash, keep(number)?)));
                    entries.extend(kept);
                })?;
            }
            // They lie in sorted runs, and that sort sees it.
            entries.sort();
            making.put(&entries, begin << shift..end << shift)?;
        }
        making.finish()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.buckets.last().map_or(0, |(end, _)| *end as usize)
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<SortedIndex>() + self.buckets.capacity() * size_of::<(u64, u64)>() + self.filter.bytes()
    }

    /// False when the index does not have the hash.
    pub fn may_have(&self, hash: u64) -> bool {
        self.filter.may_have(spread(hash))
    }

    /// What the indexes have of the hashes: the position of the index, that of the hash, and the number. In no order.
    pub fn find(indexes: &[&SortedIndex], hashes: &[u64]) -> Result<Vec<(u32, u32, u64)>, StateError> {
        let mut found = Vec::new();
        // In the order of filters and buckets: those of a hash that is asked for often are walked to once.
        let mut asked: Vec<(u64, u32)> = hashes.iter().map(|hash| spread(*hash)).zip(0..).collect();
        asked.sort_unstable();
        let mut wanted: Vec<(u64, u32)> = Vec::new();
        for (of, index) in (0..).zip(indexes) {
            wanted.clear();
            let same = asked.chunk_by(|(a, _), (b, _)| a == b).filter(|same| index.filter.may_have(same[0].0));
            same.for_each(|same| wanted.extend_from_slice(same));
            for some in wanted.chunk_by(|(a, _), (b, _)| bucket(*a, index.bits) == bucket(*b, index.bits)) {
                let place = bucket(some[0].0, index.bits);
                index.read(place..place + 1, &mut |bytes| {
                    let mut entries = bytes.as_chunks::<ENTRY>().0;
                    for (hash, at) in some {
                        entries = &entries[entries.partition_point(|entry| decode(entry).0 < *hash)..];
                        let those = entries.iter().map(decode).take_while(|(other, _)| other == hash);
                        found.extend(those.map(|(_, number)| (of, *at, number)));
                    }
                })?;
            }
        }
        Ok(found)
    }

    /// Gives those buckets one after the other, read together.
    fn read(&self, buckets: Range<usize>, take: &mut dyn FnMut(&[u8])) -> Result<(), StateError> {
        let end = |bucket: usize| bucket.checked_sub(1).map_or(0, |last| self.buckets[last].0);
        let (from, to) = (end(buckets.start), end(buckets.end));
        let bytes = self.extent.read(from * ENTRY as u64, (to - from) as usize * ENTRY)?;
        let mut rest = &bytes[..];
        for bucket in buckets {
            let (now, later) = rest.split_at((self.buckets[bucket].0 - end(bucket)) as usize * ENTRY);
            if sum(now) != self.buckets[bucket].1 {
                return Err(StateError::corrupted("an index of rows on the disk is not what was written"));
            }
            take(now);
            rest = later;
        }
        Ok(())
    }
}

/// An index that is being written.
struct Making {
    filling: Filling,
    buckets: Vec<(u64, u64)>,
    bits: u32,
    filter: Filter,
    hashes: usize,
    bytes: Vec<u8>,
}

impl Making {
    /// An index of so many entries at most.
    fn begin(entries: usize, hashes: usize, scratch: &Scratch) -> Result<Making, StateError> {
        let bits = (entries / BUCKET).next_power_of_two().trailing_zeros();
        let filling = scratch.begin((entries * ENTRY) as u64)?;
        Ok(Making { filling, buckets: Vec::with_capacity(1 << bits), bits, filter: Filter::new(hashes), hashes, bytes: Vec::new() })
    }

    fn all(&self) -> Range<usize> {
        0..1 << self.bits
    }

    /// Puts those buckets, which are next, and whose entries these are.
    fn put(&mut self, entries: &[Entry], buckets: Range<usize>) -> Result<(), StateError> {
        let (mut rest, mut end) = (entries.iter().peekable(), self.buckets.last().map_or(0, |(end, _)| *end));
        for place in buckets {
            self.bytes.clear();
            while let Some((hash, number)) = rest.next_if(|(hash, _)| bucket(*hash, self.bits) <= place) {
                self.filter.add(*hash);
                self.bytes.extend_from_slice(&hash.to_le_bytes());
                self.bytes.extend_from_slice(&number.to_le_bytes());
                end += 1;
            }
            self.buckets.push((end, sum(&self.bytes)));
            self.filling.put(&self.bytes)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<SortedIndex, StateError> {
        let Making { filling, buckets, bits, filter, hashes, .. } = self;
        Ok(SortedIndex { extent: filling.finish()?, buckets, bits, filter, hashes })
    }
}

/// The bucket of a hash, of two to the power of `bits`.
fn bucket(hash: u64, bits: u32) -> usize {
    hash.checked_shr(64 - bits).unwrap_or(0) as usize
}

fn sum(bucket: &[u8]) -> u64 {
    let words = bucket.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(bucket.len() as u64, mix)
}

fn decode(entry: &[u8; ENTRY]) -> Entry {
    let word = |at: usize| entry[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    (word(0), word(8))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    type Model = BTreeMap<u64, Vec<u64>>;

    /// Every hash of a range, asked for at once.
    fn check(indexes: &[&SortedIndex], models: &[&Model], hashes: u64) {
        let asked: Vec<u64> = (0..hashes).map(|n| mix(7, n)).collect();
        let mut found = SortedIndex::find(indexes, &asked).unwrap();
        found.sort_unstable();
        let mut expected: Vec<(u32, u32, u64)> = Vec::new();
        for (of, model) in (0..).zip(models) {
            for (at, hash) in (0..).zip(&asked) {
                expected.extend(model.get(hash).into_iter().flatten().map(|number| (of, at, *number)));
            }
        }
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_number_is_found_also_in_what_was_merged() {
        let mut random = SmallRng::seed_from_u64(3);
        let scratch = Scratch::new(None);
        for _ in 0..12 {
            let mut indexes = Vec::new();
            let mut models = Vec::new();
            for _ in 0..3 {
                let hashes = [1, 40, 3000][random.random_range(0..3)];
                let mut entries = Vec::new();
                let mut model = Model::new();
                for number in 0..[0, 10, 5000, 20_000][random.random_range(0..4)] {
                    let hash = mix(7, random.random_range(0..hashes));
                    entries.push((spread(hash), number));
                    model.entry(hash).or_default().push(number);
                }
                indexes.push(SortedIndex::of(entries, &scratch).unwrap());
                models.push(model);
            }
            check(&indexes.iter().collect::<Vec<_>>(), &models.iter().collect::<Vec<_>>(), 3100);
            let keep = |n: u64| -> Box<Keep> { Box::new(move |number| (number % 3 != 0).then_some(number * 10 + n)) };
            let from: Vec<_> = indexes.iter().zip(0..).map(|(index, n)| (index, keep(n))).collect();
            let whole = SortedIndex::merged(&from, &scratch).unwrap();
            let mut model = Model::new();
            for (of, from) in models.iter().enumerate() {
                for (hash, numbers) in from {
                    let kept = numbers.iter().filter(|number| *number % 3 != 0).map(|number| number * 10 + of as u64);
                    model.entry(*hash).or_default().extend(kept);
                }
            }
            drop(from);
            drop(indexes);
            check(&[&whole], &[&model], 3100);
            assert_eq!(whole.len(), model.values().map(Vec::len).sum::<usize>());
            assert!(whole.bytes() < 64 + 2 * size_of::<SortedIndex>() + 2 * whole.hashes + whole.buckets.len() * 16);
        }
    }

    #[test]
    fn what_is_not_as_it_was_written_is_an_error() {
        let scratch = Scratch::new(None);
        let mut index = SortedIndex::of((0..1000).map(|n| (spread(n), n)).collect(), &scratch).unwrap();
        assert!(SortedIndex::find(&[&index], &[500]).unwrap() == [(0, 0, 500)]);
        index.buckets.iter_mut().for_each(|(_, sum)| *sum ^= 1);
        assert!(matches!(SortedIndex::find(&[&index], &[500]), Err(StateError::Corrupted { .. })));
    }
}
