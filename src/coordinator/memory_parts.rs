//! What `--memory` is divided into.
//!
//! A quarter is for one-shot queries, a sixteenth for records that sources have read and no epoch has taken yet, a sixteenth
//! (and never more than it has use for) for the store's own caches and write buffers. State has the rest, five eighths of all
//! at least.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryParts {
    pub queries: usize,
    pub queues: usize,
    pub store: usize,
    pub state: usize,
}

/// What the store has use for.
const STORE: u64 = 160 << 20;
/// More waiting records do not make anything faster.
const QUEUES: u64 = 256 << 20;

impl MemoryParts {
    /// Of so many bytes. `state` says another size for state, whatever the others are.
    pub fn of(memory: u64, state: Option<u64>) -> MemoryParts {
        let (queries, queues, store) = (memory / 4, (memory / 16).min(QUEUES), (memory / 16).min(STORE));
        let state = state.unwrap_or(memory - queries - queues - store);
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        MemoryParts { queries: bytes(queries), queues: bytes(queues), store: bytes(store), state: bytes(state) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_whole() {
        for memory in [0, 7, 64 << 20, 2 << 30, u64::MAX] {
            let MemoryParts { queries, queues, store, state } = MemoryParts::of(memory, None);
            assert_eq!(queries + queues + store + state, memory as usize);
            assert!(state >= memory as usize / 8 * 5);
        }
        assert_eq!(MemoryParts::of(2 << 30, Some(9)).state, 9);
    }
}
