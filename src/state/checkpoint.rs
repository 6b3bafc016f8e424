//! The checkpoint record: the epoch that the store's traces stand at, and what else must be known to go on from there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::types::{Epoch, ObjectId, Offsets};

use super::error::StateError;
use super::family::Family;
use super::record;
use super::store::Store;
use super::writes::Writes;

const VERSION: u8 = 1;
const KEY: &[u8] = b"checkpoint";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// The traces hold everything up to and with this epoch.
    pub epoch: Epoch,
    /// The epoch's time, microseconds since 1970 UTC.
    pub now: i64,
    /// For each source: what the traces hold of it.
    pub offsets: BTreeMap<ObjectId, Offsets>,
    /// Counts that users see and that must go on, by name.
    pub counters: BTreeMap<String, u64>,
    /// The number that the next catalog object gets.
    pub next_object_id: u32,
    /// How often the directory was opened for work.
    pub incarnation: u64,
}

impl CheckpointRecord {
    /// The last checkpoint; `None` when there was none.
    pub fn load(store: &Store) -> Result<Option<CheckpointRecord>, StateError> {
        let bytes = store.get(Family::Meta, KEY)?;
        bytes.map(|bytes| record::decode(VERSION, &bytes, "the checkpoint record")).transpose()
    }

    /// Replaces the record, in the write that holds the traces' changes.
    pub fn store(&self, writes: &mut Writes) -> Result<(), StateError> {
        writes.put(Family::Meta, KEY, record::encode(VERSION, self)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_comes_back_and_a_strange_one_is_refused() {
        let store = Store::memory();
        assert_eq!(CheckpointRecord::load(&store).unwrap(), None);
        let mut kafka = Offsets::default();
        kafka.set("0", 7);
        let record = CheckpointRecord {
            epoch: Epoch(u64::MAX),
            now: -1,
            offsets: BTreeMap::from([(ObjectId(16384), kafka)]),
            counters: BTreeMap::from([("late".to_string(), u64::MAX)]),
            next_object_id: 16390,
            incarnation: 3,
        };
        let mut writes = Writes::new();
        record.store(&mut writes).unwrap();
        store.write(writes, true).unwrap();
        assert_eq!(CheckpointRecord::load(&store).unwrap(), Some(record));

        for bytes in [&[][..], &[2, b'{', b'}'], &[1, b'{']] {
            let mut writes = Writes::new();
            writes.put(Family::Meta, KEY, bytes);
            store.write(writes, true).unwrap();
            assert!(matches!(CheckpointRecord::load(&store), Err(StateError::Corrupted { .. })), "{bytes:?}");
        }
    }
}
