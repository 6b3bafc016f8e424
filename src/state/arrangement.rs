//! An arrangement: the rows of a delta stream, found by key. What joins keep of their sides.
//!
//! Rows lie in chunks of columns, as they came; nothing is encoded and nothing allocated a row. A table from the hash of
//! the key leads to the newest row of the key, and each row to the one before it. What is found is gathered from the
//! chunks by column.
//!
//! As long as rows only come, a row lies beside its equals and nobody looks for them. When the first row is taken back, a
//! table of all rows by the hash of all their columns is made, and from then on each distinct row is there once, with the
//! sum of its weights; a sum of zero leaves the chain. A sum below zero is kept like any other weight. Chunks that have lost half of their rows are written anew,
//! small deltas fill up a last chunk.
//!
//! In the store a chunk is one value, written when it is full or a checkpoint comes, and a weight that changed later is a
//! small one beside it:
//!
//! ```text
//! trace | 0, 1 byte | "c" | chunk, 4 bytes                 -> rows and weights, as Arrow IPC
//! trace | 0, 1 byte | "w" | chunk, 4 bytes | row, 4 bytes  -> weight, 8 bytes big endian
//! ```

mod chunk;

use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use hashbrown::HashTable;

use crate::types::TraceId;
use crate::zset::{KeyColumns, ZSet};

use super::error::StateError;
use super::family::Family;
use super::ipc::{zset_from_ipc, zset_to_ipc};
use super::key_layout::{entry_key, entry_of, trace_prefix};
use super::probe::Matches;
use super::store::Store;
use super::writes::Writes;

use chunk::{Chunk, NONE, RowAt};

/// A handle; clones are the same arrangement. Made by [`super::TraceSet::arrangement`].
#[derive(Clone)]
pub struct Arrangement {
    id: TraceId,
    rows: Arc<Mutex<Rows>>,
}

pub(super) struct Rows {
    schema: SchemaRef,
    key: Vec<usize>,
    /// By number; `None` for one that is gone and may be used again.
    chunks: Vec<Option<Chunk>>,
    /// The chunk that small deltas fill up.
    last: Option<u32>,
    /// The newest row of each key, with the hash of the key.
    heads: HashTable<(u64, RowAt)>,
    /// Every row, with the hash of all its columns; `None` until a row is taken back.
    whole: Option<HashTable<(u64, RowAt)>>,
    live: usize,
    /// Rows with a weight below zero: while there are any, an added row may have to meet one.
    negative: usize,
    /// Chunks that the store has and that are gone.
    gone: Vec<u32>,
}

/// Deltas of fewer rows are put together.
const SMALL: usize = 1024;
const LARGEST: usize = 1 << 16;
const CHUNK: u8 = b'c';
const WEIGHT: u8 = b'w';

impl Arrangement {
    pub(super) fn new(id: TraceId, rows: Rows) -> Arrangement {
        Arrangement { id, rows: Arc::new(Mutex::new(rows)) }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    /// Adds the delta's weights.
    ///
    /// # Errors
    /// When a weight leaves the range of `i64`.
    pub fn insert(&self, delta: &ZSet) -> Result<(), StateError> {
        self.lock().insert(delta)
    }

    /// All rows under each of `count` probes, which are columns of the key's types in the key's order; without key columns
    /// every probe finds everything. A null finds a null.
    pub fn lookup(&self, keys: &[ArrayRef], count: usize) -> Result<Matches, StateError> {
        self.lock().lookup(keys, count)
    }

    /// The number of rows that lie here.
    pub fn len(&self) -> usize {
        self.lock().live
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    pub(super) fn fingerprint(&self) -> String {
        let rows = self.lock();
        Rows::form(&rows.schema, &rows.key)
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) -> Result<(), StateError> {
        self.lock().write_changes(self.id, writes)
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no thread panics while it holds an arrangement")
    }
}

impl Rows {
    pub(super) fn new(schema: SchemaRef, key: Vec<usize>) -> Rows {
        Rows { schema, key, chunks: Vec::new(), last: None, heads: HashTable::new(), whole: None, live: 0, negative: 0, gone: Vec::new() }
    }

    /// What the store holds.
    pub(super) fn load(store: &Store, id: TraceId, schema: SchemaRef, key: Vec<usize>) -> Result<Rows, StateError> {
        let mut rows = Rows::new(schema, key);
        let broken = || StateError::corrupted(format!("an entry of arrangement {id} cannot be read"));
        store.scan_with(Family::Trace, &trace_prefix(id), &mut |key, value| {
            let entry = entry_of(key).ok_or_else(broken)?;
            let (kind, number) = entry.split_first().ok_or_else(broken)?;
            let (number, row) = number.split_first_chunk::<4>().ok_or_else(broken)?;
            let number = u32::from_be_bytes(*number);
            if *kind == CHUNK {
                let zset = zset_from_ipc(value)?;
                if rows.chunks.len() <= number as usize {
                    rows.chunks.resize_with(number as usize + 1, || None);
                }
                rows.chunks[number as usize] = Some(Chunk::stored(&zset, &rows.key)?);
                return Ok(());
            }
            if *kind != WEIGHT {
                return Err(broken());
            }
            let row = row.try_into().map(u32::from_be_bytes).map_err(|_| broken())?;
            let weight = value.try_into().map(i64::from_be_bytes).map_err(|_| broken())?;
            let chunk = rows.chunks.get_mut(number as usize).and_then(Option::as_mut).filter(|chunk| (row as usize) < chunk.len());
            chunk.ok_or_else(broken)?.set_stored_weight(row as usize, weight);
            Ok(())
        })?;
        for number in 0..rows.chunks.len() as u32 {
            if let Some(chunk) = &mut rows.chunks[number as usize] {
                chunk.count_live();
                rows.link(number, 0)?;
            }
        }
        Ok(rows)
    }

    /// What is stored beside an arrangement, to know that it is read as it was written.
    pub(super) fn form(schema: &SchemaRef, key: &[usize]) -> String {
        let types: Vec<String> = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
        format!("arrangement of ({}) by {key:?}", types.join(", "))
    }

    fn chunk(&self, at: RowAt) -> Result<&Chunk, StateError> {
        let chunk = self.chunks.get(at.chunk as usize).and_then(Option::as_ref);
        chunk.ok_or_else(|| StateError::Misuse(format!("an arrangement has no chunk {}", at.chunk)))
    }

    fn chunk_mut(&mut self, number: u32) -> Result<&mut Chunk, StateError> {
        let chunk = self.chunks.get_mut(number as usize).and_then(Option::as_mut);
        chunk.ok_or_else(|| StateError::Misuse(format!("an arrangement has no chunk {number}")))
    }

    fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().flatten().map(Chunk::bytes).sum();
        let tables = self.heads.capacity() + self.whole.as_ref().map_or(0, HashTable::capacity);
        chunks + tables * (size_of::<(u64, RowAt)>() + 1)
    }

    fn insert(&mut self, delta: &ZSet) -> Result<(), StateError> {
        let weights = delta.weights().values();
        if self.whole.is_none() && self.negative == 0 && weights.iter().all(|weight| *weight > 0) {
            return self.append(delta);
        }
        // Rows that meet what is there change a weight; the others are added.
        self.index_whole_rows()?;
        let delta = delta.combined()?;
        let whole = KeyColumns::new(delta.rows().columns(), delta.len())?;
        let hashes = whole.hashes();
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
        self.append(&delta.take(&UInt32Array::from(added))?)?;
        touched.sort_unstable();
        touched.dedup();
        touched.into_iter().try_for_each(|number| self.compact(number))
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
    fn link(&mut self, number: u32, start: usize) -> Result<(), StateError> {
        let Some(mut chunk) = self.chunks.get_mut(number as usize).and_then(Option::take) else { return Ok(()) };
        let hashes = chunk.keys().hashes();
        let whole_hashes = match &self.whole {
            Some(_) => chunk.whole()?.hashes(),
            None => Vec::new(),
        };
        for row in (start..chunk.len()).filter(|row| chunk.weight(*row) != 0).collect::<Vec<_>>() {
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

    /// Makes rows findable by all their columns, each distinct row once, and chains walkable both ways.
    fn index_whole_rows(&mut self) -> Result<(), StateError> {
        if self.whole.is_some() {
            return Ok(());
        }
        let mut links = Vec::with_capacity(self.live);
        for (number, chunk) in self.chunks.iter_mut().enumerate().filter_map(|(n, chunk)| Some((n as u32, chunk.as_mut()?))) {
            let rows = (0..chunk.len()).filter(|row| chunk.weight(*row) != 0);
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
        touched.dedup();
        touched.into_iter().try_for_each(|number| self.compact(number))
    }

    /// Adds to the row's weight, and returns what it is then.
    fn change_weight(&mut self, at: RowAt, change: i64) -> Result<i64, StateError> {
        let before = self.chunk(at)?.weight(at.row as usize);
        let after = before.checked_add(change).ok_or(StateError::WeightOutOfRange)?;
        self.negative = self.negative + usize::from(after < 0) - usize::from(before < 0);
        self.chunk_mut(at.chunk)?.set_weight(at.row as usize, after);
        Ok(after)
    }

    fn find_whole(&self, hash: u64, rows: &KeyColumns, row: usize) -> Result<Option<RowAt>, StateError> {
        let Some(table) = &self.whole else { return Ok(None) };
        let chunks = &self.chunks;
        let is_it = |(other_hash, at): &(u64, RowAt)| {
            *other_hash == hash
                && chunks[at.chunk as usize]
                    .as_ref()
                    .is_some_and(|chunk| chunk.whole().is_ok_and(|all| all.equals(at.row as usize, rows, row)))
        };
        Ok(table.find(hash, is_it).map(|(_, at)| *at))
    }

    /// Takes a row out of its chain and out of the tables.
    fn unlink(&mut self, at: RowAt, whole_hash: u64) -> Result<(), StateError> {
        let chunk = self.chunk_mut(at.chunk)?;
        let (next, previous) = (chunk.next(at.row as usize), chunk.previous(at.row as usize));
        chunk.lose_row();
        if next != NONE {
            self.chunk_mut(next.chunk)?.set_previous(next.row as usize, previous);
        }
        if previous != NONE {
            self.chunk_mut(previous.chunk)?.set_next(previous.row as usize, next);
        } else {
            let hash = self.chunk(at)?.keys().hash_of(at.row as usize);
            if let Ok(mut entry) = self.heads.find_entry(hash, |(_, head)| *head == at) {
                match next == NONE {
                    true => drop(entry.remove()),
                    false => entry.get_mut().1 = next,
                }
            }
        }
        if let Some(whole) = &mut self.whole
            && let Ok(entry) = whole.find_entry(whole_hash, |(_, other)| *other == at)
        {
            entry.remove();
        }
        self.live -= 1;
        Ok(())
    }

    /// Frees a chunk without rows; writes the rows of one anew that has lost more than half of them.
    fn compact(&mut self, number: u32) -> Result<(), StateError> {
        let Some(chunk) = self.chunks.get(number as usize).and_then(Option::as_ref) else { return Ok(()) };
        if chunk.live() * 2 > chunk.len() {
            return Ok(());
        }
        let kept = chunk.live_rows()?;
        let hashes = chunk.whole()?.hashes();
        for row in (0..chunk.len()).filter(|row| chunk.weight(*row) != 0).collect::<Vec<_>>() {
            self.negative -= usize::from(self.chunk(RowAt { chunk: number, row: row as u32 })?.weight(row) < 0);
            self.unlink(RowAt { chunk: number, row: row as u32 }, hashes[row])?;
        }
        if self.chunks[number as usize].take().is_some_and(|chunk| chunk.is_stored()) {
            self.gone.push(number);
        }
        self.last = self.last.filter(|last| *last != number);
        self.append(&kept)
    }

    fn lookup(&self, keys: &[ArrayRef], count: usize) -> Result<Matches, StateError> {
        if keys.len() != self.key.len() {
            return Err(StateError::Misuse(format!("an arrangement by {} columns was asked for {}", self.key.len(), keys.len())));
        }
        let probes = KeyColumns::new(keys, count)?;
        let (mut probe, mut found) = (Vec::new(), Vec::new());
        for (number, hash) in probes.hashes().into_iter().enumerate() {
            let is_it = |(other, at): &(u64, RowAt)| {
                *other == hash && self.chunks[at.chunk as usize].as_ref().is_some_and(|c| c.keys().equals(at.row as usize, &probes, number))
            };
            let mut at = self.heads.find(hash, is_it).map_or(NONE, |(_, at)| *at);
            while at != NONE {
                probe.push(number as u32);
                found.push(at);
                at = self.chunk(at)?.next(at.row as usize);
            }
        }
        Ok(Matches { probe: UInt32Array::from(probe), rows: self.gather(&found)? })
    }

    /// The rows at those places, with their weights.
    fn gather(&self, found: &[RowAt]) -> Result<ZSet, StateError> {
        // Only the chunks that are needed, numbered anew.
        let mut used: Vec<&Chunk> = Vec::new();
        let mut places = vec![usize::MAX; self.chunks.len()];
        let mut picks = Vec::with_capacity(found.len());
        let mut weights = Vec::with_capacity(found.len());
        for at in found {
            let chunk = self.chunk(*at)?;
            let place = &mut places[at.chunk as usize];
            if *place == usize::MAX {
                *place = used.len();
                used.push(chunk);
            }
            picks.push((*place, at.row as usize));
            weights.push(chunk.weight(at.row as usize));
        }
        if used.is_empty() {
            return Ok(ZSet::empty(self.schema.clone()));
        }
        let columns = (0..self.schema.fields().len()).map(|column| {
            let arrays: Vec<_> = used.iter().map(|chunk| chunk.rows().column(column).as_ref()).collect();
            interleave(&arrays, &picks)
        });
        let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns.collect::<Result<_, _>>()?, &options)?;
        Ok(ZSet::new(rows, Int64Array::from(weights)))
    }

    fn write_changes(&mut self, id: TraceId, writes: &mut Writes) -> Result<(), StateError> {
        let key = |kind: u8, number: u32| entry_key(id, 0, &[&[kind][..], &number.to_be_bytes()].concat());
        for number in self.gone.drain(..) {
            writes.delete(Family::Trace, key(CHUNK, number));
            writes.delete_prefix(Family::Trace, key(WEIGHT, number));
        }
        for (number, chunk) in self.chunks.iter_mut().enumerate().filter_map(|(n, chunk)| Some((n as u32, chunk.as_mut()?))) {
            if chunk.take_unstored() {
                writes.delete_prefix(Family::Trace, key(WEIGHT, number));
                writes.put(Family::Trace, key(CHUNK, number), zset_to_ipc(&chunk.zset()?)?);
                chunk.take_changed_weights().for_each(drop);
                continue;
            }
            let changed: Vec<u32> = chunk.take_changed_weights().collect();
            for row in changed {
                let mut at = key(WEIGHT, number);
                at.extend_from_slice(&row.to_be_bytes());
                writes.put(Family::Trace, at, chunk.weight(row as usize).to_be_bytes());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
