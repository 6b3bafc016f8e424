//! `--memory` and what the process really takes: state may take what all else leaves.
//!
//! All else is the process by the kernel's count without what state says that it takes: the program, records and changes on
//! their way, the store's caches, queries, and what the allocator has not given back. That is more right after state has let go
//! of something. So what is more is believed slowly, what is less at once.

use std::time::{Duration, Instant};

use super::process_memory::resident;

/// How long it is between two looks at least.
const PAUSE: Duration = Duration::from_millis(100);
/// One part in so many of what is more is believed at a look.
const SLOWLY: usize = 8;

pub struct MemoryWatch {
    /// What the process may take.
    pub memory: usize,
    looked: Option<Instant>,
    /// What it took beside state, as far as that is believed.
    beside: Option<usize>,
    /// What it took in all at the last look.
    pub taken: Option<usize>,
}

impl MemoryWatch {
    pub fn new(memory: u64) -> MemoryWatch {
        MemoryWatch { memory: usize::try_from(memory).unwrap_or(usize::MAX), looked: None, beside: None, taken: None }
    }

    /// What state may take, which takes so much now; `None` when it is not time yet for another look, or nobody tells.
    pub fn look_around(&mut self, state: usize) -> Option<usize> {
        if self.looked.is_some_and(|at| at.elapsed() < PAUSE) {
            return None;
        }
        self.looked = Some(Instant::now());
        Some(self.look(resident()?, state))
    }

    /// The same, in a process that takes `taken`.
    fn look(&mut self, taken: usize, state: usize) -> usize {
        let beside = taken.saturating_sub(state);
        let believed = match self.beside {
            Some(before) if beside > before => before + (beside - before).div_ceil(SLOWLY),
            _ => beside,
        };
        (self.beside, self.taken) = (Some(believed), Some(taken));
        self.memory.saturating_sub(believed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_may_take_what_all_else_leaves() {
        let mut watch = MemoryWatch::new(1000);
        assert_eq!(watch.look(500, 300), 800);
        // State lets go of much that is not given back yet; later it is.
        assert!((750..800).contains(&watch.look(500, 100)));
        assert_eq!(watch.look(300, 100), 800);
        // All else stays more, and more than there is.
        let left = (0..100).map(|_| watch.look(900, 100)).collect::<Vec<_>>();
        assert!(left.is_sorted_by(|a, b| a >= b) && *left.last().unwrap() == 200, "{left:?}");
        assert_eq!((0..200).map(|_| watch.look(2000, 0)).last(), Some(0));
    }
}
