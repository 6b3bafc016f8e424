//! Checkpoints: everything that changed since the last one, with the offsets, in one atomic write.
//!
//! What changed is put together on the driver's thread, between two epochs, and written by a thread of its own while epochs
//! go on: the journal keeps those until the next checkpoint. One is under way at a time, and definitions wait for it, so
//! that writes come in the order of their epochs. Sources and sinks are told when it is durable, not before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::fail_points::FailPoint;
use crate::state::{CheckpointRecord, Journal, Staged, Writes};
use crate::types::{Epoch, ObjectId, Report};

use super::clock;
use super::command::Reply;
use super::driver::{Driver, Writing};
use super::failures;
use super::keeping::{Asked, Keep};
use super::relation::{Relation, RelationKind};

impl Driver {
    /// Everything that changed since the last checkpoint, together with `writes`; durable when this returns.
    pub fn checkpoint(&mut self, writes: Writes) -> Result<(), Report> {
        self.finish_checkpoint()?;
        self.write_checkpoint(writes, None)?;
        self.finish_checkpoint()
    }

    /// A checkpoint that somebody waits for, and for what sinks commit of it. Epochs go on as soon as it is durable; when it is to
    /// be kept, whatever the time, the answer comes once it is.
    pub fn checkpoint_for(&mut self, keep: bool, reply: Reply<Epoch>) -> Result<(), Report> {
        let (asked, kept) = keep.then(oneshot::channel).unzip();
        let written = self.finish_checkpoint().and_then(|()| self.write_checkpoint(Writes::new(), asked));
        let epoch = self.epoch;
        let written = written.and_then(|()| self.finish_checkpoint());
        if written.is_ok() {
            self.sinks.values().for_each(|feed| feed.worker.hurry(epoch));
        }
        match (written, kept) {
            (Ok(()), Some(kept)) => {
                self.runtime.spawn(async move {
                    // The thread that keeps it ends only with the process.
                    if let Ok(kept) = kept.await {
                        let _ = reply.send(kept.map(|()| epoch));
                    }
                });
                Ok(())
            }
            (written, _) => {
                let _ = reply.send(written.clone().map(|()| epoch));
                written
            }
        }
    }

    /// Starts to write what changed since the last checkpoint; none is under way.
    pub fn begin_checkpoint(&mut self) -> Result<(), Report> {
        self.write_checkpoint(Writes::new(), None)
    }

    fn write_checkpoint(&mut self, writes: Writes, asked: Option<Asked>) -> Result<(), Report> {
        let started = Instant::now();
        // What is staged of a filling, each time, is of an epoch of its own, and so is each checkpoint that is asked for: since the
        // last one sinks may have committed.
        if self.filling.is_some() || asked.is_some() && self.keeping.has(self.epoch) {
            self.epoch = self.epoch.next();
        }
        // What was taken out of the traces is known nowhere else: without this write there must be no later one.
        let begun = self.changes(writes).and_then(|writes| {
            FailPoint::CheckpointCollected.reach()?;
            let keep = self.keeps(asked);
            self.writer.write(writes, keep)
        });
        let done = begun.inspect_err(|report| self.store.poison(report))?;
        self.writing = Some(self.writing(started, done));
        let stalled = started.elapsed();
        self.metrics.checkpoint_stall.observe(stalled.as_secs_f64());
        tracing::debug!(epoch = %self.epoch, micros = stalled.as_micros() as u64, "a checkpoint was put together");
        Ok(())
    }

    /// What is to be kept of the checkpoint that is written now, if it is.
    fn keeps(&mut self, asked: Option<Asked>) -> Option<Keep> {
        let (catalog, offsets) = (&self.catalog, &self.offsets);
        let name = |id| catalog.get(id).map(|entry| entry.name.clone());
        let named = || offsets.iter().filter_map(|(id, offsets)| Some((name(*id)?, offsets.clone()))).collect();
        self.keeping.next(self.epoch, clock::now_micros(), asked, named)
    }

    /// If a checkpoint has become durable since this was asked last, how long it took.
    pub fn take_checkpoint(&mut self) -> Result<Option<Duration>, Report> {
        let Some(writing) = &self.writing else { return Ok(None) };
        match writing.done.try_recv() {
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Report::internal("the thread that writes checkpoints has ended")),
            Ok(written) => self.written(written).map(Some),
        }
    }

    /// Waits for the checkpoint that is under way.
    pub fn finish_checkpoint(&mut self) -> Result<(), Report> {
        let Some(writing) = &self.writing else { return Ok(()) };
        let written = writing.done.recv().map_err(|_| Report::internal("the thread that writes checkpoints has ended"))?;
        self.written(written).map(drop)
    }

    fn writing(&self, started: Instant, done: Receiver<Result<(), Report>>) -> Writing {
        let held = self.sinks.iter().map(|(id, feed)| (*id, self.is_held(feed.input))).collect();
        Writing { epoch: self.epoch, offsets: self.offsets.clone(), held, started, done }
    }

    /// Whether the relation, or anything that it is computed from, cannot be read as it is now. Of an object that is being
    /// defined readers do not know yet.
    fn is_held(&self, id: ObjectId) -> bool {
        let (mut open, mut seen) = (vec![id], BTreeSet::new());
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            if self.relations.get(&id).is_some_and(Relation::is_in_error) {
                return true;
            }
            open.extend(self.catalog.get(id).iter().flat_map(|entry| entry.depends_on.iter().copied()));
        }
        false
    }

    /// What a checkpoint writes.
    fn changes(&mut self, mut writes: Writes) -> Result<Writes, Report> {
        self.traces.dirty(&mut writes).map_err(|e| e.report())?;
        failures::put(&self.relations, &mut writes)?;
        for (id, feed) in &mut self.sinks {
            if !feed.pending.is_empty() {
                Staged::put(&self.store, *id, self.epoch, std::mem::take(&mut feed.pending), &mut writes);
            }
        }
        self.put_filling(&mut writes);
        let record = CheckpointRecord {
            epoch: self.epoch,
            now: self.now,
            offsets: self.offsets.clone(),
            counters: BTreeMap::new(),
            next_object_id: self.next_id,
            incarnation: self.incarnation,
        };
        record.store(&mut writes).map_err(|e| e.report())?;
        Journal::trim(self.epoch, &mut writes);
        Ok(writes)
    }

    /// Tells sources and sinks that the checkpoint is durable; how long it took.
    fn written(&mut self, written: Result<(), Report>) -> Result<Duration, Report> {
        let Some(writing) = self.writing.take() else { return Ok(Duration::ZERO) };
        written?;
        FailPoint::CheckpointTold.reach().inspect_err(|report| self.store.poison(report))?;
        self.checkpointed = writing.epoch;
        self.metrics.note_checkpoint(writing.epoch, clock::now_micros());
        let spent = writing.started.elapsed();
        self.metrics.checkpoint.observe(spent.as_secs_f64());
        for (id, offsets) in &writing.offsets {
            if let Some(RelationKind::Source(source)) = self.relations.get(id).map(|relation| &relation.kind)
                && let Some(worker) = &source.worker
            {
                worker.checkpointed(offsets);
            }
        }
        for (id, held) in writing.held {
            if let Some(feed) = self.sinks.get(&id) {
                feed.worker.checkpointed(writing.epoch, held);
            }
        }
        self.make_room()?;
        Ok(spent)
    }
}
