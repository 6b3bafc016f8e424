//! Marks of objects that are being filled, of which a checkpoint holds some state before they exist: a start that finds
//! one forgets that state.

use crate::state::{Family, Staged, Store, TraceSet, Writes};
use crate::types::{ObjectId, Report};

use super::failures;

const PREFIX: &[u8] = b"unfinished/";

fn key(id: ObjectId) -> Vec<u8> {
    [PREFIX, &id.0.to_be_bytes()].concat()
}

pub fn put(id: ObjectId, writes: &mut Writes) {
    writes.put(Family::Meta, key(id), Vec::new());
}

pub fn remove(id: ObjectId, writes: &mut Writes) {
    writes.delete(Family::Meta, key(id));
}

/// Forgets all that the store, or memory, has of the object, and its mark. No checkpoint is on its way.
pub fn forget(id: ObjectId, store: &Store, traces: &TraceSet, writes: &mut Writes) -> Result<(), Report> {
    traces.drop_object(id, writes).map_err(|e| e.report())?;
    Staged::drop_sink(store, id, writes).map_err(|e| e.report())?;
    failures::remove(id, writes);
    remove(id, writes);
    Ok(())
}

/// At a start: forgets what was not finished.
pub fn forget_all(store: &Store, traces: &TraceSet) -> Result<(), Report> {
    let mut writes = Writes::new();
    for (key, _) in store.scan(Family::Meta, PREFIX).map_err(|e| e.report())? {
        if let Some(id) = key.strip_prefix(PREFIX).and_then(|id| id.try_into().ok()).map(|id| ObjectId(u32::from_be_bytes(id))) {
            tracing::info!(object = %id, "a definition was not finished when floe ended: what it left is forgotten");
            forget(id, store, traces, &mut writes)?;
        }
    }
    if writes.is_empty() { Ok(()) } else { store.write(writes, true).map_err(|e| e.report()) }
}
