//! An arrangement: the rows of a delta stream, found by key. What joins keep of their sides, and relations of their rows.
//!
//! Rows lie in chunks of columns, as they came; nothing is encoded and nothing allocated a row. A table leads from the
//! hash of a key to the newest row of that hash, and each row to the one before it. What is found is gathered from the
//! chunks by column. Floats are canonical.
//!
//! A row that comes while its equal is there has to find it, and so does one that goes ([`Find`]):
//!
//! - `ByKey`: along the chain of its key. For relations, whose rows have a key of their own or are found by all their
//!   columns: each distinct row is there once, with the sum of its weights.
//! - `ByRow`: for the sides of joins, where one key may have a million rows. As long as rows only come, a row lies beside
//!   its equals and nobody looks for them. When the first row is taken back, a table of all rows by the hash of all their
//!   columns is made, and from then on each distinct row is there once.
//! - `Never`: rows only come, or are taken away by their places. Nobody wants a row whole but who gathers it: of a column of few
//!   texts each is there once ([`super::dictionary`]).
//!
//! A sum of zero leaves the chain; a sum below zero is kept like any other weight. Chunks that have lost half of their
//! rows are written anew, small deltas fill up a last chunk.
//!
//! Rows that the store has may leave memory ([`evict`]), and with them how they are found ([`cold`]): a filter of hashes stays.
//! All that a batch needs of them is read together, first where they are, then the pages that they are on.
//!
//! Readers hold a [`snapshot`](ArrangementSnapshot): the chunks with the bits of the rows that were there. What changes
//! under it copies a chunk's bits, never its rows. A [`change`] goes in steps that readers need not wait for.
//!
//! Several circuits may keep one arrangement: they take [`turns`].

mod chains;
mod change;
mod chunk;
mod compact;
mod evict;
mod fetch;
mod gather;
mod heads;
mod history;
mod places;
mod reach;
mod rows;
mod shared;
mod snapshot;
mod stored;
mod take_in;
mod together;
mod turns;

use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;

use crate::types::TraceId;

use super::error::StateError;
use super::part::Part;
use super::probe::Matches;
use super::row_at::RowAt;
use super::shelf::Shelf;
use super::usage::PageCounts;
use super::writes::Writes;

use gather::{gather, gather_columns};
pub use rows::Find;
use rows::Rows;
use shared::Shared;
pub use snapshot::ArrangementSnapshot;
use turns::Turns;

/// A handle; clones are the same arrangement. Made by [`super::TraceSet::arrangement`].
#[derive(Clone)]
pub struct Arrangement {
    id: TraceId,
    rows: Arc<Shared>,
    /// Where several keep it.
    turns: Arc<Mutex<Turns>>,
}

impl Arrangement {
    pub(super) fn new(shelf: Shelf, find: Find) -> Arrangement {
        Arrangement::of(shelf.id(), Rows::new(shelf, find))
    }

    pub(super) fn load(shelf: Shelf, find: Find) -> Result<Arrangement, StateError> {
        Ok(Arrangement::of(shelf.id(), Rows::load(shelf, find)?))
    }

    fn of(id: TraceId, rows: Rows) -> Arrangement {
        Arrangement { id, rows: Arc::new(Shared::new(rows)), turns: Arc::default() }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    pub fn schema(&self) -> SchemaRef {
        self.lock().schema.clone()
    }

    /// All rows under each of `count` probes, which are columns of the key's types in the key's order; without key columns
    /// every probe finds everything. A null finds a null.
    pub fn lookup(&self, keys: &[ArrayRef], count: usize) -> Result<Matches, StateError> {
        let rows = self.lock();
        let (probe, found, reach) = rows.find(&rows.probes(keys, count)?)?;
        Ok(Matches { probe: UInt32Array::from(probe), rows: gather(&rows.schema, &found, &reach, |number| rows.view(number))? })
    }

    /// The rows that [`Arrangement::lookup`] finds: the number of the probe, and the place, which a row has until the next
    /// change.
    pub fn find(&self, keys: &[ArrayRef], count: usize) -> Result<(Vec<u32>, Vec<RowAt>), StateError> {
        let rows = self.lock();
        let (probe, found, _) = rows.find(&rows.probes(keys, count)?)?;
        Ok((probe, found))
    }

    /// Those columns of the rows at those places.
    pub fn gather(&self, places: &[RowAt], columns: &[usize]) -> Result<Vec<ArrayRef>, StateError> {
        let rows = self.lock();
        let reach = rows.reach(places.iter().copied())?;
        gather_columns(&rows.schema, places, columns, &reach, |number| rows.view(number))
    }

    /// The rows as they are now, whatever comes later; takes the same time for any size. For the thread that changes them: in
    /// the midst of a change there is no such moment.
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

    /// The sum of the rows' weights.
    pub(super) fn weight(&self) -> i128 {
        self.lock().weight()
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    /// What rows take in the store that are not in memory, an estimate, and how often pages of them were wanted.
    pub fn evicted(&self) -> (usize, PageCounts) {
        let rows = self.lock();
        (rows.shelf.evicted_bytes(), rows.shelf.counts())
    }

    /// The chunks that may be evicted while no checkpoint is on its way.
    pub(super) fn clean(&self) -> Vec<Part> {
        self.lock().clean()
    }

    /// The chunks whose rows are not in memory, but how they are found is.
    pub(super) fn half_gone(&self) -> Vec<u32> {
        self.lock().half_gone()
    }

    /// Lets those chunks, which the store has, leave memory.
    pub(super) fn freeze(&self, numbers: &[u32]) -> Result<(), StateError> {
        let mut rows = self.lock();
        let frozen = rows.freeze(numbers)?;
        frozen.into_iter().for_each(|frozen| rows.frozen(frozen));
        Ok(())
    }

    /// Has several indexes of chunks that have left become one, if there are many.
    pub(super) fn melt_together(&self) -> Result<(), StateError> {
        let mut rows = self.lock();
        let frozen = rows.melt_together()?;
        frozen.into_iter().for_each(|frozen| rows.frozen(frozen));
        Ok(())
    }

    /// The chunks whose rows are not in memory.
    pub(super) fn away(&self) -> Vec<Part> {
        self.lock().away()
    }

    /// Reads the rows of a chunk into memory.
    pub(super) fn hold(&self, number: u32) -> Result<(), StateError> {
        let mut rows = self.lock();
        match rows.view(number) {
            Some(_) => rows.hold(number),
            None => Ok(()),
        }
    }

    pub(super) fn form(schema: &SchemaRef, key: &[usize], find: Find) -> String {
        Rows::form(schema, key, find)
    }

    pub(super) fn fingerprint(&self) -> String {
        let rows = self.lock();
        Rows::form(&rows.schema, &rows.key, rows.find)
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) {
        self.lock().write_changes(writes);
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock()
    }
}

#[cfg(test)]
mod tests;
