//! The journal: what each epoch took in, durable before the epoch is seen, so that it can be done again after a crash.
//!
//! Sources are read again by their offsets; what cannot be read again (rows that statements wrote) is kept itself. An
//! entry is a hundred bytes for an epoch that only sources fed. Entries up to a checkpoint are trimmed with it.
//!
//! ```text
//! key:   epoch, 8 bytes big endian
//! value: version, 1 byte | length of the head, 4 bytes big endian | head: JSON | tables: Arrow IPC, one after the other
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::types::{Epoch, ObjectId, Offsets};

use super::error::StateError;
use super::family::Family;
use super::store::Store;
use super::writes::Writes;

const VERSION: u8 = 1;

/// What one epoch took in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalEntry {
    pub epoch: Epoch,
    /// The epoch's time, microseconds since 1970 UTC.
    pub now: i64,
    /// For each source that the epoch read: where its reading ended.
    pub offsets: BTreeMap<ObjectId, Offsets>,
    /// Changes that statements made, by table, in order: rows and weights as [`super::zset_to_ipc`] writes them.
    pub tables: Vec<(ObjectId, Vec<u8>)>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    epoch: Epoch,
    now: i64,
    offsets: BTreeMap<ObjectId, Offsets>,
    /// Each table with the length of its bytes.
    tables: Vec<(ObjectId, usize)>,
}

pub struct Journal;

impl Journal {
    /// Makes the entry durable.
    pub fn append(store: &Store, entry: &JournalEntry) -> Result<(), StateError> {
        let mut writes = Writes::new();
        writes.put(Family::Journal, entry.epoch.0.to_be_bytes(), entry.encode()?);
        store.write(writes, true)
    }

    /// The entries of all epochs after `epoch`, in their order.
    pub fn after(store: &Store, epoch: Epoch) -> Result<Vec<JournalEntry>, StateError> {
        let mut entries = Vec::new();
        store.scan_with(Family::Journal, &[], &mut |key, value| {
            if key > epoch.0.to_be_bytes().as_slice() {
                let entry = JournalEntry::decode(value)?;
                if key != entry.epoch.0.to_be_bytes() {
                    return Err(StateError::corrupted(format!("the journal's entry of epoch {} is not where it belongs", entry.epoch)));
                }
                entries.push(entry);
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// Forgets the entries up to and with `epoch`.
    pub fn trim(epoch: Epoch, writes: &mut Writes) {
        match epoch.0.checked_add(1) {
            Some(after) => writes.delete_range(Family::Journal, [0; 8], after.to_be_bytes()),
            None => writes.delete_prefix(Family::Journal, []),
        }
    }
}

impl JournalEntry {
    fn encode(&self) -> Result<Vec<u8>, StateError> {
        let tables = self.tables.iter().map(|(table, rows)| (*table, rows.len())).collect();
        let head = Head { epoch: self.epoch, now: self.now, offsets: self.offsets.clone(), tables };
        let head = serde_json::to_vec(&head).map_err(|error| StateError::Misuse(format!("a journal entry has no JSON form: {error}")))?;
        let length = u32::try_from(head.len()).map_err(|_| StateError::Misuse("a journal entry is too long".to_string()))?;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&head);
        self.tables.iter().for_each(|(_, rows)| bytes.extend_from_slice(rows));
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> Result<JournalEntry, StateError> {
        let corrupted = |what: &str| StateError::corrupted(format!("an entry of the journal {what}"));
        let (version, rest) = bytes.split_first().ok_or_else(|| corrupted("is empty"))?;
        if *version != VERSION {
            return Err(corrupted(&format!("has version {version}, version {VERSION} was expected")));
        }
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| corrupted("is cut short"))?;
        let (head, mut rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(|| corrupted("is cut short"))?;
        let head: Head = serde_json::from_slice(head).map_err(|error| corrupted(&format!("cannot be read: {error}")))?;
        let mut tables = Vec::with_capacity(head.tables.len());
        for (table, length) in head.tables {
            let (rows, after) = rest.split_at_checked(length).ok_or_else(|| corrupted("is cut short"))?;
            tables.push((table, rows.to_vec()));
            rest = after;
        }
        match rest.is_empty() {
            true => Ok(JournalEntry { epoch: head.epoch, now: head.now, offsets: head.offsets, tables }),
            false => Err(corrupted("is too long")),
        }
    }
}

#[cfg(test)]
mod tests;
