//! A chunk of an arrangement: rows as columns, and beside each row its weight and its place in the chain of its key.
//!
//! The rows never change, and may lie in the store alone ([`Body`]). Which of them are there is a bit for each, and a weight for each once one is not 1. Both are
//! shared with the views that readers hold, and copied when they change under one.

use std::sync::Arc;

use arrow::array::{BooleanArray, Int64Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer};

use crate::state::body::Body;
use crate::state::error::StateError;
use crate::state::fixed_rows::FixedRows;
use crate::state::row_at::{NONE, RowAt};
use crate::state::shelf::Shelf;
use crate::zset::{Runs, ZSet};

use super::places::Places;

/// A chunk as it was at one moment; cheap to clone.
#[derive(Clone)]
pub struct View {
    body: Arc<Body>,
    live: Arc<Vec<u64>>,
    weights: Option<Arc<Vec<i64>>>,
    /// Rows that are there.
    pub count: usize,
}

pub struct Chunk {
    view: View,
    /// The view's rows, while they are in memory.
    resident: Option<Arc<FixedRows>>,
    /// The segment that its rows are found by; they are in no chain then.
    cold: Option<u64>,
    /// Empty while it is cold.
    next: Places,
    /// Empty until rows are taken back.
    previous: Places,
    /// Whether the weights are other ones than the store has.
    changed: bool,
}

impl View {
    /// Rows that are all there, once each.
    fn new(body: Body) -> View {
        let len = body.len();
        let mut live = vec![u64::MAX; len.div_ceil(64)];
        if let (Some(last), bits @ 1..) = (live.last_mut(), len % 64) {
            *last = (1 << bits) - 1;
        }
        View { body: Arc::new(body), live: Arc::new(live), weights: None, count: len }
    }

    pub fn body(&self) -> &Arc<Body> {
        &self.body
    }

    pub fn len(&self) -> usize {
        self.body.len()
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

    /// The sum of the weights.
    pub fn sum(&self) -> i128 {
        match &self.weights {
            Some(weights) => weights.iter().map(|weight| i128::from(*weight)).sum(),
            None => self.count as i128,
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
        let rows = self.body.part(from, length)?;
        let rows = if let Some(columns) = columns { rows.project(columns)? } else { rows };
        self.there(rows, from)
    }

    /// What is there of `rows`, which lie from a position on, with their weights.
    fn there(&self, rows: RecordBatch, from: usize) -> Result<ZSet, StateError> {
        let length = rows.num_rows();
        let all = match &self.weights {
            Some(weights) => Int64Array::from(weights[from..from + length].to_vec()),
            None => Int64Array::from_value(1, length),
        };
        let part = ZSet::new(rows, all);
        if self.count == self.len() {
            return Ok(part);
        }
        let bits = BooleanBuffer::new(Buffer::from_vec(self.live.to_vec()), from, length);
        Ok(part.filter(&BooleanArray::new(bits, None))?)
    }

    /// What is there of the chunk, whose rows those are.
    pub fn all(&self, rows: &FixedRows) -> Result<ZSet, StateError> {
        self.there(rows.all()?, 0)
    }
}

impl Chunk {
    pub fn new(rows: &ZSet, shelf: &Arc<Shelf>) -> Result<Chunk, StateError> {
        let fixed = Arc::new(shelf.fixed(rows.rows())?);
        let mut chunk = Chunk::over(Body::new(fixed.clone(), shelf.clone()), Some(fixed));
        for (row, weight) in rows.weights().values().iter().enumerate().filter(|(_, weight)| **weight != 1) {
            chunk.set_weight(row, *weight);
        }
        Ok(chunk)
    }

    /// A chunk that the store has, of so many rows that took so many bytes.
    pub fn stored(number: u64, size: (usize, usize), shelf: &Arc<Shelf>) -> Chunk {
        Chunk::over(Body::stored(number, size, shelf.clone()), None)
    }

    fn over(body: Body, resident: Option<Arc<FixedRows>>) -> Chunk {
        let next = Places::none(body.len());
        Chunk { view: View::new(body), resident, cold: None, next, previous: Places::default(), changed: false }
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

    /// Of the rows from a position on: how many are there, and how many of these less than zero times.
    pub fn there_from(&self, start: usize) -> (usize, usize) {
        if start == 0 && self.view.weights.is_none() {
            return (self.live(), 0);
        }
        let weights = (start..self.len()).map(|row| self.weight(row)).filter(|weight| *weight != 0);
        weights.fold((0, 0), |(live, negative), weight| (live + 1, negative + usize::from(weight < 0)))
    }

    pub fn live_positions(&self) -> Vec<usize> {
        (0..self.len()).filter(|row| self.view.is_live(*row)).collect()
    }

    pub fn body(&self) -> &Arc<Body> {
        &self.view.body
    }

    /// The rows, while they are in memory.
    pub fn resident(&self) -> Option<&Arc<FixedRows>> {
        self.resident.as_ref()
    }

    /// Whether the store has the rows, or a checkpoint is on its way that holds them.
    pub fn is_stored(&self) -> bool {
        self.body().number().is_some()
    }

    /// Lets go of the rows, which the store has; they are found by that segment.
    pub fn freeze(&mut self, segment: u64) {
        self.resident = None;
        self.body().evict();
        self.cold = Some(segment);
        (self.next, self.previous) = (Places::default(), Places::default());
    }

    /// The segment that its rows are found by, if they are not in chains.
    pub fn cold_in(&self) -> Option<u64> {
        self.cold
    }

    /// Has room for places in chains again; the segment that its rows were found by.
    pub fn thaw(&mut self) -> Option<u64> {
        let segment = self.cold.take()?;
        self.next = Places::none(self.len());
        Some(segment)
    }

    /// Takes the rows, read again, into memory.
    pub fn hold(&mut self, rows: Arc<FixedRows>) {
        self.body().hold(rows);
        self.resident = self.body().rows();
    }

    /// Puts more rows behind these, which are in memory.
    pub fn extend(&mut self, more: &ZSet) -> Result<(), StateError> {
        let rows = self.resident.as_ref().ok_or_else(|| StateError::Misuse("a chunk that is filled up is in memory".to_string()))?;
        let weights: Int64Array = (0..self.len()).map(|row| Some(self.weight(row))).collect();
        let these = ZSet::new(rows.all()?, weights);
        let all = ZSet::concat(&these.schema(), [&these, more])?;
        let mut longer = Chunk::new(&all, self.body().shelf())?;
        std::mem::swap(&mut longer.next, &mut self.next);
        std::mem::swap(&mut longer.previous, &mut self.previous);
        longer.next.resize(all.len());
        if longer.previous.len() > 0 {
            longer.previous.resize(all.len());
        }
        *self = longer;
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
        self.next.get(row)
    }

    pub fn set_next(&mut self, row: usize, next: RowAt) {
        self.next.set(row, next);
    }

    /// Has the rows of each run follow each other, in chains of which this chunk has that number.
    pub fn follow_in(&mut self, runs: Runs, number: u32) {
        self.next = Places::of_runs(number, runs);
    }

    pub fn previous(&self, row: usize) -> RowAt {
        if row < self.previous.len() { self.previous.get(row) } else { NONE }
    }

    pub fn set_previous(&mut self, row: usize, previous: RowAt) {
        if self.previous.len() == 0 {
            self.previous = Places::none(self.len());
        }
        self.previous.set(row, previous);
    }

    pub fn forget_previous(&mut self) {
        self.previous = Places::default();
    }

    /// Whether the weights have to be written; counts on it being done.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whether every row is there once: no weights are stored then.
    pub fn is_plain(&self) -> bool {
        self.view.weights.is_none() && self.live() == self.len()
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

    /// Memory in bytes without the rows, an estimate.
    pub fn bytes(&self) -> usize {
        let weights = self.view.live.capacity() * 8 + self.view.weights.as_ref().map_or(0, |weights| weights.capacity() * 8);
        size_of::<Chunk>() + weights + self.next.bytes() + self.previous.bytes()
    }
}
