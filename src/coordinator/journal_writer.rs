//! The thread that makes an epoch durable in the journal, while the epoch is stepped: a disk that is busy with a checkpoint takes
//! many milliseconds for a sync, in which no core would have anything to do. Readers see the epoch after both.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::state::{Journal, JournalEntry, Store};
use crate::types::Report;

use super::metrics::Metrics;
use super::panicked::panicked;

/// Dropping it waits for what is being written, and for the thread's end: the thread holds the store, and a store that is
/// closed while the process ends finds its own locks gone.
pub struct JournalWriter {
    /// None only while it is dropped.
    entries: Option<Sender<JournalEntry>>,
    done: Receiver<Result<(), Report>>,
    thread: Option<JoinHandle<()>>,
}

impl JournalWriter {
    pub fn start(store: Arc<Store>, metrics: Arc<Metrics>) -> Result<JournalWriter, Report> {
        let (entries, inbox) = mpsc::channel::<JournalEntry>();
        let (told, done) = mpsc::channel();
        let work = move || {
            while let Ok(entry) = inbox.recv() {
                let started = Instant::now();
                let written = catch_unwind(AssertUnwindSafe(|| Journal::append(&store, &entry).map_err(|e| e.report())));
                let written = written.unwrap_or_else(|panic| Err(panicked("the thread that writes the journal", panic.as_ref())));
                metrics.journal.observe(started.elapsed().as_secs_f64());
                // The driver is gone only after a failure of its own.
                let _ = told.send(written);
            }
        };
        let thread = std::thread::Builder::new().name("journal".to_string()).spawn(work).map_err(Report::internal)?;
        Ok(JournalWriter { entries: Some(entries), done, thread: Some(thread) })
    }

    /// Begins to write an epoch's entry. [`JournalWriter::finish`] has to come before the next.
    pub fn begin(&self, entry: JournalEntry) -> Result<(), Report> {
        let sent = self.entries.as_ref().is_some_and(|entries| entries.send(entry).is_ok());
        if sent { Ok(()) } else { Err(ended()) }
    }

    /// Waits until the entry is durable.
    pub fn finish(&self) -> Result<(), Report> {
        self.done.recv().map_err(|_| ended())?
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.entries = None;
        if let Some(thread) = self.thread.take() {
            // A panic is caught and told; nothing else there can.
            let _ = thread.join();
        }
    }
}

fn ended() -> Report {
    Report::internal("the thread that writes the journal has ended")
}
