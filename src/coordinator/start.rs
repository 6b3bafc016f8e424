//! Starting and stopping: the store is opened, the database recovered, and the driver's thread set going.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{oneshot, watch};

use crate::catalog::Catalog;
use crate::dataflow::Workers;
use crate::planner::{self, QueryMemory};
use crate::state::{Store, TraceSet, kept};
use crate::types::{Epoch, ObjectId, Report, SqlState};
use crate::zset::Delta;

use super::checkpoint_writer::{CheckpointWriter, Place};
use super::clock;
use super::command::{Command, Event, Reply};
use super::config::CoordinatorConfig;
use super::driver::Driver;
use super::journal_writer::JournalWriter;
use super::keeping::Keeping;
use super::memory_parts::MemoryParts;
use super::memory_watch::MemoryWatch;
use super::metrics::Metrics;
use super::program_pages::ProgramPages;
use super::published::{Frontier, Published};
use super::queues::Queues;
use super::sink_status::SinkStatus;
use super::system_settings::{SettingChange, SystemSettings};

/// The running database.
pub struct Coordinator {
    pub config: CoordinatorConfig,
    pub(super) events: Sender<Event>,
    pub(super) frontier: Arc<Frontier>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) query_memory: QueryMemory,
    /// For readers of how much state there is.
    pub(super) traces: TraceSet,
    pub(super) workers: Arc<Workers>,
    /// When the process started, microseconds since 1970 UTC.
    pub(super) started: i64,
    stopping: AtomicBool,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Coordinator {
    /// Opens the state directory and brings the database to where it was. Blocks until it can be read.
    ///
    /// # Errors
    /// When the directory cannot be used (another process has it, a newer floe wrote it, it is not writable), or what it
    /// holds cannot be made to work again.
    pub fn open(config: CoordinatorConfig, runtime: tokio::runtime::Handle) -> Result<Arc<Coordinator>, Report> {
        let started = Instant::now();
        let parts = MemoryParts::of(config.memory, config.state_memory);
        let store = Arc::new(Store::open_within(&config.data, parts.store).map_err(|e| e.report())?);
        let metrics = Arc::new(Metrics::new().map_err(Report::internal)?);
        let query_memory = planner::query_memory(parts.queries).map_err(|e| e.report())?;
        let frontier = Arc::new(Frontier::new(Published {
            epoch: Epoch::default(),
            now: 0,
            catalog: Arc::new(Catalog::default()),
            relations: HashMap::new(),
            offsets: BTreeMap::new(),
        }));
        let (events, inbox) = mpsc::channel();
        let kept = kept::list(&config.data).map_err(|e| e.report())?;
        let keeping = Keeping::new(config.keep_checkpoints, config.keep_every, &kept);
        metrics.set_kept(kept);
        let settings = SystemSettings::load(&store)?;
        let count = settings.workers.unwrap_or(config.workers);
        if count != config.workers {
            tracing::info!(workers = count, "ALTER SYSTEM has set another number of workers than floe was started with");
        }
        let workers = Arc::new(Workers::new(count).map_err(|e| e.report())?);
        let mut driver = Driver {
            traces: TraceSet::within(store.clone(), parts.state),
            store: store.clone(),
            catalog: Arc::new(Catalog::default()),
            relations: BTreeMap::new(),
            sinks: BTreeMap::new(),
            filling: None,
            epoch: Epoch::default(),
            now: 0,
            offsets: BTreeMap::new(),
            next_id: ObjectId::FIRST_USER.0,
            incarnation: 1,
            checkpointed: Epoch::default(),
            checkpoint_interval: config.checkpoint_interval,
            workers: workers.clone(),
            settings,
            started_with: config.workers,
            journal: JournalWriter::start(store.clone(), metrics.clone())?,
            writer: CheckpointWriter::start(Place { store, dir: config.data.clone(), metrics: metrics.clone() }, events.clone())?,
            writing: None,
            keeping,
            frontier: frontier.clone(),
            metrics: metrics.clone(),
            events: events.clone(),
            runtime,
            waiting: Vec::new(),
            committing: Vec::new(),
            commands: VecDeque::new(),
            flushes: Vec::new(),
            next_token: 0,
            rows_after_room: 0,
            told_of_memory: false,
            watch: MemoryWatch::new(config.memory),
            program_pages: ProgramPages::new(),
            rows_come_back: true,
            queues: Arc::new(Queues::new(parts.queues)),
        };
        driver.recover(&super::replan::replan)?;
        metrics.note_start(started.elapsed());
        let traces = driver.traces.clone();
        let thread = std::thread::Builder::new()
            .name("epochs".to_string())
            .stack_size(16 << 20)
            .spawn(move || driver.run(inbox))
            .map_err(Report::internal)?;
        let (started, thread) = (clock::now_micros(), Mutex::new(Some(thread)));
        let stopping = AtomicBool::new(false);
        Ok(Arc::new(Coordinator { config, events, frontier, metrics, query_memory, traces, workers, started, stopping, thread }))
    }

    /// What readers see now.
    pub fn published(&self) -> Arc<Published> {
        self.frontier.get()
    }

    /// Sends the driver a command and waits for its answer.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Report> {
        let (reply, answer) = oneshot::channel();
        // A command whose answer is dropped met the end that was asked for, or a panic.
        let gone = |()| match self.stopping.load(Ordering::Acquire) {
            true => Report::error(SqlState::ADMIN_SHUTDOWN, "floe is shutting down"),
            false => Report::internal("the thread of the epochs has failed")
                .hint("what became of the statement will be seen when floe is started again"),
        };
        self.events.send(Event::Command(command(reply))).map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }

    /// Commits a transaction's changes; they are published when this returns.
    pub async fn change(&self, changes: Vec<(ObjectId, Delta)>) -> Result<(), Report> {
        self.ask(|reply| Command::Change { changes, reply }).await
    }

    /// Waits until all that the sources hold now is published.
    pub async fn flush(&self) -> Result<(), Report> {
        self.ask(|reply| Command::Flush { reply }).await.map(|_| ())
    }

    /// Changes a setting of the whole database; it is durable when this returns.
    pub async fn alter_system(&self, change: SettingChange) -> Result<(), Report> {
        self.ask(|reply| Command::AlterSystem { change, reply }).await
    }

    /// Writes a checkpoint, and waits until every sink has committed what it holds. Where checkpoints are kept the next one is,
    /// which knows of those commits: after going back to it sinks go on that have committed nothing since.
    pub async fn checkpoint(&self) -> Result<(), Report> {
        let epoch = self.ask(|reply| Command::Checkpoint { keep: false, reply }).await?;
        let committed = self.committed(epoch).await;
        if self.config.keep_checkpoints > 0 {
            self.ask(|reply| Command::Checkpoint { keep: true, reply }).await?;
        }
        committed
    }

    /// Waits until every sink has committed what was staged up to that epoch, or cannot.
    async fn committed(&self, epoch: Epoch) -> Result<(), Report> {
        let published = self.published();
        for entry in published.catalog.entries() {
            let Some(mut status) = self.metrics.sink(entry.id) else { continue };
            loop {
                {
                    let now: watch::Ref<'_, SinkStatus> = status.borrow_and_update();
                    if now.committed >= epoch {
                        break;
                    }
                    if let Some(report) = &now.error {
                        return Err(report.clone().detail(format!("Sink \"{}\" does not get on: {}", entry.name, report.message)));
                    }
                }
                if published.error_of(entry.id).is_some() || status.changed().await.is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A last checkpoint, and the end. What was published is there at the next start either way.
    pub async fn shutdown(&self) {
        self.stopping.store(true, Ordering::Release);
        if let Err(report) = self.ask(|reply| Command::Shutdown { reply }).await {
            tracing::warn!("stopping without a last checkpoint: {report}");
        }
        let thread = self.thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Prometheus' text.
    pub fn metrics(&self) -> String {
        self.metrics.text(&self.frontier, &self.traces)
    }

    /// Why floe cannot take work now.
    pub fn ready(&self) -> Result<(), String> {
        self.metrics.broken().map_or(Ok(()), Err)
    }
}
