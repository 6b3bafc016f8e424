//! A blob: a value of several parts that never changes, known by a number that is given once. Chunks of rows are blobs, and so is
//! what waits for a sink.
//!
//! What a write holds of blobs may lie in the store before the write itself, which names them
//! ([`super::Store::write_ahead`]): a blob that nothing names is none.
//!
//! ```text
//! number, 8 bytes big endian | part, 4 bytes big endian -> the part
//! ```

use super::error::StateError;

/// What becomes the parts of a blob when it is written, and is let go of then.
pub trait Blob: Send {
    /// Gives the parts in their order, from part 0 on.
    fn parts(self: Box<Self>, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError>;
}

/// The key of a part in [`Family::Blob`].
pub fn part_key(number: u64, part: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}

/// The number and the part that such a key names; `None` when it is none.
pub fn part_from(key: &[u8]) -> Option<(u64, u32)> {
    let (number, part) = key.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), u32::from_be_bytes(part.try_into().ok()?)))
}
