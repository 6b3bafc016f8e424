//! Records: a few bytes of fixed size by key. What is kept of a group, a degree, a count.
//!
//! A key's record has a slot, a number that stays its own until it is removed. Slots next to each other make a page, in which
//! keys and records lie; the index is a table of slots by the hash of the key, which it does not have: no allocation a record, and
//! nothing is moved when one is changed. Touched slots are noted once; a checkpoint writes those records and forgets the notes.
//!
//! In the store slots lie as they do here, so that they come back with their numbers. A page of which much was touched is
//! written whole, as new records nearly always are; those of one checkpoint become a blob. They are frozen for that, not copied:
//! only a page that changes before it is written is there twice. A single record that was touched is written beside its page,
//! and counts before it.
//!
//! Pages that the store has whole may leave memory, and the index of their slots does too: they are found by a segment then
//! ([`super::cold`]). Whoever is going to look for keys has the pages read that these may be on, all at once
//! ([`RecordTable::fetch`]): they stay until rows and pages have to leave again.
//!
//! ```text
//! chunk: trace | page, 4 bytes                -> blob, 8 bytes | part, 4 bytes: the page, see page.rs
//! trace: trace | page, 4 bytes | slot, 1 byte -> single, see page.rs; empty for a record of the page that is gone
//! ```
//!
//! Numbers are big endian.

mod fill_index;
mod page;
mod slot_set;
mod stored;

use std::sync::{Arc, Mutex, MutexGuard};

use hashbrown::HashTable;

use crate::types::TraceId;
use crate::zset::key_columns::hash_bytes;

use super::blobs::Blobs;
use super::budget::Budget;
use super::cold::{By, Cold, named};
use super::error::StateError;
use super::part::Part;
use super::store::Store;
use super::usage::PageCounts;
use super::writes::Writes;

use fill_index::{AT_ONCE, fill};
use page::Page;
use slot_set::PAGE;

/// A handle; clones are the same records. Made by [`super::TraceSet::records`].
#[derive(Clone)]
pub struct Records {
    id: TraceId,
    table: Arc<Mutex<RecordTable>>,
}

/// The records themselves, locked for a step.
pub struct RecordTable {
    id: TraceId,
    width: usize,
    /// The slots with a record, on pages that are in memory.
    index: HashTable<u32>,
    cold: Cold,
    pages: Vec<Page>,
    /// After the greatest slot that ever had a record.
    slots: usize,
    /// Slots without a record, on pages that are in memory.
    free: Vec<u32>,
    live: usize,
    /// Records that came or went.
    turnover: u64,
    /// Pages with touched slots.
    touched: Vec<u32>,
    /// Pages that are to be written whole, so that they can leave memory.
    to_write: Vec<u32>,
    store: Arc<Store>,
    blobs: Arc<Blobs>,
    budget: Arc<Budget>,
    /// Bytes of pages in memory, and of those that are in the store alone.
    resident: usize,
    evicted: usize,
    /// How many pages are in the store alone.
    away: usize,
    counts: PageCounts,
}

/// What the index takes for each slot that it has room for. An estimate.
const SLOT_BYTES: usize = 6;

impl Records {
    pub(super) fn new(table: RecordTable) -> Records {
        Records { id: table.id, table: Arc::new(Mutex::new(table)) }
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

    /// What pages took that are in the store alone, and how often one was wanted.
    pub fn evicted(&self) -> (usize, PageCounts) {
        let table = self.lock();
        (table.evicted, table.counts)
    }

    pub(super) fn fingerprint(width: usize) -> String {
        format!("records of {width} bytes in pages")
    }

    pub(super) fn width(&self) -> usize {
        self.lock().width
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) {
        self.lock().write_changes(writes);
    }

    /// The pages that may leave memory while no checkpoint is on its way, by their numbers. Those that could not for what the store
    /// has of them will be able to after the next one.
    pub(super) fn clean(&self) -> Vec<Part> {
        self.lock().clean()
    }

    /// # Errors
    /// When what they are found by cannot be written.
    pub(super) fn evict(&self, pages: &[u32]) -> Result<(), StateError> {
        self.lock().evict(pages)
    }

    /// The pages that are not in memory, as [`Records::clean`] tells of others.
    pub(super) fn away(&self) -> Vec<Part> {
        self.lock().pages_away()
    }

    /// Reads a page into memory.
    pub(super) fn hold(&self, page: usize) -> Result<(), StateError> {
        self.lock().read(vec![page as u32])
    }
}

impl RecordTable {
    /// Without records.
    pub(super) fn new(id: TraceId, width: usize, (store, blobs): (Arc<Store>, Arc<Blobs>), budget: Arc<Budget>) -> RecordTable {
        RecordTable {
            id,
            width,
            index: HashTable::new(),
            cold: Cold::default(),
            pages: Vec::new(),
            slots: 0,
            free: Vec::new(),
            live: 0,
            turnover: 0,
            touched: Vec::new(),
            to_write: Vec::new(),
            store,
            blobs,
            budget,
            resident: 0,
            evicted: 0,
            away: 0,
            counts: PageCounts::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.live
    }

    /// How many records have come and gone since the process started. Whoever knows something of which there are can tell whether
    /// others have changed that.
    pub fn turnover(&self) -> u64 {
        self.turnover
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn bytes(&self) -> usize {
        self.index.capacity() * SLOT_BYTES + self.cold.bytes() + self.pages.len() * size_of::<Page>() + self.resident
    }

    /// Whether all pages are in memory: nothing has to be fetched.
    pub fn is_resident(&self) -> bool {
        self.away == 0
    }

    /// Reads the pages that those keys may be on, if they are not in memory.
    pub fn fetch<'a>(&mut self, keys: impl Iterator<Item = &'a [u8]>) -> Result<(), StateError> {
        if self.is_resident() {
            return Ok(());
        }
        let hashes: Vec<u64> = keys.map(hash_bytes).collect();
        let named = named(&self.cold.segments(), By::Key, &hashes)?.into_iter();
        let mut wanted: Vec<u32> =
            named.filter(|(_, at, segment)| self.is_found_by(at.chunk, *segment)).map(|(_, at, _)| at.chunk).collect();
        self.counts.found += hashes.len().saturating_sub(wanted.len()) as u64;
        wanted.sort_unstable();
        wanted.dedup();
        self.read(wanted)
    }

    /// Whether the page is not in memory, and the segment is what its slots are found by.
    fn is_found_by(&self, page: u32, segment: u64) -> bool {
        self.pages.get(page as usize).is_some_and(|page| page.cold == Some(segment))
    }

    /// The key's slot, if it has a record.
    ///
    /// # Errors
    /// When the page that it may be on is not in memory: nobody fetched it.
    pub fn find(&self, key: &[u8]) -> Result<Option<u32>, StateError> {
        let hash = hash_bytes(key);
        let found = self.index.find(hash, |slot| self.key(*slot) == Some(key)).copied();
        if found.is_none() && !self.is_resident() && self.cold_has(hash)? {
            return Err(StateError::Misuse("records were looked for that nobody had fetched".to_string()));
        }
        Ok(found)
    }

    /// Whether a page has that hash of a key that is not in memory.
    fn cold_has(&self, hash: u64) -> Result<bool, StateError> {
        match self.cold.may_have(hash) {
            true => Ok(named(&self.cold.segments(), By::Key, &[hash])?.iter().any(|(_, at, segment)| self.is_found_by(at.chunk, *segment))),
            false => Ok(false),
        }
    }

    /// The key of a slot with a record on a page that is in memory.
    fn key(&self, slot: u32) -> Option<&[u8]> {
        self.pages[slot as usize / PAGE].key(slot as usize % PAGE, self.width)
    }

    /// Gives the key, which has none, a record of zeros; its slot.
    pub fn insert(&mut self, key: &[u8]) -> u32 {
        let slot = self.free.pop().unwrap_or(self.slots as u32);
        self.reach(slot as usize);
        self.touch(slot);
        self.give(slot, key);
        slot
    }

    pub fn record(&self, slot: u32) -> &[u8] {
        self.pages[slot as usize / PAGE].record(slot as usize % PAGE, self.width)
    }

    /// The record, to be changed.
    pub fn record_mut(&mut self, slot: u32) -> &mut [u8] {
        self.touch(slot);
        self.pages[slot as usize / PAGE].record_mut(slot as usize % PAGE, self.width)
    }

    /// Takes the slot's record away.
    pub fn remove(&mut self, slot: u32) {
        self.touch(slot);
        self.take_from(slot);
        self.free.push(slot);
    }

    /// Gives the slot, which has no record and whose page is in memory, to a key.
    fn give(&mut self, slot: u32, key: &[u8]) {
        self.have_room(1);
        self.change_page(slot as usize / PAGE, |page, width| page.add(slot as usize % PAGE, width, key));
        self.put(slot, hash_bytes(key));
        self.live += 1;
        self.turnover += 1;
    }

    /// Puts a slot into the index, which has room for it.
    fn put(&mut self, slot: u32, hash: u64) {
        let (pages, width) = (&self.pages, self.width);
        let hash_of = |slot: &u32| hash_bytes(pages[*slot as usize / PAGE].key(*slot as usize % PAGE, width).unwrap_or(&[]));
        self.index.insert_unique(hash, slot, hash_of);
    }

    /// Makes room in the index for so many more: it is made anew, page by page, because to ask each slot for its key as slots lie
    /// in there would be to go all over memory.
    fn have_room(&mut self, more: usize) {
        if self.index.len() + more > self.index.capacity() {
            self.index_anew((2 * self.index.len()).max(self.index.len() + more));
        }
    }

    /// Makes an index with room for so many slots, of those with a record on pages that are in memory.
    fn index_anew(&mut self, room: usize) {
        self.index = HashTable::new();
        let mut index = HashTable::with_capacity(room);
        let mut some = Vec::with_capacity(AT_ONCE.min(room));
        for number in 0..self.pages.len() {
            if some.len() + PAGE > AT_ONCE {
                fill(&mut index, &some);
                some.clear();
            }
            some.extend(self.slots_of(number));
        }
        fill(&mut index, &some);
        self.index = index;
    }

    /// The slots with a record on a page that is in memory, with the hashes of their keys.
    fn slots_of(&self, page: usize) -> impl Iterator<Item = (u64, u32)> {
        self.pages[page].entries(self.width).map(move |(slot, key)| (hash_bytes(key), (page * PAGE + slot) as u32))
    }

    /// Takes the record of a slot away that has one.
    fn take_from(&mut self, slot: u32) {
        let hash = self.key(slot).map(hash_bytes);
        if let Some(Ok(entry)) = hash.map(|hash| self.index.find_entry(hash, |other| *other == slot)) {
            entry.remove();
        }
        self.change_page(slot as usize / PAGE, |page, width| page.remove(slot as usize % PAGE, width));
        self.live -= 1;
        self.turnover += 1;
    }

    /// Slots and pages up to that one.
    fn reach(&mut self, slot: usize) {
        self.slots = self.slots.max(slot + 1);
        if slot / PAGE >= self.pages.len() {
            self.pages.resize_with(slot / PAGE + 1, Page::default);
        }
    }

    /// Does something to a page and counts what it takes.
    fn change_page<T>(&mut self, page: usize, change: impl FnOnce(&mut Page, usize) -> T) -> T {
        let page = &mut self.pages[page];
        let before = page.bytes();
        let changed = change(page, self.width);
        let after = page.bytes();
        if after != before {
            self.resident = self.resident + after - before;
            self.budget.more(after);
            self.budget.less(before);
        }
        changed
    }

    fn touch(&mut self, slot: u32) {
        let number = slot as usize / PAGE;
        let page = &mut self.pages[number];
        if page.touched.is_empty() {
            self.touched.push(number as u32);
        }
        if page.touched.add(slot as usize % PAGE) {
            page.used = self.budget.now();
            self.change_page(number, |page, _| page.thaw());
        }
    }
}

impl Drop for RecordTable {
    fn drop(&mut self) {
        self.budget.less(self.resident);
        // Who counts what is in the store alone need not come back to it.
        (0..self.away).for_each(|_| self.budget.away(false));
    }
}

#[cfg(test)]
mod tests;
