//! Records and the store: what a checkpoint writes, what a start reads, and pages that leave memory and come back.

use crate::state::error::StateError;
use crate::state::family::Family;
use crate::state::key_layout::{entry_key, entry_of, trace_prefix};
use crate::state::writes::Writes;
use crate::zset::key_columns::hash_bytes;

use super::RecordTable;
use super::page::{self, PAGE};

/// So many touched records have a page written whole.
const MANY: usize = 24;
/// Pages that are read at once.
const AT_ONCE: usize = 128;
const PAGES: u8 = b'p';
const SINGLES: u8 = b's';

impl RecordTable {
    /// Reads what the store holds. Pages for which there is no room are in memory for a moment only.
    pub(super) fn load(&mut self) -> Result<(), StateError> {
        let (store, id) = (self.store.clone(), self.id);
        // Pages come before the single records that count before them.
        store.scan_with(Family::Trace, &trace_prefix(id), &mut |key, value| {
            let (kind, rest) = entry_of(key).and_then(<[u8]>::split_first).ok_or_else(|| self.broken())?;
            let (number, slot) = rest.split_first_chunk::<4>().ok_or_else(|| self.broken())?;
            let number = u32::from_be_bytes(*number);
            match (*kind, slot) {
                (PAGES, []) => {
                    let whole = page::entries(value, self.width, |slot, key, record| {
                        self.take_stored(number as usize * PAGE + usize::from(slot), key, record);
                    });
                    if !whole || value.is_empty() {
                        return Err(self.broken());
                    }
                    let page = &mut self.pages[number as usize];
                    page.whole = true;
                    if !self.budget.has_room_for(0) {
                        self.evict(&[number]);
                    }
                }
                (SINGLES, [slot]) => {
                    self.reach(number as usize * PAGE + usize::from(*slot));
                    self.read(vec![number])?;
                    self.pages[number as usize].singles = true;
                    let slot = number as usize * PAGE + usize::from(*slot);
                    match value {
                        [] => self.forget_stored(slot),
                        value => match page::entry(value, self.width) {
                            Some(((key, record), [])) => self.take_stored(slot, key, record),
                            _ => return Err(self.broken()),
                        },
                    }
                }
                _ => return Err(self.broken()),
            }
            Ok(())
        })?;
        let is_free = |slot: &u32| !self.slots[*slot as usize].live && self.pages[*slot as usize / PAGE].away.is_none();
        self.free = (0..self.slots.len() as u32).rev().filter(is_free).collect();
        for slot in (0..self.slots.len() as u32).filter(|slot| self.slots[*slot as usize].live) {
            let slots = &self.slots;
            self.index.insert_unique(slots[slot as usize].hash, slot, |slot| slots[*slot as usize].hash);
        }
        Ok(())
    }

    fn broken(&self) -> StateError {
        StateError::corrupted(format!("a record of trace {} cannot be read", self.id))
    }

    fn take_stored(&mut self, slot: usize, key: &[u8], record: &[u8]) {
        self.reach(slot);
        self.forget_stored(slot);
        self.give(slot, hash_bytes(key), key);
        self.record_bytes(slot as u32).copy_from_slice(record);
    }

    fn forget_stored(&mut self, slot: usize) {
        if let Some(known) = self.slots.get_mut(slot).filter(|slot| slot.live) {
            known.live = false;
            let key = known.key;
            self.live -= 1;
            self.record_bytes(slot as u32).fill(0);
            self.free_key(slot / PAGE, key);
        }
    }

    fn key_of(&self, kind: u8, page: u32) -> Vec<u8> {
        entry_key(self.id, &[&[kind][..], &page.to_be_bytes()].concat())
    }

    /// Reads those pages into memory that are not there.
    pub(super) fn read(&mut self, mut wanted: Vec<u32>) -> Result<(), StateError> {
        wanted.retain(|page| self.pages.get(*page as usize).is_some_and(|page| page.away.is_some()));
        for some in wanted.chunks(AT_ONCE) {
            let keys: Vec<Vec<u8>> = some.iter().map(|page| self.key_of(PAGES, *page)).collect();
            for (page, value) in some.iter().zip(self.store.get_many(Family::Trace, &keys)?) {
                self.take_in(*page as usize, &value.ok_or_else(|| self.broken())?)?;
            }
            self.counts.read += some.len() as u64;
        }
        Ok(())
    }

    /// Takes a page, as it is stored, into memory again.
    fn take_in(&mut self, number: usize, value: &[u8]) -> Result<(), StateError> {
        let slots = number * PAGE..self.slots.len().min((number + 1) * PAGE);
        let mut rest = std::mem::take(&mut self.slots);
        let mut there = 0;
        let whole = self.change_page(number, |page, width| {
            page.open(width);
            page::entries(value, width, |slot, key, record| {
                let place = usize::from(slot);
                if let Some(known) = rest[slots.clone()].get_mut(place).filter(|slot| slot.live && slot.hash == hash_bytes(key)) {
                    known.key = page.add_key(key);
                    page.record_mut(place, width).copy_from_slice(record);
                    there += 1;
                }
            })
        });
        self.slots = rest;
        let page = &mut self.pages[number];
        page.used = self.budget.now();
        if let Some(bytes) = page.away.take() {
            self.evicted -= bytes as usize;
            self.away -= 1;
            self.budget.away(false);
        }
        let live = self.slots[slots.clone()].iter().filter(|slot| slot.live).count();
        self.free.extend(slots.filter(|slot| !self.slots[*slot].live).map(|slot| slot as u32));
        match whole && there == live {
            true => Ok(()),
            false => Err(self.broken()),
        }
    }

    /// The pages that may leave memory: when each was used, its bytes, and its number. With `all` the others are written whole
    /// by the next checkpoint, unless they change.
    pub(super) fn clean(&mut self, all: bool) -> Vec<(u64, usize, usize)> {
        let count = self.full_pages();
        let there = self.pages[..count].iter().enumerate();
        let there = there.filter(|(_, page)| page.away.is_none() && page.touched == 0 && page.bytes() > 0);
        let (clean, others): (Vec<_>, Vec<_>) = there.partition(|(_, page)| page.whole && !page.singles);
        if all {
            self.to_write = others.into_iter().filter(|(_, page)| page.singles).map(|(number, _)| number as u32).collect();
        }
        clean.into_iter().map(|(number, page)| (page.used, page.bytes(), number)).collect()
    }

    /// The pages that no new slot comes to: those that may leave.
    fn full_pages(&self) -> usize {
        self.slots.len() / PAGE
    }

    pub(super) fn evict(&mut self, pages: &[u32]) {
        for number in pages {
            let page = &self.pages[*number as usize];
            if *number as usize >= self.full_pages() || page.away.is_some() || page.touched > 0 || !page.whole || page.singles {
                continue;
            }
            self.change_page(*number as usize, |page, _| page.evict());
            self.evicted += self.pages[*number as usize].away.unwrap_or(0) as usize;
            self.away += 1;
            self.budget.away(true);
        }
        let pages = &self.pages;
        self.free.retain(|slot| pages[*slot as usize / PAGE].away.is_none());
    }

    pub(super) fn pages_away(&self) -> Vec<(u64, usize, usize)> {
        let pages = self.pages.iter().enumerate();
        pages.filter_map(|(number, page)| Some((page.used, page.away? as usize, number))).collect()
    }

    /// Visits all keys with their records, in no order; pages that are not in memory are read for the moment.
    pub fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StateError> {
        let (away, there): (Vec<usize>, Vec<usize>) = (0..self.pages.len()).partition(|page| self.pages[*page].away.is_some());
        for number in there {
            let slots = number * PAGE..self.slots.len().min((number + 1) * PAGE);
            for slot in slots.filter(|slot| self.slots[*slot].live) {
                visit(self.pages[number].key(self.slots[slot].key), self.record(slot as u32));
            }
        }
        for some in away.chunks(AT_ONCE) {
            let keys: Vec<Vec<u8>> = some.iter().map(|page| self.key_of(PAGES, *page as u32)).collect();
            for value in self.store.get_many(Family::Trace, &keys)? {
                let value = value.ok_or_else(|| self.broken())?;
                if !page::entries(&value, self.width, |_, key, record| visit(key, record)) {
                    return Err(self.broken());
                }
            }
        }
        Ok(())
    }

    pub(super) fn write_changes(&mut self, writes: &mut Writes) {
        let mut dirty = std::mem::take(&mut self.dirty);
        let to_write = std::mem::take(&mut self.to_write);
        // Pages that were touched since have to be written anyway.
        let untouched = to_write.iter().filter(|page| self.pages[**page as usize].touched == 0);
        let untouched: Vec<u32> = untouched.map(|page| page * PAGE as u32).collect();
        let (budget, width) = (self.budget.clone(), self.width);
        dirty.extend(&untouched);
        dirty.sort_unstable();
        for touched in dirty.chunk_by(|a, b| *a as usize / PAGE == *b as usize / PAGE) {
            let number = touched[0] as usize / PAGE;
            let whole = touched.len() >= MANY || budget.presses() || untouched.binary_search(&(number as u32 * PAGE as u32)).is_ok();
            touched.iter().for_each(|slot| self.slots[*slot as usize].dirty = false);
            self.pages[number].touched = 0;
            let slots = number * PAGE..self.slots.len().min((number + 1) * PAGE);
            let live = self.slots[slots.clone()].iter().filter(|slot| slot.live).count();
            let (page, key) = (&self.pages[number], |kind| self.key_of(kind, number as u32));
            if !whole && live > 0 {
                for slot in touched {
                    let (known, slot) = (&self.slots[*slot as usize], *slot as usize % PAGE);
                    let (mut key, mut entry) = (key(SINGLES), Vec::new());
                    key.push(slot as u8);
                    if known.live {
                        page.put_entry((slot, known.key), width, &mut entry);
                    }
                    match entry.is_empty() && !page.whole {
                        true => writes.delete(Family::Trace, key),
                        false => writes.put(Family::Trace, key, entry),
                    }
                }
                self.pages[number].singles = true;
                continue;
            }
            if page.singles {
                writes.delete_prefix(Family::Trace, key(SINGLES));
            }
            if live > 0 {
                let mut entries = Vec::with_capacity(live * (width + 24));
                for slot in slots.filter(|slot| self.slots[*slot].live) {
                    entries.push((slot % PAGE) as u8);
                    page.put_entry((slot % PAGE, self.slots[slot].key), width, &mut entries);
                }
                writes.put(Family::Trace, key(PAGES), entries);
            } else if page.whole {
                writes.delete(Family::Trace, key(PAGES));
            }
            let page = &mut self.pages[number];
            (page.whole, page.singles) = (live > 0, false);
        }
    }
}
