//! How the keys of traces lie in the store.
//!
//! ```text
//! object, 4 bytes | slot, 2 bytes | vnode, 1 byte | row bytes of a trace, or key bytes of cells
//! ```
//!
//! Numbers are big endian, so that keys sort as the numbers do. The owner comes first: loading a trace is one scan of
//! its six bytes, dropping an object is one range delete of its four, and neither reads what belongs to others. Inside
//! a trace the vnode comes next: the rows that one worker owns are a scan each, and so are the rows of one key, whose
//! vnode is known from the key. (With the vnode in front, every load and every drop would be 256 ranges, and handing a
//! vnode to another worker would still go trace by trace, because traces live in memory one by one.)
//!
//! A vnode is one of [`VNODES`] hash buckets of a key's bytes. The hash is part of the format.

use crate::types::{ObjectId, TraceId};

/// The number of hash buckets that keys are divided into.
pub const VNODES: usize = 256;

/// What all keys of the object's traces begin with.
pub fn object_prefix(object: ObjectId) -> [u8; 4] {
    object.0.to_be_bytes()
}

/// What all keys of the trace begin with.
pub fn trace_prefix(trace: TraceId) -> [u8; 6] {
    let [a, b, c, d] = object_prefix(trace.object);
    let [e, f] = trace.slot.to_be_bytes();
    [a, b, c, d, e, f]
}

/// The whole key of one entry.
pub fn entry_key(trace: TraceId, vnode: u8, entry: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(7 + entry.len());
    key.extend_from_slice(&trace_prefix(trace));
    key.push(vnode);
    key.extend_from_slice(entry);
    key
}

/// The row or key bytes of a whole key; `None` when it is too short to be one.
pub fn entry_of(key: &[u8]) -> Option<&[u8]> {
    key.get(7..)
}

/// The bucket of a key: FNV-1a over its bytes, 64 bits wide, folded to eight by exclusive or.
pub fn vnode(key: &[u8]) -> u8 {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash.to_be_bytes().iter().fold(0, |folded, byte| folded ^ byte)
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
        let id = TraceId::new(ObjectId(16385), 258);
        assert_eq!(entry_key(id, vnode(b"ab"), b"abc"), [0, 0, 0x40, 0x01, 1, 2, vnode(b"ab"), b'a', b'b', b'c']);
        assert_eq!(entry_of(&entry_key(id, 9, b"abc")), Some(&b"abc"[..]));
        assert_eq!(entry_of(&[0; 6]), None);
        assert_eq!([vnode(b""), vnode(b"a"), vnode(b"ab"), vnode(&[0xff; 9])], [225, 187, 213, 64]);
    }

    #[test]
    fn keys_spread_over_all_vnodes() {
        let mut counts = [0usize; VNODES];
        for key in 0..25_600_u64 {
            counts[usize::from(vnode(&key.to_be_bytes()))] += 1;
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(*least > 40 && *most < 200, "100 keys a vnode on average, {least} to {most} seen");
    }

    #[test]
    fn after_prefix_is_behind_the_prefix_alone() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 0xff]), Some(vec![2]));
        assert_eq!(after_prefix(&[0xff, 0xff]), None);
        assert_eq!(after_prefix(&[]), None);
    }
}
