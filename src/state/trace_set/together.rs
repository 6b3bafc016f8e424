//! Traces of the set that are one.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::state::error::StateError;
use crate::state::kept_together::KeptTogether;
use crate::state::writes::Writes;
use crate::types::{ObjectId, TraceId};

use super::TraceSet;

impl TraceSet {
    /// Finds out which traces are one, given which objects there are: before any trace is asked for.
    pub fn load_kept_together(&self, exists: &dyn Fn(ObjectId) -> bool) -> Result<(), StateError> {
        *self.together() = KeptTogether::load(&self.store, exists)?;
        Ok(())
    }

    /// The trace of one number holds what that of the other does, in all shards: from now on it is that one, and what it holds itself
    /// is forgotten, here and with `writes` in the store. Who asks for it afterwards is given the other. No checkpoint is on its
    /// way.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn keep_together(&self, trace: TraceId, with: TraceId, writes: &mut Writes) -> Result<(), StateError> {
        let is = self.together().resolve(with.of_shard(0));
        self.drop_slot(trace, writes)?;
        self.together().add(trace.of_shard(0), is, writes);
        Ok(())
    }

    /// The number under which the trace is kept.
    pub(super) fn resolve(&self, trace: TraceId) -> TraceId {
        self.together().resolve(trace)
    }

    /// Whether both numbers are those of one trace.
    pub fn are_one(&self, trace: TraceId, other: TraceId) -> bool {
        let together = self.together();
        together.resolve(trace) == together.resolve(other)
    }

    /// Whether both traces hold as much, shard by shard. What was read from a source again may be less than it once gave.
    pub fn hold_alike(&self, trace: TraceId, other: TraceId) -> bool {
        let (trace, other) = (self.resolve(trace), self.resolve(other));
        let members = self.members();
        let all = |id: TraceId| {
            let shards = members.range(id.of_shard(0)..=id.of_shard(u8::MAX));
            shards.map(|(id, member)| (id.shard, member.state.measure())).collect::<Vec<_>>()
        };
        all(trace) == all(other)
    }

    /// The objects that keep something together with that one.
    pub fn keepers_of(&self, object: ObjectId) -> BTreeSet<ObjectId> {
        self.together().keepers_of(object)
    }

    /// The other objects with which it is counted what those slots of an object hold.
    pub fn counted_with(&self, object: ObjectId, slots: Range<u16>) -> BTreeSet<ObjectId> {
        let together = self.together();
        together.elsewhere(object, slots).map(|is| together.counted_with(is)).filter(|other| *other != object).collect()
    }

    /// Whether others step what the object keeps.
    pub fn keeps_together(&self, object: ObjectId) -> bool {
        let together = self.together();
        !together.keepers_of(object).is_empty() || together.elsewhere(object, 0..u16::MAX).any(|trace| trace.object != object)
    }

    /// Nobody keeps anything together with that object any more; those who did have nothing in its place.
    pub fn part_from(&self, object: ObjectId, writes: &mut Writes) {
        self.together().part_from(object, writes);
    }
}
