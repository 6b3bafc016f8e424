//! How the keys of traces lie in the store.
//!
//! ```text
//! object, 4 bytes | slot, 2 bytes | shard, 1 byte | row bytes of a trace, or key bytes of cells
//! ```
//!
//! Numbers are big endian, so that keys sort as the numbers do. The owner comes first: loading a trace is one scan of
//! its seven bytes, dropping an object is one range delete of its four, and neither reads what belongs to others.

use crate::types::{ObjectId, TraceId};

/// What all keys of the object's traces begin with.
pub fn object_prefix(object: ObjectId) -> [u8; 4] {
    object.0.to_be_bytes()
}

/// What all keys of the trace begin with.
pub fn trace_prefix(trace: TraceId) -> [u8; 7] {
    let [a, b, c, d] = object_prefix(trace.object);
    let [e, f] = trace.slot.to_be_bytes();
    [a, b, c, d, e, f, trace.shard]
}

/// What all keys of the trace begin with, whatever the shard.
pub fn slot_prefix(trace: TraceId) -> [u8; 6] {
    let [a, b, c, d, e, f, _] = trace_prefix(trace);
    [a, b, c, d, e, f]
}

/// The trace of a [`trace_prefix`]; `None` when it is none.
pub fn trace_of(prefix: &[u8]) -> Option<TraceId> {
    let [a, b, c, d, e, f, shard] = *prefix.first_chunk::<7>().filter(|whole| whole.len() == prefix.len())?;
    Some(TraceId::new(ObjectId(u32::from_be_bytes([a, b, c, d])), u16::from_be_bytes([e, f])).of_shard(shard))
}

/// The whole key of one entry.
pub fn entry_key(trace: TraceId, entry: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(7 + entry.len());
    key.extend_from_slice(&trace_prefix(trace));
    key.extend_from_slice(entry);
    key
}

/// The row or key bytes of a whole key; `None` when it is too short to be one.
pub fn entry_of(key: &[u8]) -> Option<&[u8]> {
    key.get(7..)
}

/// The smallest key behind all that begin with `prefix`; `None` when there is no such key.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let id = TraceId::new(ObjectId(16385), 258).of_shard(3);
        assert_eq!(entry_key(id, b"abc"), [0, 0, 0x40, 0x01, 1, 2, 3, b'a', b'b', b'c']);
        assert_eq!(entry_of(&entry_key(id, b"abc")), Some(&b"abc"[..]));
        assert_eq!((trace_of(&trace_prefix(id)), trace_of(&entry_key(id, b"abc")), trace_of(&[0; 6])), (Some(id), None, None));
        assert_eq!(entry_of(&[0; 6]), None);
    }

    #[test]
    fn after_prefix_is_behind_the_prefix_alone() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 0xff]), Some(vec![2]));
        assert_eq!(after_prefix(&[0xff, 0xff]), None);
        assert_eq!(after_prefix(&[]), None);
    }
}
