//! Start: the last checkpoint, and then the journalled epochs again, with the same records and the same `now`.
//!
//! What a reader saw before a crash was journalled, so it is there again afterwards. A source that does not answer
//! while its records are needed holds the start up (a database that forgot published epochs would be wrong); one whose
//! records are gone stops, and says so, and the rest goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Definition, Entry, SinkInput};
use crate::fail_points::FailPoint;
use crate::planner::CircuitPlan;
use crate::sinks::SinkSpec;
use crate::sources::SourceSpec;
use crate::state::{CheckpointRecord, Journal, JournalEntry, Writes, zset_from_ipc};
use crate::types::{Epoch, ObjectId, Report};
use crate::zset::Delta;

use super::clock;
use super::driver::{Driver, Sealed, SinkFeed};
use super::failures;
use super::journalled::Journalled;
use super::relation::{Changes, Relation, RelationKind, SourceRelation, ViewRelation};
use super::sink_worker::{SinkStart, SinkWorker};
use super::unfinished;

/// Plans a stored view again.
pub type Replan<'a> = &'a dyn Fn(&Arc<Catalog>, &Entry) -> Result<(CircuitPlan, String), Report>;

impl Driver {
    /// Brings a driver made over a just opened store to the newest epoch that was ever published.
    pub fn recover(&mut self, replan: Replan) -> Result<(), Report> {
        unfinished::forget_all(&self.store, &self.traces)?;
        self.catalog = Arc::new(Catalog::load(&self.store).map_err(|e| e.report())?);
        if let Some(record) = CheckpointRecord::load(&self.store).map_err(|e| e.report())? {
            self.epoch = record.epoch;
            self.now = record.now;
            self.offsets = record.offsets;
            self.next_id = record.next_object_id;
            self.incarnation = record.incarnation + 1;
            self.checkpointed = record.epoch;
            self.metrics.note_checkpoint(record.epoch, record.now);
        }
        let catalog = self.catalog.clone();
        self.traces.load_kept_together(&|id| catalog.get(id).is_some()).map_err(|e| e.report())?;
        for id in catalog.entries().map(|entry| entry.id) {
            // One that is filled again may change what the catalog says of others.
            let Some(entry) = self.catalog.get(id).cloned() else { continue };
            if let Err(report) = self.open_object(&entry, replan) {
                tracing::error!(object = %entry.name, "cannot be opened: {report}");
                return Err(report);
            }
        }
        failures::load(&self.store, &mut self.relations)?;
        self.relations.values_mut().filter(|relation| relation.failed.is_some()).for_each(Relation::leave_to_others);
        FailPoint::RecoveryLoaded.reach()?;
        let journal = Journal::after(&self.store, self.epoch).map_err(|e| e.report())?;
        if !journal.is_empty() {
            tracing::info!(epochs = journal.len(), from = %self.epoch, "replaying the journal");
        }
        let mut records = Journalled::of(&journal);
        for entry in &journal {
            FailPoint::RecoveryReplay.reach()?;
            self.replay(entry, &mut records)?;
            self.keep_within_memory()?;
        }
        drop(records);
        FailPoint::RecoveryDone.reach()?;
        self.publish();
        let ids: Vec<ObjectId> = self.relations.keys().copied().collect();
        ids.into_iter().try_for_each(|id| self.start_source(id))?;
        let published = self.frontier.get();
        for feed in self.sinks.values() {
            feed.worker.checkpointed(self.checkpointed, published.error_of(feed.input).is_some());
        }
        Ok(())
    }

    fn open_object(&mut self, entry: &Entry, replan: Replan) -> Result<(), Report> {
        let relation = match &entry.definition {
            Definition::Source { options, connector, format, encode, dead_letter, start, .. } => {
                let spec = source_spec(entry, connector, options, format, encode)?;
                Relation::source(SourceRelation::new(entry.id, spec, *dead_letter, start.clone(), &self.traces)?)
            }
            Definition::Table { .. } | Definition::DeadLetter { .. } => Relation::stored(entry.id, &entry.schema, &self.traces)?,
            Definition::View { .. } => return Ok(()),
            Definition::MaterializedView { fingerprint, .. } => {
                return self.open_circuit(entry, fingerprint, Some(&entry.schema.primary_key), replan);
            }
            Definition::Sink { connector, options, sink_id, input } => {
                let input = match input {
                    SinkInput::Relation(input) => *input,
                    SinkInput::Query { fingerprint, .. } => {
                        self.open_circuit(entry, fingerprint, None, replan)?;
                        entry.id
                    }
                };
                let spec = sink_spec(&entry.name, connector, options, sink_id, entry.schema.clone());
                let (interval, discards) = (spec.commit_interval()?, crate::sinks::discards(connector));
                let start = SinkStart { id: entry.id, sink: None, spec: Some(spec), interval, committed: Epoch::default() };
                let worker = SinkWorker::start(start, self.store.clone(), self.metrics.clone(), self.events.clone(), &self.runtime);
                self.sinks.insert(entry.id, SinkFeed { input, pending: Vec::new(), discards, worker });
                return Ok(());
            }
        };
        self.relations.insert(entry.id, relation);
        Ok(())
    }

    /// The circuit of a view or of a sink's query, with the state that it left.
    fn open_circuit(&mut self, entry: &Entry, stored: &str, key: Option<&[usize]>, replan: Replan) -> Result<(), Report> {
        let (plan, fingerprint) = replan(&self.catalog, entry)?;
        if stored != fingerprint {
            tracing::info!(object = %entry.name, "its plan is another than the stored state was made by: filling it again");
            return self.fill_again(entry, &plan, key, fingerprint);
        }
        let mut view = self.view(entry.id, &plan, key)?;
        self.have_in_common(&mut view);
        self.relations.insert(entry.id, Relation::view(view));
        Ok(())
    }

    /// A circuit whose stored state another plan made: its inputs are there, so it is filled from them. What comes out goes
    /// to no sink: the rows up to this epoch are staged or committed already.
    fn fill_again(&mut self, entry: &Entry, plan: &CircuitPlan, key: Option<&[usize]>, fingerprint: String) -> Result<(), Report> {
        let mut writes = Writes::new();
        for other in self.traces.keepers_of(entry.id) {
            // What they keep together is forgotten: their turn comes later in this start, or in the next one.
            self.made_by(other, String::new(), &mut writes)?;
        }
        self.traces.part_from(entry.id, &mut writes);
        self.traces.drop_object(entry.id, &mut writes).map_err(|e| e.report())?;
        let mut view = self.view(entry.id, plan, key)?;
        self.fill_at_once(&mut view)?;
        self.keep_together(&mut view, &mut writes)?;
        self.relations.insert(entry.id, Relation::view(view));
        self.made_by(entry.id, fingerprint, &mut writes)?;
        // One write: a crash leaves the old plan with its state, or the new one with its own.
        self.checkpoint(writes)
    }

    /// The object's state is made by the plan of that fingerprint.
    fn made_by(&mut self, id: ObjectId, fingerprint: String, writes: &mut Writes) -> Result<(), Report> {
        let Some(entry) = self.catalog.get(id) else { return Ok(()) };
        let mut renewed = (**entry).clone();
        if let Definition::MaterializedView { fingerprint: stored, .. }
        | Definition::Sink { input: SinkInput::Query { fingerprint: stored, .. }, .. } = &mut renewed.definition
        {
            *stored = fingerprint;
        }
        Catalog::put(&renewed, writes).map_err(|e| e.report())?;
        self.catalog = Arc::new(self.catalog.remove(id).add(renewed).map_err(|e| e.report())?);
        Ok(())
    }

    /// Gives a circuit the past of all that it reads; what comes out is kept in it alone.
    fn fill_at_once(&self, view: &mut ViewRelation) -> Result<(), Report> {
        let (epoch, now) = (self.epoch, self.now.max(clock::now_micros()));
        view.step(epoch.into(), now, &Changes::new())?;
        for (input, columns) in view.reads.clone() {
            self.past(input, columns)?.read(&mut |delta| {
                FailPoint::BackfillChunk.reach()?;
                view.step(epoch.into(), now, &Changes::from([(input, vec![delta])])).map(drop)
            })?;
        }
        Ok(())
    }

    fn replay(&mut self, entry: &JournalEntry, records: &mut BTreeMap<ObjectId, Journalled>) -> Result<(), Report> {
        let mut sealed = Sealed::default();
        for (table, bytes) in &entry.tables {
            sealed.deltas.insert(*table, vec![Delta(zset_from_ipc(bytes).map_err(|e| e.report())?)]);
        }
        for (id, until) in &entry.offsets {
            let from = self.offsets.get(id).cloned().unwrap_or_default();
            let Some(reading) = self.reading(*id) else { continue };
            let Some(RelationKind::Source(source)) = self.relations.get_mut(id).map(|r| &mut r.kind) else { continue };
            let Some(records) = records.get_mut(id) else { continue };
            match records.next(&source.spec, &reading, &from) {
                Ok(batches) => source.queue = batches,
                Err(report) => {
                    tracing::error!(source = %source.spec.name, "stopped: {report}");
                    source.error = Some(report.clone());
                    source.stopped = true;
                    continue;
                }
            }
            self.seal_source(*id, &mut sealed, usize::MAX);
            // Where the records were, whatever gaps the reader saw this time.
            sealed.offsets.insert(*id, until.clone());
        }
        self.step(entry.epoch, entry.now, sealed);
        Ok(())
    }
}

/// The definition of a stored source, as its connector wants it.
pub fn source_spec(
    entry: &Entry,
    connector: &str,
    options: &BTreeMap<String, String>,
    format: &str,
    encode: &str,
) -> Result<SourceSpec, Report> {
    let mut options = options.clone();
    options.insert("connector".to_string(), connector.to_string());
    SourceSpec::parse(&entry.name, &options, format, encode, entry.schema.clone()).map_err(|e| e.report())
}

/// The definition of a stored sink, as its connector wants it.
pub fn sink_spec(
    name: &str,
    connector: &str,
    options: &BTreeMap<String, String>,
    sink_id: &str,
    schema: crate::types::RelationSchema,
) -> SinkSpec {
    SinkSpec { name: name.to_string(), sink_id: sink_id.to_string(), connector: connector.to_string(), options: options.clone(), schema }
}
