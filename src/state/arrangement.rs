//! An arrangement: the rows of a delta stream, found by key. What joins keep of their sides, and relations of their rows.
//!
//! Rows lie in chunks of columns, as they came; nothing is encoded and nothing allocated a row. A table from the hash of
//! the key leads to the newest row of the key, and each row to the one before it. What is found is gathered from the
//! chunks by column. Floats are canonical.
//!
//! A row that comes while its equal is there has to find it, and so does one that goes ([`Find`]):
//!
//! - `ByKey`: along the chain of its key. For relations, whose rows have a key of their own or are found by all their
//!   columns: each distinct row is there once, with the sum of its weights.
//! - `ByRow`: for the sides of joins, where one key may have a million rows. As long as rows only come, a row lies beside
//!   its equals and nobody looks for them. When the first row is taken back, a table of all rows by the hash of all their
//!   columns is made, and from then on each distinct row is there once.
//!
//! A sum of zero leaves the chain; a sum below zero is kept like any other weight. Chunks that have lost half of their
//! rows are written anew, small deltas fill up a last chunk.
//!
//! Readers hold a [`snapshot`](ArrangementSnapshot): the chunks with the bits of the rows that were there. What changes
//! under it copies a chunk's bits, never its rows.

mod chains;
mod chunk;
mod compact;
mod gather;
mod history;
mod rows;
mod snapshot;
mod stored;

use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;

use crate::types::TraceId;
use crate::zset::ZSet;

use super::error::StateError;
use super::probe::Matches;
use super::store::Store;
use super::writes::Writes;

pub use chunk::RowAt;
use gather::gather;
pub use rows::Find;
use rows::Rows;
pub use snapshot::ArrangementSnapshot;

/// A handle; clones are the same arrangement. Made by [`super::TraceSet::arrangement`].
#[derive(Clone)]
pub struct Arrangement {
    id: TraceId,
    rows: Arc<Mutex<Rows>>,
}

impl Arrangement {
    pub(super) fn new(id: TraceId, schema: SchemaRef, key: &[usize], find: Find) -> Arrangement {
        Arrangement { id, rows: Arc::new(Mutex::new(Rows::new(schema, key, find))) }
    }

    pub(super) fn load(store: &Store, id: TraceId, schema: SchemaRef, key: &[usize], find: Find) -> Result<Arrangement, StateError> {
        Ok(Arrangement { id, rows: Arc::new(Mutex::new(Rows::load(store, id, schema, key, find)?)) })
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    pub fn schema(&self) -> SchemaRef {
        self.lock().schema.clone()
    }

    /// Adds the delta's weights.
    ///
    /// # Errors
    /// When a weight leaves the range of `i64`.
    pub fn insert(&self, delta: &ZSet) -> Result<(), StateError> {
        self.lock().insert(delta)
    }

    /// [`Arrangement::insert`] of a delta that has no row twice.
    pub fn insert_distinct(&self, delta: &ZSet) -> Result<(), StateError> {
        self.lock().insert_distinct(delta)
    }

    /// Takes every row away; what was taken, with negative weights.
    pub fn clear(&self) -> Result<ZSet, StateError> {
        self.lock().clear()
    }

    /// All rows under each of `count` probes, which are columns of the key's types in the key's order; without key columns
    /// every probe finds everything. A null finds a null.
    pub fn lookup(&self, keys: &[ArrayRef], count: usize) -> Result<Matches, StateError> {
        Ok(self.locate(keys, count)?.0)
    }

    /// [`Arrangement::lookup`], with the place of each row, which it has until the next change.
    pub fn locate(&self, keys: &[ArrayRef], count: usize) -> Result<(Matches, Vec<RowAt>), StateError> {
        let rows = self.lock();
        let (probe, found) = rows.find(&rows.probes(keys, count)?)?;
        let matches = Matches { probe: UInt32Array::from(probe), rows: gather(&rows.schema, &found, |number| rows.view(number))? };
        Ok((matches, found))
    }

    /// Takes the rows at those places away, each named once, and adds rows of weight 1 that are not there, none twice.
    pub fn exchange(&self, gone: &[RowAt], come: &ZSet) -> Result<(), StateError> {
        self.lock().exchange(gone, come)
    }

    /// The rows as they are now, whatever comes later; takes the same time for any size.
    pub fn snapshot(&self) -> ArrangementSnapshot {
        ArrangementSnapshot::new(&self.rows)
    }

    /// The number of rows that lie here.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    pub(super) fn form(schema: &SchemaRef, key: &[usize], find: Find) -> String {
        Rows::form(schema, key, find)
    }

    pub(super) fn fingerprint(&self) -> String {
        let rows = self.lock();
        Rows::form(&rows.schema, &rows.key, rows.find)
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) {
        self.lock().write_changes(self.id, writes);
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no thread panics while it holds an arrangement")
    }
}

#[cfg(test)]
mod tests;
