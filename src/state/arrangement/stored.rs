//! An arrangement in the store. A chunk is one value, written when a checkpoint comes; the weights of a chunk that the
//! store has and that changed later are one small value beside it.
//!
//! ```text
//! trace | "c" | chunk, 4 bytes -> rows and weights, as Arrow IPC
//! trace | "w" | chunk, 4 bytes -> "b" and a bit a row, in words of 8 bytes little endian,
//!                                             or "w" and a weight a row, 8 bytes big endian
//! ```

use arrow::datatypes::SchemaRef;

use crate::state::error::StateError;
use crate::state::family::Family;
use crate::state::ipc::zset_from_ipc;
use crate::state::key_layout::{entry_key, entry_of, trace_prefix};
use crate::state::store::Store;
use crate::state::writes::Writes;
use crate::types::TraceId;

use super::chunk::Chunk;
use super::rows::{Find, Rows};

const CHUNK: u8 = b'c';
const WEIGHTS: u8 = b'w';

impl Rows {
    /// What the store holds.
    pub fn load(store: &Store, id: TraceId, schema: SchemaRef, key: &[usize], find: Find) -> Result<Rows, StateError> {
        let mut rows = Rows::new(schema, key, find);
        let broken = || StateError::corrupted(format!("an entry of arrangement {id} cannot be read"));
        store.scan_with(Family::Trace, &trace_prefix(id), &mut |key, value| {
            let entry = entry_of(key).ok_or_else(broken)?;
            let (kind, number) = entry.split_first().ok_or_else(broken)?;
            let number = number.try_into().map(u32::from_be_bytes).map_err(|_| broken())? as usize;
            match *kind {
                CHUNK => {
                    if rows.chunks.len() <= number {
                        rows.chunks.resize_with(number + 1, || None);
                    }
                    rows.chunks[number] = Some(Chunk::stored(&zset_from_ipc(value)?, &rows.key)?);
                    Ok(())
                }
                WEIGHTS => {
                    let chunk = rows.chunks.get_mut(number).and_then(Option::as_mut).ok_or_else(broken)?;
                    if chunk.set_stored_weights(value) { Ok(()) } else { Err(broken()) }
                }
                _ => Err(broken()),
            }
        })?;
        (0..rows.chunks.len() as u32).try_for_each(|number| rows.link(number, 0))?;
        Ok(rows)
    }

    /// What is stored beside an arrangement, to know that it is read as it was written.
    pub fn form(schema: &SchemaRef, key: &[usize], find: Find) -> String {
        let types: Vec<String> = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
        format!("arrangement of ({}) by {key:?}, found {find:?}, weights as bits", types.join(", "))
    }

    pub fn write_changes(&mut self, id: TraceId, writes: &mut Writes) {
        let key = |kind: u8, number: u32| entry_key(id, &[&[kind][..], &number.to_be_bytes()].concat());
        for number in self.gone.drain(..) {
            writes.delete(Family::Trace, key(CHUNK, number));
            writes.delete(Family::Trace, key(WEIGHTS, number));
        }
        for (number, chunk) in self.chunks.iter_mut().enumerate().filter_map(|(n, chunk)| Some((n as u32, chunk.as_mut()?))) {
            if chunk.take_unstored() {
                writes.delete(Family::Trace, key(WEIGHTS, number));
                writes.put_rows(Family::Trace, key(CHUNK, number), chunk.to_store());
                chunk.take_changed();
            } else if chunk.take_changed() {
                writes.put(Family::Trace, key(WEIGHTS, number), chunk.weights_to_store());
            }
        }
    }
}
