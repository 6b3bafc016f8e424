//! Entries and the store: what a checkpoint writes, what a start reads, and leaves that leave memory and come back.

use crate::state::error::StateError;
use crate::state::family::Family;
use crate::state::key_layout::{after_prefix, entry_key, entry_of, trace_prefix};
use crate::state::part::Part;
use crate::state::writes::Writes;

use super::entries::Entries;
use super::leaf::{Frozen, Leaf, Touched};
use super::leaf_in_store::LeafInStore;
use super::{Ordered, up_to};

/// Leaves that are read at once.
const AT_ONCE: usize = 256;

/// Before the value of a single entry.
const VALUE: u8 = 1;

impl Ordered {
    /// Learns what the store holds.
    pub fn load(&mut self) -> Result<(), StateError> {
        let (store, prefix) = (self.store.clone(), trace_prefix(self.id));
        store.scan_with(Family::Chunk, &prefix, &mut |key, value| {
            let (low, LeafInStore { part, live, bytes }) = entry_of(key).zip(LeafInStore::of(value)).ok_or_else(|| self.broken())?;
            let leaf = Leaf::away(self.next_number, part, live, bytes);
            self.next_number += 1;
            self.entries += live as usize;
            self.evicted += bytes as usize;
            self.away += 1;
            self.budget.away(true);
            self.leaves.insert(low.into(), leaf);
            Ok(())
        })?;
        let mut singles: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        store.scan_with(Family::Trace, &prefix, &mut |key, value| {
            let key = entry_of(key).ok_or_else(|| self.broken())?;
            singles.push((key.to_vec(), value.to_vec()));
            if singles.len() >= AT_ONCE {
                self.take_singles(std::mem::take(&mut singles))?;
            }
            Ok(())
        })?;
        self.take_singles(singles)
    }

    /// Takes in what lies in the store beside leaves.
    fn take_singles(&mut self, singles: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), StateError> {
        self.read_of(singles.iter().map(|(key, _)| &key[..]))?;
        for (key, value) in singles {
            let value = match value.split_first() {
                None => None,
                Some((&VALUE, value)) => Some(value),
                Some(_) => return Err(self.broken()),
            };
            self.update(&key, |_| Ok(value))?;
            if let Some((_, leaf)) = self.leaves.range_mut::<[u8], _>(up_to(&key)).next_back() {
                leaf.singles = true;
                // It is what the store has: but a leaf that was cut in two on the way has to be written.
                if let Touched::Keys(keys) = &mut leaf.touched {
                    keys.clear();
                }
            }
        }
        self.touched.retain(|low| self.leaves.get(low).is_some_and(|leaf| !leaf.touched.is_nothing()));
        Ok(())
    }

    fn broken(&self) -> StateError {
        StateError::corrupted(format!("an entry of trace {} cannot be read", self.id))
    }

    /// Reads those leaves into memory that are not there, by the least keys of their stretches.
    pub fn read(&mut self, lows: &[Box<[u8]>]) -> Result<(), StateError> {
        let wanted = lows.iter().filter_map(|low| {
            let leaf = self.leaves.get(low).filter(|leaf| leaf.away.is_some())?;
            Some((low, leaf.stored))
        });
        let wanted: Vec<_> = wanted.collect();
        for some in wanted.chunks(AT_ONCE) {
            let parts = some.iter().map(|(_, part)| *part).collect::<Option<Vec<_>>>().ok_or_else(|| self.broken())?;
            for ((low, _), bytes) in some.iter().zip(self.blobs.get(&parts)?) {
                self.take_in(low, &bytes)?;
            }
            self.counts.read += some.len() as u64;
        }
        Ok(())
    }

    /// Takes a leaf, as it is stored, into memory again.
    fn take_in(&mut self, low: &[u8], bytes: &[u8]) -> Result<(), StateError> {
        let entries = Entries::of(bytes).ok_or_else(|| self.broken())?;
        let now = self.budget.now();
        let Some(leaf) = self.leaves.get_mut(low) else { return Ok(()) };
        let took = leaf.away.unwrap_or(0);
        let whole = leaf.take(entries);
        leaf.used = now;
        let bytes = leaf.bytes();
        self.evicted -= took as usize;
        self.away -= 1;
        self.budget.away(false);
        self.takes(0, bytes);
        if whole { Ok(()) } else { Err(self.broken()) }
    }

    /// The leaves that may leave memory while no checkpoint is on its way, by their numbers. The others are written whole by the
    /// next checkpoint, unless they change.
    pub fn clean(&mut self) -> Vec<Part> {
        let there = self.leaves.iter().filter(|(_, leaf)| leaf.away.is_none() && leaf.touched.is_nothing());
        let (clean, others): (Vec<_>, Vec<_>) = there.partition(|(_, leaf)| leaf.is_stored());
        self.to_write = others.into_iter().filter(|(_, leaf)| leaf.singles).map(|(low, _)| low.clone()).collect();
        clean.into_iter().map(|(_, leaf)| Part { used: leaf.used, bytes: leaf.bytes(), place: leaf.number as usize }).collect()
    }

    /// Lets leaves leave memory, by their numbers, if they may.
    pub fn evict(&mut self, numbers: &[usize]) {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        let mut gone = 0;
        for leaf in self.leaves.values_mut() {
            if leaf.away.is_none() && leaf.is_stored() && numbers.binary_search(&(leaf.number as usize)).is_ok() {
                gone += leaf.bytes();
                leaf.evict();
                self.evicted += leaf.away.unwrap_or(0) as usize;
                self.away += 1;
                self.budget.away(true);
            }
        }
        self.takes(gone, 0);
    }

    /// The leaves that are not in memory, as [`Ordered::clean`] tells of others.
    pub fn leaves_away(&self) -> Vec<Part> {
        let part = |leaf: &Leaf| Some(Part { used: leaf.used, bytes: leaf.away? as usize, place: leaf.number as usize });
        self.leaves.values().filter_map(part).collect()
    }

    /// Reads leaves into memory, by their numbers.
    pub fn hold(&mut self, numbers: &[usize]) -> Result<(), StateError> {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        let wanted = self.leaves.iter().filter(|(_, leaf)| numbers.binary_search(&(leaf.number as usize)).is_ok());
        let lows: Vec<Box<[u8]>> = wanted.map(|(low, _)| low.clone()).collect();
        self.read(&lows)
    }

    /// Puts into `writes` what makes the store hold the entries, and counts on it being written.
    pub fn write_changes(&mut self, writes: &mut Writes) {
        if std::mem::take(&mut self.cleared) {
            writes.delete_prefix(Family::Trace, trace_prefix(self.id));
        }
        let mut parts = Vec::new();
        for (low, part) in std::mem::take(&mut self.gone) {
            writes.delete(Family::Chunk, entry_key(self.id, &low));
            parts.push(part);
        }
        let is_pressed = self.budget.presses();
        let mut whole = std::mem::take(&mut self.to_write);
        for low in std::mem::take(&mut self.touched) {
            let Some(leaf) = self.leaves.get_mut(&low) else { continue };
            match std::mem::take(&mut leaf.touched) {
                Touched::Keys(keys) if leaf.live() > 0 && !is_pressed => {
                    leaf.singles |= !keys.is_empty();
                    let keys = keys.iter().map(|key| (key, leaf.entries().find(key).ok().and_then(|at| leaf.entries().get(at))));
                    for (key, entry) in keys {
                        let single = entry_key(self.id, key);
                        match entry {
                            Some((_, value)) => writes.put(Family::Trace, single, [&[VALUE][..], value].concat()),
                            None if leaf.stored.is_some() => writes.put(Family::Trace, single, []),
                            None => writes.delete(Family::Trace, single),
                        }
                    }
                }
                touched => whole.extend((!touched.is_nothing()).then_some(low)),
            }
        }
        whole.sort_unstable();
        whole.dedup();
        self.write_whole(&whole, &mut parts, writes);
        writes.delete_parts(parts);
    }

    /// Writes leaves whole, in the place of what the store has of their stretches, which goes: `parts` of blobs.
    fn write_whole(&mut self, lows: &[Box<[u8]>], parts: &mut Vec<(u64, u32)>, writes: &mut Writes) {
        let (id, mut frozen, mut named) = (self.id, Frozen::default(), Vec::new());
        for low in lows {
            let Some(leaf) = self.leaves.get_mut(low).filter(|leaf| leaf.away.is_none()) else { continue };
            let had_singles = std::mem::take(&mut leaf.singles);
            let was = leaf.stored.take();
            parts.extend(was);
            match leaf.live() {
                0 if was.is_none() => {}
                0 => writes.delete(Family::Chunk, entry_key(id, low)),
                _ => named.push((low, frozen.add(leaf), leaf.live() as u32, leaf.bytes() as u32)),
            }
            if had_singles {
                let next = self.leaves.range::<[u8], _>((std::ops::Bound::Excluded(&low[..]), std::ops::Bound::Unbounded)).next();
                let from = entry_key(id, low);
                match next.map(|(next, _)| entry_key(id, next)).or_else(|| after_prefix(&trace_prefix(id))) {
                    Some(to) => writes.delete_range(Family::Trace, from, to),
                    None => writes.delete_prefix(Family::Trace, from),
                }
            }
        }
        if frozen.is_empty() {
            return;
        }
        let bytes = frozen.bytes();
        let blob = self.blobs.put(Box::new(frozen), bytes, writes);
        for (low, part, live, bytes) in named {
            writes.put(Family::Chunk, entry_key(id, low), LeafInStore { part: (blob, part), live, bytes }.to_bytes());
            if let Some(leaf) = self.leaves.get_mut(low) {
                leaf.stored = Some((blob, part));
            }
        }
    }
}
