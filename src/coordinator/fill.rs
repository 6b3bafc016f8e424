//! Definitions between being asked for and taking effect: what needs the past of others is filled beside the epochs.
//!
//! One object is filled at a time. Other definitions wait for it; queries, transactions, epochs and checkpoints do not.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::catalog::{Definition, SinkInput};
use crate::sources::Reading;
use crate::state::{Staged, Writes};
use crate::types::{ObjectId, Offsets, Projection, Report, SqlState};

use super::backfill::{Coming, Past};
use super::command::{Install, InstallWhat, NewObject, Reply};
use super::driver::Driver;
use super::filling::{Filling, Progress, Target, Wanted};
use super::install::{Made, MadeSink};
use super::session::Interrupt;
use super::unfinished;

/// How long the epochs wait for a filling at a time; a step of it that is longer is done to its end.
const SLICE: Duration = Duration::from_millis(20);

impl Driver {
    /// Makes a new object, at once or, if it has to be filled, when it is.
    pub fn begin_definition(&mut self, install: Install, reply: Reply<ObjectId>) -> Result<(), Report> {
        let Install { object, what, interrupt } = install;
        let (id, made) = match (self.check_new(&object), what) {
            (Err(report), _) => return self.answer(Err(report), reply),
            (Ok(()), InstallWhat::Source { spec }) => (self.take_id(), Made::Source { spec }),
            (Ok(()), InstallWhat::Table) => (self.take_id(), Made::Table),
            (Ok(()), InstallWhat::View) => (self.take_id(), Made::View),
            (Ok(()), what) => return self.begin_filling(object, what, reply, interrupt),
        };
        let installed = self.install(id, object, made, Writes::new());
        self.answer(installed, reply)
    }

    /// Whether the object could be made now.
    fn check_new(&self, object: &NewObject) -> Result<(), Report> {
        if object.depends_on.iter().any(|input| self.catalog.get(*input).is_none()) {
            return Err(Report::error(SqlState::UNDEFINED_TABLE, "an object that the definition reads was dropped meanwhile")
                .hint("run the statement again"));
        }
        let without = object.replaces.map_or_else(|| (*self.catalog).clone(), |old| self.catalog.remove(old));
        without.add(object.entry(ObjectId(self.next_id), self.epoch.next())).map(drop).map_err(|e| e.report())
    }

    fn begin_filling(&mut self, object: NewObject, what: InstallWhat, reply: Reply<ObjectId>, interrupt: Interrupt) -> Result<(), Report> {
        let id = self.take_id();
        let began = (self.epoch, self.now.max(super::clock::now_micros()));
        let parts = self.target(id, &object, what).and_then(|target| Ok((self.pasts(&target)?, target)));
        let wanted = Wanted { id, object, reply, interrupt };
        let (pasts, target) = match parts {
            Ok(parts) => parts,
            Err(report) => {
                self.traces.drop_unstored(id);
                return self.answer(Err(report), wanted.reply);
            }
        };
        self.filling = Some(Box::new(Filling::new(wanted, target, pasts, began)));
        // From here on epochs bring what it reads.
        if let Err(report) = self.read_what_is_needed() {
            return self.abandon_filling(report);
        }
        self.go_on_filling()
    }

    /// What is to be filled, empty.
    fn target(&self, id: ObjectId, object: &NewObject, what: InstallWhat) -> Result<Target, Report> {
        match (what, &object.definition) {
            (InstallWhat::MaterializedView { plan }, _) => {
                Ok(Target::View(Box::new(self.view(id, &plan, Some(&object.schema.primary_key))?)))
            }
            (InstallWhat::Sink { sink, interval, plan }, Definition::Sink { connector, input, .. }) => {
                let discards = crate::sinks::discards(connector);
                let (query, input) = match (input, plan) {
                    (SinkInput::Query { .. }, Some(plan)) => (Some(Box::new(self.view(id, &plan, None)?)), id),
                    (SinkInput::Relation(input), None) => (None, *input),
                    _ => return Err(Report::internal("a sink whose plan does not fit what it reads")),
                };
                Ok(Target::Sink { query, input, sink, interval, discards })
            }
            _ => Err(Report::internal("a definition that does not fit what is made")),
        }
    }

    /// The pasts of what it reads, on their way.
    fn pasts(&self, target: &Target) -> Result<VecDeque<(ObjectId, Coming)>, Report> {
        let reads = match target {
            Target::View(view) | Target::Sink { query: Some(view), .. } => view.reads.clone(),
            Target::Sink { discards: true, .. } => Default::default(),
            Target::Sink { input, .. } => {
                let columns = self.catalog.get(*input).map_or(0, |entry| entry.schema.columns.len());
                [(*input, Projection::everything(columns))].into()
            }
        };
        reads.into_iter().map(|(input, columns)| Ok((input, self.past(input, columns)?.start()?))).collect()
    }

    /// What the rows of a relation are now.
    pub fn past(&self, input: ObjectId, columns: Projection) -> Result<Past, Report> {
        let relation = self.relations.get(&input).ok_or_else(|| Report::internal("a view without an input"))?;
        let reading = Reading { columns, threads: self.workers.count() };
        Past::of(relation, reading, self.offsets.get(&input).unwrap_or(&Offsets::default()))
    }

    /// A slice of the filling that is under way; what is full takes effect.
    pub fn go_on_filling(&mut self) -> Result<(), Report> {
        let until = Instant::now() + SLICE;
        let mut steps = 0;
        while let Some(filling) = &mut self.filling {
            let failed = filling.failed_input(|id| self.relations.get(&id)).or_else(|| filling.wanted.interrupt.now());
            let wait = until.saturating_duration_since(Instant::now()).min(Duration::from_millis(1));
            let progress = failed.map_or_else(|| filling.step(wait), Err);
            steps += 1;
            filling.waits = progress == Ok(Progress::NotYet);
            match progress {
                Err(report) => return self.abandon_filling(report),
                Ok(Progress::Done) => return self.finish_filling(),
                Ok(Progress::NotYet) => return Ok(()),
                // An epoch adds one step at most to what waits: two are more than that, however long they take.
                Ok(Progress::More) if (steps >= 2 || !filling.pasts.is_empty()) && Instant::now() >= until => return Ok(()),
                Ok(Progress::More) => {}
            }
        }
        Ok(())
    }

    fn finish_filling(&mut self) -> Result<(), Report> {
        let Some(mut filling) = self.filling.take() else { return Ok(()) };
        let mut writes = Writes::new();
        if let Target::View(view) | Target::Sink { query: Some(view), .. } = &mut filling.target
            && let Err(report) = self.keep_together(view, &mut writes)
        {
            self.filling = Some(filling);
            return self.abandon_filling(report);
        }
        let Filling { wanted: Wanted { id, object, reply, .. }, target, pending, began, stored, .. } = *filling;
        let made = match target {
            Target::View(view) => Made::MaterializedView(view),
            Target::Sink { query, input, sink, interval, discards } => {
                Made::Sink(MadeSink { query, input, sink, interval, discards, pending, since: began.0 })
            }
        };
        if stored {
            unfinished::remove(id, &mut writes);
        }
        let installed = self.install(id, object, made, writes);
        self.answer(installed, reply)
    }

    /// Forgets the object that is being filled: nobody has seen it.
    pub fn abandon_filling(&mut self, report: Report) -> Result<(), Report> {
        let Some(filling) = self.filling.take() else { return Ok(()) };
        let Filling { wanted: Wanted { id, reply, .. }, stored, .. } = *filling;
        let forgotten = match stored {
            true => self.forget_stored(id),
            false => {
                self.traces.drop_unstored(id);
                Ok(())
            }
        };
        self.answer(Err(report), reply)?;
        forgotten?;
        self.read_what_is_needed()
    }

    fn forget_stored(&mut self, id: ObjectId) -> Result<(), Report> {
        self.finish_checkpoint()?;
        let mut writes = Writes::new();
        unfinished::forget(id, &self.store, &self.traces, &mut writes)?;
        self.epoch = self.epoch.next();
        self.checkpoint(writes)?;
        self.publish();
        Ok(())
    }

    /// What a checkpoint has to write of the object that is being filled.
    pub fn put_filling(&mut self, writes: &mut Writes) {
        let Some(filling) = &mut self.filling else { return };
        unfinished::put(filling.wanted.id, writes);
        filling.stored = true;
        if !filling.pending.is_empty() {
            Staged::put(&self.store, filling.wanted.id, self.epoch, std::mem::take(&mut filling.pending), writes);
        }
    }
}
