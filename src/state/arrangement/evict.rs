//! Rows of an arrangement that leave memory, with the index that they are found by, and come back.
//!
//! Chunks leave together. First their index is written ([`Rows::freeze`]); if nothing has changed meanwhile, they go
//! ([`Rows::frozen`]).

use crate::state::cold::{Segment, together};
use crate::state::error::StateError;
use crate::state::part::Part;
use crate::state::row_at::{NONE, RowAt};
use crate::state::shelf::Stored;
use crate::state::sorted_index::{Entry, SortedIndex, spread};

use super::chunk::{Chunk, View};
use super::rows::Rows;

/// A segment that chunks are not in yet, and the ones that it takes the place of.
pub struct Frozen {
    segment: Segment,
    instead_of: Vec<u64>,
}

impl Rows {
    /// The chunks in memory that the store has too. Only right while no checkpoint is on its way.
    pub fn clean(&self) -> Vec<Part> {
        self.chunks_that(|chunk| chunk.is_stored() && chunk.resident().is_some())
    }

    fn chunks_that(&self, are: impl Fn(&Chunk) -> bool) -> Vec<Part> {
        let chunks = (0u32..).zip(&self.chunks).filter_map(|(number, chunk)| Some((number, chunk.as_ref()?)));
        let chunks = chunks.filter(|(_, chunk)| are(chunk));
        let part = |(number, chunk): (u32, &Chunk)| Part { used: chunk.body().used(), bytes: chunk.body().bytes(), place: number as usize };
        chunks.map(part).collect()
    }

    /// The chunks whose rows have left memory and whose index has not.
    pub fn half_gone(&self) -> Vec<u32> {
        match self.evicted {
            0 => Vec::new(),
            _ => self
                .chunks_that(|chunk| chunk.resident().is_none() && chunk.cold_in().is_none())
                .iter()
                .map(|chunk| chunk.place as u32)
                .collect(),
        }
    }

    /// Writes an index of those chunks, which the store has.
    pub fn freeze(&self, numbers: &[u32]) -> Result<Option<Frozen>, StateError> {
        let (mut chunks, mut by_key, mut by_row) = (Vec::new(), Vec::new(), Vec::new());
        let mut unread: Vec<(u64, Stored, View)> = Vec::new();
        for number in numbers {
            let chunk = self.chunks.get(*number as usize).and_then(Option::as_ref);
            let Some((chunk, stored)) = chunk.and_then(|chunk| Some((chunk, chunk.body().number()?))) else { continue };
            if chunk.cold_in().is_some() {
                continue;
            }
            let ordinal = chunks.len() as u64;
            chunks.push(*number);
            match chunk.resident() {
                Some(rows) => add(&mut by_key, ordinal, chunk.view(), &rows.keys.hashes()),
                None => unread.push((ordinal, Stored { number: stored, rows: chunk.len(), bytes: 0 }, chunk.view().clone())),
            }
            if self.whole.is_some() {
                add(&mut by_row, ordinal, chunk.view(), &self.rows_of(chunk)?.whole()?.hashes());
            }
        }
        let (of, unread): (Vec<(u64, View)>, Vec<Stored>) =
            unread.into_iter().map(|(ordinal, stored, view)| ((ordinal, view), stored)).unzip();
        let mut of = of.into_iter();
        self.shelf.each_hashed(&unread, &mut |_, hashes| {
            if let Some((ordinal, view)) = of.next() {
                add(&mut by_key, ordinal, &view, &hashes);
            }
            Ok(())
        })?;
        if chunks.is_empty() {
            return Ok(None);
        }
        let scratch = self.shelf.scratch();
        let by_key = SortedIndex::of(by_key, scratch)?;
        let by_row = match self.whole {
            Some(_) => Some(SortedIndex::of(by_row, scratch)?),
            None => None,
        };
        let segment = Segment { id: self.cold.next_id(), chunks, by_key, by_row };
        Ok(Some(Frozen { segment, instead_of: Vec::new() }))
    }

    /// Writes one segment for several, when there are many of a size.
    pub fn melt_together(&self) -> Result<Option<Frozen>, StateError> {
        let Some(alike) = self.cold.alike() else { return Ok(None) };
        let chunk = |number: u32| self.chunks.get(number as usize).and_then(Option::as_ref);
        let is_in = |number: u32, segment: u64| chunk(number).is_some_and(|chunk| chunk.cold_in() == Some(segment));
        let is_there = |at: RowAt| chunk(at.chunk).is_some_and(|chunk| chunk.view().is_live(at.row as usize));
        let segment = together(self.cold.next_id(), &alike, is_in, is_there, self.shelf.scratch())?;
        Ok(Some(Frozen { segment, instead_of: alike.iter().map(|segment| segment.id).collect() }))
    }

    /// The chunks of the segment are found by it from here on.
    pub fn frozen(&mut self, Frozen { segment, instead_of }: Frozen) {
        if instead_of.is_empty() {
            self.unlink_chunks(&segment.chunks);
        }
        for number in &segment.chunks {
            if let Some(chunk) = self.chunks.get_mut(*number as usize).and_then(Option::as_mut) {
                self.evicted += usize::from(chunk.resident().is_some());
                chunk.freeze(segment.id);
            }
        }
        instead_of.into_iter().for_each(|id| self.cold.remove(id));
        self.cold.add(segment);
    }

    /// Has the index of all chunks leave memory whose rows are not there.
    pub(super) fn freeze_all(&mut self) -> Result<(), StateError> {
        let half_gone = self.half_gone();
        let mut frozen = self.freeze(&half_gone)?;
        while let Some(next) = frozen {
            self.frozen(next);
            frozen = self.melt_together()?;
        }
        Ok(())
    }

    /// Takes all rows of those chunks out of the chains and tables.
    fn unlink_chunks(&mut self, numbers: &[u32]) {
        let Rows { heads, whole, chunks, .. } = self;
        let mut leaves = vec![false; chunks.len()];
        numbers.iter().for_each(|number| leaves[*number as usize] = true);
        let both_ways = whole.is_some();
        let of = |at: RowAt, chunks: &mut [Option<Chunk>], change: &mut dyn FnMut(&mut Chunk)| {
            chunks.get_mut(at.chunk as usize).and_then(Option::as_mut).into_iter().for_each(change);
        };
        heads.change_all(|old| {
            let (mut head, mut at, mut last) = (NONE, old, NONE);
            while at != NONE {
                let mut next = NONE;
                of(at, chunks, &mut |chunk| next = chunk.next(at.row as usize));
                if !leaves[at.chunk as usize] {
                    match last == NONE {
                        true => head = at,
                        false => of(last, chunks, &mut |chunk| chunk.set_next(last.row as usize, at)),
                    }
                    if both_ways {
                        of(at, chunks, &mut |chunk| chunk.set_previous(at.row as usize, last));
                    }
                    last = at;
                }
                at = next;
            }
            if last != NONE {
                of(last, chunks, &mut |chunk| chunk.set_next(last.row as usize, NONE));
            }
            head
        });
        if let Some(whole) = whole {
            whole.retain(|(_, at)| !leaves[at.chunk as usize]);
            if whole.len() < whole.capacity() / 4 {
                whole.shrink_to(whole.len() * 2, |(hash, _)| *hash);
            }
        }
    }

    /// Reads the rows of a chunk again, if they are not in memory, and has them found there.
    pub fn hold(&mut self, number: u32) -> Result<(), StateError> {
        let chunk = self.chunk_mut(number)?;
        if chunk.resident().is_none() {
            let rows = chunk.body().read_to_stay()?;
            chunk.hold(rows);
            self.evicted -= 1;
        }
        match self.thaw(number)? {
            true => self.link_again(number, &[]),
            false => Ok(()),
        }
    }

    /// The chunk is in no segment any more. False when it was in none.
    fn thaw(&mut self, number: u32) -> Result<bool, StateError> {
        let Some(segment) = self.chunk_mut(number)?.thaw() else { return Ok(false) };
        self.cold.leave(segment);
        Ok(true)
    }

    /// Has all rows found in memory, wherever they are themselves.
    pub(super) fn thaw_all(&mut self) -> Result<(), StateError> {
        if self.cold.is_empty() {
            return Ok(());
        }
        let cold = (0u32..).zip(&self.chunks).filter_map(|(number, chunk)| {
            let chunk = chunk.as_ref().filter(|chunk| chunk.cold_in().is_some())?;
            Some((number, Stored { number: chunk.body().number()?, rows: chunk.len(), bytes: 0 }))
        });
        let (numbers, stored): (Vec<u32>, Vec<Stored>) = cold.unzip();
        let (shelf, mut numbers) = (self.shelf.clone(), numbers.into_iter());
        shelf.each_hashed(&stored, &mut |_, hashes| match numbers.next() {
            Some(number) => {
                self.thaw(number)?;
                self.link_again(number, &hashes)
            }
            None => Ok(()),
        })
    }

    /// The chunks whose rows are not in memory.
    pub fn away(&self) -> Vec<Part> {
        if self.evicted == 0 {
            return Vec::new();
        }
        self.chunks_that(|chunk| chunk.resident().is_none())
    }

    /// What a start reads: little enough that nobody waits for it.
    pub fn hold_at_start(&mut self) -> Result<(), StateError> {
        for Part { bytes, place, .. } in self.away() {
            if !self.shelf.budget().has_room_at_start(bytes) {
                break;
            }
            self.hold(place as u32)?;
        }
        Ok(())
    }
}

/// Adds the rows that are there of a chunk, given the hashes of all.
fn add(entries: &mut Vec<Entry>, ordinal: u64, view: &View, hashes: &[u64]) {
    let live = (0u32..).zip(hashes).filter(|(row, _)| view.is_live(*row as usize));
    entries.extend(live.map(|(row, hash)| (spread(*hash), ordinal << 32 | u64::from(row))));
}
