//! The entries of a leaf: keys with their values in one run of bytes, in the order of the keys, in memory as in the store.
//!
//! ```text
//! entry: length of the key, 7 bits a byte, the last one without the highest bit | key | value
//! stored: number of entries, 4 bytes | where each begins among the entries, 4 bytes each | entries
//! ```
//!
//! Numbers are little endian.

use std::ops::Range;

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Entries {
    starts: Vec<u32>,
    bytes: Vec<u8>,
}

impl Entries {
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Bytes of keys and values.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Memory in bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * size_of::<u32>()
    }

    /// The key and the value of the entry there.
    pub fn get(&self, at: usize) -> Option<(&[u8], &[u8])> {
        let (length, rest) = length_of(self.bytes.get(self.span(at)?)?)?;
        rest.split_at_checked(length)
    }

    fn key(&self, at: usize) -> &[u8] {
        self.get(at).map_or(&[], |(key, _)| key)
    }

    /// Where the key's entry is, or where it would be.
    pub fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let at = self.from(key);
        if self.get(at).is_some_and(|(there, _)| there == key) { Ok(at) } else { Err(at) }
    }

    /// Where the first entry is whose key is not less.
    pub fn from(&self, key: &[u8]) -> usize {
        let (mut first, mut end) = (0, self.len());
        while first < end {
            let middle = first.midpoint(end);
            match self.key(middle) < key {
                true => first = middle + 1,
                false => end = middle,
            }
        }
        first
    }

    /// Puts an entry before the one that is there; its key is between those of its neighbours.
    pub fn insert(&mut self, at: usize, key: &[u8], value: &[u8]) {
        let start = self.starts.get(at).map_or(self.bytes.len(), |start| *start as usize);
        let length = Length::of(key.len());
        let size = length.bytes().len() + key.len() + value.len();
        grow(&mut self.bytes, size);
        let end = self.bytes.len();
        self.bytes.resize(end + size, 0);
        self.bytes.copy_within(start..end, start + size);
        let (head, rest) = self.bytes[start..start + size].split_at_mut(length.bytes().len());
        head.copy_from_slice(length.bytes());
        rest[..key.len()].copy_from_slice(key);
        rest[key.len()..].copy_from_slice(value);
        grow(&mut self.starts, 1);
        self.starts.insert(at, start as u32);
        self.starts[at + 1..].iter_mut().for_each(|start| *start += size as u32);
    }

    pub fn remove(&mut self, at: usize) {
        let Some(span) = self.span(at) else { return };
        let size = span.len() as u32;
        self.bytes.drain(span);
        self.starts.remove(at);
        self.starts[at..].iter_mut().for_each(|start| *start -= size);
    }

    /// Gives the entry there another value.
    pub fn set(&mut self, at: usize, value: &[u8]) {
        let Some((span, (_, before))) = self.span(at).zip(self.get(at)) else { return };
        let there = span.end - before.len()..span.end;
        if there.len() == value.len() {
            self.bytes[there].copy_from_slice(value);
            return;
        }
        let (more, less) = (value.len().saturating_sub(there.len()) as u32, there.len().saturating_sub(value.len()) as u32);
        grow(&mut self.bytes, more as usize);
        self.bytes.splice(there, value.iter().copied());
        self.starts[at + 1..].iter_mut().for_each(|start| *start = *start + more - less);
    }

    /// Keeps the entries before that one, and gives the others.
    pub fn split_off(&mut self, at: usize) -> Entries {
        let start = self.starts.get(at).map_or(self.bytes.len(), |start| *start as usize);
        let starts = self.starts[at..].iter().map(|there| there - start as u32).collect();
        let right = Entries { starts, bytes: self.bytes[start..].to_vec() };
        self.bytes.truncate(start);
        self.starts.truncate(at);
        self.bytes.shrink_to_fit();
        self.starts.shrink_to_fit();
        right
    }

    /// Puts entries behind these whose keys are all greater.
    pub fn append(&mut self, right: &Entries) {
        let end = self.bytes.len() as u32;
        self.bytes.reserve_exact(right.bytes.len());
        self.bytes.extend_from_slice(&right.bytes);
        self.starts.reserve_exact(right.starts.len());
        self.starts.extend(right.starts.iter().map(|start| start + end));
    }

    /// All entries in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    pub fn stored(&self) -> Vec<u8> {
        let mut stored = Vec::with_capacity(4 + 4 * self.len() + self.size());
        stored.extend_from_slice(&(self.len() as u32).to_le_bytes());
        self.starts.iter().for_each(|start| stored.extend_from_slice(&start.to_le_bytes()));
        stored.extend_from_slice(&self.bytes);
        stored
    }

    /// `None` for bytes that are no entries, or not in order.
    pub fn of(stored: &[u8]) -> Option<Entries> {
        let (count, rest) = stored.split_first_chunk::<4>()?;
        let (starts, bytes) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(4)?)?;
        let (starts, _) = starts.as_chunks::<4>();
        let entries = Entries { starts: starts.iter().map(|start| u32::from_le_bytes(*start)).collect(), bytes: bytes.to_vec() };
        let begins = entries.starts.first().map_or(bytes.is_empty(), |first| *first == 0);
        let whole = (0..entries.len()).all(|at| entries.get(at).is_some());
        let ordered = (1..entries.len()).all(|at| entries.key(at - 1) < entries.key(at));
        (begins && whole && ordered).then_some(entries)
    }

    fn span(&self, at: usize) -> Option<Range<usize>> {
        let start = *self.starts.get(at)? as usize;
        Some(start..self.starts.get(at + 1).map_or(self.bytes.len(), |end| *end as usize))
    }
}

/// Makes room by a quarter at a time: a leaf is never much larger than it is.
fn grow<T>(vector: &mut Vec<T>, more: usize) {
    if vector.capacity() - vector.len() < more {
        vector.reserve_exact(more.max(vector.len() / 4));
    }
}

/// A length as it is written.
struct Length {
    bytes: [u8; 5],
    count: usize,
}

impl Length {
    fn of(length: usize) -> Length {
        let (mut rest, mut bytes, mut count) = (length as u32, [0; 5], 0);
        loop {
            let is_last = rest < 0x80;
            bytes[count] = (rest & 0x7f) as u8 | if is_last { 0 } else { 0x80 };
            (rest, count) = (rest >> 7, count + 1);
            if is_last {
                return Length { bytes, count };
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

/// The length that the bytes begin with, and the rest.
fn length_of(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (mut length, mut rest) = (0, bytes);
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        length |= usize::from(byte & 0x7f) << shift;
        rest = after;
        if *byte < 0x80 {
            return Some((length, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn golden_bytes() {
        let mut entries = Entries::default();
        entries.insert(0, b"b", b"");
        entries.insert(0, b"", b"v");
        assert_eq!(entries.stored(), [2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, b'v', 1, b'b']);
        assert_eq!(Length::of(300).bytes(), [0xac, 2]);
        assert_eq!(length_of(&[0xac, 2, 7]), Some((300, &[7][..])));
    }

    #[test]
    fn like_a_plain_map() {
        for seed in 0..20 {
            let mut random = SmallRng::seed_from_u64(seed);
            let mut entries = Entries::default();
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for _ in 0..400 {
                let key = vec![random.random_range(0..3u8); if random.random_bool(0.02) { 20_000 } else { random.random_range(0..6) }];
                let value = vec![random.random(); random.random_range(0..4)];
                match (entries.find(&key), random.random_bool(0.4)) {
                    (Ok(at), true) => {
                        entries.remove(at);
                        model.remove(&key);
                    }
                    (Ok(at), false) => {
                        entries.set(at, &value);
                        model.insert(key, value);
                    }
                    (Err(at), _) => {
                        entries.insert(at, &key, &value);
                        model.insert(key, value);
                    }
                }
                if random.random_bool(0.1) {
                    let right = entries.split_off(random.random_range(0..=entries.len()));
                    assert!(entries.get(entries.len()).is_none());
                    entries.append(&right);
                }
                assert!(entries.iter().eq(model.iter().map(|(key, value)| (&key[..], &value[..]))), "seed {seed}");
                assert_eq!(Entries::of(&entries.stored()).as_ref(), Some(&entries));
            }
        }
    }

    #[test]
    fn other_bytes_are_no_entries() {
        let mut entries = Entries::default();
        (0..9).for_each(|at| entries.insert(usize::from(at), &[at; 3], &[at]));
        let stored = entries.stored();
        for cut in 0..stored.len() {
            // The last value may end anywhere.
            assert_eq!(Entries::of(&stored[..cut]).is_none(), cut < stored.len() - 1, "{cut}");
        }
        for at in 0..stored.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut other = stored.clone();
                other[at] = byte;
                // Whatever it is, it is read without a panic.
                if let Some(entries) = Entries::of(&other) {
                    assert_eq!(entries.iter().count(), entries.len());
                }
            }
        }
    }
}
