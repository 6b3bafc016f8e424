//! The thread that writes checkpoints, while epochs go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use crate::fail_points::FailPoint;
use crate::state::{Store, Writes};
use crate::types::Report;

use super::command::Event;
use super::panicked::panicked;

pub struct CheckpointWriter {
    jobs: Sender<Job>,
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
        std::thread::Builder::new().name("checkpoint".to_string()).spawn(work).map_err(Report::internal)?;
        Ok(CheckpointWriter { jobs })
    }

    /// Begins to write. The answer comes when it is durable, or has failed; the driver gets an event then, too.
    pub fn write(&self, writes: Writes) -> Result<Receiver<Result<(), Report>>, Report> {
        let (told, done) = mpsc::channel();
        self.jobs.send(Job { writes, told }).map_err(|_| Report::internal("the thread that writes checkpoints has ended"))?;
        Ok(done)
    }
}

fn write(store: &Store, writes: Writes) -> Result<(), Report> {
    FailPoint::CheckpointWrite.reach()?;
    store.write(writes, true).map_err(|e| e.report())?;
    FailPoint::CheckpointWritten.reach()
}
