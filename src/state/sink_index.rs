//! A sink's own key index: for each key of the target where its row is, as of the last commit that landed.
//!
//! Keys and values are the sink's; here they only get the sink's number in front of the key.

use crate::types::ObjectId;

use super::error::StateError;
use super::family::Family;
use super::key_layout::object_prefix;
use super::store::Store;
use super::writes::Writes;

pub struct SinkIndex;

impl SinkIndex {
    /// The value of each key, in the order of the keys.
    pub fn get_many<K: AsRef<[u8]>>(store: &Store, sink: ObjectId, keys: &[K]) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| whole_key(sink, key.as_ref())).collect();
        store.get_many(Family::Index, &keys)
    }

    /// Gives each key its value, or removes it.
    pub fn apply(sink: ObjectId, changes: &[(Vec<u8>, Option<Vec<u8>>)], writes: &mut Writes) {
        for (key, value) in changes {
            match value {
                Some(value) => writes.put(Family::Index, whole_key(sink, key), value.as_slice()),
                None => writes.delete(Family::Index, whole_key(sink, key)),
            }
        }
    }

    /// Forgets the index.
    pub fn drop_sink(sink: ObjectId, writes: &mut Writes) {
        writes.delete_prefix(Family::Index, object_prefix(sink));
    }
}

fn whole_key(sink: ObjectId, key: &[u8]) -> Vec<u8> {
    [object_prefix(sink).as_slice(), key].concat()
}
