//! Traces that go: with their object, or because another is what they were.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::state::blobs::Blobs;
use crate::state::error::StateError;
use crate::state::family::Family;
use crate::state::kept_together::Left;
use crate::state::key_layout::{object_prefix, slot_prefix, trace_of, trace_prefix};
use crate::state::shelf::{InStore, in_store};
use crate::state::writes::Writes;
use crate::types::{ObjectId, TraceId};

use super::{FORM, Member, TraceSet, all_of};

impl TraceSet {
    /// Forgets all traces of an object of which nothing was ever stored.
    pub fn drop_unstored(&self, object: ObjectId) {
        // What the store would be told is of a definition that is not written.
        self.together().leave(object, &mut Writes::new());
        self.forgotten().insert(object);
        self.forget(all_of(object));
    }

    /// The members that were those traces.
    fn forget(&self, traces: RangeInclusive<TraceId>) -> BTreeMap<TraceId, Member> {
        self.dictionaries().retain(|id, _| !traces.contains(id));
        self.members().extract_if(traces, |_, _| true).collect()
    }

    /// Forgets all traces of the object, here and with `writes` in the store, where rows stay until nobody reads them, but for those
    /// that others keep too. Handles that are still held are on their own: what they take in is never stored. A trace that the
    /// object is given afterwards is a new one, whether `writes` are written by then or not. No checkpoint is on its way.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn drop_object(&self, object: ObjectId, writes: &mut Writes) -> Result<(), StateError> {
        let Left { kept, freed } = self.together().leave(object, writes);
        self.forgotten().insert(object);
        match kept.is_empty() {
            true => self.drop_under(&object_prefix(object), all_of(object), writes)?,
            false => self.slots_of(object)?.difference(&kept).try_for_each(|trace| self.drop_slot(*trace, writes))?,
        }
        freed.into_iter().try_for_each(|trace| self.drop_slot(trace, writes))
    }

    /// The traces of the object that there are, in memory or in the store, by their first shards.
    fn slots_of(&self, object: ObjectId) -> Result<BTreeSet<TraceId>, StateError> {
        let stored = self.store.scan(Family::Meta, &[FORM, &object_prefix(object)].concat())?;
        let stored = stored.into_iter().filter_map(|(key, _)| key.strip_prefix(FORM).and_then(trace_of));
        Ok(stored.chain(self.members().range(all_of(object)).map(|(id, _)| *id)).map(|id| id.of_shard(0)).collect())
    }

    pub(super) fn drop_slot(&self, trace: TraceId, writes: &mut Writes) -> Result<(), StateError> {
        self.drop_under(&slot_prefix(trace), trace.of_shard(0)..=trace.of_shard(u8::MAX), writes)
    }

    /// Forgets those traces, whose keys begin like that.
    fn drop_under(&self, prefix: &[u8], traces: RangeInclusive<TraceId>, writes: &mut Writes) -> Result<(), StateError> {
        let chunks = in_store(&self.store, prefix)?;
        let known: BTreeSet<[u8; 7]> = self.forget(traces).keys().map(|id| trace_prefix(*id)).collect();
        for one in chunks {
            match one {
                // Whoever holds its rows last lets go of it.
                InStore::Chunk { trace, blob, parts } if known.contains(&trace) => self.blobs.mark_dead(blob, parts, writes),
                InStore::Chunk { blob, parts, .. } => Blobs::delete(blob, parts, writes),
                InStore::Page { blob, part } => writes.delete_parts(vec![(blob, part)]),
            }
        }
        writes.delete_prefix(Family::Chunk, prefix);
        writes.delete_prefix(Family::Trace, prefix);
        writes.delete_prefix(Family::Meta, [FORM, prefix].concat());
        Ok(())
    }
}
