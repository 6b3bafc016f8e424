//! The readers of sources, and what they read: no more columns than the running circuits and sinks need.
//!
//! Of a source with a key all columns are decoded, because its rows are kept; the changes of its rows have what is needed.
//!
//! A definition may change what is needed. A source's reader is then another from where the database is: what the old one
//! has read and no epoch has taken is thrown away and comes again, decoded for what is needed now. So no epoch ever gets
//! records that lack what is read of them; if one did, the circuit's input would refuse them. Of a source that nothing
//! follows yet, reading begins a moment later, so that little has to come again.

use crate::sources::Reading;
use crate::types::{ObjectId, Projection, Report};

use super::driver::Driver;
use super::relation::{Relation, RelationKind, SourceRelation};
use super::source_worker::SourceWorker;

impl Driver {
    /// What is needed of a source's records: rows that are kept are kept whole.
    fn needed(&self, id: ObjectId, source: &SourceRelation) -> Projection {
        let columns = source.spec.schema.columns.len();
        if source.upsert.is_some() { Projection::everything(columns) } else { self.followed(id, columns) }
    }

    /// What the running circuits and sinks read of the changes of a relation with so many columns.
    pub fn followed(&self, id: ObjectId, columns: usize) -> Projection {
        if self.sinks.values().any(|sink| sink.input == id && !sink.discards) {
            return Projection::everything(columns);
        }
        let mut needed = Projection::nothing(columns);
        for relation in self.relations.values() {
            if let RelationKind::View(view) = &relation.kind
                && let Some(read) = view.reads.get(&id)
            {
                needed.merge(read);
            }
        }
        if let Some(read) = self.filling.as_ref().and_then(|filling| filling.reads(id, columns)) {
            needed.merge(&read);
        }
        needed
    }

    /// Whether anything is made of a source's records: its own rows, a view, what a sink writes.
    fn is_followed(&self, id: ObjectId) -> bool {
        let reads = |relation: &Relation| match &relation.kind {
            RelationKind::View(view) => view.inputs.contains(&id),
            _ => false,
        };
        self.relations.get(&id).is_some_and(|source| source.rows().is_some())
            || self.sinks.values().any(|sink| sink.input == id)
            || self.relations.values().any(reads)
            || self.filling.as_ref().is_some_and(|filling| filling.reads(id, 0).is_some())
    }

    /// How a source is read; everything of what is no source.
    pub fn reading(&self, id: ObjectId) -> Option<Reading> {
        match self.relations.get(&id).map(|relation| &relation.kind) {
            Some(RelationKind::Source(source)) => Some(Reading { columns: self.needed(id, source), threads: self.workers.count() }),
            _ => None,
        }
    }

    /// Starts to read a source from where the database is. An earlier reader of it ends.
    pub fn start_source(&mut self, id: ObjectId) -> Result<(), Report> {
        let (from, events) = (self.offsets.get(&id).cloned().unwrap_or_default(), self.events.clone());
        let queue = self.queues.add();
        let Some(reading) = self.reading(id) else { return Ok(()) };
        let haste = self.is_followed(id);
        if let Some(RelationKind::Source(source)) = self.relations.get_mut(&id).map(|relation| &mut relation.kind)
            && !source.stopped
        {
            source.queue.clear();
            source.run += 1;
            source.read = Some(reading.columns.clone());
            source.worker = Some(SourceWorker::start((id, source.run), source.spec.clone(), (reading, haste), from, (events, queue))?);
        }
        Ok(())
    }

    /// Goes over to other readers where what is needed has changed.
    pub fn read_what_is_needed(&mut self) -> Result<(), Report> {
        let changed = |(id, relation): (&ObjectId, &Relation)| match &relation.kind {
            RelationKind::Source(source) if relation.failed.is_none() && source.worker.is_some() => {
                (source.read.as_ref() != Some(&self.needed(*id, source))).then_some(*id)
            }
            _ => None,
        };
        let changed: Vec<ObjectId> = self.relations.iter().filter_map(changed).collect();
        for id in &changed {
            if let Some(RelationKind::Source(source)) = self.relations.get_mut(id).map(|relation| &mut relation.kind) {
                // The new reader finds out for itself what is wrong.
                (source.error, source.stopped) = (None, false);
            }
            self.start_source(*id)?;
        }
        if !changed.is_empty() {
            self.metrics.set_source_errors(self.source_errors());
        }
        Ok(())
    }
}
