//! All traces of the process over one store: where operators get their state from, and what a checkpoint asks what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::datatypes::SchemaRef;

use crate::types::{ObjectId, TraceId};

use super::appended::{self, Appended};
use super::arrangement::{Arrangement, Find};
use super::cells::{self, Cells};
use super::error::StateError;
use super::family::Family;
use super::key_layout::{object_prefix, trace_prefix};
use super::record;
use super::records::{RecordTable, Records};
use super::resident::Resident;
use super::shape::Shape;
use super::store::Store;
use super::trace::Trace;
use super::writes::Writes;

/// In [`Family::Meta`], before the trace's prefix: the form of the trace's entries.
const FORM: &[u8] = b"trace/";
const FORM_VERSION: u8 = 1;

/// A handle; clones are the same set.
#[derive(Clone)]
pub struct TraceSet {
    store: Arc<Store>,
    members: Arc<Mutex<BTreeMap<TraceId, Member>>>,
    /// Objects that were forgotten: what the store still has of them is on its way out.
    forgotten: Arc<Mutex<BTreeSet<ObjectId>>>,
}

struct Member {
    state: State,
    /// Whether the store has the form of the entries.
    form_stored: bool,
}

enum State {
    Trace(Trace),
    Cells(Cells),
    Records(Records),
    Arrangement(Arrangement),
    Appended(Appended),
}

/// What traces hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub entries: usize,
    /// Memory, an estimate.
    pub bytes: usize,
}

impl TraceSet {
    pub fn new(store: Arc<Store>) -> TraceSet {
        TraceSet { store, members: Arc::default(), forgotten: Arc::default() }
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The trace of that number, with what the store holds of it: rows of `schema`, kept by the first `key` columns.
    /// Asking again gives the same trace.
    ///
    /// # Errors
    /// `FormChanged` when the number was given to other columns before; when the store cannot be read.
    pub fn trace(&self, id: TraceId, schema: SchemaRef, key: usize) -> Result<Trace, StateError> {
        let shape = Shape::new(schema, key)?;
        let known = |state: &State| if let State::Trace(trace) = state { Some(trace.clone()) } else { None };
        self.member(id, shape.fingerprint(), known, State::Trace, |stored| {
            let rows = if stored { Resident::load(&self.store, id)? } else { Resident::new() };
            Ok(Trace::new(id, shape, rows))
        })
    }

    /// The cells of that number, with what the store holds of them. Asking again gives the same cells.
    pub fn cells(&self, id: TraceId) -> Result<Cells, StateError> {
        let known = |state: &State| if let State::Cells(cells) = state { Some(cells.clone()) } else { None };
        self.member(id, cells::FINGERPRINT.to_string(), known, State::Cells, |stored| {
            Ok(Cells::new(id, if stored { Resident::load(&self.store, id)? } else { Resident::new() }))
        })
    }

    /// The records of that number, each of `width` bytes, with what the store holds of them. Asking again gives the same
    /// records.
    pub fn records(&self, id: TraceId, width: usize) -> Result<Records, StateError> {
        let known = |state: &State| if let State::Records(records) = state { Some(records.clone()) } else { None };
        self.member(id, Records::fingerprint(width), known, State::Records, |stored| {
            Ok(Records::new(id, if stored { RecordTable::load(&self.store, id, width)? } else { RecordTable::new(width) }))
        })
    }

    /// The arrangement of that number by those columns of its schema, with what the store holds of it. Asking again gives
    /// the same arrangement.
    pub fn arrangement(&self, id: TraceId, schema: SchemaRef, key: &[usize], find: Find) -> Result<Arrangement, StateError> {
        let known = |state: &State| if let State::Arrangement(arrangement) = state { Some(arrangement.clone()) } else { None };
        self.member(id, Arrangement::form(&schema, key, find), known, State::Arrangement, |stored| match stored {
            true => Arrangement::load(&self.store, id, schema, key, find),
            false => Ok(Arrangement::new(id, schema, key, find)),
        })
    }

    /// The growing rows of that number, with what the store holds of them. Asking again gives the same rows.
    pub fn appended(&self, id: TraceId, schema: SchemaRef) -> Result<Appended, StateError> {
        let known = |state: &State| if let State::Appended(rows) = state { Some(rows.clone()) } else { None };
        self.member(id, appended::Rows::form(&schema), known, State::Appended, |stored| {
            let rows = if stored { appended::Rows::load(&self.store, id, schema)? } else { appended::Rows::new(schema) };
            Ok(Appended::new(id, rows))
        })
    }

    /// The member of that number: the one that is known, or one that is made, from the store if it is `stored` there.
    fn member<T: Clone>(
        &self,
        id: TraceId,
        form: String,
        known: impl Fn(&State) -> Option<T>,
        state: impl Fn(T) -> State,
        make: impl FnOnce(bool) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let mut members = self.members();
        if let Some(member) = members.get(&id) {
            check_form(id, &member.form(), &form)?;
            if let Some(known) = known(&member.state) {
                return Ok(known);
            }
        }
        let form_stored = self.stored_form(id, &form)?;
        let made = make(form_stored)?;
        members.insert(id, Member { state: state(made.clone()), form_stored });
        Ok(made)
    }

    /// Puts into `writes` all that changed since the last call, and counts on it being written: a write that fails
    /// poisons the store, and nobody asks again. No trace may change between this and what else the checkpoint holds.
    pub fn dirty(&self, writes: &mut Writes) -> Result<(), StateError> {
        for (id, member) in self.members().iter_mut() {
            if !member.form_stored {
                writes.put(Family::Meta, form_key(*id), record::encode(FORM_VERSION, &member.form())?);
                member.form_stored = true;
            }
            match &member.state {
                State::Trace(trace) => trace.write_changes(writes),
                State::Cells(cells) => cells.write_changes(writes),
                State::Records(records) => records.write_changes(writes),
                State::Arrangement(arrangement) => arrangement.write_changes(writes),
                State::Appended(rows) => rows.write_changes(writes),
            }
        }
        Ok(())
    }

    /// Forgets all traces of the object, here and with `writes` in the store. Handles that are still held are on their
    /// own: what they take in is never stored. A trace that the object is given afterwards is a new one, whether `writes`
    /// are written by then or not.
    pub fn drop_object(&self, object: ObjectId, writes: &mut Writes) {
        self.members().retain(|id, _| id.object != object);
        self.forgotten().insert(object);
        writes.delete_prefix(Family::Trace, object_prefix(object));
        writes.delete_prefix(Family::Meta, [FORM, &object_prefix(object)].concat());
    }

    /// What the object's traces hold in memory.
    pub fn usage(&self, object: ObjectId) -> Usage {
        self.sum(TraceId::new(object, 0)..=TraceId::new(object, u16::MAX).of_shard(u8::MAX))
    }

    /// What some of the object's traces hold in memory.
    pub fn usage_of(&self, object: ObjectId, slots: Range<u16>) -> Usage {
        self.sum(TraceId::new(object, slots.start)..TraceId::new(object, slots.end.max(slots.start)))
    }

    fn sum(&self, traces: impl RangeBounds<TraceId>) -> Usage {
        let mut sum = Usage::default();
        for member in self.members().range(traces).map(|(_, member)| member) {
            let (entries, bytes) = match &member.state {
                State::Trace(trace) => (trace.len(), trace.bytes()),
                State::Cells(cells) => (cells.len(), cells.bytes()),
                State::Records(records) => (records.len(), records.bytes()),
                State::Arrangement(arrangement) => (arrangement.len(), arrangement.bytes()),
                State::Appended(rows) => (rows.len(), rows.bytes()),
            };
            sum = Usage { entries: sum.entries + entries, bytes: sum.bytes + bytes };
        }
        sum
    }

    /// Whether the store has the trace; it must have it in this form.
    fn stored_form(&self, id: TraceId, form: &str) -> Result<bool, StateError> {
        if self.forgotten().contains(&id.object) {
            return Ok(false);
        }
        let Some(bytes) = self.store.get(Family::Meta, &form_key(id))? else { return Ok(false) };
        let stored: String = record::decode(FORM_VERSION, &bytes, &format!("the form of trace {id}"))?;
        check_form(id, &stored, form)?;
        Ok(true)
    }

    fn forgotten(&self) -> MutexGuard<'_, BTreeSet<ObjectId>> {
        self.forgotten.lock().expect("no thread panics while it holds the set of forgotten objects")
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<TraceId, Member>> {
        self.members.lock().expect("no thread panics while it holds the set of traces")
    }
}

impl Member {
    fn form(&self) -> String {
        match &self.state {
            State::Trace(trace) => trace.fingerprint(),
            State::Cells(_) => cells::FINGERPRINT.to_string(),
            State::Records(records) => Records::fingerprint(records.width()),
            State::Arrangement(arrangement) => arrangement.fingerprint(),
            State::Appended(rows) => rows.fingerprint(),
        }
    }
}

impl std::fmt::Debug for TraceSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TraceSet({} traces)", self.members().len())
    }
}

fn form_key(id: TraceId) -> Vec<u8> {
    [FORM, &trace_prefix(id)].concat()
}

fn check_form(trace: TraceId, stored: &str, asked: &str) -> Result<(), StateError> {
    match stored == asked {
        true => Ok(()),
        false => Err(StateError::FormChanged { trace, stored: stored.to_string(), asked: asked.to_string() }),
    }
}

#[cfg(test)]
mod tests;
