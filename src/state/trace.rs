//! A trace: the integral of a delta stream, kept by key. The state that joins, aggregates and upserts stand on.
//!
//! After any sequence of inserts a trace holds, for each row, the sum of the row's weights, and nothing for a sum of
//! zero: what it holds depends on that sum alone, not on how the stream was cut or ordered. So inserting `x` and then
//! `-x` leaves nothing behind, in memory and, with the next checkpoint, in the store.
//!
//! A sum below zero is kept as it is: inside a circuit it may be on its way to something. A relation that is published
//! must not have one; [`super::TraceSnapshot::chunks`] says so.

use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;

use crate::types::TraceId;
use crate::zset::ZSet;

use super::error::StateError;
use super::probe::{self, Extremes, Matches};
use super::resident::Resident;
use super::shape::Shape;
use super::snapshot::TraceSnapshot;
use super::writes::Writes;

/// A handle; clones are the same trace. Made by [`super::TraceSet::trace`].
#[derive(Clone)]
pub struct Trace {
    id: TraceId,
    shape: Arc<Shape>,
    rows: Arc<Mutex<Resident<i64>>>,
}

impl Trace {
    pub(super) fn new(id: TraceId, shape: Shape, rows: Resident<i64>) -> Trace {
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
        let encoded = self.shape.encode(delta)?;
        let mut rows = self.rows();
        for (row, weight) in encoded.iter().zip(delta.weights().values()) {
            let row = row.data();
            let before = rows.entries().get(row).copied().unwrap_or(0);
            let after = before.checked_add(*weight).ok_or(StateError::WeightOutOfRange)?;
            if after != before {
                rows.set(row, (after != 0).then_some(after));
            }
        }
        Ok(())
    }

    /// All entries of each probe key; the probe has the key's columns. A trace without key columns takes no columns, and
    /// answers one probe, number 0, with everything. A null in a probe finds a null: whoever joins by `=` leaves nulls out.
    pub fn lookup(&self, keys: &[ArrayRef]) -> Result<Matches, StateError> {
        self.probing(keys)?;
        probe::lookup(&self.shape, self.rows().entries(), keys)
    }

    /// The smallest row of each key. Nulls are greater than everything else.
    pub fn first(&self, keys: &[ArrayRef]) -> Result<Extremes, StateError> {
        self.probing(keys)?;
        probe::first(&self.shape, self.rows().entries(), keys)
    }

    /// The greatest row of each key. Nulls are greater than everything else.
    pub fn last(&self, keys: &[ArrayRef]) -> Result<Extremes, StateError> {
        self.probing(keys)?;
        probe::last(&self.shape, self.rows().entries(), keys)
    }

    /// The trace as it is now, whatever comes later; takes the same time for any size.
    pub fn snapshot(&self) -> TraceSnapshot {
        TraceSnapshot::new(self.shape.clone(), self.rows().entries().clone())
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
        let gone = self.rows().clear();
        let weights: Vec<i64> = gone.values().map(|weight| -weight).collect();
        Ok(ZSet::new(self.shape.decode(gone.keys().map(|row| &**row))?, Int64Array::from(weights)))
    }

    pub(super) fn fingerprint(&self) -> String {
        self.shape.fingerprint()
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) {
        self.rows().write_changes(self.id, writes);
    }

    fn probing(&self, keys: &[ArrayRef]) -> Result<(), StateError> {
        match keys.len() == self.key() {
            true => Ok(()),
            false => Err(StateError::Misuse(format!("trace {} is kept by {} columns, not {}", self.id, self.key(), keys.len()))),
        }
    }

    fn rows(&self) -> MutexGuard<'_, Resident<i64>> {
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
