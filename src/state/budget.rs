//! What state may take of the process's memory, and what rows take of it now.
//!
//! Rows of arrangements and of growing relations can be dropped and read again, and so can the pages of records and the leaves of
//! traces and cells; how they are found goes with them. When this says rows, it means all of these. All else that state holds (how
//! the others are found, a little of each that is away) stays in memory: what it leaves is what rows and the pages that were
//! read again may take. When it leaves nearly nothing, rows have an eighth all the same.
//!
//! What state may take is a bound, and less than that while the process takes more than was planned for all else.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::page_cache::PageCache;

/// Bytes of rows that a start reads at once.
const AT_START: usize = 32 << 20;
/// What comes in a tenth of a second at most, about.
const SPARE: usize = 16 << 20;

pub struct Budget {
    /// Bytes for all state; `usize::MAX` for no bound.
    limit: usize,
    /// Of these what state may take as long as the process takes so much elsewhere.
    now_limit: AtomicUsize,
    /// What state holds beside rows, as it was measured last, and what is left for rows and pages.
    held: AtomicUsize,
    allowed: AtomicUsize,
    /// What rows in memory take, without pages.
    rows: AtomicUsize,
    /// Counts checkpoints: chunks remember when they were used.
    time: AtomicU64,
    /// Chunks whose rows are in the store alone.
    away: AtomicUsize,
    /// What the indexes take that a start has read.
    indexes: AtomicUsize,
    pub cache: PageCache,
}

impl Budget {
    pub fn new(limit: usize) -> Budget {
        let budget = Budget {
            limit,
            now_limit: AtomicUsize::new(limit),
            held: AtomicUsize::new(0),
            allowed: AtomicUsize::new(limit),
            rows: AtomicUsize::new(0),
            time: AtomicU64::new(1),
            away: AtomicUsize::new(0),
            indexes: AtomicUsize::new(0),
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

    /// A start has read an index of about so many bytes.
    pub fn index_comes(&self, bytes: usize) {
        self.indexes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// It has left memory again.
    pub fn index_goes(&self, bytes: usize) {
        self.indexes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether indexes leave too little for rows, as far as a start knows.
    pub fn indexes_are_too_much(&self) -> bool {
        self.limit != usize::MAX && self.indexes.load(Ordering::Relaxed) > self.limit / 4
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

    /// Whether rows of so many bytes may come back: much room is left even then, and more than when others had to leave.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        let (room, spare) = (self.room(), self.spare());
        self.rows() + bytes <= (room / 4 * 3).min(room.saturating_sub(spare + spare / 2))
    }

    /// Whether they may come back before anything else is done: a start waits for few rows.
    pub fn has_room_at_start(&self, bytes: usize) -> bool {
        self.has_room_for(bytes) && self.rows() + bytes <= AT_START
    }

    /// Whether they soon will.
    pub fn presses(&self) -> bool {
        self.limit != usize::MAX && self.rows() > self.room().saturating_sub(self.spare() / 2)
    }

    /// What is left free when rows have left memory: what comes while a checkpoint is written, for which nothing has to wait then.
    /// [`Budget::room`] may be another by the time of a second look.
    pub fn spare(&self) -> usize {
        let room = self.room();
        (room / 8).max(SPARE).min(room / 2)
    }

    /// Notes what state holds beside rows.
    pub fn measured(&self, held: usize) {
        self.held.store(held, Ordering::Relaxed);
        self.divide();
    }

    /// State may take so many bytes from now on, if that is less than it ever may, and never less than an eighth of it: the
    /// process takes more elsewhere than was planned for. Whether it is.
    pub fn may_take(&self, bytes: usize) -> bool {
        if self.limit == usize::MAX {
            return false;
        }
        self.now_limit.store(bytes.clamp(self.limit / 8, self.limit), Ordering::Relaxed);
        self.divide();
        bytes < self.limit
    }

    fn divide(&self) {
        if self.limit != usize::MAX {
            let allowed = self.limit_now().saturating_sub(self.held()).max(self.limit / 8);
            self.allowed.store(allowed, Ordering::Relaxed);
            self.cache.limit(allowed / 4);
        }
    }

    /// What all state may take now.
    pub fn limit_now(&self) -> usize {
        self.now_limit.load(Ordering::Relaxed)
    }

    /// What state held beside rows and pages when that was measured last.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub fn now(&self) -> u64 {
        self.time.load(Ordering::Relaxed)
    }

    pub fn tick(&self) {
        self.time.fetch_add(1, Ordering::Relaxed);
    }
}
