//! Room on the stack for what goes down a plan or a view of views by calling itself.

/// What one level needs at most: the binder's frames are large.
const LEVEL: usize = 512 << 10;

/// What is taken at once when there is less.
const SEGMENT: usize = 4 << 20;

/// Runs one level, on a new piece of stack where the old one is nearly used up.
pub fn with_room<T>(level: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(LEVEL, SEGMENT, level)
}
