//! What sources have read and no epoch has taken yet: of each one, and of all together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of one source that may wait.
const MOST_OF_ONE: usize = 64 << 20;
/// Bytes that one reading should bring at least where there is so much, and at most.
const READING: (usize, usize) = (256 << 10, 16 << 20);
/// The same of an epoch.
const EPOCH: (usize, usize) = (512 << 10, 64 << 20);

/// The queues of all sources.
pub struct Queues {
    most: usize,
    waiting: AtomicUsize,
}

/// The queue of one source's reader. What is left in it when the reader is let go of waits no longer.
pub struct Queue {
    all: Arc<Queues>,
    waiting: AtomicUsize,
}

impl Queues {
    /// About so many bytes may wait: what one reading brings is taken past it.
    pub fn new(most: usize) -> Queues {
        Queues { most, waiting: AtomicUsize::new(0) }
    }

    /// What is read is in memory several times, as text, as columns and as a change.
    fn reading(&self) -> usize {
        (self.most / 8).clamp(READING.0, READING.1)
    }

    /// Bytes of one source that one epoch should take: what an epoch makes of them is all there at once.
    pub fn epoch(&self) -> usize {
        (self.most / 2).clamp(EPOCH.0, EPOCH.1)
    }

    pub fn add(self: &Arc<Self>) -> Queue {
        Queue { all: self.clone(), waiting: AtomicUsize::new(0) }
    }
}

impl Queue {
    /// Whether no more should come: much waits of this source, or something does and much of all.
    pub fn is_full(&self) -> bool {
        let waiting = self.waiting.load(Ordering::Acquire);
        waiting > MOST_OF_ONE || (waiting > 0 && self.all.waiting.load(Ordering::Acquire) > self.all.most)
    }

    /// Bytes that one reading should bring.
    pub fn reading(&self) -> usize {
        self.all.reading()
    }

    pub fn come(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Ordering::AcqRel);
        self.all.waiting.fetch_add(bytes, Ordering::AcqRel);
    }

    pub fn go(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::AcqRel);
        self.all.waiting.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.all.waiting.fetch_sub(*self.waiting.get_mut(), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_bounded_and_every_source_has_its_turn() {
        let all = Arc::new(Queues::new(100));
        let (one, other) = (all.add(), all.add());
        one.come(90);
        other.come(20);
        assert!(one.is_full() && other.is_full());
        other.go(20);
        assert!(!one.is_full() && !other.is_full());
        one.come(20);
        assert!(one.is_full() && !other.is_full(), "who has nothing waiting may read");
        drop(one);
        other.come(90);
        assert!(!other.is_full(), "what is let go of does not wait");
        other.come(MOST_OF_ONE);
        assert!(other.is_full());
    }
}
