//! The rows of an arrangement: chunks, the chains through them, and how they change.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;
use hashbrown::HashTable;
use imbl::Vector;

use crate::state::error::StateError;
use crate::zset::{KeyColumns, ZSet};

use super::chunk::{Chunk, NONE, RowAt, View};
use super::history::History;

/// How a row is found by all its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Along the chain of its key: a key has few rows.
    ByKey,
    /// By a table of all rows: a key may have very many.
    ByRow,
}

pub struct Rows {
    pub(super) schema: SchemaRef,
    pub(super) key: Arc<[usize]>,
    pub(super) find: Find,
    /// By number; `None` for one that is gone and may be used again.
    pub(super) chunks: Vec<Option<Chunk>>,
    /// The chunk that small deltas fill up.
    pub(super) last: Option<u32>,
    /// The newest row of each key, with the hash of the key.
    pub(super) heads: HashTable<(u64, RowAt)>,
    /// Every row, with the hash of all its columns: with [`Find::ByRow`], once a row was taken back.
    pub(super) whole: Option<HashTable<(u64, RowAt)>>,
    pub(super) live: usize,
    /// Rows with a weight below zero: while there are any, an added row may have to meet one.
    pub(super) negative: usize,
    /// Chunks that the store has and that are gone.
    pub(super) gone: Vec<u32>,
    /// The chunks as readers see them, by number; those in `unseen` are other ones by now.
    views: Vector<Option<View>>,
    unseen: Vec<u32>,
    pub(super) history: History,
}

/// Deltas of fewer rows are put together.
pub(super) const SMALL: usize = 1024;
const LARGEST: usize = 1 << 16;

impl Rows {
    pub fn new(schema: SchemaRef, key: &[usize], find: Find) -> Rows {
        Rows {
            schema,
            key: key.into(),
            find,
            chunks: Vec::new(),
            last: None,
            heads: HashTable::new(),
            whole: None,
            live: 0,
            negative: 0,
            gone: Vec::new(),
            views: Vector::new(),
            unseen: Vec::new(),
            history: History::default(),
        }
    }

    /// The number of rows that are there.
    pub fn len(&self) -> usize {
        self.live
    }

    pub fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().flatten().map(Chunk::bytes).sum();
        let tables = self.heads.capacity() + self.whole.as_ref().map_or(0, HashTable::capacity);
        chunks + tables * (size_of::<(u64, RowAt)>() + 1) + self.history.bytes()
    }

    /// The chunks as they are now, by number.
    pub fn views(&mut self) -> Vector<Option<View>> {
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

    /// The chunk is another one than readers have seen. Nobody reads the sides of joins.
    pub(super) fn touch(&mut self, number: u32) {
        if self.find == Find::ByRow || self.unseen.last() == Some(&number) {
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

    /// Adds the delta's weights.
    pub fn insert(&mut self, delta: &ZSet) -> Result<(), StateError> {
        let grows = self.whole.is_none() && self.negative == 0 && delta.weights().values().iter().all(|weight| *weight > 0);
        if delta.is_empty() || (grows && self.find == Find::ByRow) {
            return self.append(delta);
        }
        self.insert_distinct(&delta.combined()?)
    }

    /// [`Rows::insert`] of a delta that has no row twice: rows that meet what is there change a weight, the others are added.
    pub fn insert_distinct(&mut self, delta: &ZSet) -> Result<(), StateError> {
        self.index_whole_rows()?;
        let whole = KeyColumns::new(delta.rows().columns(), delta.len())?;
        let hashes = match self.find {
            Find::ByRow => whole.hashes(),
            Find::ByKey => KeyColumns::new(&self.key_of(delta), delta.len())?.hashes(),
        };
        let mut added = Vec::new();
        let mut touched = Vec::new();
        for (row, weight) in delta.weights().values().iter().enumerate() {
            match self.find_whole(hashes[row], &whole, row)? {
                Some(at) => {
                    if self.change_weight(at, *weight)? == 0 {
                        self.unlink(at, hashes[row])?;
                        touched.push(at.chunk);
                    }
                }
                None => added.push(row as u32),
            }
        }
        match added.len() == delta.len() {
            true => self.append(delta)?,
            false => self.append(&delta.take(&UInt32Array::from(added))?)?,
        }
        self.compact_all(touched)
    }

    /// Takes the rows at those places away, whatever their weights, and adds rows that are not there.
    pub fn exchange(&mut self, gone: &[RowAt], come: &ZSet) -> Result<(), StateError> {
        let mut touched = Vec::new();
        for at in gone {
            let chunk = self.chunk(*at)?;
            let hash = match self.find {
                Find::ByKey => chunk.keys().hash_of(at.row as usize),
                Find::ByRow => chunk.whole()?.hash_of(at.row as usize),
            };
            let weight = chunk.weight(at.row as usize);
            self.change_weight(*at, weight.checked_neg().ok_or(StateError::WeightOutOfRange)?)?;
            self.unlink(*at, hash)?;
            touched.push(at.chunk);
        }
        self.append(come)?;
        self.compact_all(touched)
    }

    /// Takes every row away; what was taken, with negative weights.
    pub fn clear(&mut self) -> Result<ZSet, StateError> {
        let parts = self.chunks.iter().flatten().map(|chunk| chunk.view().all()).collect::<Result<Vec<_>, _>>()?;
        let gone = ZSet::concat(&self.schema, &parts)?.negate();
        self.insert_distinct(&gone)?;
        Ok(gone)
    }

    fn key_of(&self, rows: &ZSet) -> Vec<ArrayRef> {
        self.key.iter().map(|column| rows.column(*column).clone()).collect()
    }

    /// Adds rows without looking for their equals.
    pub(super) fn append(&mut self, delta: &ZSet) -> Result<(), StateError> {
        let mut from = 0;
        while from < delta.len() {
            let room = match self.last {
                Some(last) if delta.len() - from < SMALL => SMALL.saturating_sub(self.chunk_mut(last)?.len()),
                _ => 0,
            };
            let length = (delta.len() - from).min(if room > 0 { room } else { LARGEST });
            let part = delta.slice(from, length);
            from += length;
            match self.last.filter(|_| room > 0) {
                Some(last) => {
                    let key = self.key.clone();
                    let chunk = self.chunk_mut(last)?;
                    let start = chunk.len();
                    chunk.extend(&part, &key)?;
                    self.link(last, start)?;
                }
                None => {
                    let chunk = Chunk::new(&part, &self.key)?;
                    let number = self.place(chunk);
                    if length < SMALL {
                        self.last = Some(number);
                    }
                    self.link(number, 0)?;
                }
            }
        }
        Ok(())
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
    /// found here.
    pub(super) fn find_whole(&self, hash: u64, rows: &KeyColumns, row: usize) -> Result<Option<RowAt>, StateError> {
        let is_equal = |at: RowAt| self.chunk(at).and_then(Chunk::whole).is_ok_and(|all| all.equals(at.row as usize, rows, row));
        if let Some(table) = &self.whole {
            let is_it = |(other_hash, at): &(u64, RowAt)| *other_hash == hash && is_equal(*at);
            return Ok(table.find(hash, is_it).map(|(_, at)| *at));
        }
        // Keys of one hash are rare: each chain of that hash is walked.
        for (_, head) in self.heads.iter_hash(hash).filter(|(other, _)| *other == hash) {
            let mut at = *head;
            while at != NONE {
                if is_equal(at) {
                    return Ok(Some(at));
                }
                at = self.chunk(at)?.next(at.row as usize);
            }
        }
        Ok(None)
    }

    /// The places of all rows under each of the probes, with the number of the probe.
    pub fn find(&self, probes: &KeyColumns) -> Result<(Vec<u32>, Vec<RowAt>), StateError> {
        let (mut probe, mut found) = (Vec::new(), Vec::new());
        for (number, hash) in probes.hashes().into_iter().enumerate() {
            let mut at = self.head(hash, probes, number);
            while at != NONE {
                probe.push(number as u32);
                found.push(at);
                at = self.chunk(at)?.next(at.row as usize);
            }
        }
        Ok((probe, found))
    }

    fn head(&self, hash: u64, probes: &KeyColumns, number: usize) -> RowAt {
        let is_it = |(other, at): &(u64, RowAt)| {
            *other == hash && self.chunks[at.chunk as usize].as_ref().is_some_and(|c| c.keys().equals(at.row as usize, probes, number))
        };
        self.heads.find(hash, is_it).map_or(NONE, |(_, at)| *at)
    }

    /// Checks that the probes are of this key.
    pub fn probes(&self, keys: &[ArrayRef], count: usize) -> Result<KeyColumns, StateError> {
        match keys.len() == self.key.len() {
            true => Ok(KeyColumns::new(keys, count)?),
            false => Err(StateError::Misuse(format!("an arrangement by {} columns was asked for {}", self.key.len(), keys.len()))),
        }
    }

    /// The current view of the chunk of that number.
    pub fn view(&self, number: u32) -> Option<&View> {
        self.chunks.get(number as usize).and_then(Option::as_ref).map(Chunk::view)
    }
}
