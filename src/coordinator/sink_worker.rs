//! A sink's worker: takes what checkpoints have staged, prepares a commit, records it, commits it, and only then
//! forgets the staged rows.
//!
//! Each step is durable before the next begins, so a crash anywhere is answered by going on: staged rows without a
//! prepared commit are prepared again; a prepared commit is committed again, which does nothing if it had landed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fail_points::FailPoint;
use crate::sinks::{self, KeyIndex, Prepared, Sink, SinkError, SinkSpec};
use crate::state::{SinkIndex, Staged, Store, Writes};
use crate::types::{Epoch, ObjectId, Report};
use crate::zset::{Delta, ZSet};

use super::command::Event;
use super::metrics::Metrics;
use super::panicked::panicked;
use super::sink_status::SinkStatus;

/// Staged bytes after which no more epochs go into the same commit.
const COMMIT_BYTES: u64 = 256 << 20;
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MOST: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, Default)]
struct Goal {
    checkpoint: Epoch,
    /// The relation cannot be read now (a row error): nothing of it goes out until it can.
    held: bool,
    /// Somebody waits until the sink is there: up to it no commit waits for its interval.
    awaited: Epoch,
}

/// What a worker starts with.
pub struct SinkStart {
    pub id: ObjectId,
    /// The connected sink, or the definition to connect with.
    pub sink: Option<Box<dyn Sink>>,
    pub spec: Option<SinkSpec>,
    pub interval: Duration,
    pub committed: Epoch,
}

pub struct SinkWorker {
    goal: watch::Sender<Goal>,
    task: JoinHandle<()>,
}

impl SinkWorker {
    pub fn start(
        start: SinkStart,
        store: Arc<Store>,
        metrics: Arc<Metrics>,
        events: Sender<Event>,
        runtime: &tokio::runtime::Handle,
    ) -> SinkWorker {
        let goal = watch::Sender::new(Goal { checkpoint: start.committed, ..Goal::default() });
        let status = watch::Sender::new(SinkStatus { committed: start.committed, ..SinkStatus::default() });
        let inbox = goal.subscribe();
        metrics.set_sink(start.id, status.subscribe());
        let SinkStart { id, sink, spec, interval, .. } = start;
        let task = runtime.spawn(async move {
            // A sink that was just made has looked at its target.
            let checked = sink.is_some();
            let mut worker = Worker { id, sink, spec, checked, store, events, goal: inbox, status };
            worker.run(interval).await;
        });
        SinkWorker { goal, task }
    }

    /// A checkpoint has been written: all that was staged up to `epoch` may go out, unless it is held.
    pub fn checkpointed(&self, epoch: Epoch, held: bool) {
        self.goal.send_modify(|goal| (goal.checkpoint, goal.held) = (epoch, held));
    }

    /// Somebody waits until what that checkpoint has staged is committed.
    pub fn hurry(&self, epoch: Epoch) {
        self.goal.send_modify(|goal| goal.awaited = epoch);
    }
}

impl Drop for SinkWorker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Worker {
    id: ObjectId,
    sink: Option<Box<dyn Sink>>,
    spec: Option<SinkSpec>,
    /// The target was found to be what floe left.
    checked: bool,
    store: Arc<Store>,
    events: Sender<Event>,
    goal: watch::Receiver<Goal>,
    status: watch::Sender<SinkStatus>,
}

impl Worker {
    async fn run(&mut self, interval: Duration) {
        let mut retry = RETRY_FIRST;
        loop {
            let caught_up = AssertUnwindSafe(self.catch_up()).catch_unwind().await;
            match caught_up.unwrap_or_else(|panic| Err(panicked("the sink", panic.as_ref()).into())) {
                Ok(()) => {
                    retry = RETRY_FIRST;
                    self.pause(interval).await;
                    if self.goal.changed().await.is_err() {
                        return;
                    }
                }
                Err(error) if error.is_transient() => {
                    self.note_error(error.report(), false);
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(RETRY_MOST);
                }
                Err(error) => {
                    // What is staged stays; the sink goes on when floe is started again or the sink is made anew.
                    self.note_error(error.report(), true);
                    if self.store.is_poisoned() {
                        // The driver may have nothing to write for long: it has to say so now.
                        let _ = self.events.send(Event::StoreFailed);
                    }
                    return;
                }
            }
        }
    }

    /// Lets the interval between two commits pass, unless somebody waits for the next.
    async fn pause(&mut self, interval: Duration) {
        let committed = self.status.borrow().committed;
        // A look of its own: what it sees is still to be seen by the worker.
        let mut goal = self.goal.clone();
        // Too late, or the database is being closed: the worker finds out which.
        let _ = tokio::time::timeout(interval, goal.wait_for(|goal| goal.awaited > committed)).await;
    }

    fn note_error(&self, report: Report, stopped: bool) {
        tracing::warn!(sink = %self.id, "{report}");
        self.status.send_modify(|status| {
            status.error = Some(report);
            status.stopped = stopped;
        });
    }

    /// Commits until nothing is staged that may go out.
    async fn catch_up(&mut self) -> Result<(), SinkError> {
        self.connect().await?;
        loop {
            let goal = *self.goal.borrow_and_update();
            if let Some(bytes) = Staged::prepared(&self.store, self.id).map_err(|e| e.report())? {
                let prepared: Prepared = serde_json::from_slice(&bytes).map_err(|e| SinkError::from(Report::internal(e)))?;
                self.commit(prepared).await?;
                continue;
            }
            let index = StoredIndex { store: self.store.clone(), sink: self.id };
            if let Some(sink) = self.sink.as_mut().filter(|_| !self.checked) {
                sink.check(&index).await?;
                self.checked = true;
            }
            if goal.held {
                return Ok(());
            }
            let Some((staged, more)) = self.take(goal.checkpoint)? else {
                self.status.send_modify(|status| {
                    status.committed = status.committed.max(goal.checkpoint);
                    status.error = None;
                });
                return Ok(());
            };
            let Some(sink) = &mut self.sink else { return Ok(()) };
            let rows = staged.delta.0.len() as u64;
            let prepared = sink.prepare(&staged, &index).await?;
            reach(FailPoint::SinkPrepared)?;
            let mut writes = Writes::new();
            let bytes = serde_json::to_vec(&prepared).map_err(|e| SinkError::from(Report::internal(e)))?;
            Staged::put_prepared(self.id, &bytes, &mut writes);
            self.store.write(writes, true).map_err(|e| e.report())?;
            reach(FailPoint::SinkRecorded)?;
            self.status.send_modify(|status| status.rows += rows);
            tracing::debug!(sink = %self.id, epoch = %prepared.epoch, rows, more, "prepared");
        }
    }

    async fn connect(&mut self) -> Result<(), SinkError> {
        if self.sink.is_none()
            && let Some(spec) = &self.spec
        {
            self.sink = Some(crate::sinks::open(spec).await?);
        }
        Ok(())
    }

    /// The next run of staged changes, consolidated; whether more wait behind it.
    fn take(&self, up_to: Epoch) -> Result<Option<(sinks::Staged, bool)>, SinkError> {
        let parts = Staged::take_within(&self.store, self.id, up_to, COMMIT_BYTES).map_err(|e| e.report())?;
        let (Some((_, first)), Some((last, _))) = (parts.first(), parts.last()) else { return Ok(None) };
        let schema = first.schema();
        let sum = ZSet::concat(&schema, parts.iter().map(|(_, z)| z)).and_then(|z| z.consolidate());
        let delta = Delta(sum.map_err(|e| SinkError::from(Report::internal(e)))?);
        let after = self.status.borrow().committed;
        Ok(Some((sinks::Staged { after, epoch: *last, delta }, *last < up_to)))
    }

    async fn commit(&mut self, prepared: Prepared) -> Result<(), SinkError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        sink.commit(&prepared).await?;
        reach(FailPoint::SinkCommitted)?;
        let mut writes = Writes::new();
        SinkIndex::apply(self.id, &prepared.index, &mut writes);
        Staged::remove(&self.store, self.id, prepared.epoch, &mut writes).map_err(|e| e.report())?;
        Staged::remove_prepared(self.id, &mut writes);
        self.store.write(writes, true).map_err(|e| e.report())?;
        reach(FailPoint::SinkForgot)?;
        self.status.send_modify(|status| {
            status.committed = prepared.epoch;
            status.commits += 1;
            status.error = None;
        });
        Ok(())
    }
}

/// An error that a test asks for is one of the target's: the worker tries again.
fn reach(point: FailPoint) -> Result<(), SinkError> {
    let failed = |report: Report| SinkError::Unavailable { message: report.message, detail: String::new(), hint: String::new() };
    point.reach().map_err(failed)
}

struct StoredIndex {
    store: Arc<Store>,
    sink: ObjectId,
}

impl KeyIndex for StoredIndex {
    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Report> {
        SinkIndex::get_many(&self.store, self.sink, keys).map_err(|e| e.report())
    }
}
