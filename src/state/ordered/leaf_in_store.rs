//! What the store has of a leaf beside its entries: which part of a blob they are, how many, and the memory that they take.
//!
//! ```text
//! blob, 8 bytes | part, 4 bytes | entries, 4 bytes | bytes, 4 bytes; big endian
//! ```

use crate::state::blob::{part_from, part_key};

pub struct LeafInStore {
    pub part: (u64, u32),
    pub live: u32,
    pub bytes: u32,
}

impl LeafInStore {
    pub fn to_bytes(&self) -> Vec<u8> {
        [&part_key(self.part.0, self.part.1)[..], &self.live.to_be_bytes(), &self.bytes.to_be_bytes()].concat()
    }

    /// `None` for bytes that say nothing of a leaf.
    pub fn of(bytes: &[u8]) -> Option<LeafInStore> {
        let (part, rest) = bytes.split_first_chunk::<12>()?;
        let (live, rest) = rest.split_first_chunk::<4>()?;
        let bytes = <[u8; 4]>::try_from(rest).ok()?;
        Some(LeafInStore { part: part_from(part)?, live: u32::from_be_bytes(*live), bytes: u32::from_be_bytes(bytes) })
    }
}
