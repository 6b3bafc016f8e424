//! Definitions taking effect: each in an epoch of its own that ends in a checkpoint, so that it is there whole or not
//! at all.

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{Catalog, Definition, Entry, Kind};
use crate::fail_points::FailPoint;
use crate::sinks::Sink;
use crate::sources::SourceSpec;
use crate::state::{Staged, Writes};
use crate::types::{Epoch, ObjectId, Report};
use crate::zset::ZSet;

use super::command::NewObject;
use super::driver::{Driver, SinkFeed};
use super::failures;
use super::relation::{Relation, SourceRelation, ViewRelation, dead_letter_schema};
use super::sink_worker::{SinkStart, SinkWorker};

/// An object that is ready to be one of the database's.
pub enum Made {
    Source { spec: SourceSpec },
    Table,
    View,
    MaterializedView(Box<ViewRelation>),
    Sink(MadeSink),
}

pub struct MadeSink {
    /// The circuit of its own query, filled; `None` when it follows `input`.
    pub query: Option<Box<ViewRelation>>,
    pub input: ObjectId,
    pub sink: Box<dyn Sink>,
    pub interval: Duration,
    pub discards: bool,
    /// Of what it is to be given, that which is not staged.
    pub pending: Vec<ZSet>,
    /// Nothing that it is to be given is of this epoch, or older.
    pub since: Epoch,
}

impl Driver {
    /// Takes a new object into the database, and publishes it.
    pub fn install(&mut self, id: ObjectId, object: NewObject, made: Made, mut writes: Writes) -> Result<ObjectId, Report> {
        let before = self.catalog.clone();
        let epoch = self.epoch.next();
        let mut catalog = (*self.catalog).clone();
        if let Some(old) = object.replaces {
            catalog = catalog.remove(old);
            Catalog::delete(old, &mut writes);
        }
        let mut entries = vec![object.entry(id, epoch)];
        if let Definition::Source { dead_letter, .. } = &mut entries[0].definition {
            *dead_letter = self.take_id();
            let dead = NewObject {
                name: format!("{}$dead", object.name),
                sql: String::new(),
                schema: dead_letter_schema(),
                depends_on: vec![id],
                definition: Definition::DeadLetter { source: id },
                ..object
            };
            let dead_letter = *dead_letter;
            entries.push(dead.entry(dead_letter, epoch));
        }
        let made = (|| {
            for entry in &entries {
                catalog = catalog.add(entry.clone()).map_err(|e| e.report())?;
                Catalog::put(entry, &mut writes).map_err(|e| e.report())?;
            }
            self.place(&entries[0], made)?;
            FailPoint::DefinitionMade.reach()
        })();
        let undo = |driver: &mut Driver| {
            for entry in &entries {
                driver.relations.remove(&entry.id);
                driver.sinks.remove(&entry.id);
                driver.traces.drop_unstored(entry.id);
            }
            driver.catalog = before.clone();
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

    pub fn take_id(&mut self) -> ObjectId {
        let id = ObjectId(self.next_id);
        self.next_id += 1;
        id
    }

    /// Puts what was made where it works.
    fn place(&mut self, entry: &Entry, made: Made) -> Result<(), Report> {
        let id = entry.id;
        match (made, &entry.definition) {
            (Made::Source { spec }, Definition::Source { dead_letter, start, .. }) => {
                let source = SourceRelation::new(id, spec, *dead_letter, start.clone(), &self.traces)?;
                self.relations.insert(id, Relation::source(source));
                self.relations.insert(*dead_letter, Relation::stored(*dead_letter, &dead_letter_schema(), &self.traces)?);
                self.offsets.insert(id, start.clone());
            }
            (Made::Table, _) => {
                self.relations.insert(id, Relation::stored(id, &entry.schema, &self.traces)?);
            }
            (Made::View, _) => {}
            (Made::MaterializedView(view), _) => {
                self.relations.insert(id, Relation::view(*view));
            }
            (Made::Sink(MadeSink { query, input, sink, interval, discards, pending, since }), _) => {
                if let Some(query) = query {
                    self.relations.insert(id, Relation::view(*query));
                }
                let start = SinkStart { id, sink: Some(sink), spec: None, interval, committed: since };
                let worker = SinkWorker::start(start, self.store.clone(), self.metrics.clone(), self.events.clone(), &self.runtime);
                self.sinks.insert(id, SinkFeed { input, pending, discards, worker });
            }
            _ => return Err(Report::internal("a definition that does not fit what is made")),
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
