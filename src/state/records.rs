//! Records: a few bytes of fixed size by key. What is kept of a group, a degree, a count.
//!
//! A key's record has a slot, a number that stays its own until it is removed. Keys and records lie in blocks, the index
//! is a table of slots by the hash of the key: no allocation a record, and nothing is moved when one is changed.
//! Touched slots are noted once; a checkpoint writes those records and forgets the notes.
//!
//! In the store slots lie as they do here, so that they come back with their numbers. Slots next to each other make a
//! page. A page of which much was touched is written whole, as new records nearly always are; a single record that was
//! touched is written beside its page, and counts before it.
//!
//! ```text
//! trace | "p" | page, 4 bytes                 -> for each record: slot in the page, 1 byte | entry
//! trace | "s" | page, 4 bytes | slot, 1 byte  -> entry; empty for a record of the page that is gone
//! entry: length of the key, 4 bytes little endian | key | record
//! ```

use std::sync::{Arc, Mutex, MutexGuard};

use hashbrown::HashTable;

use crate::types::TraceId;
use crate::zset::key_columns::hash_bytes;

use super::error::StateError;
use super::family::Family;
use super::key_layout::{entry_key, entry_of, trace_prefix};
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
    pages: Vec<Page>,
}

/// What the store has of a page.
#[derive(Clone, Copy, Default)]
struct Page {
    whole: bool,
    singles: bool,
}

#[derive(Clone, Copy)]
struct Slot {
    hash: u64,
    key: KeyPlace,
    live: bool,
    dirty: bool,
}

const BLOCK: usize = 4096;
/// Slots of a page.
const PAGE: usize = 256;
/// So many touched records have a page written whole.
const MANY: usize = 24;
const PAGES: u8 = b'p';
const SINGLES: u8 = b's';
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
        format!("records of {width} bytes in pages")
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
            pages: Vec::new(),
        }
    }

    /// What the store holds.
    pub(super) fn load(store: &Store, id: TraceId, width: usize) -> Result<RecordTable, StateError> {
        let mut table = RecordTable::new(width);
        let broken = || StateError::corrupted(format!("a record of trace {id} cannot be read"));
        // Pages come before the single records that count before them.
        store.scan_with(Family::Trace, &trace_prefix(id), &mut |key, value| {
            let (kind, rest) = entry_of(key).and_then(<[u8]>::split_first).ok_or_else(broken)?;
            let (page, slot) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
            let page = u32::from_be_bytes(*page);
            let known = table.page(page as usize);
            match (*kind, slot) {
                (PAGES, []) => {
                    known.whole = true;
                    let mut rest = value;
                    while let Some((slot, after)) = rest.split_first() {
                        rest = table.take_stored(page, *slot, after).ok_or_else(broken)?;
                    }
                }
                (SINGLES, [slot]) => {
                    known.singles = true;
                    match value {
                        [] => table.forget_stored(page, *slot),
                        entry => table.take_stored(page, *slot, entry).filter(|rest| rest.is_empty()).map(drop).ok_or_else(broken)?,
                    }
                }
                _ => return Err(broken()),
            }
            Ok(())
        })?;
        table.free = (0..table.slots.len() as u32).rev().filter(|slot| !table.slots[*slot as usize].live).collect();
        for slot in (0..table.slots.len() as u32).filter(|slot| table.slots[*slot as usize].live) {
            let slots = &table.slots;
            table.index.insert_unique(slots[slot as usize].hash, slot, |slot| slots[*slot as usize].hash);
        }
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
        let Slot { hash, key, .. } = self.slots[slot as usize];
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
        self.keys.free(key);
        self.slots[slot as usize].live = false;
        self.touch(slot);
        self.record_bytes(slot).fill(0);
        self.free.push(slot);
        self.compact_keys();
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
        let new = Slot { hash, key: self.keys.add(key), live: true, dirty: false };
        let slot = match self.free.pop() {
            Some(slot) => {
                let noted = self.slots[slot as usize].dirty;
                self.slots[slot as usize] = Slot { dirty: noted, ..new };
                slot
            }
            None => {
                self.slots.push(new);
                self.make_room();
                (self.slots.len() - 1) as u32
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, slot, |slot| slots[*slot as usize].hash);
        slot
    }

    /// Blocks for all slots.
    fn make_room(&mut self) {
        while self.slots.len() > self.blocks.len() * BLOCK {
            self.blocks.push(vec![0; BLOCK * self.width].into());
        }
    }

    fn page(&mut self, page: usize) -> &mut Page {
        if page >= self.pages.len() {
            self.pages.resize(page + 1, Page::default());
        }
        &mut self.pages[page]
    }

    /// Takes in a stored entry; what is behind it. `None` when it is none.
    fn take_stored<'a>(&mut self, page: u32, slot: u8, entry: &'a [u8]) -> Option<&'a [u8]> {
        let (len, rest) = entry.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let (record, rest) = rest.split_at_checked(self.width)?;
        let number = page as usize * PAGE + usize::from(slot);
        if number >= self.slots.len() {
            let none = Slot { hash: 0, key: KeyPlace::default(), live: false, dirty: false };
            self.slots.resize(number + 1, none);
            self.make_room();
        }
        self.forget_stored(page, slot);
        self.slots[number] = Slot { hash: hash_bytes(key), key: self.keys.add(key), live: true, dirty: false };
        self.record_bytes(number as u32).copy_from_slice(record);
        Some(rest)
    }

    fn forget_stored(&mut self, page: u32, slot: u8) {
        let number = page as usize * PAGE + usize::from(slot);
        if let Some(slot) = self.slots.get_mut(number).filter(|slot| slot.live) {
            slot.live = false;
            let key = slot.key;
            self.keys.free(key);
            self.record_bytes(number as u32).fill(0);
        }
    }

    fn put_entry(&self, slot: u32, out: &mut Vec<u8>) {
        let key = self.keys.get(self.slots[slot as usize].key);
        out.extend_from_slice(&(key.len() as u32).to_le_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(self.record(slot));
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
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        let at = |kind: u8, page: usize| entry_key(id, &[&[kind][..], &(page as u32).to_be_bytes()].concat());
        for touched in dirty.chunk_by(|a, b| *a as usize / PAGE == *b as usize / PAGE) {
            let number = touched[0] as usize / PAGE;
            let page = *self.page(number);
            touched.iter().for_each(|slot| self.slots[*slot as usize].dirty = false);
            let slots = number * PAGE..self.slots.len().min((number + 1) * PAGE);
            let live = self.slots[slots.clone()].iter().filter(|slot| slot.live).count();
            if touched.len() < MANY && live > 0 {
                for slot in touched {
                    let mut key = at(SINGLES, number);
                    key.push((*slot as usize % PAGE) as u8);
                    let mut entry = Vec::new();
                    if self.slots[*slot as usize].live {
                        self.put_entry(*slot, &mut entry);
                    }
                    match entry.is_empty() && !page.whole {
                        true => writes.delete(Family::Trace, key),
                        false => writes.put(Family::Trace, key, entry),
                    }
                }
                self.page(number).singles = true;
                continue;
            }
            if page.singles {
                writes.delete_prefix(Family::Trace, at(SINGLES, number));
            }
            if live > 0 {
                let mut entries = Vec::with_capacity(live * (self.width + 24));
                for slot in slots.filter(|slot| self.slots[*slot].live) {
                    entries.push((slot % PAGE) as u8);
                    self.put_entry(slot as u32, &mut entries);
                }
                writes.put(Family::Trace, at(PAGES, number), entries);
            } else if page.whole {
                writes.delete(Family::Trace, at(PAGES, number));
            }
            *self.page(number) = Page { whole: live > 0, singles: false };
        }
    }
}

#[cfg(test)]
mod tests;
