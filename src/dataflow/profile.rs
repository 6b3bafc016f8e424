//! What the operators of a circuit have done since the process rendered it: rows in and out, and time.
//!
//! Counted once a step and operator, by the thread that steps the circuit; whoever reads the counts meanwhile sees them between
//! two steps or in one. Time is that of a [`Stopwatch`] that the circuit is given, since operators know no clock.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A clock that can only be used to see how long something took.
pub trait Stopwatch: Send + Sync {
    /// Nanoseconds since any moment that stays the same.
    fn nanos(&self) -> u64;
}

/// Time stands still: for circuits that nobody asks.
pub struct Stopped;

impl Stopwatch for Stopped {
    fn nanos(&self) -> u64 {
        0
    }
}

#[derive(Debug, Default)]
pub struct Counts {
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    nanos: AtomicU64,
    /// By worker, of what was handed over.
    workers: Mutex<Vec<u64>>,
}

impl Counts {
    pub fn add(&self, rows_in: usize, rows_out: usize, nanos: u64) {
        self.rows_in.fetch_add(rows_in as u64, Ordering::Relaxed);
        self.rows_out.fetch_add(rows_out as u64, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub fn add_worker(&self, worker: usize, nanos: u64) {
        let mut workers = self.workers.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if workers.len() <= worker {
            workers.resize(worker + 1, 0);
        }
        workers[worker] += nanos;
    }

    /// The time that each worker was busy with it, in nanoseconds; none when nothing was handed over.
    pub fn workers(&self) -> Vec<u64> {
        self.workers.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub fn rows_in(&self) -> u64 {
        self.rows_in.load(Ordering::Relaxed)
    }

    pub fn rows_out(&self) -> u64 {
        self.rows_out.load(Ordering::Relaxed)
    }

    pub fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }
}

/// One operator.
#[derive(Debug)]
pub struct OperatorProfile {
    /// As EXPLAIN shows it.
    pub label: String,
    pub name: &'static str,
    /// The operators that it reads, by their places in [`Profile::operators`].
    pub inputs: Vec<usize>,
    /// The trace slots of the object that it keeps its state in.
    pub slots: Range<u16>,
    pub counts: Counts,
}

/// A circuit's operators, inputs before their consumer, and what was done to keep the rows of its result.
#[derive(Debug, Default)]
pub struct Profile {
    pub operators: Vec<OperatorProfile>,
    /// The making of equal rows into one and the keeping of rows, where they are kept.
    pub kept: Counts,
}

impl Profile {
    /// The operators as a tree is printed, from the result down. One that several read is there for each of them, and what it
    /// reads itself once.
    pub fn tree(&self) -> Vec<Line<'_>> {
        let mut lines = Vec::with_capacity(self.operators.len());
        let mut seen = vec![false; self.operators.len()];
        let mut open: Vec<(usize, usize)> = self.operators.len().checked_sub(1).map(|last| (0, last)).into_iter().collect();
        while let Some((depth, at)) = open.pop() {
            let operator = &self.operators[at];
            lines.push(Line { depth, operator, again: seen[at] });
            if !seen[at] {
                open.extend(operator.inputs.iter().rev().map(|input| (depth + 1, *input)));
            }
            seen[at] = true;
        }
        lines
    }
}

/// An operator in the printed tree.
pub struct Line<'a> {
    pub depth: usize,
    pub operator: &'a OperatorProfile,
    /// It was printed before: its figures are told there.
    pub again: bool,
}

/// A handle that a circuit counts into and others read.
pub type SharedProfile = Arc<Profile>;
