//! The thread that writes checkpoints, while epochs go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use crate::fail_points::FailPoint;
use crate::state::{Store, Writes};
use crate::types::Report;

use super::command::Event;
use super::helper::Helper;
use super::keeping::{Keep, keep, not_kept};
use super::metrics::Metrics;
use super::panicked::panicked;

pub struct CheckpointWriter(Helper<Job>);

struct Job {
    writes: Writes,
    told: Sender<Result<(), Report>>,
    keep: Option<Keep>,
}

/// What the thread works on.
pub struct Place {
    pub store: Arc<Store>,
    /// The state directory.
    pub dir: PathBuf,
    pub metrics: Arc<Metrics>,
}

impl CheckpointWriter {
    pub fn start(place: Place, events: Sender<Event>) -> Result<CheckpointWriter, Report> {
        let work = move |Job { writes, told, keep }| {
            let written = catch_unwind(AssertUnwindSafe(|| write(&place.store, writes)));
            let written = written.unwrap_or_else(|panic| Err(panicked("the thread that writes checkpoints", panic.as_ref())));
            if let Err(report) = &written {
                place.store.poison(report);
            }
            let keep = keep.filter(|_| written.is_ok());
            // The driver is gone only when the process ends.
            let _ = told.send(written);
            let _ = events.send(Event::CheckpointWritten);
            if let Some(keep) = keep {
                place.keep(keep);
            }
        };
        Ok(CheckpointWriter(Helper::start("checkpoint", work)?))
    }

    /// Begins to write. The answer comes when it is durable, or has failed; the driver gets an event then, too. What is to be
    /// kept is made after that.
    pub fn write(&self, writes: Writes, keep: Option<Keep>) -> Result<Receiver<Result<(), Report>>, Report> {
        let (told, done) = mpsc::channel();
        self.0.give(Job { writes, told, keep })?;
        Ok(done)
    }
}

fn write(store: &Store, mut writes: Writes) -> Result<(), Report> {
    store.write_ahead(&mut writes).map_err(|e| e.report())?;
    FailPoint::CheckpointWrite.reach()?;
    store.write(writes, true).map_err(|e| e.report())?;
    FailPoint::CheckpointWritten.reach()
}

impl Place {
    /// Nothing that goes wrong here closes the store: the checkpoint is durable.
    fn keep(&self, Keep { about, most, asked }: Keep) {
        let timer = self.metrics.keep.start_timer();
        let kept = catch_unwind(AssertUnwindSafe(|| keep(&self.store, &self.dir, &about, most)));
        let kept = kept.unwrap_or_else(|panic| Err(not_kept(about.epoch, &panicked("keeping it", panic.as_ref()))));
        timer.observe_duration();
        match &kept {
            Ok(()) => tracing::info!(epoch = %about.epoch, "a checkpoint is kept"),
            Err(report) => tracing::error!("{report}"),
        }
        self.metrics.note_kept(&self.dir, kept.is_ok());
        if let Some(asked) = asked {
            // Who asked may have gone.
            let _ = asked.send(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_holds_the_store_once_the_writer_is_dropped() {
        let store = Arc::new(Store::memory());
        for _ in 0..20 {
            let (events, _inbox) = mpsc::channel();
            let metrics = Arc::new(Metrics::new().unwrap());
            let place = Place { store: store.clone(), dir: PathBuf::new(), metrics };
            let writer = CheckpointWriter::start(place, events).unwrap();
            let written = writer.write(Writes::new(), None).unwrap();
            drop(writer);
            assert_eq!(Arc::strong_count(&store), 1);
            written.recv().unwrap().unwrap();
        }
    }
}
