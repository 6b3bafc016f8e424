//! A chunk of an arrangement: rows as columns, and beside each row its weight and its place in the chain of its key.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use arrow::array::{Int64Array, RecordBatch, UInt32Array};

use crate::state::error::StateError;
use crate::zset::{KeyColumns, ZSet};

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowAt {
    pub chunk: u32,
    pub row: u32,
}

/// The end of a chain.
pub const NONE: RowAt = RowAt { chunk: u32::MAX, row: u32::MAX };

pub struct Chunk {
    rows: RecordBatch,
    keys: KeyColumns,
    /// All columns, once they were asked for.
    whole: OnceCell<KeyColumns>,
    /// Empty while every weight is 1.
    weights: Vec<i64>,
    next: Vec<RowAt>,
    /// Empty until rows are taken back.
    previous: Vec<RowAt>,
    live: usize,
    /// Whether the store has the chunk, and with these rows.
    stored: bool,
    complete: bool,
    /// Rows whose weight is another one than the store has.
    changed: BTreeSet<u32>,
}

impl Chunk {
    pub fn new(rows: &ZSet, key: &[usize]) -> Result<Chunk, StateError> {
        let mut weights = rows.weights().values().to_vec();
        if weights.iter().all(|weight| *weight == 1) {
            weights.clear();
        }
        Ok(Chunk {
            keys: keys(rows.rows(), key)?,
            rows: rows.rows().clone(),
            whole: OnceCell::new(),
            weights,
            next: vec![NONE; rows.len()],
            previous: Vec::new(),
            live: rows.len(),
            stored: false,
            complete: false,
            changed: BTreeSet::new(),
        })
    }

    /// A chunk that the store has.
    pub fn stored(rows: &ZSet, key: &[usize]) -> Result<Chunk, StateError> {
        Ok(Chunk { stored: true, complete: true, ..Chunk::new(rows, key)? })
    }

    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Rows whose weight is not zero.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Counts the rows that are there, once all their weights are known.
    pub fn count_live(&mut self) {
        self.live = if self.weights.is_empty() { self.len() } else { self.weights.iter().filter(|weight| **weight != 0).count() };
    }

    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    pub fn keys(&self) -> &KeyColumns {
        &self.keys
    }

    pub fn whole(&self) -> Result<&KeyColumns, StateError> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let whole = KeyColumns::new(self.rows.columns(), self.len())?;
        Ok(self.whole.get_or_init(|| whole))
    }

    /// Puts more rows behind these.
    pub fn extend(&mut self, more: &ZSet, key: &[usize]) -> Result<(), StateError> {
        let all = ZSet::concat(&self.rows.schema(), [&self.zset()?, more])?;
        let (live, stored) = (self.live, self.stored);
        let (mut next, mut previous) = (std::mem::take(&mut self.next), std::mem::take(&mut self.previous));
        next.resize(all.len(), NONE);
        if !previous.is_empty() {
            previous.resize(all.len(), NONE);
        }
        *self = Chunk { live: live + more.len(), stored, next, previous, ..Chunk::new(&all, key)? };
        Ok(())
    }

    /// The rows with their weights.
    pub fn zset(&self) -> Result<ZSet, StateError> {
        Ok(ZSet::new(self.rows.clone(), self.all_weights()))
    }

    /// The rows whose weight is not zero.
    pub fn live_rows(&self) -> Result<ZSet, StateError> {
        let live: UInt32Array = (0..self.len() as u32).filter(|row| self.weight(*row as usize) != 0).collect();
        Ok(self.zset()?.take(&live)?)
    }

    fn all_weights(&self) -> Int64Array {
        if self.weights.is_empty() { Int64Array::from_value(1, self.len()) } else { Int64Array::from(self.weights.clone()) }
    }

    pub fn weight(&self, row: usize) -> i64 {
        if self.weights.is_empty() { 1 } else { self.weights[row] }
    }

    pub fn set_weight(&mut self, row: usize, weight: i64) {
        self.set_stored_weight(row, weight);
        if self.complete {
            self.changed.insert(row as u32);
        }
    }

    /// Sets a weight as the store has it.
    pub fn set_stored_weight(&mut self, row: usize, weight: i64) {
        if self.weights.is_empty() {
            self.weights = vec![1; self.len()];
        }
        self.weights[row] = weight;
    }

    pub fn next(&self, row: usize) -> RowAt {
        self.next[row]
    }

    pub fn set_next(&mut self, row: usize, next: RowAt) {
        self.next[row] = next;
    }

    pub fn previous(&self, row: usize) -> RowAt {
        self.previous.get(row).copied().unwrap_or(NONE)
    }

    pub fn set_previous(&mut self, row: usize, previous: RowAt) {
        if self.previous.is_empty() {
            self.previous = vec![NONE; self.len()];
        }
        self.previous[row] = previous;
    }

    pub fn forget_previous(&mut self) {
        self.previous.clear();
    }

    /// Counts a row that is no longer there.
    pub fn lose_row(&mut self) {
        self.live -= 1;
    }

    pub fn is_stored(&self) -> bool {
        self.stored
    }

    /// Whether the rows have to be written; counts on it being done.
    pub fn take_unstored(&mut self) -> bool {
        self.stored = true;
        !std::mem::replace(&mut self.complete, true)
    }

    /// The rows whose weights have to be written; counts on it being done.
    pub fn take_changed_weights(&mut self) -> impl Iterator<Item = u32> + use<> {
        std::mem::take(&mut self.changed).into_iter()
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.rows.get_array_memory_size() + self.weights.capacity() * 8 + (self.next.capacity() + self.previous.capacity()) * 8
    }
}

fn keys(rows: &RecordBatch, key: &[usize]) -> Result<KeyColumns, StateError> {
    let columns: Vec<_> = key.iter().map(|column| rows.column(*column).clone()).collect();
    Ok(KeyColumns::new(&columns, rows.num_rows())?)
}
