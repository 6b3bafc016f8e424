//! Where a row is: the part of its state that it is in, and its place in there.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowAt {
    /// Of an arrangement; of records, the page.
    pub chunk: u32,
    pub row: u32,
}

/// No place; the end of a chain.
pub const NONE: RowAt = RowAt { chunk: u32::MAX, row: u32::MAX };
