//! Records and the store: what a checkpoint writes, what a start reads, and pages that leave memory and come back.

use hashbrown::HashTable;

use crate::state::blob::part_from;
use crate::state::cold::{Segment, together};
use crate::state::error::StateError;
use crate::state::family::Family;
use crate::state::key_layout::{entry_key, entry_of, trace_prefix};
use crate::state::part::Part;
use crate::state::sorted_index::{SortedIndex, spread};
use crate::state::writes::Writes;
use crate::zset::key_columns::hash_bytes;

use super::RecordTable;
use super::fill_index::fill;
use super::page::{self, Frozen, Page};
use super::slot_set::{PAGE, SlotSet};

/// So many touched records have a page written whole.
const MANY: usize = 24;
/// Pages that are read at once.
const AT_ONCE: usize = 128;
/// The greatest number of a page: slots are numbered in 32 bits.
const LAST: u32 = u32::MAX / PAGE as u32;

impl RecordTable {
    /// Reads what the store holds. Pages for which there is no room are in memory for a moment only.
    pub(in crate::state) fn load(&mut self) -> Result<(), StateError> {
        let stored = self.stored_pages()?;
        let mut slots = Vec::with_capacity(stored.len() * PAGE);
        for some in stored.chunks(AT_ONCE) {
            let parts: Vec<(u64, u32)> = some.iter().map(|(_, part)| *part).collect();
            let before = slots.len();
            for ((number, part), bytes) in some.iter().zip(self.blobs.get(&parts)?) {
                self.load_page(*number as usize, *part, &bytes)?;
                // Now, while the page is near.
                slots.extend(self.slots_of(*number as usize));
            }
            if !self.budget.has_room_for(0) {
                self.evict(&some.iter().map(|(number, _)| *number).collect::<Vec<_>>())?;
                // One that more slots will come to stays.
                let stay = slots.split_off(before).into_iter().filter(|(_, slot)| self.pages[*slot as usize / PAGE].away.is_none());
                slots.extend(stay);
            }
        }
        // All at once, into an index that does not grow on the way.
        self.index = HashTable::with_capacity(slots.len());
        fill(&mut self.index, &slots);
        drop(slots);
        self.load_singles()?;
        let there = self.pages.iter().enumerate().rev().filter(|(_, page)| page.away.is_none());
        let (count, width) = (self.slots, self.width);
        let slots = there.flat_map(|(number, page)| {
            (0..PAGE).rev().filter(move |slot| page.key(*slot, width).is_none()).map(move |slot| number * PAGE + slot)
        });
        self.free = slots.filter(|slot| *slot < count).map(|slot| slot as u32).collect();
        Ok(())
    }

    /// The pages that the store has, by number, and where each is.
    fn stored_pages(&self) -> Result<Vec<(u32, (u64, u32))>, StateError> {
        let mut pages = Vec::new();
        self.store.scan_with(Family::Chunk, &trace_prefix(self.id), &mut |key, value| {
            let number = entry_of(key).and_then(|number| number.try_into().ok()).map(u32::from_be_bytes);
            pages.push(number.filter(|number| *number <= LAST).zip(part_from(value)).ok_or_else(|| self.broken())?);
            Ok(())
        })?;
        Ok(pages)
    }

    /// Takes a page in; the index does not know its slots yet.
    fn load_page(&mut self, number: usize, part: (u64, u32), bytes: &[u8]) -> Result<(), StateError> {
        self.reach(number * PAGE);
        if !self.change_page(number, |page, width| page.take(bytes, width)) {
            return Err(self.broken());
        }
        let page = &mut self.pages[number];
        page.stored = Some(part);
        self.live += page.live();
        if let Some((last, _)) = page.entries(self.width).last() {
            self.reach(number * PAGE + last);
        }
        Ok(())
    }

    fn load_singles(&mut self) -> Result<(), StateError> {
        let (store, id) = (self.store.clone(), self.id);
        store.scan_with(Family::Trace, &trace_prefix(id), &mut |key, value| {
            let place = entry_of(key).and_then(|rest| rest.split_first_chunk::<4>());
            let place = place.map(|(number, slot)| (u32::from_be_bytes(*number), slot));
            let Some((number @ 0..=LAST, [slot])) = place else { return Err(self.broken()) };
            let slot = number * PAGE as u32 + u32::from(*slot);
            self.reach(slot as usize);
            self.read(vec![number])?;
            self.pages[number as usize].singles = true;
            if self.pages[number as usize].key(slot as usize % PAGE, self.width).is_some() {
                self.take_from(slot);
            }
            if !value.is_empty() {
                let (key, record) = page::single(value, self.width).ok_or_else(|| self.broken())?;
                self.give(slot, key);
                self.pages[number as usize].record_mut(slot as usize % PAGE, self.width).copy_from_slice(record);
            }
            Ok(())
        })
    }

    fn broken(&self) -> StateError {
        StateError::corrupted(format!("a record of trace {} cannot be read", self.id))
    }

    /// Reads those pages into memory that are not there.
    pub(super) fn read(&mut self, mut wanted: Vec<u32>) -> Result<(), StateError> {
        wanted.retain(|page| self.pages.get(*page as usize).is_some_and(|page| page.away.is_some()));
        for some in wanted.chunks(AT_ONCE) {
            for (page, bytes) in some.iter().zip(self.bytes_of(some)?) {
                self.take_in(*page as usize, &bytes)?;
            }
            self.counts.read += some.len() as u64;
        }
        Ok(())
    }

    /// Those pages as they are stored.
    fn bytes_of(&self, pages: &[u32]) -> Result<Vec<Vec<u8>>, StateError> {
        let parts = pages.iter().map(|page| self.pages[*page as usize].stored).collect::<Option<Vec<_>>>();
        self.blobs.get(&parts.ok_or_else(|| self.broken())?)
    }

    /// Takes a page, as it is stored, into memory again.
    fn take_in(&mut self, number: usize, bytes: &[u8]) -> Result<(), StateError> {
        let (live, took) = (self.pages[number].live(), self.pages[number].away);
        // Before it is there: an index that is made anew has all slots of pages that are.
        self.have_room(live);
        let whole = self.change_page(number, |page, width| page.take(bytes, width));
        let page = &mut self.pages[number];
        page.used = self.budget.now();
        if let Some(segment) = page.cold.take() {
            self.cold.leave(segment);
        }
        if let Some(bytes) = took.filter(|_| whole) {
            self.evicted -= bytes as usize;
            self.away -= 1;
            self.budget.away(false);
        }
        if !whole || self.pages[number].live() != live {
            return Err(self.broken());
        }
        let page = &self.pages[number];
        let slots: Vec<(u32, u64)> = page.entries(self.width).map(|(slot, key)| ((number * PAGE + slot) as u32, hash_bytes(key))).collect();
        slots.into_iter().for_each(|(slot, hash)| self.put(slot, hash));
        let page = &self.pages[number];
        let slots = (0..PAGE).filter(|slot| page.key(*slot, self.width).is_none()).map(|slot| number * PAGE + slot);
        self.free.extend(slots.filter(|slot| *slot < self.slots).map(|slot| slot as u32));
        Ok(())
    }

    /// The pages that may leave memory, by their numbers. The others are written whole by the next checkpoint, unless they change.
    pub(super) fn clean(&mut self) -> Vec<Part> {
        let count = self.full_pages();
        let there = self.pages[..count].iter().enumerate();
        let there = there.filter(|(_, page)| page.away.is_none() && page.touched.is_empty() && page.bytes() > 0);
        let (clean, others): (Vec<_>, Vec<_>) = there.partition(|(_, page)| page.stored.is_some() && !page.singles);
        self.to_write = others.into_iter().filter(|(_, page)| page.singles).map(|(number, _)| number as u32).collect();
        clean.into_iter().map(|(place, page)| Part { used: page.used, bytes: page.bytes(), place }).collect()
    }

    /// The pages that no new slot comes to: those that may leave.
    fn full_pages(&self) -> usize {
        self.slots / PAGE
    }

    /// Lets those pages leave memory that may, with the index of their slots.
    pub(super) fn evict(&mut self, pages: &[u32]) -> Result<(), StateError> {
        let full = self.full_pages();
        let may_leave = |number: &&u32| {
            let page = self.pages.get(**number as usize).filter(|_| (**number as usize) < full);
            page.is_some_and(|page| page.away.is_none() && page.touched.is_empty() && page.stored.is_some() && !page.singles)
        };
        let chunks: Vec<u32> = pages.iter().filter(may_leave).copied().collect();
        if chunks.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::new();
        for (ordinal, number) in (0u64..).zip(&chunks) {
            let keys = self.pages[*number as usize].entries(self.width);
            entries.extend(keys.map(|(slot, key)| (spread(hash_bytes(key)), ordinal << 32 | slot as u64)));
        }
        let by_key = SortedIndex::of(entries, self.store.scratch())?;
        let id = self.cold.next_id();
        for number in &chunks {
            self.change_page(*number as usize, |page, _| page.evict(id));
            self.evicted += self.pages[*number as usize].away.unwrap_or(0) as usize;
            self.away += 1;
            self.budget.away(true);
        }
        let pages = &self.pages;
        self.index.retain(|slot| pages[*slot as usize / PAGE].away.is_none());
        self.free.retain(|slot| pages[*slot as usize / PAGE].away.is_none());
        self.cold.add(Segment { id, chunks, by_key, by_row: None });
        if self.index.len() < self.index.capacity() / 4 {
            self.index_anew(2 * self.index.len());
        }
        self.melt_together()
    }

    /// Makes one segment of several, as long as there are many of a size.
    fn melt_together(&mut self) -> Result<(), StateError> {
        while let Some(alike) = self.cold.alike() {
            let id = self.cold.next_id();
            let segment = together(id, &alike, |page, segment| self.is_found_by(page, segment), |_| true, self.store.scratch())?;
            segment.chunks.iter().for_each(|page| self.pages[*page as usize].cold = Some(segment.id));
            alike.iter().for_each(|old| self.cold.remove(old.id));
            self.cold.add(segment);
        }
        Ok(())
    }

    pub(super) fn pages_away(&self) -> Vec<Part> {
        let pages = self.pages.iter().enumerate();
        pages.filter_map(|(place, page)| Some(Part { used: page.used, bytes: page.away? as usize, place })).collect()
    }

    /// Visits all keys with their records, in no order; pages that are not in memory are read for the moment.
    pub fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), StateError> {
        let mut visit_page = |page: &Page| page.entries(self.width).for_each(|(slot, key)| visit(key, page.record(slot, self.width)));
        let (away, there): (Vec<u32>, Vec<u32>) = (0..self.pages.len() as u32).partition(|page| self.pages[*page as usize].away.is_some());
        there.into_iter().for_each(|number| visit_page(&self.pages[number as usize]));
        for some in away.chunks(AT_ONCE) {
            for bytes in self.bytes_of(some)? {
                let mut page = Page::default();
                if !page.take(&bytes, self.width) {
                    return Err(self.broken());
                }
                visit_page(&page);
            }
        }
        Ok(())
    }

    pub(super) fn write_changes(&mut self, writes: &mut Writes) {
        let touched = std::mem::take(&mut self.touched);
        let to_write = std::mem::take(&mut self.to_write);
        // Pages that were touched since are to be written anyway.
        let mut whole: Vec<u32> = to_write.into_iter().filter(|page| self.pages[*page as usize].touched.is_empty()).collect();
        for number in touched {
            let page = &self.pages[number as usize];
            match page.live() == 0 || page.touched.len() >= MANY || self.budget.presses() {
                true => whole.push(number),
                false => self.write_singles(number, writes),
            }
            self.pages[number as usize].touched = SlotSet::default();
        }
        self.write_pages(whole, writes);
    }

    /// Writes the touched records of a page.
    fn write_singles(&mut self, number: u32, writes: &mut Writes) {
        let (id, width, page) = (self.id, self.width, &mut self.pages[number as usize]);
        for slot in page.touched.iter() {
            let key = entry_key(id, &[&number.to_be_bytes()[..], &[slot as u8]].concat());
            match page.single(slot, width) {
                Some(single) => writes.put(Family::Trace, key, single),
                None if page.stored.is_some() => writes.put(Family::Trace, key, []),
                None => writes.delete(Family::Trace, key),
            }
        }
        page.singles = true;
    }

    /// Writes pages whole, in the place of what the store has of them.
    fn write_pages(&mut self, mut numbers: Vec<u32>, writes: &mut Writes) {
        let (id, mut gone, mut frozen) = (self.id, Vec::new(), Frozen::new(self.width));
        for number in &numbers {
            let page = &mut self.pages[*number as usize];
            if std::mem::take(&mut page.singles) {
                writes.delete_prefix(Family::Trace, entry_key(id, &number.to_be_bytes()));
            }
            let was = page.stored.take();
            gone.extend(was);
            match page.live() {
                0 if was.is_none() => {}
                0 => writes.delete(Family::Chunk, entry_key(id, &number.to_be_bytes())),
                _ => frozen.add(page),
            }
        }
        writes.delete_parts(gone);
        numbers.retain(|number| self.pages[*number as usize].live() > 0);
        if !numbers.is_empty() {
            let bytes = frozen.bytes();
            let blob = self.blobs.put(Box::new(frozen), bytes, writes);
            (0..).zip(&numbers).for_each(|(part, number)| self.pages[*number as usize].stored = Some((blob, part)));
            writes.name_parts(blob, id, numbers);
        }
    }
}
