//! Definitions taking effect: each in an epoch of its own that ends in a checkpoint, so that it is there whole or not
//! at all.

use std::sync::Arc;

use crate::catalog::{Catalog, Definition, Entry, Kind, SinkInput};
use crate::fail_points::FailPoint;
use crate::sources::Reading;
use crate::state::{Staged, TraceSet, Writes};
use crate::types::{Epoch, ObjectId, Offsets, Projection, Report, SqlState};
use crate::zset::Delta;

use super::backfill;
use super::command::{Install, InstallWhat};
use super::driver::{Driver, SinkFeed};
use super::failures;
use super::relation::{Changes, Relation, SourceRelation, ViewRelation, dead_letter_schema};
use super::sink_worker::SinkWorker;

impl Driver {
    /// Makes the object, fills it from the past of what it reads, and publishes it.
    pub fn install(&mut self, install: Install) -> Result<ObjectId, Report> {
        let Install { schema_name, name, sql, schema, depends_on, mut definition, what, replaces } = install;
        for input in &depends_on {
            if self.catalog.get(*input).is_none() {
                return Err(Report::error(SqlState::UNDEFINED_TABLE, "an object that the definition reads was dropped meanwhile")
                    .hint("run the statement again"));
            }
        }
        let before = (self.catalog.clone(), self.next_id);
        let id = self.take_id();
        let epoch = self.epoch.next();
        let mut writes = Writes::new();
        let mut catalog = (*self.catalog).clone();
        if let Some(old) = replaces {
            catalog = catalog.remove(old);
            Catalog::delete(old, &mut writes);
        }
        let mut entries = Vec::new();
        let mut entry = |id, name: String, definition, schema, sql, depends_on| {
            entries.push(Entry { id, schema_name: schema_name.clone(), name, definition, schema, sql, depends_on, created: epoch });
        };
        if let Definition::Source { dead_letter, .. } = &mut definition {
            *dead_letter = self.take_id();
            let dead = (*dead_letter, format!("{name}$dead"));
            entry(id, name, definition.clone(), schema.clone(), sql, depends_on);
            entry(dead.0, dead.1, Definition::DeadLetter { source: id }, dead_letter_schema(), String::new(), vec![id]);
        } else {
            entry(id, name, definition.clone(), schema.clone(), sql, depends_on);
        }
        let made = (|| {
            for entry in &entries {
                catalog = catalog.add(entry.clone()).map_err(|e| e.report())?;
                Catalog::put(entry, &mut writes).map_err(|e| e.report())?;
            }
            self.make(id, &definition, &schema, what, epoch)?;
            FailPoint::DefinitionMade.reach()
        })();
        let undo = |driver: &mut Driver| {
            for entry in &entries {
                driver.relations.remove(&entry.id);
                driver.sinks.remove(&entry.id);
                driver.traces.drop_unstored(entry.id);
            }
            (driver.catalog, driver.next_id) = before.clone();
        };
        if let Err(report) = made {
            undo(self);
            return Err(report);
        }
        self.catalog = Arc::new(catalog);
        self.epoch = epoch;
        for entry in &entries {
            if let Some(relation) = self.relations.get_mut(&entry.id) {
                relation.changed = epoch;
            }
        }
        if let Err(report) = self.checkpoint(writes) {
            undo(self);
            return Err(report);
        }
        FailPoint::DefinitionWritten.reach().inspect_err(|report| self.store.poison(report))?;
        self.publish();
        self.start_source(id)?;
        self.read_what_is_needed()?;
        Ok(id)
    }

    fn take_id(&mut self) -> ObjectId {
        let id = ObjectId(self.next_id);
        self.next_id += 1;
        id
    }

    fn make(
        &mut self,
        id: ObjectId,
        definition: &Definition,
        schema: &crate::types::RelationSchema,
        what: InstallWhat,
        epoch: Epoch,
    ) -> Result<(), Report> {
        match (what, definition) {
            (InstallWhat::Source { spec }, Definition::Source { dead_letter, start, .. }) => {
                let source = SourceRelation::new(id, spec, *dead_letter, start.clone(), &self.traces)?;
                self.relations.insert(id, Relation::source(source));
                self.relations.insert(*dead_letter, Relation::stored(*dead_letter, &dead_letter_schema(), &self.traces)?);
                self.offsets.insert(id, start.clone());
            }
            (InstallWhat::Table, _) => {
                self.relations.insert(id, Relation::stored(id, schema, &self.traces)?);
            }
            (InstallWhat::View, _) => {}
            (InstallWhat::MaterializedView { plan }, _) => {
                let mut view = self.view(id, &plan, Some(&schema.primary_key))?;
                self.fill(&mut view, epoch, &mut |_| {})?;
                self.relations.insert(id, Relation::view(view));
            }
            (InstallWhat::Sink { sink, interval, plan }, Definition::Sink { connector, input, .. }) => {
                let discards = crate::sinks::discards(connector);
                let mut pending = Vec::new();
                let mut keep = |delta: Delta| {
                    if !discards && !delta.is_empty() {
                        pending.push(delta.0);
                    }
                };
                let input = match (input, plan) {
                    (SinkInput::Query { .. }, Some(plan)) => {
                        let mut query = self.view(id, &plan, None)?;
                        self.fill(&mut query, epoch, &mut keep)?;
                        self.relations.insert(id, Relation::view(query));
                        id
                    }
                    (SinkInput::Relation(input), None) => {
                        let relation = self.relations.get(input).ok_or_else(|| Report::internal("a sink without an input"))?;
                        if !discards {
                            let columns = self.catalog.get(*input).map_or(0, |entry| entry.schema.columns.len());
                            let reading = Reading { columns: Projection::everything(columns), threads: self.workers.count() };
                            let none = Offsets::default();
                            backfill::past(relation, &reading, self.offsets.get(input).unwrap_or(&none), &mut |delta| {
                                keep(delta);
                                Ok(())
                            })?;
                        }
                        *input
                    }
                    _ => return Err(Report::internal("a sink whose plan does not fit what it reads")),
                };
                let start = super::sink_worker::SinkStart { id, sink: Some(sink), spec: None, interval, committed: self.epoch };
                let worker = SinkWorker::start(start, self.store.clone(), self.metrics.clone(), self.events.clone(), &self.runtime);
                self.sinks.insert(id, SinkFeed { input, pending, discards, worker });
            }
            _ => return Err(Report::internal("a definition that does not fit what is made")),
        }
        Ok(())
    }

    /// Feeds a new view the past of its inputs: chunk by chunk, the sum of the chunks being the whole past. `take` gets the
    /// changes that come out.
    pub fn fill(&self, view: &mut ViewRelation, epoch: Epoch, take: &mut dyn FnMut(Delta)) -> Result<(), Report> {
        let now = self.now.max(super::clock::now_micros());
        view.step(epoch, now, &Changes::new())?.0.into_iter().for_each(&mut *take);
        for (input, columns) in view.reads.clone() {
            let (input, reading) = (&input, Reading { columns, threads: self.workers.count() });
            let relation = self.relations.get(input).ok_or_else(|| Report::internal("a view without an input"))?;
            let none = Offsets::default();
            backfill::past(relation, &reading, self.offsets.get(input).unwrap_or(&none), &mut |delta: Delta| {
                FailPoint::BackfillChunk.reach()?;
                view.step(epoch, now, &Changes::from([(*input, vec![delta])])).map(|(deltas, _)| deltas.into_iter().for_each(&mut *take))
            })?;
        }
        Ok(())
    }

    /// Removes objects and all that floe keeps for them. What a sink has written stays in its target.
    pub fn drop_objects(&mut self, ids: &[ObjectId]) -> Result<(), Report> {
        self.finish_checkpoint()?;
        // From here on memory forgets the objects, and only the disk can say whether they are gone.
        let gone = self.forget(ids).and_then(|writes| {
            FailPoint::DropMade.reach()?;
            self.checkpoint(writes)?;
            FailPoint::DropWritten.reach()
        });
        gone.inspect_err(|report| self.store.poison(report))?;
        self.publish();
        self.read_what_is_needed()
    }

    /// Forgets objects in memory; what forgets them in the store.
    fn forget(&mut self, ids: &[ObjectId]) -> Result<Writes, Report> {
        let mut writes = Writes::new();
        let mut catalog = (*self.catalog).clone();
        for id in ids {
            let Some(entry) = self.catalog.get(*id) else { continue };
            catalog = catalog.remove(*id);
            Catalog::delete(*id, &mut writes);
            self.relations.remove(id);
            self.offsets.remove(id);
            self.traces.drop_object(*id, &mut writes).map_err(|e| e.report())?;
            failures::remove(*id, &mut writes);
            if entry.kind() == Kind::Sink {
                self.sinks.remove(id);
                Staged::drop_sink(&self.store, *id, &mut writes).map_err(|e| e.report())?;
            }
        }
        self.catalog = Arc::new(catalog);
        self.epoch = self.epoch.next();
        Ok(writes)
    }
}

/// A view's state when its stored plan is not the one that this build makes: forgotten, to be filled again.
pub fn forget_view(traces: &TraceSet, id: ObjectId) -> Result<Writes, Report> {
    let mut writes = Writes::new();
    traces.drop_object(id, &mut writes).map_err(|e| e.report())?;
    Ok(writes)
}
