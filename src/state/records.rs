//! Records: a few bytes of fixed size by key. What is kept of a group, a degree, a count.
//!
//! A key's record has a slot, a number that stays its own until it is removed. Keys and records lie in blocks, the index
//! is a table of slots by the hash of the key: no allocation a record, and nothing is moved when one is changed.
//! Touched slots are noted once; a checkpoint writes those records and forgets the notes.

use std::sync::{Arc, Mutex, MutexGuard};

use hashbrown::HashTable;

use crate::types::TraceId;
use crate::zset::key_columns::hash_bytes;

use super::error::StateError;
use super::family::Family;
use super::key_layout::{entry_key, entry_of, trace_prefix, vnode};
use super::key_space::{KeyPlace, KeySpace};
use super::store::Store;
use super::writes::Writes;

/// A handle; clones are the same records. Made by [`super::TraceSet::records`].
#[derive(Clone)]
pub struct Records {
    id: TraceId,
    table: Arc<Mutex<RecordTable>>,
}

/// The records themselves, locked for a step.
pub struct RecordTable {
    width: usize,
    index: HashTable<u32>,
    slots: Vec<Slot>,
    /// Records of [`BLOCK`] slots each.
    blocks: Vec<Box<[u8]>>,
    keys: KeySpace,
    free: Vec<u32>,
    dirty: Vec<u32>,
    /// Keys that the store has and that were removed.
    gone: Vec<Box<[u8]>>,
    cleared: bool,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    key: KeyPlace,
    live: bool,
    dirty: bool,
    stored: bool,
}

const BLOCK: usize = 4096;
/// What a record costs beyond its bytes and its key's: the slot, and its share of the index. An estimate.
const SLOT_BYTES: usize = size_of::<Slot>() + 6;

impl Records {
    pub(super) fn new(id: TraceId, table: RecordTable) -> Records {
        Records { id, table: Arc::new(Mutex::new(table)) }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    pub fn lock(&self) -> MutexGuard<'_, RecordTable> {
        self.table.lock().expect("no thread panics while it holds records")
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    pub(super) fn fingerprint(width: usize) -> String {
        format!("records of {width} bytes")
    }

    pub(super) fn width(&self) -> usize {
        self.lock().width
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) {
        self.lock().write_changes(self.id, writes);
    }
}

impl RecordTable {
    pub(super) fn new(width: usize) -> RecordTable {
        RecordTable {
            width,
            index: HashTable::new(),
            slots: Vec::new(),
            blocks: Vec::new(),
            keys: KeySpace::default(),
            free: Vec::new(),
            dirty: Vec::new(),
            gone: Vec::new(),
            cleared: false,
        }
    }

    /// What the store holds.
    pub(super) fn load(store: &Store, id: TraceId, width: usize) -> Result<RecordTable, StateError> {
        let mut table = RecordTable::new(width);
        store.scan_with(Family::Trace, &trace_prefix(id), &mut |key, value| {
            let key = entry_of(key).filter(|_| value.len() == width);
            let key = key.ok_or_else(|| StateError::corrupted(format!("a record of trace {id} cannot be read")))?;
            let slot = table.place(key);
            table.record_bytes(slot).copy_from_slice(value);
            table.slots[slot as usize].stored = true;
            Ok(())
        })?;
        Ok(table)
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn bytes(&self) -> usize {
        self.slots.len() * SLOT_BYTES + self.blocks.len() * BLOCK * self.width + self.keys.bytes()
    }

    /// The key's slot, if it has a record.
    pub fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = hash_bytes(key);
        let is_it = |slot: &u32| {
            let slot = &self.slots[*slot as usize];
            slot.hash == hash && self.keys.get(slot.key) == key
        };
        self.index.find(hash, is_it).copied()
    }

    /// Gives the key, which has none, a record of zeros; its slot.
    pub fn insert(&mut self, key: &[u8]) -> u32 {
        let slot = self.place(key);
        self.touch(slot);
        slot
    }

    pub fn record(&self, slot: u32) -> &[u8] {
        let at = slot as usize % BLOCK * self.width;
        &self.blocks[slot as usize / BLOCK][at..at + self.width]
    }

    /// The record, to be changed.
    pub fn record_mut(&mut self, slot: u32) -> &mut [u8] {
        self.touch(slot);
        self.record_bytes(slot)
    }

    /// Takes the slot's record away.
    pub fn remove(&mut self, slot: u32) {
        let Slot { hash, key, stored, .. } = self.slots[slot as usize];
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
        if stored {
            self.gone.push(self.keys.get(key).into());
        }
        self.keys.free(key);
        self.slots[slot as usize].live = false;
        self.slots[slot as usize].stored = false;
        self.record_bytes(slot).fill(0);
        self.free.push(slot);
        self.compact_keys();
    }

    /// Takes every record away.
    pub fn clear(&mut self) {
        *self = RecordTable { cleared: true, ..RecordTable::new(self.width) };
    }

    /// All keys with their records, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let live = (0u32..).zip(&self.slots).filter(|(_, slot)| slot.live);
        live.map(|(number, slot)| (self.keys.get(slot.key), self.record(number)))
    }

    fn record_bytes(&mut self, slot: u32) -> &mut [u8] {
        let at = slot as usize % BLOCK * self.width;
        &mut self.blocks[slot as usize / BLOCK][at..at + self.width]
    }

    fn place(&mut self, key: &[u8]) -> u32 {
        let hash = hash_bytes(key);
        let new = Slot { hash, key: self.keys.add(key), live: true, dirty: false, stored: false };
        let slot = match self.free.pop() {
            Some(slot) => {
                let noted = self.slots[slot as usize].dirty;
                self.slots[slot as usize] = Slot { dirty: noted, ..new };
                slot
            }
            None => {
                if self.slots.len() == self.blocks.len() * BLOCK {
                    self.blocks.push(vec![0; BLOCK * self.width].into());
                }
                self.slots.push(new);
                (self.slots.len() - 1) as u32
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, slot, |slot| slots[*slot as usize].hash);
        slot
    }

    fn touch(&mut self, slot: u32) {
        let noted = &mut self.slots[slot as usize].dirty;
        if !*noted {
            *noted = true;
            self.dirty.push(slot);
        }
    }

    /// Writes the keys anew when most of their space is of keys that are gone.
    fn compact_keys(&mut self) {
        if !self.keys.is_wasteful() {
            return;
        }
        let mut keys = KeySpace::default();
        for slot in self.slots.iter_mut().filter(|slot| slot.live) {
            slot.key = keys.add(self.keys.get(slot.key));
        }
        self.keys = keys;
    }

    fn write_changes(&mut self, id: TraceId, writes: &mut Writes) {
        if std::mem::take(&mut self.cleared) {
            writes.delete_prefix(Family::Trace, trace_prefix(id));
        }
        // A key that went and came again is put behind its delete.
        for key in self.gone.drain(..) {
            writes.delete(Family::Trace, entry_key(id, vnode(&key), &key));
        }
        for number in std::mem::take(&mut self.dirty) {
            let slot = &mut self.slots[number as usize];
            slot.dirty = false;
            if slot.live {
                slot.stored = true;
                let key = self.keys.get(slot.key);
                let at = number as usize % BLOCK * self.width;
                let record = &self.blocks[number as usize / BLOCK][at..at + self.width];
                writes.put(Family::Trace, entry_key(id, vnode(key), key), record);
            }
        }
    }
}

#[cfg(test)]
mod tests;
