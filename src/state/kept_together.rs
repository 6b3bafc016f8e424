//! Which traces are one: a trace that holds what another object's, or another of the same object, holds as well is not kept, but
//! is that one. The one that is kept outlives its object for as long as others are it.
//!
//! ```text
//! meta: "together/" | a trace, 7 bytes -> the trace that it is, 7 bytes
//! ```
//!
//! Both name the first shard, and stand for all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::types::{ObjectId, TraceId};

use super::error::StateError;
use super::family::Family;
use super::key_layout::{trace_of, trace_prefix};
use super::store::Store;
use super::writes::Writes;

/// In [`Family::Meta`].
const TOGETHER: &[u8] = b"together/";

#[derive(Default)]
pub struct KeptTogether {
    is: BTreeMap<TraceId, TraceId>,
    /// Those of them whose own object is gone.
    orphans: BTreeSet<TraceId>,
}

/// What becomes of traces when an object goes.
pub struct Left {
    /// Of the object's own, those that others are.
    pub kept: BTreeSet<TraceId>,
    /// Of objects that went before, those that nobody is any more.
    pub freed: BTreeSet<TraceId>,
}

impl KeptTogether {
    /// What the store knows, given which objects there are.
    pub fn load(store: &Store, exists: &dyn Fn(ObjectId) -> bool) -> Result<KeptTogether, StateError> {
        let mut known = KeptTogether::default();
        for (key, value) in store.scan(Family::Meta, TOGETHER)? {
            let trace = key.strip_prefix(TOGETHER).and_then(trace_of).zip(trace_of(&value));
            let (trace, is) = trace.ok_or_else(|| StateError::corrupted("it cannot be read which traces are one"))?;
            known.is.insert(trace, is);
            if !exists(is.object) {
                known.orphans.insert(is);
            }
        }
        Ok(known)
    }

    /// The trace that is kept.
    pub fn resolve(&self, trace: TraceId) -> TraceId {
        self.is.get(&trace.of_shard(0)).map_or(trace, |is| is.of_shard(trace.shard))
    }

    /// From now on the trace is that one.
    pub fn add(&mut self, trace: TraceId, is: TraceId, writes: &mut Writes) {
        writes.put(Family::Meta, key(trace), trace_prefix(is));
        self.is.insert(trace, is);
    }

    /// The objects that have a trace which is one of that object's.
    pub fn keepers_of(&self, object: ObjectId) -> BTreeSet<ObjectId> {
        self.is.iter().filter(|(trace, is)| is.object == object && trace.object != object).map(|(trace, _)| trace.object).collect()
    }

    /// What of those slots of the object is kept by others.
    pub fn elsewhere(&self, object: ObjectId, slots: Range<u16>) -> impl Iterator<Item = TraceId> {
        self.is.range(TraceId::new(object, slots.start)..TraceId::new(object, slots.end.max(slots.start))).map(|(_, is)| *is)
    }

    /// What is kept for those slots of the object, whose own object is gone; each is the first keeper's.
    pub fn inherited(&self, object: ObjectId, slots: Range<u16>) -> Vec<TraceId> {
        let is_its = |(trace, is): (&TraceId, &TraceId)| {
            let own = self.orphans.contains(is) && self.first(*is) == Some(*trace);
            (own && trace.object == object && slots.contains(&trace.slot)).then_some(*is)
        };
        self.is.iter().filter_map(is_its).collect()
    }

    /// The object that what is kept is counted with.
    pub fn counted_with(&self, is: TraceId) -> ObjectId {
        let heir = if self.orphans.contains(&is) { self.first(is) } else { None };
        heir.unwrap_or(is).object
    }

    /// The first of those that are that one.
    fn first(&self, is: TraceId) -> Option<TraceId> {
        self.is.iter().find(|(_, other)| **other == is).map(|(trace, _)| *trace)
    }

    /// The object goes.
    pub fn leave(&mut self, object: ObjectId, writes: &mut Writes) -> Left {
        let mut freed = BTreeSet::new();
        for (trace, is) in self.is.extract_if(TraceId::new(object, 0)..=TraceId::new(object, u16::MAX), |_, _| true) {
            writes.delete(Family::Meta, key(trace));
            freed.insert(is);
        }
        freed.retain(|is| self.orphans.contains(is) && !self.is.values().any(|other| other == is));
        self.orphans.retain(|orphan| !freed.contains(orphan));
        let kept: BTreeSet<TraceId> = self.is.values().filter(|is| is.object == object).copied().collect();
        self.orphans.extend(&kept);
        Left { kept, freed }
    }

    /// Nobody is a trace of that object any more.
    pub fn part_from(&mut self, object: ObjectId, writes: &mut Writes) {
        self.is.retain(|trace, is| {
            if is.object == object {
                writes.delete(Family::Meta, key(*trace));
            }
            is.object != object
        });
    }
}

fn key(trace: TraceId) -> Vec<u8> {
    [TOGETHER, &trace_prefix(trace)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ObjectId = ObjectId(1);
    const B: ObjectId = ObjectId(2);
    const C: ObjectId = ObjectId(3);

    fn trace(object: ObjectId, slot: u16) -> TraceId {
        TraceId::new(object, slot)
    }

    #[test]
    fn a_trace_outlives_its_object_for_as_long_as_others_are_it() {
        let store = Store::memory();
        let mut writes = Writes::new();
        let mut kept = KeptTogether::default();
        kept.add(trace(A, 4), trace(A, 2), &mut writes);
        kept.add(trace(B, 7), trace(A, 2), &mut writes);
        kept.add(trace(C, 3), trace(A, 2), &mut writes);
        assert_eq!(kept.resolve(trace(B, 7).of_shard(5)), trace(A, 2).of_shard(5));
        assert_eq!(kept.resolve(trace(B, 8)), trace(B, 8));
        assert_eq!(kept.keepers_of(A), [B, C].into());
        assert!(kept.inherited(B, 0..9).is_empty(), "it is still A's");

        let left = kept.leave(A, &mut writes);
        assert_eq!((left.kept, left.freed), ([trace(A, 2)].into(), [].into()));
        assert_eq!((kept.inherited(B, 0..9), kept.inherited(C, 0..9)), (vec![trace(A, 2)], vec![]), "it is the first one's");
        assert_eq!(kept.counted_with(trace(A, 2)), B);
        store.write(writes, false).unwrap();
        kept = KeptTogether::load(&store, &|object| object != A).unwrap();

        let mut writes = Writes::new();
        let left = kept.leave(B, &mut writes);
        assert_eq!((left.kept, left.freed), ([].into(), [].into()));
        assert_eq!(kept.inherited(C, 3..4), [trace(A, 2)]);
        let left = kept.leave(C, &mut writes);
        assert_eq!((left.kept, left.freed), ([].into(), [trace(A, 2)].into()));
        store.write(writes, false).unwrap();
        assert!(store.scan(Family::Meta, TOGETHER).unwrap().is_empty());
    }

    #[test]
    fn who_parts_is_on_his_own() {
        let mut kept = KeptTogether::default();
        let mut writes = Writes::new();
        kept.add(trace(B, 7), trace(A, 2), &mut writes);
        kept.part_from(A, &mut writes);
        assert_eq!(kept.resolve(trace(B, 7)), trace(B, 7));
        assert!(kept.leave(A, &mut writes).kept.is_empty());
    }
}
