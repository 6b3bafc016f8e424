//! An arrangement in the store: its chunks on their shelf ([`crate::state::shelf`]), and beside a chunk its weights, unless
//! each row is there once. A chunk is written when a checkpoint comes, and its weights again whenever they changed.
//!
//! ```text
//! trace | "w" | chunk, 8 bytes -> "b" and a bit a row, in words of 8 bytes little endian,
//!                                             or "w" and a weight a row, 8 bytes big endian
//! ```
//!
//! A start reads the weights and the hashes of keys, and indexes that do not fit into memory go back to the store at once. Of
//! the rows it reads few: the others come back when there is time.

use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;

use crate::state::error::StateError;
use crate::state::family::Family;
use crate::state::shelf::Shelf;
use crate::state::writes::Writes;

use super::chunk::Chunk;
use super::rows::{Find, Rows};

const WEIGHTS: &[u8] = b"w";
/// What the index of a row takes in memory, about.
const INDEX_BYTES: usize = 32;

impl Rows {
    /// What the store holds.
    pub fn load(shelf: Shelf, find: Find) -> Result<Rows, StateError> {
        let mut rows = Rows::new(shelf, find);
        let shelf = rows.shelf.clone();
        let broken = || StateError::corrupted(format!("weights of arrangement {} cannot be read", shelf.id()));
        let mut weights: HashMap<u64, Vec<u8>> = HashMap::new();
        let mut index = 0;
        shelf.each(Family::Trace, WEIGHTS, &mut |number, value| {
            weights.insert(number, value.to_vec());
            Ok(())
        })?;
        shelf.each_hashed(&shelf.stored()?, &mut |stored, hashes| {
            let mut chunk = Chunk::stored(stored.number, (stored.rows, stored.bytes), &shelf);
            if !weights.remove(&stored.number).is_none_or(|bytes| chunk.set_stored_weights(&bytes)) {
                return Err(broken());
            }
            rows.evicted += 1;
            let number = rows.place(chunk);
            rows.link(number, 0, &hashes)?;
            index += stored.rows * INDEX_BYTES;
            shelf.budget().index_comes(stored.rows * INDEX_BYTES);
            if shelf.budget().indexes_are_too_much() {
                shelf.budget().index_goes(std::mem::take(&mut index));
                rows.freeze_all()?;
            }
            Ok(())
        })?;
        if !weights.is_empty() {
            return Err(broken());
        }
        rows.hold_at_start()?;
        Ok(rows)
    }

    /// What is stored beside an arrangement, to know that it is read as it was written.
    pub fn form(schema: &SchemaRef, key: &[usize], find: Find) -> String {
        let types: Vec<String> = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
        format!("arrangement of ({}) by {key:?}, found {find:?}, in pages", types.join(", "))
    }

    pub fn write_changes(&mut self, writes: &mut Writes) {
        let Rows { shelf, chunks, gone, .. } = self;
        for chunk in chunks.iter_mut().flatten() {
            let unstored = chunk.resident().filter(|_| !chunk.is_stored()).cloned();
            if let Some(rows) = &unstored {
                chunk.body().store_as(shelf.put(rows, writes));
            }
            let (changed, number) = (chunk.take_changed(), chunk.body().number());
            if let Some(number) = number.filter(|_| if unstored.is_some() { !chunk.is_plain() } else { changed }) {
                writes.put(Family::Trace, shelf.key_of(WEIGHTS, number), chunk.weights_to_store());
            }
        }
        for (number, rows) in gone.drain(..) {
            writes.delete(Family::Trace, shelf.key_of(WEIGHTS, number));
            shelf.forget(number, rows, writes);
        }
    }
}
