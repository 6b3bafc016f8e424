//! Entries in the order of their keys: bytes by key bytes, what traces and cells keep. They lie in leaves of a few kilobytes,
//! each of a stretch of keys, without an allocation an entry. A leaf that has become too large is two; one that has become
//! small goes into the one before it.
//!
//! Touched keys are noted; a checkpoint writes those entries and forgets the notes. A leaf of which much was touched is
//! written whole; those of one checkpoint become a blob. They are frozen for that, not copied. A single entry that was touched is
//! written beside its leaf, and counts before it.
//!
//! Leaves that the store has whole may leave memory; what stretches there are stays. Whoever is going to look for keys has the
//! leaves read that these may be on, all at once. A start reads none but those beside which there are single entries.
//!
//! ```text
//! chunk: trace | least key of the stretch -> blob, 8 bytes | part, 4 bytes: the leaf, see entries.rs
//!                                            | its entries, 4 bytes | its bytes, 4 bytes
//! trace: trace | key -> 1, 1 byte | value; empty for an entry of the leaf that is gone
//! ```
//!
//! Numbers are big endian.

mod away;
mod entries;
mod leaf;
mod leaf_in_store;
mod look;
mod stored;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::types::TraceId;

use super::blobs::Blobs;
use super::budget::Budget;
use super::error::StateError;
use super::store::Store;
use super::usage::PageCounts;

use leaf::{Leaf, Touched};

pub(super) use away::{Away, Entry};
pub(super) use leaf_in_store::LeafInStore;

/// Bytes of keys and values in a leaf at most, unless it has one entry.
const MOST: usize = 4 << 10;
/// A leaf of fewer is put into the one before it, if both are of at most [`TOGETHER`].
const FEW: usize = MOST / 4;
const TOGETHER: usize = MOST / 4 * 3;

/// What a leaf costs beyond its entries: its place among the leaves, and the key that its stretch begins with. An estimate.
const LEAF_BYTES: usize = size_of::<Leaf>() + 48;

pub(super) struct Ordered {
    id: TraceId,
    /// By the least key of their stretches; there is always one of the least key of all.
    leaves: BTreeMap<Box<[u8]>, Leaf>,
    next_number: u32,
    /// The leaves with something touched, by the least keys of their stretches; some may be no more.
    touched: Vec<Box<[u8]>>,
    /// Leaves that are to be written whole, so that they can leave memory.
    to_write: Vec<Box<[u8]>>,
    /// What the store has of leaves that are no more.
    gone: Vec<(Box<[u8]>, (u64, u32))>,
    /// Whether all was taken away that the store has: it goes first.
    cleared: bool,
    store: Arc<Store>,
    blobs: Arc<Blobs>,
    budget: Arc<Budget>,
    entries: usize,
    /// Bytes of leaves in memory, and of those that are in the store alone.
    resident: usize,
    evicted: usize,
    /// How many leaves are in the store alone.
    away: usize,
    counts: PageCounts,
}

impl Ordered {
    pub(super) fn new(id: TraceId, (store, blobs): (Arc<Store>, Arc<Blobs>), budget: Arc<Budget>) -> Ordered {
        Ordered {
            id,
            leaves: BTreeMap::from([(Box::default(), Leaf::default())]),
            next_number: 1,
            touched: Vec::new(),
            to_write: Vec::new(),
            gone: Vec::new(),
            cleared: false,
            store,
            blobs,
            budget,
            entries: 0,
            resident: 0,
            evicted: 0,
            away: 0,
            counts: PageCounts::default(),
        }
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// Memory in bytes, an estimate.
    pub(super) fn bytes(&self) -> usize {
        // The first leaf is always there.
        (self.leaves.len() - 1) * LEAF_BYTES + self.resident
    }

    /// What leaves took that are in the store alone, and how often one was wanted.
    pub(super) fn evicted(&self) -> (usize, PageCounts) {
        (self.evicted, self.counts)
    }

    /// Gives the key's entry the value that `change` makes of the one it has; none is no entry.
    ///
    /// # Errors
    /// Those of `change`, before anything is changed; when a leaf cannot be read.
    pub(super) fn update<V: AsRef<[u8]>>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(Option<&[u8]>) -> Result<Option<V>, StateError>,
    ) -> Result<(), StateError> {
        if let Some(low) = self.away_at(key) {
            self.read(&[low])?;
        }
        let now = self.budget.now();
        let Some((low, leaf)) = self.leaves.range_mut::<[u8], _>(up_to(key)).next_back() else { return Ok(()) };
        let found = leaf.entries().find(key);
        let before = found.ok().and_then(|at| leaf.entries().get(at)).map(|(_, value)| value);
        let after = change(before)?;
        let after = after.as_ref().map(AsRef::as_ref);
        if before == after {
            return Ok(());
        }
        if leaf.touch(key) {
            self.touched.push(low.clone());
        }
        leaf.used = now;
        let bytes = leaf.bytes();
        let is_last = leaf.change(|entries| match (found, after) {
            (Ok(at), Some(value)) => {
                entries.set(at, value);
                false
            }
            (Err(at), Some(value)) => {
                entries.insert(at, key, value);
                at + 1 == entries.len()
            }
            (Ok(at), None) => {
                entries.remove(at);
                false
            }
            (Err(_), None) => false,
        });
        let (size, live, after_bytes) = (leaf.entries().size(), leaf.live(), leaf.bytes());
        self.entries = self.entries + usize::from(after.is_some()) - usize::from(found.is_ok());
        self.takes(bytes, after_bytes);
        if size > MOST && live > 1 {
            self.split(key, is_last);
        } else if size < FEW && found.is_ok() {
            self.put_together(key);
        }
        Ok(())
    }

    /// Takes all entries away.
    pub(super) fn clear(&mut self) {
        // What the store has of them goes with the next checkpoint.
        let stored = self.leaves.iter().filter_map(|(low, leaf)| Some((low.clone(), leaf.stored?)));
        let gone: Vec<_> = std::mem::take(&mut self.gone).into_iter().chain(stored).collect();
        let (id, parts) = (self.id, (self.store.clone(), self.blobs.clone()));
        let mut empty = Ordered::new(id, parts, self.budget.clone());
        (empty.gone, empty.cleared, empty.counts, empty.next_number) = (gone, true, self.counts, self.next_number);
        *self = empty;
    }

    /// Makes two of the leaf that the key is on: the last of its entries alone leaves it where entries come in order.
    fn split(&mut self, key: &[u8], is_last: bool) {
        let number = self.next_number;
        let Some((low, leaf)) = self.leaves.range_mut::<[u8], _>(up_to(key)).next_back() else { return };
        let (bytes, size) = (leaf.bytes(), leaf.entries().size());
        let half = || {
            let mut sum = 0;
            let at = leaf.entries().iter().position(|(key, value)| {
                sum += key.len() + value.len();
                sum * 2 >= size
            });
            at.map_or(1, |at| at + 1)
        };
        let at = if is_last { leaf.live() - 1 } else { half().clamp(1, leaf.live() - 1) };
        let right = leaf.change(|entries| entries.split_off(at));
        let (Some((before, _)), Some((first, _))) = (leaf.entries().iter().next_back(), right.get(0)) else { return };
        let right_low = between(before, first).into();
        if leaf.touched.is_nothing() {
            self.touched.push(low.clone());
        }
        leaf.touched = Touched::Whole;
        let right = Leaf::right(number, right, leaf);
        let after = leaf.bytes() + right.bytes();
        self.touched.push(Box::clone(&right_low));
        self.leaves.insert(right_low, right);
        self.next_number += 1;
        self.takes(bytes, after);
    }

    /// Puts the leaf that the key is on into the one before it, if there is room.
    fn put_together(&mut self, key: &[u8]) {
        let mut near = self.leaves.range::<[u8], _>(up_to(key));
        let (Some((low, small)), Some((_, before))) = (near.next_back(), near.next_back()) else { return };
        if before.away.is_some() || small.entries().size() + before.entries().size() > TOGETHER {
            return;
        }
        let low = low.clone();
        let Some(small) = self.leaves.remove(&low) else { return };
        let Some((before_low, before)) = self.leaves.range_mut::<[u8], _>(up_to(&low)).next_back() else { return };
        let bytes = small.bytes() + before.bytes();
        before.change(|entries| entries.append(small.entries()));
        if before.touched.is_nothing() {
            self.touched.push(before_low.clone());
        }
        before.touched = Touched::Whole;
        before.singles |= small.singles;
        before.used = before.used.max(small.used);
        let after = before.bytes();
        self.gone.extend(small.stored.map(|part| (low, part)));
        self.takes(bytes, after);
    }

    /// Counts that leaves take so many bytes where they took others.
    fn takes(&mut self, before: usize, after: usize) {
        if after != before {
            self.resident = self.resident + after - before;
            self.budget.more(after);
            self.budget.less(before);
        }
    }
}

impl Drop for Ordered {
    fn drop(&mut self) {
        self.budget.less(self.resident);
        // Who counts what is in the store alone need not come back to it.
        (0..self.away).for_each(|_| self.budget.away(false));
    }
}

fn up_to(key: &[u8]) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (Bound::Unbounded, Bound::Included(key))
}

/// The shortest beginning of `right` that is greater than `left`, which is less.
fn between<'a>(left: &[u8], right: &'a [u8]) -> &'a [u8] {
    let same = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    &right[..(same + 1).min(right.len())]
}

#[cfg(test)]
mod tests;
