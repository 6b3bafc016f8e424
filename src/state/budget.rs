//! What state may take of the process's memory, and what rows take of it now.
//!
//! Rows of arrangements and of growing relations can be dropped and read again. All else that state holds (how rows are
//! found, records of groups, cells, sorted traces) stays in memory: what it leaves is what rows and the pages that were
//! read again may take. When it leaves nearly nothing, rows have an eighth all the same.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::page_cache::PageCache;

/// Bytes of rows that a start reads at once.
const AT_START: usize = 32 << 20;

pub struct Budget {
    /// Bytes for all state; `usize::MAX` for no bound.
    limit: usize,
    /// What rows and pages may take, as it was measured last.
    allowed: AtomicUsize,
    /// What rows in memory take, without pages.
    rows: AtomicUsize,
    /// Counts checkpoints: chunks remember when they were used.
    time: AtomicU64,
    /// Chunks whose rows are in the store alone.
    away: AtomicUsize,
    pub cache: PageCache,
}

impl Budget {
    pub fn new(limit: usize) -> Budget {
        let budget = Budget {
            limit,
            allowed: AtomicUsize::new(limit),
            rows: AtomicUsize::new(0),
            time: AtomicU64::new(1),
            away: AtomicUsize::new(0),
            cache: PageCache::default(),
        };
        budget.cache.limit(limit / 4);
        budget
    }

    pub fn more(&self, bytes: usize) {
        self.rows.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn less(&self, bytes: usize) {
        self.rows.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The rows of a chunk are in the store alone; `stays` is false when they no longer are.
    pub fn away(&self, stays: bool) {
        match stays {
            true => self.away.fetch_add(1, Ordering::Relaxed),
            false => self.away.fetch_sub(1, Ordering::Relaxed),
        };
    }

    pub fn nothing_is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed) == 0
    }

    pub fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// What rows may take now.
    pub fn room(&self) -> usize {
        self.allowed.load(Ordering::Relaxed).saturating_sub(self.cache.bytes())
    }

    /// Whether rows take more than they may.
    pub fn is_over(&self) -> bool {
        self.limit != usize::MAX && self.rows() > self.room()
    }

    /// Whether rows of so many bytes may come back: much room is left even then.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.rows() + bytes <= self.room() / 4 * 3
    }

    /// Whether they may come back before anything else is done: a start waits for few rows.
    pub fn has_room_at_start(&self, bytes: usize) -> bool {
        self.has_room_for(bytes) && self.rows() + bytes <= AT_START
    }

    /// Whether they soon will.
    pub fn presses(&self) -> bool {
        self.limit != usize::MAX && self.rows() > self.room() / 16 * 15
    }

    /// Notes what else state holds; whether that alone is more than state may take.
    pub fn measured(&self, else_held: usize) -> bool {
        if self.limit == usize::MAX {
            return false;
        }
        let allowed = self.limit.saturating_sub(else_held).max(self.limit / 8);
        self.allowed.store(allowed, Ordering::Relaxed);
        self.cache.limit(allowed / 4);
        else_held > self.limit
    }

    pub fn now(&self) -> u64 {
        self.time.load(Ordering::Relaxed)
    }

    pub fn tick(&self) {
        self.time.fetch_add(1, Ordering::Relaxed);
    }
}
