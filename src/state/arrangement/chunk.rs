//! A chunk of an arrangement: rows as columns, and beside each row its weight and its place in the chain of its key.
//!
//! The rows never change. Which of them are there is a bit for each, and a weight for each once one is not 1. Both are
//! shared with the views that readers hold, and copied when they change under one.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer};

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

/// Rows with their keys.
pub struct Fixed {
    pub rows: RecordBatch,
    pub keys: KeyColumns,
}

/// A chunk as it was at one moment; cheap to clone.
#[derive(Clone)]
pub struct View {
    pub fixed: Arc<Fixed>,
    live: Arc<Vec<u64>>,
    weights: Option<Arc<Vec<i64>>>,
    /// Rows that are there.
    pub count: usize,
}

pub struct Chunk {
    view: View,
    /// All columns, once they were asked for.
    whole: OnceCell<KeyColumns>,
    next: Vec<RowAt>,
    /// Empty until rows are taken back.
    previous: Vec<RowAt>,
    /// Whether the store has the chunk, and with these rows.
    stored: bool,
    complete: bool,
    /// Whether the weights are other ones than the store has.
    changed: bool,
}

impl View {
    fn new(rows: &ZSet, key: &[usize]) -> Result<View, StateError> {
        let columns: Vec<_> = key.iter().map(|column| rows.rows().column(*column).clone()).collect();
        let keys = KeyColumns::new(&columns, rows.len())?;
        let mut live = vec![u64::MAX; rows.len().div_ceil(64)];
        if let (Some(last), bits @ 1..) = (live.last_mut(), rows.len() % 64) {
            *last = (1 << bits) - 1;
        }
        let fixed = Arc::new(Fixed { rows: rows.rows().clone(), keys });
        let mut view = View { fixed, live: Arc::new(live), weights: None, count: rows.len() };
        for (row, weight) in rows.weights().values().iter().enumerate().filter(|(_, weight)| **weight != 1) {
            view.set_weight(row, *weight);
        }
        Ok(view)
    }

    pub fn len(&self) -> usize {
        self.fixed.rows.num_rows()
    }

    pub fn is_live(&self, row: usize) -> bool {
        self.live.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Zero for a row that is not there.
    pub fn weight(&self, row: usize) -> i64 {
        match &self.weights {
            Some(weights) => weights[row],
            None => i64::from(self.is_live(row)),
        }
    }

    fn set_weight(&mut self, row: usize, weight: i64) {
        let (word, bit) = (row / 64, 1u64 << (row % 64));
        if weight != self.weight(row) {
            let live = Arc::make_mut(&mut self.live);
            self.count = self.count + usize::from(weight != 0) - usize::from(live[word] & bit != 0);
            live[word] = if weight != 0 { live[word] | bit } else { live[word] & !bit };
        }
        if self.weights.is_none() && weight != 0 && weight != 1 {
            self.weights = Some(Arc::new((0..self.len()).map(|row| i64::from(self.is_live(row))).collect()));
        }
        if let Some(weights) = &mut self.weights {
            Arc::make_mut(weights)[row] = weight;
        }
    }

    /// The rows that are there among `length` from a position on, with their weights; of those columns or of all.
    pub fn part(&self, from: usize, length: usize, columns: Option<&[usize]>) -> Result<ZSet, StateError> {
        let all = match &self.weights {
            Some(weights) => Int64Array::from(weights[from..from + length].to_vec()),
            None => Int64Array::from_value(1, length),
        };
        let rows = self.fixed.rows.slice(from, length);
        let part = ZSet::new(if let Some(columns) = columns { rows.project(columns)? } else { rows }, all);
        if self.count == self.len() {
            return Ok(part);
        }
        let bits = BooleanBuffer::new(Buffer::from_vec(self.live.to_vec()), from, length);
        Ok(part.filter(&BooleanArray::new(bits, None))?)
    }

    /// The rows that are there.
    pub fn all(&self) -> Result<ZSet, StateError> {
        self.part(0, self.len(), None)
    }
}

impl Chunk {
    pub fn new(rows: &ZSet, key: &[usize]) -> Result<Chunk, StateError> {
        Ok(Chunk {
            view: View::new(rows, key)?,
            whole: OnceCell::new(),
            next: vec![NONE; rows.len()],
            previous: Vec::new(),
            stored: false,
            complete: false,
            changed: false,
        })
    }

    /// A chunk that the store has.
    pub fn stored(rows: &ZSet, key: &[usize]) -> Result<Chunk, StateError> {
        Ok(Chunk { stored: true, complete: true, ..Chunk::new(rows, key)? })
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    pub fn len(&self) -> usize {
        self.view.len()
    }

    /// Rows that are there.
    pub fn live(&self) -> usize {
        self.view.count
    }

    pub fn live_positions(&self) -> Vec<usize> {
        (0..self.len()).filter(|row| self.view.is_live(*row)).collect()
    }

    pub fn rows(&self) -> &RecordBatch {
        &self.view.fixed.rows
    }

    pub fn keys(&self) -> &KeyColumns {
        &self.view.fixed.keys
    }

    pub fn whole(&self) -> Result<&KeyColumns, StateError> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let whole = KeyColumns::new(self.rows().columns(), self.len())?;
        Ok(self.whole.get_or_init(|| whole))
    }

    /// Puts more rows behind these.
    pub fn extend(&mut self, more: &ZSet, key: &[usize]) -> Result<(), StateError> {
        let weights: Int64Array = (0..self.len()).map(|row| Some(self.weight(row))).collect();
        let these = ZSet::new(self.rows().clone(), weights);
        let all = ZSet::concat(&self.rows().schema(), [&these, more])?;
        self.next.resize(all.len(), NONE);
        if !self.previous.is_empty() {
            self.previous.resize(all.len(), NONE);
        }
        self.view = View::new(&all, key)?;
        self.whole = OnceCell::new();
        self.complete = false;
        Ok(())
    }

    /// Zero for a row that is not there.
    pub fn weight(&self, row: usize) -> i64 {
        self.view.weight(row)
    }

    pub fn set_weight(&mut self, row: usize, weight: i64) {
        self.view.set_weight(row, weight);
        self.changed = true;
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

    pub fn is_stored(&self) -> bool {
        self.stored
    }

    /// Whether the rows have to be written; counts on it being done.
    pub fn take_unstored(&mut self) -> bool {
        self.stored = true;
        !std::mem::replace(&mut self.complete, true)
    }

    /// Whether the weights have to be written; counts on it being done.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The rows with their weights as the store keeps them, those that are not there with weight zero: a row keeps its
    /// position.
    pub fn to_store(&self) -> ZSet {
        let weights: Int64Array = (0..self.len()).map(|row| Some(self.weight(row))).collect();
        ZSet::new(self.rows().clone(), weights)
    }

    /// The weights by themselves, as the store keeps them: a bit a row, or eight bytes a row when one is not 1.
    pub fn weights_to_store(&self) -> Vec<u8> {
        match &self.view.weights {
            Some(weights) => [&b"w"[..], &weights.iter().flat_map(|weight| weight.to_be_bytes()).collect::<Vec<_>>()].concat(),
            None => [&b"b"[..], &self.view.live.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>()].concat(),
        }
    }

    /// Sets the weights that the store has; false when they are not of this chunk's length.
    pub fn set_stored_weights(&mut self, bytes: &[u8]) -> bool {
        let (width, count) = match bytes.first() {
            Some(b'w') => (8, self.len()),
            Some(b'b') => (8, self.len().div_ceil(64)),
            _ => return false,
        };
        let words: Vec<[u8; 8]> = bytes[1..].chunks_exact(width).filter_map(|word| word.try_into().ok()).collect();
        if words.len() != count || bytes.len() != 1 + width * count {
            return false;
        }
        for row in 0..self.len() {
            let weight = match bytes[0] {
                b'w' => i64::from_be_bytes(words[row]),
                _ => (u64::from_le_bytes(words[row / 64]) >> (row % 64) & 1) as i64,
            };
            self.view.set_weight(row, weight);
        }
        true
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        let weights = self.view.live.capacity() * 8 + self.view.weights.as_ref().map_or(0, |weights| weights.capacity() * 8);
        self.rows().get_array_memory_size() + weights + (self.next.capacity() + self.previous.capacity()) * 8
    }
}
