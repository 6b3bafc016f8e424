//! What waits for a sink: the changes of each epoch since the sink's last commit, and the commit that is prepared.
//!
//! Changes are staged in the checkpoint that makes their epoch durable, and removed when their commit has landed.
//!
//! ```text
//! sink, 4 bytes | 0 | epoch, 8 bytes  ->  version, 1 byte | Arrow IPC
//! sink, 4 bytes | 1                   ->  the prepared commit, the sink's own bytes
//! ```

use std::ops::ControlFlow;

use crate::types::{Epoch, ObjectId};
use crate::zset::ZSet;

use super::error::StateError;
use super::family::Family;
use super::ipc::{zset_from_ipc, zset_to_ipc};
use super::key_layout::object_prefix;
use super::sink_index::SinkIndex;
use super::store::Store;
use super::writes::Writes;

const VERSION: u8 = 1;
const CHANGES: u8 = 0;
const PREPARED: u8 = 1;

pub struct Staged;

impl Staged {
    /// Stages the sink's change of one epoch.
    pub fn put(sink: ObjectId, epoch: Epoch, change: &ZSet, writes: &mut Writes) -> Result<(), StateError> {
        let mut bytes = vec![VERSION];
        bytes.extend(zset_to_ipc(change)?);
        writes.put(Family::Staged, change_key(sink, epoch), bytes);
        Ok(())
    }

    /// The staged changes up to and with an epoch, in their order. They stay staged.
    pub fn take(store: &Store, sink: ObjectId, up_to: Epoch) -> Result<Vec<(Epoch, ZSet)>, StateError> {
        Staged::take_within(store, sink, up_to, u64::MAX)
    }

    /// [`Staged::take`], but no more epochs once the staged bytes of those taken have reached `bytes`.
    pub fn take_within(store: &Store, sink: ObjectId, up_to: Epoch, bytes: u64) -> Result<Vec<(Epoch, ZSet)>, StateError> {
        let (mut taken, mut size) = (Vec::new(), 0u64);
        store.scan_while(Family::Staged, &tagged(sink, CHANGES), &mut |key, value| {
            let epoch = key.last_chunk::<8>().map(|epoch| Epoch(u64::from_be_bytes(*epoch)));
            let epoch = epoch.ok_or_else(|| StateError::corrupted(format!("a staged change of sink {sink} has no epoch")))?;
            if epoch > up_to || size >= bytes {
                return Ok(ControlFlow::Break(()));
            }
            let change = match value.split_first() {
                Some((&VERSION, rows)) => zset_from_ipc(rows)?,
                _ => return Err(StateError::corrupted(format!("a staged change of sink {sink} has an unknown version"))),
            };
            size += value.len() as u64;
            taken.push((epoch, change));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(taken)
    }

    /// Forgets the staged changes up to and with an epoch.
    pub fn remove(sink: ObjectId, up_to: Epoch, writes: &mut Writes) {
        match up_to.0.checked_add(1) {
            Some(after) => writes.delete_range(Family::Staged, tagged(sink, CHANGES), change_key(sink, Epoch(after))),
            None => writes.delete_prefix(Family::Staged, tagged(sink, CHANGES)),
        }
    }

    /// The size of all changes that wait for the sink. Reads them all.
    pub fn bytes(store: &Store, sink: ObjectId) -> Result<u64, StateError> {
        let mut bytes = 0;
        store.scan_with(Family::Staged, &tagged(sink, CHANGES), &mut |_, value| {
            bytes += value.len() as u64;
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The commit that was prepared and is not known to have landed.
    pub fn prepared(store: &Store, sink: ObjectId) -> Result<Option<Vec<u8>>, StateError> {
        store.get(Family::Staged, &tagged(sink, PREPARED))
    }

    /// Replaces the prepared commit. It must be durable before the commit is tried.
    pub fn put_prepared(sink: ObjectId, commit: &[u8], writes: &mut Writes) {
        writes.put(Family::Staged, tagged(sink, PREPARED), commit);
    }

    pub fn remove_prepared(sink: ObjectId, writes: &mut Writes) {
        writes.delete(Family::Staged, tagged(sink, PREPARED));
    }

    /// Forgets everything about the sink: changes, prepared commit, key index.
    pub fn drop_sink(sink: ObjectId, writes: &mut Writes) {
        writes.delete_prefix(Family::Staged, object_prefix(sink));
        SinkIndex::drop_sink(sink, writes);
    }
}

fn tagged(sink: ObjectId, tag: u8) -> [u8; 5] {
    let [a, b, c, d] = object_prefix(sink);
    [a, b, c, d, tag]
}

fn change_key(sink: ObjectId, epoch: Epoch) -> Vec<u8> {
    [tagged(sink, CHANGES).as_slice(), &epoch.0.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests;
