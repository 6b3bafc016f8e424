//! The epoch driver: one thread that owns every circuit and moves the whole database from epoch to epoch.
//!
//! An epoch is sealed (what sources have brought and transactions have asked for), stepped (each relation once, inputs
//! before what reads them: ids grow, and nothing reads a higher one), journalled (synced: from here on it cannot be
//! lost), and published (readers see it). Every second or so a checkpoint writes all that changed, with the offsets, in
//! one atomic write, and the journal is cut. A new object comes to be in an epoch of its own that ends in such a
//! checkpoint, so that a crash leaves all of it or nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use crate::catalog::Catalog;
use crate::dataflow::Workers;
use crate::fail_points::FailPoint;
use crate::planner::CircuitPlan;
use crate::state::{JournalEntry, Store, TraceSet, Writes, zset_to_ipc};
use crate::types::{Epoch, ObjectId, Offsets, Report, SqlState, Turn};
use crate::zset::{Delta, ZSet};

use super::checkpoint_writer::CheckpointWriter;
use super::clock;
use super::command::{Command, Event, Reply};
use super::filling::Filling;
use super::journal_writer::JournalWriter;
use super::keeping::Keeping;
use super::memory_watch::MemoryWatch;
use super::metrics::Metrics;
use super::panicked::panicked;
use super::program_pages::ProgramPages;
use super::published::{Frontier, Published, PublishedRelation};
use super::queues::Queues;
use super::relation::{Changes, Relation, RelationKind, ViewRelation, dead_letter_rows};
use super::sink_worker::SinkWorker;
use super::slices;
use super::system_settings::SystemSettings;
use super::table;
use super::take_changes::take_changes;

/// How long the driver looks for other work while a past does not come.
const A_MOMENT: Duration = Duration::from_millis(1);
/// How much of what waits goes into one epoch.
const EPOCH_EVENTS: usize = 64;
/// Checkpoints take at most one part in so many of the time: where much has changed they come less often, and the journal
/// keeps what is between them.
const CHECKPOINT_SHARE: u32 = 20;
/// What a recovery may have to do again, unless a longer interval is asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Past so many staged rows a checkpoint does not wait for its time.
const PENDING_ROWS: usize = 1_000_000;

pub struct Driver {
    pub store: Arc<Store>,
    pub traces: TraceSet,
    pub catalog: Arc<Catalog>,
    pub relations: BTreeMap<ObjectId, Relation>,
    pub sinks: BTreeMap<ObjectId, SinkFeed>,
    /// The object that is on its way into the database.
    pub filling: Option<Box<Filling>>,
    pub epoch: Epoch,
    pub now: i64,
    pub offsets: BTreeMap<ObjectId, Offsets>,
    pub next_id: u32,
    pub incarnation: u64,
    pub settings: SystemSettings,
    /// The number of workers where no setting says another.
    pub started_with: usize,
    pub checkpointed: Epoch,
    pub checkpoint_interval: Duration,
    /// Who steps circuits; as many threads decode the records of each source.
    pub workers: Arc<Workers>,
    /// Who writes the journal.
    pub journal: JournalWriter,
    /// Who writes checkpoints, and the one that is being written.
    pub writer: CheckpointWriter,
    pub writing: Option<Writing>,
    pub keeping: Keeping,
    pub frontier: Arc<Frontier>,
    pub metrics: Arc<Metrics>,
    pub events: Sender<Event>,
    pub runtime: tokio::runtime::Handle,
    /// Transactions that wait for an epoch, and those of the epoch that is under way.
    pub waiting: Vec<Waiting>,
    pub committing: Vec<Reply<()>>,
    /// What else was asked for, in its order.
    pub commands: VecDeque<Command>,
    pub flushes: Vec<Flush>,
    pub next_token: u64,
    /// What rows took when there was room for them last, and whether it was said that state takes too much.
    pub rows_after_room: usize,
    pub told_of_memory: bool,
    pub watch: MemoryWatch,
    pub program_pages: ProgramPages,
    /// Whether rows are on their way back into memory.
    pub rows_come_back: bool,
    /// What sources have read and no epoch has taken.
    pub queues: Arc<Queues>,
}

/// A sink's worker, and what it will be given with the next checkpoint.
pub struct SinkFeed {
    /// The relation whose changes it takes: another object, or the sink's own query under the sink's own number.
    pub input: ObjectId,
    pub pending: Vec<ZSet>,
    /// Nothing is staged: the sink would throw it away.
    pub discards: bool,
    pub worker: SinkWorker,
}

impl SinkFeed {
    pub fn take(&mut self, deltas: &[Delta]) {
        if !self.discards {
            self.pending.extend(deltas.iter().map(|delta| delta.0.clone()));
        }
    }
}

/// A checkpoint on its way to the disk.
pub struct Writing {
    pub epoch: Epoch,
    pub offsets: BTreeMap<ObjectId, Offsets>,
    /// By sink: whether its relation had errors at that epoch.
    pub held: Vec<(ObjectId, bool)>,
    pub started: Instant,
    pub done: Receiver<Result<(), Report>>,
}

/// A FLUSH under way.
pub struct Flush {
    pub token: u64,
    /// Sources whose ends are not known yet.
    pub asked: BTreeSet<ObjectId>,
    pub targets: BTreeMap<ObjectId, Offsets>,
    pub reply: Option<Reply<Epoch>>,
}

/// A transaction's changes that wait for an epoch.
pub struct Waiting {
    pub changes: Vec<(ObjectId, Delta)>,
    pub reply: Reply<()>,
}

/// What the sealed input of an epoch is.
#[derive(Default)]
pub struct Sealed {
    pub deltas: Changes,
    pub offsets: BTreeMap<ObjectId, Offsets>,
    /// Sources whose rows have changed, also in what nobody reads of the changes.
    pub changed: BTreeSet<ObjectId>,
    /// What cannot be read again: the changes of tables, which have taken them already.
    pub tables: Vec<(ObjectId, Delta)>,
}

impl Driver {
    /// What keeps the plan's result, with the state that there is of it.
    pub fn view(&self, id: ObjectId, plan: &CircuitPlan, key: Option<&[usize]>) -> Result<ViewRelation, Report> {
        ViewRelation::new(id, plan, key, &self.traces, self.workers.clone())
    }

    /// Does what is asked until it is told to end, or something fails after which memory and disk may differ.
    pub fn work(&mut self, inbox: &Receiver<Event>) -> Result<(), Report> {
        let (mut last_checkpoint, mut pause) = (Instant::now(), self.checkpoint_interval);
        loop {
            let due = pause.saturating_sub(last_checkpoint.elapsed());
            let waits = self.writing.is_some() || self.epoch == self.checkpointed;
            let patience = match (self.rows_come_back, waits) {
                _ if self.filling.is_some() => self.filling.as_ref().filter(|filling| filling.waits).map_or(Duration::ZERO, |_| A_MOMENT),
                _ if self.sources_wait() => Duration::ZERO,
                (true, _) => Duration::ZERO,
                (false, true) => Duration::from_secs(60),
                (false, false) => due,
            };
            let mut events = Vec::new();
            if self.waiting.is_empty() {
                match inbox.recv_timeout(patience) {
                    Ok(event) => events.push(event),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
            while events.len() < EPOCH_EVENTS {
                match inbox.try_recv() {
                    Ok(event) => events.push(event),
                    Err(_) => break,
                }
            }
            for event in events {
                match event {
                    Event::Command(Command::Change { changes, reply }) => self.waiting.push(Waiting { changes, reply }),
                    Event::Command(command) => self.commands.push_back(command),
                    other => self.note(other),
                }
            }
            // A sink's write may have failed meanwhile.
            if let Some(error) = self.store.failure() {
                return Err(error.report());
            }
            self.advance()?;
            for command in std::mem::take(&mut self.commands) {
                // Definitions come one after the other.
                if self.filling.is_some() && matches!(command, Command::Install { .. } | Command::Drop { .. }) {
                    self.commands.push_back(command);
                } else if !self.obey(command)? {
                    return Ok(());
                }
            }
            self.go_on_filling()?;
            self.answer_flushes();
            if let Some(spent) = self.take_checkpoint()? {
                last_checkpoint = Instant::now();
                pause = self.checkpoint_interval.max((spent * CHECKPOINT_SHARE).min(LONGEST_PAUSE));
                // That of a definition is right behind its planning.
                self.program_pages.settle();
            }
            self.keep_within_memory()?;
            self.bring_rows_back();
            let pending = self.sinks.values().map(|sink| &sink.pending).chain(self.filling.iter().map(|filling| &filling.pending));
            let full = pending.flatten().map(ZSet::len).sum::<usize>() > PENDING_ROWS || self.presses();
            let due = self.writing.is_none() && (full || last_checkpoint.elapsed() >= pause);
            if due && (self.epoch > self.checkpointed || full && self.filling.is_some()) {
                self.begin_checkpoint()?;
            }
        }
    }

    /// Takes in what a source's thread tells.
    fn note(&mut self, event: Event) {
        match event {
            Event::Records { source, run, batches } => {
                // Records of a source that has stopped are read again when it is started again.
                if let Some(source) = self.source_mut(source)
                    && source.worker.is_some()
                    && source.run == run
                {
                    source.queue.extend(batches);
                }
            }
            Event::SourceState { source, run, error, stopped } => {
                if let Some(source) = self.source_mut(source)
                    && source.run == run
                {
                    source.error = error;
                    source.stopped = stopped;
                }
                self.metrics.set_source_errors(self.source_errors());
            }
            Event::Ends { source, token, ends } => self.note_ends(source, token, ends),
            Event::CheckpointWritten | Event::StoreFailed | Event::Command(_) => {}
        }
    }

    fn source_mut(&mut self, id: ObjectId) -> Option<&mut super::relation::SourceRelation> {
        match self.relations.get_mut(&id).map(|r| &mut r.kind) {
            Some(RelationKind::Source(source)) => Some(source),
            _ => None,
        }
    }

    pub fn source_errors(&self) -> BTreeMap<ObjectId, Report> {
        self.relations
            .iter()
            .filter_map(|(id, relation)| match &relation.kind {
                RelationKind::Source(source) => source.error.clone().map(|e| (*id, e)),
                _ => None,
            })
            .collect()
    }

    /// One epoch, if there is anything to do in it.
    fn advance(&mut self) -> Result<(), Report> {
        let mut sealed = Sealed::default();
        if self.seal_changes(&mut sealed) {
            // Whoever reads such a table is told at once, whether there is an epoch or not.
            self.publish();
        }
        self.seal_sources(&mut sealed);
        if !(sealed.deltas.is_empty() && sealed.offsets.is_empty()) {
            FailPoint::EpochSealed.reach()?;
            let (epoch, now) = (self.epoch.next(), clock::now_micros().max(self.now));
            let tables = sealed.tables.iter().map(|(id, delta)| Ok((*id, zset_to_ipc(&delta.0).map_err(|e| e.report())?)));
            let entry = JournalEntry { epoch, now, offsets: sealed.offsets.clone(), tables: tables.collect::<Result<_, Report>>()? };
            self.journal.begin(entry)?;
            self.step(epoch, now, sealed);
            FailPoint::EpochStepped.reach()?;
            self.journal.finish()?;
            FailPoint::JournalWritten.reach()?;
            self.publish();
            FailPoint::EpochPublished.reach()?;
        }
        for reply in self.committing.drain(..) {
            let _ = reply.send(Ok(()));
        }
        Ok(())
    }

    /// Takes transactions into the epoch: those that touch no table which an earlier one of this epoch touched. What
    /// cannot be done is answered at once and leaves nothing behind; the rest waits for the next epoch. Whether a table has
    /// stopped.
    fn seal_changes(&mut self, sealed: &mut Sealed) -> bool {
        let (mut touched, mut stopped) = (BTreeSet::new(), false);
        let mut later = Vec::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let tables: BTreeSet<ObjectId> = waiting.changes.iter().map(|(table, _)| *table).collect();
            if !touched.is_disjoint(&tables) {
                later.push(waiting);
                continue;
            }
            match self.check_changes(&waiting.changes).and_then(|()| take_changes(&mut self.relations, &waiting.changes)) {
                Ok(()) => {
                    touched.extend(tables);
                    for (table, delta) in waiting.changes.into_iter().filter(|(_, d)| !d.is_empty()) {
                        sealed.tables.push((table, delta.clone()));
                        sealed.deltas.insert(table, vec![delta]);
                    }
                    self.committing.push(waiting.reply);
                }
                Err(report) => {
                    stopped |= tables.iter().any(|id| self.relations.get(id).is_some_and(|table| table.failed.is_some()));
                    let _ = waiting.reply.send(Err(report));
                }
            }
        }
        self.waiting = later;
        stopped
    }

    fn check_changes(&self, changes: &[(ObjectId, Delta)]) -> Result<(), Report> {
        for (id, delta) in changes {
            let gone = || Report::error(SqlState::UNDEFINED_TABLE, "the table was dropped before the transaction was committed");
            let entry = self.catalog.get(*id).ok_or_else(gone)?;
            let relation = self.relations.get(id).ok_or_else(gone)?;
            if let Some(failed) = &relation.failed {
                return Err(failed.clone());
            }
            let rows = relation.rows().ok_or_else(gone)?;
            table::check(entry, &rows.snapshot(), delta)?;
        }
        Ok(())
    }

    fn seal_sources(&mut self, sealed: &mut Sealed) {
        if self.filling.as_ref().is_some_and(|filling| filling.is_far_behind()) {
            return;
        }
        let waiting: Vec<ObjectId> = self
            .relations
            .iter()
            .filter(|(_, relation)| matches!(&relation.kind, RelationKind::Source(s) if !s.queue.is_empty()))
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            self.seal_source(id, sealed, self.queues.epoch());
        }
    }

    /// Whether records wait for the next epoch that this one left.
    fn sources_wait(&self) -> bool {
        self.relations.values().any(|relation| matches!(&relation.kind, RelationKind::Source(s) if !s.queue.is_empty()))
            && self.filling.as_ref().is_none_or(|filling| !filling.is_far_behind())
    }

    /// Takes records of about so many bytes that wait.
    pub fn seal_source(&mut self, id: ObjectId, sealed: &mut Sealed, most: usize) {
        let Some(columns) = self.source_mut(id).map(|source| source.spec.schema.columns.len()) else { return };
        let read = self.followed(id, columns);
        let Some(relation) = self.relations.get_mut(&id) else { return };
        let RelationKind::Source(source) = &mut relation.kind else { return };
        match source.step(&read, most) {
            Ok(step) => {
                let dead_letter = source.dead_letter;
                self.metrics.note_source(id, source.counts);
                if step.changed {
                    sealed.changed.insert(id);
                }
                if !step.deltas.is_empty() {
                    sealed.deltas.insert(id, step.deltas);
                }
                if !step.dead.is_empty() {
                    match dead_letter_rows(&step.dead) {
                        Ok(rows) => {
                            sealed.deltas.insert(dead_letter, vec![Delta::inserts(rows)]);
                        }
                        Err(report) => relation.failed = Some(report),
                    }
                }
                sealed.offsets.insert(id, step.offsets);
            }
            Err(report) => {
                tracing::error!(source = %id, "upkeep of a source stopped: {report}");
                source.worker = None;
                source.queue.clear();
                relation.failed = Some(report);
            }
        }
    }

    /// Runs every relation for the sealed input. A relation that fails stops alone.
    pub fn step(&mut self, epoch: Epoch, now: i64, sealed: Sealed) {
        let started = Instant::now();
        let Sealed { deltas, offsets, changed, tables } = sealed;
        let taken: BTreeSet<ObjectId> = tables.into_iter().map(|(table, _)| table).collect();
        let mut turns = slices::turns(epoch.into(), deltas).into_iter();
        let mut deltas = turns.next().map(|(turn, changes)| self.step_turn(turn, now, changes, &taken)).unwrap_or_default();
        for (turn, changes) in turns {
            for (id, more) in self.step_turn(turn, now, changes, &taken) {
                deltas.entry(id).or_default().extend(more);
            }
        }
        for id in deltas.keys().chain(&changed) {
            if let Some(relation) = self.relations.get_mut(id).filter(|relation| relation.failed.is_none()) {
                relation.changed = epoch;
            }
        }
        for feed in self.sinks.values_mut() {
            if let Some(changes) = deltas.get(&feed.input) {
                feed.take(changes);
            }
        }
        if let Some(filling) = &mut self.filling {
            filling.note(epoch, now, &deltas);
        }
        for (source, read) in &offsets {
            self.offsets.entry(*source).or_default().advance(read);
        }
        self.epoch = epoch;
        self.now = now;
        self.metrics.note_epoch(epoch, started.elapsed());
    }

    /// Runs every relation once for some changes, of those tables which have `taken` them already; these with what comes of them.
    fn step_turn(&mut self, turn: Turn, now: i64, mut deltas: Changes, taken: &BTreeSet<ObjectId>) -> Changes {
        for (id, relation) in &mut self.relations {
            if relation.failed.is_some() {
                continue;
            }
            let result = match &mut relation.kind {
                RelationKind::Source(_) => Ok(()),
                RelationKind::Stored(_) if taken.contains(id) => Ok(()),
                RelationKind::Stored(rows) => match deltas.get(id) {
                    Some(changes) => changes.iter().try_for_each(|delta| rows.step(delta)).map_err(|e| e.report()),
                    None => Ok(()),
                },
                RelationKind::View(view) if !view.inputs.iter().any(|i| deltas.contains_key(i)) => Ok(()),
                RelationKind::View(view) => match step_view(view, turn, now, &deltas, &self.traces) {
                    Ok((changes, errors_changed)) => {
                        if errors_changed {
                            relation.changed = turn.epoch;
                        }
                        if !changes.is_empty() {
                            deltas.insert(*id, changes);
                        }
                        Ok(())
                    }
                    Err(report) => Err(report),
                },
            };
            if let Err(report) = result {
                tracing::error!(relation = %id, epoch = %turn.epoch, "upkeep of a relation stopped: {report}");
                relation.failed = Some(report);
                relation.changed = turn.epoch;
                relation.leave_to_others();
            }
        }
        deltas
    }

    /// Moves readers to the epoch that was stepped last.
    pub fn publish(&mut self) {
        let mut relations = HashMap::with_capacity(self.relations.len());
        let before = self.frontier.get();
        for (id, relation) in &self.relations {
            let unchanged = before.relations.get(id).filter(|old| old.changed == relation.changed && relation.failed.is_none());
            let published = match unchanged {
                Some(old) => old.clone(),
                None => publish_relation(relation),
            };
            relations.insert(*id, published);
        }
        self.frontier.publish(Published {
            epoch: self.epoch,
            now: self.now,
            catalog: self.catalog.clone(),
            relations,
            offsets: self.offsets.clone(),
        });
    }

    /// False when the driver is to end.
    fn obey(&mut self, command: Command) -> Result<bool, Report> {
        match command {
            Command::Change { .. } => {}
            Command::Install { install, reply } => {
                self.program_pages.planned();
                self.begin_definition(*install, reply)?;
            }
            Command::Drop { ids, reply } => {
                let result = self.drop_objects(&ids);
                self.answer(result, reply)?;
            }
            Command::AlterSystem { change, reply } => {
                let result = self.alter_system(change);
                self.answer(result, reply)?;
            }
            Command::Flush { reply } => self.start_flush(reply),
            Command::Checkpoint { keep, reply } => self.checkpoint_for(keep, reply)?,
            Command::Shutdown { reply } => {
                self.abandon_filling(Report::error(SqlState::ADMIN_SHUTDOWN, "floe is shutting down"))?;
                let result = FailPoint::Shutdown.reach().and_then(|()| self.checkpoint(Writes::new()));
                for relation in self.relations.values_mut() {
                    if let RelationKind::Source(source) = &mut relation.kind {
                        source.worker = None;
                    }
                }
                self.sinks.clear();
                let _ = reply.send(result);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Answers a definition's result; an error of the store ends the driver.
    pub fn answer<T>(&self, result: Result<T, Report>, reply: Reply<T>) -> Result<(), Report> {
        let broken = self.store.is_poisoned();
        let report = result.as_ref().err().cloned();
        let _ = reply.send(result);
        match (broken, report) {
            (true, Some(report)) => Err(report),
            _ => Ok(()),
        }
    }
}

/// A view in which floe has a defect stops as one that fails in another way does: alone, at the next start as well.
fn step_view(view: &mut ViewRelation, turn: Turn, now: i64, deltas: &Changes, traces: &TraceSet) -> Result<(Vec<Delta>, bool), Report> {
    let id = view.id;
    let stepped = catch_unwind(AssertUnwindSafe(|| {
        FailPoint::ViewStep.reach()?;
        slices::step_in_pieces(view, turn, now, deltas, || !traces.keeps_together(id))
    }));
    stepped.unwrap_or_else(|panic| Err(panicked("the upkeep of a view", panic.as_ref())))
}

fn publish_relation(relation: &Relation) -> PublishedRelation {
    let error = match (&relation.failed, &relation.kind) {
        (Some(report), _) => Some(report.clone()),
        (None, RelationKind::View(view)) => first_error(&view.errors),
        _ => None,
    };
    let profile = match &relation.kind {
        RelationKind::View(view) => Some(view.circuit.profile().clone()),
        _ => None,
    };
    PublishedRelation { rows: relation.rows().map(|rows| rows.snapshot()), error, changed: relation.changed, profile }
}

/// The first of a view's row errors in their own order, and how many there are.
fn first_error(errors: &crate::state::Trace) -> Option<Report> {
    if errors.is_empty() {
        return None;
    }
    let rows = match errors.least() {
        Ok(rows) => rows,
        Err(error) => return Some(error.report()),
    };
    let text = |column: usize| {
        let array = rows.column(column);
        arrow::util::display::array_value_to_string(array, 0).unwrap_or_default()
    };
    let count = errors.len();
    Some(
        Report::error(SqlState::from_code(&text(0)), text(1))
            .detail(format!("{count} kinds of row errors stand in the view or in what it reads."))
            .hint("correct or delete the rows that cause it: the view heals by itself"),
    )
}
