//! A chunk, a page or a leaf: what leaves memory as one, and comes back.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// When it was used last, in the budget's time.
    pub used: u64,
    /// What it takes in memory, or took.
    pub bytes: usize,
    /// Its number among those of its state.
    pub place: usize,
}
