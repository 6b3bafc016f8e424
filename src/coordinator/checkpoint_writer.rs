//! The thread that writes checkpoints, while epochs go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use crate::fail_points::FailPoint;
use crate::state::{Store, Writes};
use crate::types::Report;

use super::command::Event;
use super::panicked::panicked;

/// Dropping it waits for what is being written, and for the thread's end: the thread holds the store, and a store that is
/// closed while the process ends finds its own locks gone.
pub struct CheckpointWriter {
    /// None only while it is dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    writes: Writes,
    told: Sender<Result<(), Report>>,
}

impl CheckpointWriter {
    pub fn start(store: Arc<Store>, events: Sender<Event>) -> Result<CheckpointWriter, Report> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let work = move || {
            while let Ok(Job { writes, told }) = inbox.recv() {
                let written = catch_unwind(AssertUnwindSafe(|| write(&store, writes)));
                let written = written.unwrap_or_else(|panic| Err(panicked("the thread that writes checkpoints", panic.as_ref())));
                if let Err(report) = &written {
                    store.poison(report);
                }
                // The driver is gone only when the process ends.
                let _ = told.send(written);
                let _ = events.send(Event::CheckpointWritten);
            }
        };
        let thread = std::thread::Builder::new().name("checkpoint".to_string()).spawn(work).map_err(Report::internal)?;
        Ok(CheckpointWriter { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Begins to write. The answer comes when it is durable, or has failed; the driver gets an event then, too.
    pub fn write(&self, writes: Writes) -> Result<Receiver<Result<(), Report>>, Report> {
        let (told, done) = mpsc::channel();
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(Job { writes, told }).is_ok());
        if !sent {
            return Err(Report::internal("the thread that writes checkpoints has ended"));
        }
        Ok(done)
    }
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of a job is caught and told; nothing else there can.
            let _ = thread.join();
        }
    }
}

fn write(store: &Store, mut writes: Writes) -> Result<(), Report> {
    store.write_ahead(&mut writes).map_err(|e| e.report())?;
    FailPoint::CheckpointWrite.reach()?;
    store.write(writes, true).map_err(|e| e.report())?;
    FailPoint::CheckpointWritten.reach()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_holds_the_store_once_the_writer_is_dropped() {
        let store = Arc::new(Store::memory());
        for _ in 0..20 {
            let (events, _inbox) = mpsc::channel();
            let writer = CheckpointWriter::start(store.clone(), events).unwrap();
            let written = writer.write(Writes::new()).unwrap();
            drop(writer);
            assert_eq!(Arc::strong_count(&store), 1);
            written.recv().unwrap().unwrap();
        }
    }
}
