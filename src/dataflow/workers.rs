//! The threads that step the shards of a circuit. What comes out does not depend on how many there are.

use std::sync::RwLock;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::error::DataflowError;
use super::profile::{Counts, Stopwatch};

/// Fewer rows are not worth waking a thread for.
const HAND_OVER: usize = 2048;
/// Expressions nest, and are evaluated as deep.
const STACK: usize = 16 << 20;

pub struct Workers {
    threads: RwLock<Threads>,
    hand_over: usize,
}

struct Threads {
    count: usize,
    /// `None` for one, which is whoever asks.
    pool: Option<ThreadPool>,
}

impl Workers {
    /// Everything is done by who asks for it.
    pub fn one() -> Workers {
        Workers { threads: RwLock::new(Threads { count: 1, pool: None }), hand_over: HAND_OVER }
    }

    /// # Errors
    /// When the threads cannot be started.
    pub fn new(count: usize) -> Result<Workers, DataflowError> {
        let workers = Workers::one();
        workers.set(count)?;
        Ok(workers)
    }

    /// These many, which hand over a single row.
    #[cfg(test)]
    pub fn eager(count: usize) -> Workers {
        let workers = Workers::new(count).unwrap();
        Workers { hand_over: 0, ..workers }
    }

    pub fn count(&self) -> usize {
        self.threads.read().unwrap_or_else(|poisoned| poisoned.into_inner()).count
    }

    /// From now on there are `count`.
    ///
    /// # Errors
    /// When the threads cannot be started; there are as many as before then.
    pub fn set(&self, count: usize) -> Result<(), DataflowError> {
        let pool = match count {
            0 | 1 => None,
            _ => {
                let pool = ThreadPoolBuilder::new().num_threads(count).stack_size(STACK).thread_name(|number| format!("worker-{number}"));
                Some(pool.build().map_err(|e| DataflowError::Unsupported(format!("{count} threads could not be started: {e}")))?)
            }
        };
        *self.threads.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Threads { count: count.max(1), pool };
        Ok(())
    }

    /// Does the work for each item, at once where there are enough rows in all of them; the results in the items' order.
    pub fn each<T: Send, R: Send>(&self, rows: usize, items: Vec<T>, work: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
        let threads = self.threads.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &threads.pool {
            Some(pool) if rows > self.hand_over && items.len() > 1 => {
                pool.install(|| items.into_par_iter().with_max_len(1).map(work).collect())
            }
            _ => items.into_iter().map(work).collect(),
        }
    }
}

/// The workers, at work for one operator.
pub struct Crew<'a> {
    pub workers: &'a Workers,
    pub stopwatch: &'a dyn Stopwatch,
    /// The operator's.
    pub counts: &'a Counts,
}

impl Crew<'_> {
    /// [`Workers::each`], timed where the work is handed over.
    pub fn each<T: Send, R: Send>(&self, rows: usize, items: Vec<T>, work: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
        self.workers.each(rows, items, |item| {
            let Some(worker) = rayon::current_thread_index() else { return work(item) };
            let began = self.stopwatch.nanos();
            let result = work(item);
            self.counts.add_worker(worker, self.stopwatch.nanos() - began);
            result
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataflow::profile::Stopped;

    #[test]
    fn results_keep_their_order_and_a_panic_is_passed_on() {
        let (workers, counts) = (Workers::eager(3), Counts::default());
        let crew = Crew { workers: &workers, stopwatch: &Stopped, counts: &counts };
        for count in [3, 1, 2] {
            workers.set(count).unwrap();
            assert_eq!(workers.count(), count);
            assert_eq!(crew.each(1, (0..100).collect(), |n| n * 2), (0..200).step_by(2).collect::<Vec<_>>());
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| crew.each(1, vec![1, 2, 3], |n| assert!(n != 2))));
            assert!(panic.is_err());
            assert_eq!(crew.each(1, vec![1, 2], |n| n), [1, 2], "the threads go on");
        }
        assert!((1..=3).contains(&counts.workers().len()), "who has worked is timed");
    }
}
