//! The rows of an arrangement: chunks, the chains through them, and how they change.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use hashbrown::HashTable;
use imbl::Vector;

use crate::state::cold::{By, Cold, named};
use crate::state::error::StateError;
use crate::state::row_at::{NONE, RowAt};
use crate::state::shelf::Shelf;
use crate::zset::{KeyColumns, ZSet};

use super::chunk::{Chunk, View};
use super::gather::Held;
use super::heads::Heads;
use super::history::History;
use super::reach::Reach;
use super::together::together;

/// How a row is found by all its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Along the chain of its key: a key has few rows.
    ByKey,
    /// By a table of all rows: a key may have very many.
    ByRow,
    /// Not at all: rows only come, or are taken away by their places.
    Never,
}

pub struct Rows {
    pub(super) schema: SchemaRef,
    pub(super) key: Arc<[usize]>,
    pub(super) find: Find,
    /// By number; `None` for one that is gone and may be used again.
    pub(super) chunks: Vec<Option<Chunk>>,
    /// The chunk that small deltas fill up.
    pub(super) last: Option<u32>,
    pub(super) heads: Heads,
    /// Every row, with the hash of all its columns: with [`Find::ByRow`], once a row was taken back.
    pub(super) whole: Option<HashTable<(u64, RowAt)>>,
    pub(super) live: usize,
    /// Rows with a weight below zero: while there are any, an added row may have to meet one.
    pub(super) negative: usize,
    /// Chunks that the store has and that are gone, with their numbers of rows.
    pub(super) gone: Vec<(u64, usize)>,
    /// Where chunks lie in the store.
    pub(super) shelf: Arc<Shelf>,
    /// Chunks whose rows are not in memory.
    pub(super) evicted: usize,
    /// The index of those whose rows are not in chains either.
    pub(super) cold: Cold,
    /// The chunks as readers see them, by number; those in `unseen` are other ones by now.
    views: Vector<Option<View>>,
    unseen: Vec<u32>,
    /// Whether anybody has ever read them.
    seen: bool,
    pub(super) history: History,
}

/// Deltas of fewer rows are put together.
pub(super) const SMALL: usize = 1024;
const LARGEST: usize = 1 << 16;

impl Rows {
    pub fn new(shelf: Shelf, find: Find) -> Rows {
        Rows {
            schema: shelf.schema().clone(),
            key: shelf.key().clone(),
            find,
            chunks: Vec::new(),
            last: None,
            heads: Heads::default(),
            whole: None,
            live: 0,
            negative: 0,
            gone: Vec::new(),
            shelf: Arc::new(shelf),
            evicted: 0,
            cold: Cold::default(),
            views: Vector::new(),
            unseen: Vec::new(),
            seen: false,
            history: History::default(),
        }
    }

    /// The number of rows that are there.
    pub fn len(&self) -> usize {
        self.live
    }

    /// The sum of the weights.
    pub fn weight(&self) -> i128 {
        self.chunks.iter().flatten().map(|chunk| chunk.view().sum()).sum()
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().flatten().map(Chunk::bytes).sum();
        let tables = self.heads.bytes() + self.whole.as_ref().map_or(0, HashTable::allocation_size);
        // Rows that readers alone still hold are counted too.
        chunks + tables + self.cold.bytes() + self.history.bytes() + self.shelf.resident_bytes()
    }

    /// The chunks as they are now, by number.
    pub fn views(&mut self) -> Vector<Option<View>> {
        if !std::mem::replace(&mut self.seen, true) {
            self.unseen = (0u32..).zip(&self.chunks).map(|(number, _)| number).collect();
        }
        self.unseen.sort_unstable();
        self.unseen.dedup();
        for number in std::mem::take(&mut self.unseen) {
            let view = self.chunks[number as usize].as_ref().map(|chunk| chunk.view().clone());
            while self.views.len() <= number as usize {
                self.views.push_back(None);
            }
            self.views.set(number as usize, view);
        }
        self.views.clone()
    }

    /// The chunk is another one than readers have seen. Most sides of joins nobody reads.
    pub(super) fn touch(&mut self, number: u32) {
        if !self.seen || self.unseen.last() == Some(&number) {
            return;
        }
        self.unseen.push(number);
        if self.unseen.len() > 1024 + 2 * self.chunks.len() {
            self.unseen.sort_unstable();
            self.unseen.dedup();
        }
    }

    pub(super) fn chunk(&self, at: RowAt) -> Result<&Chunk, StateError> {
        let chunk = self.chunks.get(at.chunk as usize).and_then(Option::as_ref);
        chunk.ok_or_else(|| StateError::Misuse(format!("an arrangement has no chunk {}", at.chunk)))
    }

    pub(super) fn chunk_mut(&mut self, number: u32) -> Result<&mut Chunk, StateError> {
        let chunk = self.chunks.get_mut(number as usize).and_then(Option::as_mut);
        chunk.ok_or_else(|| StateError::Misuse(format!("an arrangement has no chunk {number}")))
    }

    /// Whether the delta's rows may lie beside their equals, if they have any.
    pub fn only_grows_by(&self, delta: &ZSet) -> bool {
        let grows = self.whole.is_none() && self.negative == 0 && delta.weights().values().iter().all(|weight| *weight > 0);
        delta.is_empty() || (grows && self.find != Find::ByKey)
    }

    /// Those rows of a delta, which has none twice, meet what is there: what has their weights then is not there any more
    /// when that is zero, and its chunk is `touched`. Rows that meet nothing are to be `added`.
    pub(super) fn meet(
        &mut self,
        range: Range<usize>,
        delta: &ZSet,
        hashes: &[u64],
        whole: &KeyColumns,
        reach: &Reach,
        (added, touched): (&mut Vec<u32>, &mut Vec<u32>),
    ) -> Result<(), StateError> {
        for row in range {
            let hash = hashes[row];
            match self.find_whole(hash, whole, row, reach)? {
                Some(at) => {
                    if self.change_weight(at, delta.weights().value(row))? == 0 {
                        let key_hash = self.key_hash(at, hash, reach)?;
                        self.unlink(at, hash, key_hash)?;
                        touched.push(at.chunk);
                    }
                }
                None => added.push(row as u32),
            }
        }
        Ok(())
    }

    /// Takes the rows at those places away, whatever their weights; `reach` has those that are not in memory.
    pub(super) fn take_away(&mut self, places: &[RowAt], reach: &Reach) -> Result<(), StateError> {
        for at in places {
            let (rows, row) = self.row(reach, *at)?;
            let hash = match self.find {
                Find::ByKey => rows.keys.hash_of(row),
                Find::ByRow => rows.whole()?.hash_of(row),
                // Nothing is found by it.
                Find::Never => 0,
            };
            let key_hash = self.key_hash(*at, hash, reach)?;
            let weight = self.chunk(*at)?.weight(at.row as usize);
            self.change_weight(*at, weight.checked_neg().ok_or(StateError::WeightOutOfRange)?)?;
            self.unlink(*at, hash, key_hash)?;
        }
        Ok(())
    }

    /// The hash of the row's key, when `hash` is the one that [`Rows::find_whole`] takes.
    fn key_hash(&self, at: RowAt, hash: u64, reach: &Reach) -> Result<u64, StateError> {
        match self.find {
            Find::ByKey => Ok(hash),
            Find::ByRow | Find::Never => self.row(reach, at).map(|(rows, row)| rows.keys.hash_of(row)),
        }
    }

    /// Every row.
    pub fn all(&self) -> Result<ZSet, StateError> {
        let parts = self.chunks.iter().flatten().map(|chunk| chunk.view().part(0, chunk.len(), None)).collect::<Result<Vec<_>, _>>()?;
        Ok(ZSet::concat(&self.schema, &parts)?)
    }

    /// Adds rows without looking for their equals.
    pub(super) fn append(&mut self, delta: &ZSet) -> Result<(), StateError> {
        let mut from = 0;
        while from < delta.len() {
            from += self.append_some(delta, from)?;
        }
        Ok(())
    }

    /// Adds some of the rows from a position on, and says how many.
    pub(super) fn append_some(&mut self, delta: &ZSet, from: usize) -> Result<usize, StateError> {
        let room = match self.last {
            Some(last) if delta.len() - from < SMALL => SMALL.saturating_sub(self.chunk_mut(last)?.len()),
            _ => 0,
        };
        let length = (delta.len() - from).min(if room > 0 { room } else { LARGEST });
        let part = delta.slice(from, length);
        let part = if self.find == Find::Never { together(part, &self.key)? } else { part };
        match self.last.filter(|_| room > 0) {
            Some(last) => {
                self.hold(last)?;
                let chunk = self.chunk_mut(last)?;
                let (number, start) = (chunk.body().number(), chunk.len());
                chunk.extend(&part)?;
                self.gone.extend(number.map(|number| (number, start)));
                self.link(last, start, &[])?;
            }
            None => {
                let chunk = Chunk::new(&part, &self.shelf)?;
                let number = self.place(chunk);
                if length < SMALL {
                    self.last = Some(number);
                }
                self.link(number, 0, &[])?;
            }
        }
        Ok(length)
    }

    pub(super) fn place(&mut self, chunk: Chunk) -> u32 {
        match self.chunks.iter().position(Option::is_none).filter(|_| self.chunks.len() > 64) {
            Some(free) => {
                self.chunks[free] = Some(chunk);
                free as u32
            }
            None => {
                self.chunks.push(Some(chunk));
                (self.chunks.len() - 1) as u32
            }
        }
    }

    /// Adds to the row's weight, and returns what it is then.
    pub(super) fn change_weight(&mut self, at: RowAt, change: i64) -> Result<i64, StateError> {
        let before = self.chunk(at)?.weight(at.row as usize);
        let after = before.checked_add(change).ok_or(StateError::WeightOutOfRange)?;
        self.negative = self.negative + usize::from(after < 0) - usize::from(before < 0);
        self.chunk_mut(at.chunk)?.set_weight(at.row as usize, after);
        self.touch(at.chunk);
        Ok(after)
    }

    /// The row that equals row `row` of `rows` in all columns. `hash` is that of its key or of all its columns, as rows are
    /// found here; `reach` has what is not in memory of the rows that may be it.
    pub(super) fn find_whole(&self, hash: u64, rows: &KeyColumns, row: usize, reach: &Reach) -> Result<Option<RowAt>, StateError> {
        let is_it = |at: RowAt| -> Result<bool, StateError> {
            let (others, other) = self.row(reach, at)?;
            Ok(others.whole()?.equals(other, rows, row))
        };
        if let Some(at) = self.each_candidate(hash, is_it)? {
            return Ok(Some(at));
        }
        for at in reach.cold.get(&hash).into_iter().flatten() {
            if self.chunk(*at)?.view().is_live(at.row as usize) && is_it(*at)? {
                return Ok(Some(*at));
            }
        }
        Ok(None)
    }

    /// The places that segments know for those hashes, each with the position of the hash, in the order of these.
    pub(super) fn find_cold(&self, by: By, hashes: &[u64]) -> Result<Vec<(u32, RowAt)>, StateError> {
        if self.cold.is_empty() {
            return Ok(Vec::new());
        }
        let named = named(&self.cold.segments(), by, hashes)?.into_iter();
        let is_there = |at: RowAt, segment: u64| {
            let chunk = self.chunks.get(at.chunk as usize).and_then(Option::as_ref);
            chunk.is_some_and(|chunk| chunk.cold_in() == Some(segment) && chunk.view().is_live(at.row as usize))
        };
        Ok(named.filter(|(_, at, segment)| is_there(*at, *segment)).map(|(position, at, _)| (position, at)).collect())
    }

    /// Goes through the rows in chains that may equal one of that hash, until `is_it` says that one does.
    pub(super) fn each_candidate(
        &self,
        hash: u64,
        mut is_it: impl FnMut(RowAt) -> Result<bool, StateError>,
    ) -> Result<Option<RowAt>, StateError> {
        if let Some(table) = &self.whole {
            for (_, at) in table.iter_hash(hash).filter(|(other, _)| *other == hash) {
                if is_it(*at)? {
                    return Ok(Some(*at));
                }
            }
            return Ok(None);
        }
        let mut at = self.heads.get(hash);
        while at != NONE {
            if is_it(at)? {
                return Ok(Some(at));
            }
            at = self.chunk(at)?.next(at.row as usize);
        }
        Ok(None)
    }

    /// The places of all rows under each of the probes, with the number of the probe, and what is not in memory of them.
    pub fn find(&self, probes: &KeyColumns) -> Result<(Vec<u32>, Vec<RowAt>, Reach), StateError> {
        let (mut probe, mut found) = (Vec::new(), Vec::new());
        let mut far = Vec::new();
        let hashes = probes.hashes();
        let mut cold = self.find_cold(By::Key, &hashes)?.into_iter().peekable();
        for (number, hash) in hashes.into_iter().enumerate() {
            let mut at = self.heads.get(hash);
            while at != NONE {
                let (chunk, row) = (self.chunk(at)?, at.row as usize);
                let may_be_it = match chunk.resident() {
                    Some(rows) => rows.keys.equals(row, probes, number),
                    None => {
                        far.extend(chunk.body().place(row));
                        true
                    }
                };
                if may_be_it {
                    probe.push(number as u32);
                    found.push(at);
                }
                at = chunk.next(row);
            }
            while let Some((_, at)) = cold.next_if(|(probe, _)| *probe == number as u32) {
                far.extend(self.chunk(at)?.body().place(at.row as usize));
                probe.push(number as u32);
                found.push(at);
            }
        }
        if far.is_empty() {
            return Ok((probe, found, Reach::default()));
        }
        let reach = Reach::of(self.shelf.fetch(far)?);
        let mut kept = 0;
        for i in 0..found.len() {
            let (rows, row) = self.row(&reach, found[i])?;
            if rows.keys.equals(row, probes, probe[i] as usize) {
                (probe[kept], found[kept]) = (probe[i], found[i]);
                kept += 1;
            }
        }
        probe.truncate(kept);
        found.truncate(kept);
        Ok((probe, found, reach))
    }

    /// The places of all rows in chains whose keys may have the hash, each with that number.
    pub fn of_hash(&self, hash: u64, number: u32, into: &mut Vec<(u32, RowAt)>) -> Result<(), StateError> {
        let mut at = self.heads.get(hash);
        while at != NONE {
            into.push((number, at));
            at = self.chunk(at)?.next(at.row as usize);
        }
        Ok(())
    }

    /// Checks that the probes are of this key.
    pub fn probes(&self, keys: &[ArrayRef], count: usize) -> Result<KeyColumns, StateError> {
        match keys.len() == self.key.len() {
            true => Ok(KeyColumns::new(keys, count)?),
            false => Err(StateError::Misuse(format!("an arrangement by {} columns was asked for {}", self.key.len(), keys.len()))),
        }
    }

    /// The current view of the chunk of that number.
    pub fn view(&self, number: u32) -> Option<Held<'_>> {
        let chunk = self.chunks.get(number as usize).and_then(Option::as_ref)?;
        Some((chunk.view(), chunk.resident().map(|rows| &**rows)))
    }
}
