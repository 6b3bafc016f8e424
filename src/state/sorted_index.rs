//! An index that lies in the store: numbers by hash, sorted, in buckets of some hundred; in memory is a [`Filter`] alone.
//!
//! An index never changes. It is made of entries, or of other indexes, which are read while it is written. It is of use to
//! the process that made it and to no other: as a blob it counts as dead from the first, so that the next start deletes it.
//!
//! ```text
//! the blob's parts: the buckets, each entries of 16 bytes, sorted: hash | number, little endian
//! ```

use std::sync::{Arc, OnceLock};

use super::blob::Blob;
use super::blobs::Blobs;
use super::error::StateError;
use super::filter::Filter;
use super::writes::Writes;

/// A hash and what it leads to.
pub type Entry = (u64, u64);

pub struct SortedIndex {
    stored: Arc<Stored>,
    /// There once the index is written.
    filter: Arc<OnceLock<Filter>>,
    entries: usize,
    /// Different hashes, or more.
    hashes: usize,
}

/// The blob of an index.
struct Stored {
    blobs: Arc<Blobs>,
    number: u64,
    /// There are two to the power of that many buckets.
    bits: u32,
}

/// What becomes of the number of an entry in the index that its own becomes a part of; `None` for one that is left out.
pub type Keep = Box<dyn Fn(u64) -> Option<u64> + Send + Sync>;

const ENTRY: usize = 16;
/// Entries of a bucket, about.
const BUCKET: usize = 256;
/// Buckets that are read at once.
const AT_ONCE: usize = 256;

/// The hash as entries are sorted by it: the hashes of a shard have bits in common, and tables go by others.
pub fn spread(hash: u64) -> u64 {
    // Odd, so no two hashes become one.
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl SortedIndex {
    /// An index of those entries, whose hashes are spread; it is there when `writes` are written.
    pub fn of(mut entries: Vec<Entry>, blobs: &Arc<Blobs>, writes: &mut Writes) -> Result<SortedIndex, StateError> {
        entries.sort_unstable();
        let count = entries.len();
        let hashes = entries.chunk_by(|(a, _), (b, _)| a == b).count();
        SortedIndex::put(Origin::Entries(entries), (count, hashes), blobs, writes)
    }

    /// An index of what others have, whose entries are kept as said.
    pub fn merged(from: Vec<(&SortedIndex, Keep)>, blobs: &Arc<Blobs>, writes: &mut Writes) -> Result<SortedIndex, StateError> {
        let count = from.iter().map(|(index, _)| index.entries).sum();
        let hashes = from.iter().map(|(index, _)| index.hashes).sum();
        let from = from.into_iter().map(|(index, keep)| (index.stored.clone(), keep)).collect();
        SortedIndex::put(Origin::Indexes(from), (count, hashes), blobs, writes)
    }

    fn put(from: Origin, (entries, hashes): (usize, usize), blobs: &Arc<Blobs>, writes: &mut Writes) -> Result<SortedIndex, StateError> {
        let bits = (entries / BUCKET).next_power_of_two().trailing_zeros();
        let filter = Arc::new(OnceLock::new());
        let written = Written { from, bits, hashes, filter: filter.clone() };
        let number = blobs.put_dead(Arc::new(written), (1 << bits, entries * ENTRY), writes)?;
        Ok(SortedIndex { stored: Arc::new(Stored { blobs: blobs.clone(), number, bits }), filter, entries, hashes })
    }

    pub fn len(&self) -> usize {
        self.entries
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<SortedIndex>() + self.filter.get().map_or(0, Filter::bytes)
    }

    fn may_have(&self, hash: u64) -> bool {
        self.filter.get().is_none_or(|filter| filter.may_have(hash))
    }

    /// What those indexes have of the hashes: the position of the index, that of the hash, and the number. In no order.
    pub fn find(indexes: &[&SortedIndex], hashes: &[u64]) -> Result<Vec<(u32, u32, u64)>, StateError> {
        let Some(first) = indexes.first() else { return Ok(Vec::new()) };
        let mut wanted: Vec<((u64, u32), u32, u32)> = Vec::new();
        for (of, index) in (0..).zip(indexes) {
            for (at, hash) in (0..).zip(hashes.iter().map(|hash| spread(*hash))) {
                if index.may_have(hash) {
                    wanted.push(((index.stored.number, index.stored.bucket(hash)), of, at));
                }
            }
        }
        wanted.sort_unstable();
        let mut found = Vec::new();
        let by_bucket: Vec<&[((u64, u32), u32, u32)]> = wanted.chunk_by(|(a, ..), (b, ..)| a == b).collect();
        for some in by_bucket.chunks(AT_ONCE) {
            let places: Vec<(u64, u32)> = some.iter().map(|wanted| wanted[0].0).collect();
            for (wanted, bytes) in some.iter().zip(first.stored.blobs.get(&places)?) {
                let (entries, _) = bytes.as_chunks::<ENTRY>();
                for (_, of, at) in wanted.iter() {
                    let hash = spread(hashes[*at as usize]);
                    let begin = entries.partition_point(|entry| decode(entry).0 < hash);
                    let those = entries[begin..].iter().map(decode).take_while(|(other, _)| *other == hash);
                    found.extend(those.map(|(_, number)| (*of, *at, number)));
                }
            }
        }
        Ok(found)
    }
}

impl Stored {
    fn bucket(&self, hash: u64) -> u32 {
        hash.checked_shr(64 - self.bits).unwrap_or(0) as u32
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.blobs.let_go(self.number, 1 << self.bits);
    }
}

/// An index on its way to the store.
struct Written {
    from: Origin,
    bits: u32,
    hashes: usize,
    filter: Arc<OnceLock<Filter>>,
}

enum Origin {
    Entries(Vec<Entry>),
    Indexes(Vec<(Arc<Stored>, Keep)>),
}

impl Blob for Written {
    fn parts(&self, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        let mut filter = Filter::new(self.hashes);
        match &self.from {
            Origin::Entries(entries) => self.buckets(entries, 0..1 << self.bits, &mut filter, put)?,
            Origin::Indexes(indexes) => {
                // In steps of buckets that are whole in all of them.
                let common = indexes.iter().map(|(index, _)| index.bits).fold(self.bits, u32::min);
                let most = indexes.iter().map(|(index, _)| 1usize << (index.bits - common)).sum::<usize>();
                let steps = (AT_ONCE / most.max(1)).max(1);
                for begin in (0..1usize << common).step_by(steps) {
                    let end = (begin + steps).min(1 << common);
                    let entries = read(indexes, common, begin..end)?;
                    let shift = self.bits - common;
                    self.buckets(&entries, begin << shift..end << shift, &mut filter, put)?;
                }
            }
        }
        // The same as before when it is written twice.
        let _ = self.filter.set(filter);
        Ok(())
    }
}

impl Written {
    /// Puts those buckets, whose entries these are.
    fn buckets(
        &self,
        entries: &[Entry],
        buckets: std::ops::Range<usize>,
        filter: &mut Filter,
        put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        entries.iter().for_each(|(hash, _)| filter.add(*hash));
        let (mut rest, mut bytes) = (entries, Vec::new());
        for bucket in buckets {
            let here = rest.partition_point(|(hash, _)| hash.checked_shr(64 - self.bits).unwrap_or(0) as usize <= bucket);
            let (now, later) = rest.split_at(here);
            bytes.clear();
            bytes.extend(now.iter().flat_map(|(hash, number)| [hash.to_le_bytes(), number.to_le_bytes()]).flatten());
            put(&bytes)?;
            rest = later;
        }
        Ok(())
    }
}

/// The kept entries of some buckets, which are counted as if there were two to the power of `bits`.
fn read(indexes: &[(Arc<Stored>, Keep)], bits: u32, buckets: std::ops::Range<usize>) -> Result<Vec<Entry>, StateError> {
    let mut entries = Vec::new();
    for (index, keep) in indexes {
        let shift = index.bits - bits;
        let places: Vec<(u64, u32)> = (buckets.start << shift..buckets.end << shift).map(|part| (index.number, part as u32)).collect();
        for bytes in index.blobs.get(&places)? {
            let kept = bytes.as_chunks::<ENTRY>().0.iter().map(decode).filter_map(|(hash, number)| Some((hash, keep(number)?)));
            entries.extend(kept);
        }
    }
    entries.sort_unstable();
    Ok(entries)
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
    use crate::state::{Family, Store};
    use crate::zset::key_columns::mix;

    type Model = BTreeMap<u64, Vec<u64>>;

    fn write(store: &Store, writes: Writes, ahead: bool) {
        let mut writes = writes;
        if ahead {
            store.write_ahead(&mut writes).unwrap();
        }
        store.write(writes, false).unwrap();
    }

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
        for round in 0..12 {
            let store = Arc::new(Store::memory());
            let blobs = Arc::new(Blobs::new(store.clone()));
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
                let mut writes = Writes::new();
                indexes.push(SortedIndex::of(entries, &blobs, &mut writes).unwrap());
                models.push(model);
                write(&store, writes, round % 2 == 0);
            }
            check(&indexes.iter().collect::<Vec<_>>(), &models.iter().collect::<Vec<_>>(), 3100);
            let keep = |n: u64| -> Keep { Box::new(move |number| (number % 3 != 0).then_some(number * 10 + n)) };
            let mut writes = Writes::new();
            let from = indexes.iter().zip(0..).map(|(index, n)| (index, keep(n))).collect();
            let whole = SortedIndex::merged(from, &blobs, &mut writes).unwrap();
            write(&store, writes, round % 2 == 0);
            let mut model = Model::new();
            for (of, from) in models.iter().enumerate() {
                for (hash, numbers) in from {
                    let kept = numbers.iter().filter(|number| *number % 3 != 0).map(|number| number * 10 + of as u64);
                    model.entry(*hash).or_default().extend(kept);
                }
            }
            check(&[&whole], &[&model], 3100);
            assert!(whole.bytes() < 64 + size_of::<SortedIndex>() + 2 * whole.hashes);
            // What nobody holds is deleted, and of what is left when the process ends the next one deletes all.
            drop(indexes);
            let mut writes = Writes::new();
            blobs.bury(&mut writes).unwrap();
            write(&store, writes, false);
            assert_eq!(store.scan(Family::Blob, &[]).unwrap().len(), 1 << whole.stored.bits);
            check(&[&whole], &[&model], 3100);
            let mut writes = Writes::new();
            Blobs::new(store.clone()).bury(&mut writes).unwrap();
            write(&store, writes, false);
            assert!(store.scan(Family::Blob, &[]).unwrap().is_empty() && store.scan(Family::Meta, b"dead/").unwrap().is_empty());
        }
    }
}
