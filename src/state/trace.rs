//! A trace: the integral of a delta stream, kept by key. The state that joins, aggregates and upserts stand on.
//!
//! After any sequence of inserts a trace holds, for each row, the sum of the row's weights, and nothing for a sum of
//! zero: what it holds depends on that sum alone, not on how the stream was cut or ordered. So inserting `x` and then
//! `-x` leaves nothing behind, in memory and, with the next checkpoint, in the store.
//!
//! A sum below zero is kept as it is: inside a circuit it may be on its way to something. A relation that is published
//! must not have one; [`Trace::least`] says so.

use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow_row::Rows;

use crate::types::TraceId;
use crate::zset::ZSet;
use crate::zset::text::print;

use super::error::StateError;
use super::ordered::{Away, Ordered};
use super::probe::{self, Extremes, Leading, Matches};
use super::shape::Shape;
use super::weight::Weight;

/// A handle; clones are the same trace. Made by [`super::TraceSet::trace`].
#[derive(Clone)]
pub struct Trace {
    id: TraceId,
    shape: Arc<Shape>,
    rows: Arc<Mutex<Ordered>>,
}

impl Trace {
    pub(super) fn new(id: TraceId, shape: Shape, rows: Ordered) -> Trace {
        Trace { id, shape: Arc::new(shape), rows: Arc::new(Mutex::new(rows)) }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    pub fn schema(&self) -> SchemaRef {
        self.shape.schema().clone()
    }

    /// The number of leading columns that are the key.
    pub fn key(&self) -> usize {
        self.shape.key()
    }

    /// Adds the delta's weights; a row whose weight becomes zero is gone.
    ///
    /// # Errors
    /// When the delta has other column types than the trace, before anything is changed; when a weight leaves the range
    /// of `i64`.
    pub fn insert(&self, delta: &ZSet) -> Result<(), StateError> {
        let encoded = self.encode(delta)?;
        let rows = (0..encoded.num_rows()).map(|at| encoded.row(at).data());
        self.add(rows.zip(delta.weights().values().iter().copied()))?;
        Ok(())
    }

    /// The same with rows as bytes, which is faster when neighbours come one after the other; the first of them that is there less
    /// than zero times then, with its weight.
    ///
    /// # Errors
    /// When a weight leaves the range of `i64`, when the store cannot be read.
    pub fn add<'a>(&self, delta: impl Iterator<Item = (&'a [u8], i64)> + Clone) -> Result<Option<(&'a [u8], i64)>, StateError> {
        let mut rows = self.rows();
        rows.read_of(delta.clone().map(|(row, _)| row))?;
        let mut below = None;
        for (row, weight) in delta {
            rows.update(row, |before| {
                let before = before.map_or(Ok(0), Weight::read)?;
                let after = before.checked_add(weight).ok_or(StateError::WeightOutOfRange)?;
                if after < 0 && below.is_none() {
                    below = Some((row, after));
                }
                Ok((after != 0).then(|| Weight::of(after)))
            })?;
        }
        Ok(below)
    }

    /// Rows as bytes, which compare as the rows lie here; equal rows have equal bytes.
    ///
    /// # Errors
    /// When they have other column types than the trace.
    pub fn encode(&self, rows: &ZSet) -> Result<Rows, StateError> {
        self.shape.encode(rows)
    }

    /// Rows that were bytes.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<RecordBatch, StateError> {
        self.shape.decode(rows)
    }

    /// The first rows of each key, as many as it takes for their weights to come to `limit`.
    pub fn leading(&self, keys: &[ArrayRef], limit: i64) -> Result<Leading, StateError> {
        self.probing(keys)?;
        probe::leading(&self.shape, &mut self.rows(), keys, limit)
    }

    /// All entries of each probe key; the probe has the key's columns. A trace without key columns takes no columns, and
    /// answers one probe, number 0, with everything. A null in a probe finds a null: whoever joins by `=` leaves nulls out.
    pub fn lookup(&self, keys: &[ArrayRef]) -> Result<Matches, StateError> {
        self.probing(keys)?;
        probe::lookup(&self.shape, &mut self.rows(), keys)
    }

    /// The smallest row of each key. Nulls are greater than everything else.
    pub fn first(&self, keys: &[ArrayRef]) -> Result<Extremes, StateError> {
        self.probing(keys)?;
        probe::first(&self.shape, &mut self.rows(), keys)
    }

    /// The greatest row of each key. Nulls are greater than everything else.
    pub fn last(&self, keys: &[ArrayRef]) -> Result<Extremes, StateError> {
        self.probing(keys)?;
        probe::last(&self.shape, &mut self.rows(), keys)
    }

    /// The least row, with its weight; of an empty trace no row.
    ///
    /// # Errors
    /// `NegativeWeight` when it is there less than zero times.
    pub fn least(&self) -> Result<ZSet, StateError> {
        let mut rows = self.rows();
        rows.read_for(1, |rows, _, wanted| wanted.extend(rows.first(b"").err().map(|away| away.0.into())))?;
        let least = rows.first(b"").map_err(Away::defect)?;
        let weights = least.map(|(_, weight)| Weight::read(weight)).transpose()?.into_iter().collect::<Vec<_>>();
        let least = ZSet::new(self.shape.decode(least.map(|(row, _)| row))?, Int64Array::from(weights.clone()));
        match weights[..] {
            [weight] if weight < 0 => Err(StateError::NegativeWeight { weight, row: print(&least).trim_end().to_string() }),
            _ => Ok(least),
        }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.rows().bytes()
    }

    /// Empties the trace, and returns the change that this is: every entry with its weight negated.
    pub fn clear(&self) -> Result<ZSet, StateError> {
        let mut rows = self.rows();
        let all = probe::lookup(&self.shape, &mut rows, &[])?.rows;
        rows.clear();
        Ok(all.negate())
    }

    pub(super) fn fingerprint(&self) -> String {
        self.shape.fingerprint()
    }

    fn probing(&self, keys: &[ArrayRef]) -> Result<(), StateError> {
        match keys.len() == self.key() {
            true => Ok(()),
            false => Err(StateError::Misuse(format!("trace {} is kept by {} columns, not {}", self.id, self.key(), keys.len()))),
        }
    }

    /// Locked for as long as they are looked at.
    pub(super) fn rows(&self) -> MutexGuard<'_, Ordered> {
        self.rows.lock().expect("no thread panics while it holds a trace")
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({}, {} entries)", self.id, self.len())
    }
}

#[cfg(test)]
mod tests;
