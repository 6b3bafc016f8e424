//! What waits for a sink: the changes of each epoch since the sink's last commit, and the commit that is prepared.
//!
//! Changes are staged in the checkpoint that makes their epoch durable, as blobs of one part, and removed when their commit
//! has landed.
//!
//! ```text
//! sink, 4 bytes | 0 | epoch, 8 bytes  ->  version, 1 byte | blob, 8 bytes | its size in memory, 8 bytes
//! sink, 4 bytes | 1                   ->  the prepared commit, the sink's own bytes
//! the blob: Arrow IPC
//! ```
//!
//! Numbers are big endian.

use std::ops::ControlFlow;

use crate::types::{Epoch, ObjectId};
use crate::zset::ZSet;

use super::blob::{Blob, part_key};
use super::blobs::Blobs;
use super::error::StateError;
use super::family::Family;
use super::ipc::{zset_from_ipc, zset_to_ipc};
use super::key_layout::object_prefix;
use super::sink_index::SinkIndex;
use super::store::Store;
use super::writes::Writes;

const VERSION: u8 = 2;
const CHANGES: u8 = 0;
const PREPARED: u8 = 1;

pub struct Staged;

/// The changes of one epoch, as the store names them.
struct Change {
    epoch: Epoch,
    blob: u64,
    bytes: u64,
}

/// Changes on their way to the store, one after the other.
struct Rows(Vec<ZSet>);

impl Blob for Rows {
    fn parts(self: Box<Self>, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        let Some(first) = self.0.first() else { return Ok(()) };
        put(&zset_to_ipc(&ZSet::concat(&first.schema(), &self.0)?)?)
    }
}

impl Staged {
    /// Stages the sink's changes of one epoch, which are some.
    pub fn put(store: &Store, sink: ObjectId, epoch: Epoch, changes: Vec<ZSet>, writes: &mut Writes) {
        let bytes = changes.iter().map(|change| change.rows().get_array_memory_size() + change.len() * 8).sum::<usize>();
        let blob = store.next_blob();
        writes.put_blob(blob, Box::new(Rows(changes)), bytes);
        let entry = [&[VERSION][..], &blob.to_be_bytes(), &(bytes as u64).to_be_bytes()].concat();
        writes.put(Family::Staged, change_key(sink, epoch), entry);
    }

    /// The staged changes up to and with an epoch, in their order. They stay staged.
    pub fn take(store: &Store, sink: ObjectId, up_to: Epoch) -> Result<Vec<(Epoch, ZSet)>, StateError> {
        Staged::take_within(store, sink, up_to, u64::MAX)
    }

    /// [`Staged::take`], but no more epochs once those taken have about so many bytes.
    pub fn take_within(store: &Store, sink: ObjectId, up_to: Epoch, bytes: u64) -> Result<Vec<(Epoch, ZSet)>, StateError> {
        let changes = Staged::changes(store, sink, up_to, bytes)?;
        let keys: Vec<[u8; 12]> = changes.iter().map(|change| part_key(change.blob, 0)).collect();
        let rows = store.get_many(Family::Blob, &keys)?;
        let taken = changes.iter().zip(rows).map(|(change, rows)| {
            let rows = rows.ok_or_else(|| StateError::corrupted(format!("a staged change of sink {sink} is missing")))?;
            Ok((change.epoch, zset_from_ipc(&rows)?))
        });
        taken.collect()
    }

    /// Forgets the staged changes up to and with an epoch.
    pub fn remove(store: &Store, sink: ObjectId, up_to: Epoch, writes: &mut Writes) -> Result<(), StateError> {
        for change in Staged::changes(store, sink, up_to, u64::MAX)? {
            Blobs::delete(change.blob, 1, writes);
        }
        match up_to.0.checked_add(1) {
            Some(after) => writes.delete_range(Family::Staged, tagged(sink, CHANGES), change_key(sink, Epoch(after))),
            None => writes.delete_prefix(Family::Staged, tagged(sink, CHANGES)),
        }
        Ok(())
    }

    /// The size of all changes that wait for the sink, about.
    pub fn bytes(store: &Store, sink: ObjectId) -> Result<u64, StateError> {
        Ok(Staged::changes(store, sink, Epoch(u64::MAX), u64::MAX)?.iter().map(|change| change.bytes).sum())
    }

    fn changes(store: &Store, sink: ObjectId, up_to: Epoch, bytes: u64) -> Result<Vec<Change>, StateError> {
        let (mut changes, mut size) = (Vec::new(), 0u64);
        store.scan_while(Family::Staged, &tagged(sink, CHANGES), &mut |key, value| {
            let change =
                change(key, value).ok_or_else(|| StateError::corrupted(format!("a staged change of sink {sink} cannot be read")))?;
            if change.epoch > up_to || size >= bytes {
                return Ok(ControlFlow::Break(()));
            }
            size = size.saturating_add(change.bytes);
            changes.push(change);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(changes)
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
    pub fn drop_sink(store: &Store, sink: ObjectId, writes: &mut Writes) -> Result<(), StateError> {
        Staged::remove(store, sink, Epoch(u64::MAX), writes)?;
        writes.delete_prefix(Family::Staged, object_prefix(sink));
        SinkIndex::drop_sink(sink, writes);
        Ok(())
    }
}

/// None for bytes that are no entry of this version.
fn change(key: &[u8], value: &[u8]) -> Option<Change> {
    let epoch = key.get(tagged(ObjectId(0), CHANGES).len()..)?.try_into().ok().map(u64::from_be_bytes)?;
    let (blob, bytes) = value.strip_prefix(&[VERSION])?.split_first_chunk()?;
    let (blob, bytes) = (u64::from_be_bytes(*blob), u64::from_be_bytes(bytes.try_into().ok()?));
    Some(Change { epoch: Epoch(epoch), blob, bytes })
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
