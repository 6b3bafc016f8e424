//! Entries in memory, and what of them the store does not have yet.
//!
//! 1. All entries live in a persistent ordered map: a snapshot is a copy of its root.
//! 2. The first change of an entry since the last checkpoint notes what the store holds for it. That is all the
//!    bookkeeping there is: a checkpoint writes the noted entries, and forgets the notes. A note goes when the entry is again what
//!    the store holds†.
//! 3. Clearing notes one thing, that the store's whole range goes; from then on the store counts as empty.
//!
//! † So an entry that came and went between two checkpoints, or changed and changed back, costs the store nothing.

use std::sync::Arc;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use imbl::OrdMap;

use crate::types::TraceId;

use super::error::StateError;
use super::family::Family;
use super::key_layout::{entry_key, entry_of, trace_prefix};
use super::store::Store;
use super::writes::Writes;

/// Row bytes, or key bytes of cells. Shared by the map, its snapshots and the notes.
pub(super) type Key = Arc<[u8]>;

/// What an entry costs beyond its bytes: the map's and the key's headers. An estimate.
const ENTRY_BYTES: usize = 56;

/// A value that entries can have.
pub(super) trait Value: Clone + PartialEq {
    fn to_bytes(&self) -> Vec<u8>;
    /// `None` for bytes that are not of such a value.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
    fn len(&self) -> usize;
}

/// A row's weight.
impl Value for i64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<i64> {
        bytes.try_into().ok().map(i64::from_be_bytes)
    }

    fn len(&self) -> usize {
        8
    }
}

/// A cell's bytes.
impl Value for Arc<[u8]> {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Arc<[u8]>> {
        Some(bytes.into())
    }

    fn len(&self) -> usize {
        <[u8]>::len(self) + 16
    }
}

pub(super) struct Resident<V: Value> {
    entries: OrdMap<Key, V>,
    /// What the store holds for the entries that changed.
    notes: HashMap<Key, Option<V>>,
    cleared: bool,
    bytes: usize,
}

impl<V: Value> Resident<V> {
    pub(super) fn new() -> Resident<V> {
        Resident { entries: OrdMap::new(), notes: HashMap::new(), cleared: false, bytes: 0 }
    }

    /// What the store holds of the trace.
    pub(super) fn load(store: &Store, trace: TraceId) -> Result<Resident<V>, StateError> {
        let mut loaded = Resident::new();
        store.scan_with(Family::Trace, &trace_prefix(trace), &mut |key, value| {
            let entry = entry_of(key).zip(V::from_bytes(value));
            let (key, value) = entry.ok_or_else(|| StateError::corrupted(format!("an entry of trace {trace} cannot be read")))?;
            loaded.bytes += cost(key, &value);
            loaded.entries.insert(key.into(), value);
            Ok(())
        })?;
        Ok(loaded)
    }

    pub(super) fn entries(&self) -> &OrdMap<Key, V> {
        &self.entries
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Memory in bytes: an estimate, notes not counted.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives the entry another value, or removes it.
    pub(super) fn set(&mut self, key: &[u8], value: Option<V>) {
        let (key, before) = match self.entries.get_key_value(key) {
            Some((key, before)) => (key.clone(), Some(before.clone())),
            None => (Key::from(key), None),
        };
        self.bytes -= before.as_ref().map_or(0, |before| cost(&key, before));
        self.bytes += value.as_ref().map_or(0, |value| cost(&key, value));
        match self.notes.entry(key.clone()) {
            Entry::Vacant(note) => drop(note.insert(before)),
            // It is what the store has again.
            Entry::Occupied(note) if *note.get() == value => drop(note.remove()),
            Entry::Occupied(_) => {}
        }
        match value {
            Some(value) => self.entries.insert(key, value),
            None => self.entries.remove(&key),
        };
    }

    /// Removes all entries and returns them.
    pub(super) fn clear(&mut self) -> OrdMap<Key, V> {
        self.notes.clear();
        self.cleared = true;
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }

    /// Puts into `writes` what makes the store hold the entries, and counts on it being written.
    pub(super) fn write_changes(&mut self, trace: TraceId, writes: &mut Writes) {
        if std::mem::take(&mut self.cleared) {
            writes.delete_prefix(Family::Trace, trace_prefix(trace));
        }
        // In the order of keys, which the store takes much faster.
        let mut noted: Vec<Key> = self.notes.drain().map(|(key, _)| key).collect();
        noted.sort_unstable();
        for key in noted {
            match self.entries.get(&key) {
                Some(value) => writes.put(Family::Trace, entry_key(trace, &key), value.to_bytes()),
                None => writes.delete(Family::Trace, entry_key(trace, &key)),
            }
        }
    }
}

fn cost<V: Value>(key: &[u8], value: &V) -> usize {
    ENTRY_BYTES + key.len() + value.len()
}
