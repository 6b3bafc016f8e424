//! The thread that makes an epoch durable in the journal, while the epoch is stepped: a disk that is busy with a checkpoint takes
//! many milliseconds for a sync, in which no core would have anything to do. Readers see the epoch after both.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use crate::state::{Journal, JournalEntry, Store};
use crate::types::Report;

use super::helper::Helper;
use super::metrics::Metrics;
use super::panicked::panicked;

pub struct JournalWriter {
    thread: Helper<JournalEntry>,
    done: Receiver<Result<(), Report>>,
}

impl JournalWriter {
    pub fn start(store: Arc<Store>, metrics: Arc<Metrics>) -> Result<JournalWriter, Report> {
        let (told, done) = mpsc::channel();
        let work = move |entry: JournalEntry| {
            let started = Instant::now();
            let written = catch_unwind(AssertUnwindSafe(|| Journal::append(&store, &entry).map_err(|e| e.report())));
            let written = written.unwrap_or_else(|panic| Err(panicked("the thread that writes the journal", panic.as_ref())));
            metrics.journal.observe(started.elapsed().as_secs_f64());
            // The driver is gone only after a failure of its own.
            let _ = told.send(written);
        };
        Ok(JournalWriter { thread: Helper::start("journal", work)?, done })
    }

    /// Begins to write an epoch's entry. [`JournalWriter::finish`] has to come before the next.
    pub fn begin(&self, entry: JournalEntry) -> Result<(), Report> {
        self.thread.give(entry)
    }

    /// Waits until the entry is durable.
    pub fn finish(&self) -> Result<(), Report> {
        self.done.recv().map_err(|_| self.thread.ended())?
    }
}
