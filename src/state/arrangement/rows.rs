//! The rows of an arrangement: chunks, the chains through them, and how they change.

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
    pub(super) key: Vec<usize>,
    pub(super) find: Find,
    /// By number; `None` for one that is gone and may be used again.
    pub(super) chunks: Vec<Option<Chunk>>,
    /// The chunk that small deltas fill up.
    last: Option<u32>,
    /// The newest row of each key, with the hash of the key.
    heads: HashTable<(u64, RowAt)>,
    /// Every row, with the hash of all its columns: with [`Find::ByRow`], once a row was taken back.
    whole: Option<HashTable<(u64, RowAt)>>,
    live: usize,
    /// Rows with a weight below zero: while there are any, an added row may have to meet one.
    negative: usize,
    /// Chunks that the store has and that are gone.
    pub(super) gone: Vec<u32>,
    /// The chunks as readers see them, by number; those in `unseen` are other ones by now.
    views: Vector<Option<View>>,
    unseen: Vec<u32>,
    pub(super) history: History,
}

/// Deltas of fewer rows are put together.
const SMALL: usize = 1024;
const LARGEST: usize = 1 << 16;

impl Rows {
    pub fn new(schema: SchemaRef, key: Vec<usize>, find: Find) -> Rows {
        Rows {
            schema,
            key,
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
    fn touch(&mut self, number: u32) {
        if self.find == Find::ByRow || self.unseen.last() == Some(&number) {
            return;
        }
        self.unseen.push(number);
        if self.unseen.len() > 1024 + 2 * self.chunks.len() {
            self.unseen.sort_unstable();
            self.unseen.dedup();
        }
    }

    fn chunk(&self, at: RowAt) -> Result<&Chunk, StateError> {
        let chunk = self.chunks.get(at.chunk as usize).and_then(Option::as_ref);
        chunk.ok_or_else(|| StateError::Misuse(format!("an arrangement has no chunk {}", at.chunk)))
    }

    fn chunk_mut(&mut self, number: u32) -> Result<&mut Chunk, StateError> {
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

    fn compact_all(&mut self, mut numbers: Vec<u32>) -> Result<(), StateError> {
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().try_for_each(|number| self.compact(number))
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
    fn append(&mut self, delta: &ZSet) -> Result<(), StateError> {
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

    fn place(&mut self, chunk: Chunk) -> u32 {
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

    /// Makes the rows of a chunk from `start` on findable; those of weight zero are not there.
    pub(super) fn link(&mut self, number: u32, start: usize) -> Result<(), StateError> {
        let Some(mut chunk) = self.chunks.get_mut(number as usize).and_then(Option::take) else { return Ok(()) };
        self.touch(number);
        let hashes = chunk.keys().hashes();
        let whole_hashes = match &self.whole {
            Some(_) => chunk.whole()?.hashes(),
            None => Vec::new(),
        };
        for row in start..chunk.len() {
            if !chunk.view().is_live(row) {
                continue;
            }
            let at = RowAt { chunk: number, row: row as u32 };
            let hash = hashes[row];
            let same = |(other_hash, other): &(u64, RowAt)| {
                *other_hash == hash
                    && match other.chunk == number {
                        true => chunk.keys().equal(other.row as usize, row),
                        false => self.chunks[other.chunk as usize]
                            .as_ref()
                            .is_some_and(|c| c.keys().equals(other.row as usize, chunk.keys(), row)),
                    }
            };
            let before = match self.heads.find_mut(hash, same) {
                Some((_, head)) => std::mem::replace(head, at),
                None => {
                    self.heads.insert_unique(hash, (hash, at), |(hash, _)| *hash);
                    NONE
                }
            };
            chunk.set_next(row, before);
            if let Some(whole) = &mut self.whole {
                chunk.set_previous(row, NONE);
                if before.chunk == number {
                    chunk.set_previous(before.row as usize, at);
                } else if let Some(other) = self.chunks.get_mut(before.chunk as usize).and_then(Option::as_mut) {
                    other.set_previous(before.row as usize, at);
                }
                whole.insert_unique(whole_hashes[row], (whole_hashes[row], at), |(hash, _)| *hash);
            }
            self.live += 1;
            self.negative += usize::from(chunk.weight(row) < 0);
        }
        self.chunks[number as usize] = Some(chunk);
        Ok(())
    }

    /// With [`Find::ByRow`]: makes rows findable by all their columns, each distinct row once, and chains walkable both
    /// ways.
    fn index_whole_rows(&mut self) -> Result<(), StateError> {
        if self.whole.is_some() || self.find == Find::ByKey {
            return Ok(());
        }
        let mut links = Vec::with_capacity(self.live);
        for (number, chunk) in self.chunks.iter_mut().enumerate().filter_map(|(n, chunk)| Some((n as u32, chunk.as_mut()?))) {
            let rows = chunk.live_positions().into_iter();
            links.extend(rows.map(|row| (chunk.next(row), RowAt { chunk: number, row: row as u32 })));
            chunk.forget_previous();
        }
        for (next, at) in links.iter().filter(|(next, _)| *next != NONE) {
            self.chunk_mut(next.chunk)?.set_previous(next.row as usize, *at);
        }
        self.whole = Some(HashTable::with_capacity(self.live));
        let mut touched = Vec::new();
        for rows in links.chunk_by(|(_, a), (_, b)| a.chunk == b.chunk) {
            let chunk = self.chunk(rows[0].1)?;
            let whole = KeyColumns::new(chunk.rows().columns(), chunk.len())?;
            let hashes = whole.hashes();
            for (_, at) in rows {
                let (row, hash) = (at.row as usize, hashes[at.row as usize]);
                let Some(equal) = self.find_whole(hash, &whole, row)? else {
                    if let Some(table) = &mut self.whole {
                        table.insert_unique(hash, (hash, *at), |(hash, _)| *hash);
                    }
                    continue;
                };
                let weight = self.chunk(*at)?.weight(row);
                self.change_weight(*at, weight.checked_neg().ok_or(StateError::WeightOutOfRange)?)?;
                self.unlink(*at, hash)?;
                self.change_weight(equal, weight)?;
                touched.push(at.chunk);
            }
        }
        self.compact_all(touched)
    }

    /// Adds to the row's weight, and returns what it is then.
    fn change_weight(&mut self, at: RowAt, change: i64) -> Result<i64, StateError> {
        let before = self.chunk(at)?.weight(at.row as usize);
        let after = before.checked_add(change).ok_or(StateError::WeightOutOfRange)?;
        self.negative = self.negative + usize::from(after < 0) - usize::from(before < 0);
        self.chunk_mut(at.chunk)?.set_weight(at.row as usize, after);
        self.touch(at.chunk);
        Ok(after)
    }

    /// The row that equals row `row` of `rows` in all columns. `hash` is that of its key or of all its columns, as rows are
    /// found here.
    fn find_whole(&self, hash: u64, rows: &KeyColumns, row: usize) -> Result<Option<RowAt>, StateError> {
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

    /// Takes a row out of its chain and out of the tables. `hash` is the one that [`Rows::find_whole`] takes.
    fn unlink(&mut self, at: RowAt, hash: u64) -> Result<(), StateError> {
        let chunk = self.chunk(at)?;
        let next = chunk.next(at.row as usize);
        let (key_hash, previous) = match self.find {
            Find::ByRow => (chunk.keys().hash_of(at.row as usize), chunk.previous(at.row as usize)),
            Find::ByKey => (hash, self.previous_of(at, hash)?),
        };
        if next != NONE && self.whole.is_some() {
            self.chunk_mut(next.chunk)?.set_previous(next.row as usize, previous);
        }
        if previous != NONE {
            self.chunk_mut(previous.chunk)?.set_next(previous.row as usize, next);
        } else if let Ok(mut entry) = self.heads.find_entry(key_hash, |(_, head)| *head == at) {
            match next == NONE {
                true => drop(entry.remove()),
                false => entry.get_mut().1 = next,
            }
        }
        if let Some(whole) = &mut self.whole
            && let Ok(entry) = whole.find_entry(hash, |(_, other)| *other == at)
        {
            entry.remove();
        }
        self.history.leave(key_hash, at);
        self.live -= 1;
        Ok(())
    }

    /// The row before that one in the chain of its key.
    fn previous_of(&self, row: RowAt, hash: u64) -> Result<RowAt, StateError> {
        for (_, head) in self.heads.iter_hash(hash).filter(|(other, _)| *other == hash) {
            let mut at = *head;
            while at != NONE && at != row {
                let next = self.chunk(at)?.next(at.row as usize);
                if next == row {
                    return Ok(at);
                }
                at = next;
            }
        }
        Ok(NONE)
    }

    /// Frees a chunk without rows; writes the rows of one anew that has lost more than half of them.
    fn compact(&mut self, number: u32) -> Result<(), StateError> {
        let Some(chunk) = self.chunks.get(number as usize).and_then(Option::as_ref) else { return Ok(()) };
        if chunk.live() * 2 > chunk.len() {
            return Ok(());
        }
        let kept = chunk.view().all()?;
        let hashes = match self.find {
            Find::ByRow => chunk.whole()?.hashes(),
            Find::ByKey => chunk.keys().hashes(),
        };
        for row in chunk.live_positions() {
            let at = RowAt { chunk: number, row: row as u32 };
            self.negative -= usize::from(self.chunk(at)?.weight(row) < 0);
            self.unlink(at, hashes[row])?;
        }
        if self.chunks[number as usize].take().is_some_and(|chunk| chunk.is_stored()) {
            self.gone.push(number);
        }
        self.touch(number);
        self.last = self.last.filter(|last| *last != number);
        self.append(&kept)
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
