//! A leaf that has to be read first: what a look finds that goes on past what is in memory.

use crate::state::error::StateError;

/// By the least key of its stretch.
pub struct Away<'a>(pub &'a [u8]);

impl Away<'_> {
    /// For who looked without having read.
    pub fn defect(self) -> StateError {
        StateError::Misuse(format!("entries from {:02x?} on were looked for that nobody had read", self.0))
    }
}

/// A key and its value.
pub type Entry<'a> = (&'a [u8], &'a [u8]);
