//! All traces of the process over one store: where operators get their state from, and what a checkpoint asks what changed.

mod forget;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeBounds, RangeInclusive};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;

use crate::types::{ObjectId, TraceId};

use super::appended::{self, Appended};
use super::arrangement::{Arrangement, Find};
use super::blobs::Blobs;
use super::budget::Budget;
use super::cells::{self, Cells};
use super::dictionary::Dictionaries;
use super::error::StateError;
use super::family::Family;
use super::kept_together::KeptTogether;
use super::key_layout::trace_prefix;
use super::ordered::Ordered;
use super::part::Part;
use super::record;
use super::records::{RecordTable, Records};
use super::shape::Shape;
use super::shelf::Shelf;
use super::state::{Leaving, State};
use super::store::Store;
use super::trace::Trace;
use super::usage::Usage;
use super::writes::Writes;

/// In [`Family::Meta`], before the trace's prefix: the form of the trace's entries.
const FORM: &[u8] = b"trace/";
const FORM_VERSION: u8 = 1;
/// About so many bytes of rows come back at once: nobody should wait long for it.
const AT_ONCE: usize = 4 << 20;

/// A handle; clones are the same set.
#[derive(Clone)]
pub struct TraceSet {
    store: Arc<Store>,
    members: Arc<Mutex<BTreeMap<TraceId, Member>>>,
    /// Objects that were forgotten: what the store still has of them is on its way out.
    forgotten: Arc<Mutex<BTreeSet<ObjectId>>>,
    budget: Arc<Budget>,
    blobs: Arc<Blobs>,
    /// Of the traces whose rows have texts in common, by the number of their first shard.
    dictionaries: Arc<Mutex<BTreeMap<TraceId, Dictionaries>>>,
    together: Arc<Mutex<KeptTogether>>,
}

struct Member {
    state: State,
    /// Whether the store has the form of the entries.
    form_stored: bool,
}

impl TraceSet {
    /// Traces that may take all memory.
    pub fn new(store: Arc<Store>) -> TraceSet {
        TraceSet::within(store, usize::MAX)
    }

    /// Traces that may take so many bytes of memory.
    pub fn within(store: Arc<Store>, bytes: usize) -> TraceSet {
        let (budget, blobs) = (Arc::new(Budget::new(bytes)), Arc::new(Blobs::new(store.clone())));
        let (members, forgotten) = (Arc::default(), Arc::default());
        TraceSet { store, members, forgotten, budget, blobs, dictionaries: Arc::default(), together: Arc::default() }
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
        self.trace_in_order(id, schema, key, &[])
    }

    /// The same with rows that lie in `order` behind their key: by the columns from there on, first by first.
    pub fn trace_in_order(&self, id: TraceId, schema: SchemaRef, key: usize, order: &[SortOptions]) -> Result<Trace, StateError> {
        let (id, shape) = (self.resolve(id), Shape::new(schema, key, order)?);
        let known = |state: &State| if let State::Trace(trace) = state { Some(trace.clone()) } else { None };
        self.member(id, shape.fingerprint(), known, State::Trace, |stored| Ok(Trace::new(id, shape, self.ordered(id, stored)?)))
    }

    /// The cells of that number, with what the store holds of them. Asking again gives the same cells.
    pub fn cells(&self, id: TraceId) -> Result<Cells, StateError> {
        let id = self.resolve(id);
        let known = |state: &State| if let State::Cells(cells) = state { Some(cells.clone()) } else { None };
        self.member(id, cells::FINGERPRINT.to_string(), known, State::Cells, |stored| Ok(Cells::new(id, self.ordered(id, stored)?)))
    }

    /// The records of that number, each of `width` bytes, with what the store holds of them. Asking again gives the same
    /// records.
    pub fn records(&self, id: TraceId, width: usize) -> Result<Records, StateError> {
        let id = self.resolve(id);
        let known = |state: &State| if let State::Records(records) = state { Some(records.clone()) } else { None };
        self.member(id, Records::fingerprint(width), known, State::Records, |stored| {
            let mut table = RecordTable::new(id, width, (self.store.clone(), self.blobs.clone()), self.budget.clone());
            if stored {
                table.load()?;
            }
            Ok(Records::new(table))
        })
    }

    /// The arrangement of that number by those columns of its schema, with what the store holds of it, or the one that it is kept
    /// together with. Asking again gives the same arrangement.
    pub fn arrangement(&self, id: TraceId, schema: SchemaRef, key: &[usize], find: Find) -> Result<Arrangement, StateError> {
        let id = self.resolve(id);
        let known = |state: &State| if let State::Arrangement(arrangement) = state { Some(arrangement.clone()) } else { None };
        self.member(id, Arrangement::form(&schema, key, find), known, State::Arrangement, |stored| {
            let shelf = self.shelf(id, schema, Some(key));
            // Whole rows are wanted where their equals are looked for.
            let shelf = if find == Find::Never { self.with_dictionaries(shelf) } else { shelf };
            if stored { Arrangement::load(shelf, find) } else { Ok(Arrangement::new(shelf, find)) }
        })
    }

    /// The growing rows of that number, with what the store holds of them. Asking again gives the same rows.
    pub fn appended(&self, id: TraceId, schema: SchemaRef) -> Result<Appended, StateError> {
        let known = |state: &State| if let State::Appended(rows) = state { Some(rows.clone()) } else { None };
        self.member(id, appended::Rows::form(&schema), known, State::Appended, |stored| {
            let shelf = self.shelf(id, appended::Rows::stored_schema(&schema), None);
            let rows = if stored { appended::Rows::load(schema, shelf)? } else { appended::Rows::new(schema, shelf) };
            Ok(Appended::new(id, rows))
        })
    }

    fn ordered(&self, id: TraceId, stored: bool) -> Result<Ordered, StateError> {
        let mut entries = Ordered::new(id, (self.store.clone(), self.blobs.clone()), self.budget.clone());
        if stored {
            entries.load()?;
        }
        Ok(entries)
    }

    /// The shelf with the dictionaries that all shards of its trace share.
    fn with_dictionaries(&self, shelf: Shelf) -> Shelf {
        let shared = self.dictionaries().entry(shelf.id().of_shard(0)).or_insert_with(|| shelf.dictionaries()).clone();
        shelf.with(shared)
    }

    fn shelf(&self, id: TraceId, schema: SchemaRef, key: Option<&[usize]>) -> Shelf {
        Shelf::new(self.store.clone(), id, schema, key, self.budget.clone(), self.blobs.clone())
    }

    /// The member of that number: the one that is known, or one that is made, from the store if it is `stored` there. A number
    /// is asked for by one thread at a time.
    fn member<T: Clone>(
        &self,
        id: TraceId,
        form: String,
        known: impl Fn(&State) -> Option<T>,
        state: impl Fn(T) -> State,
        make: impl FnOnce(bool) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        if let Some(member) = self.members().get(&id) {
            check_form(id, &member.state.form(), &form)?;
            if let Some(known) = known(&member.state) {
                return Ok(known);
            }
        }
        // Others may ask for theirs meanwhile: to read one takes long.
        let form_stored = self.stored_form(id, &form)?;
        let made = make(form_stored)?;
        self.members().insert(id, Member { state: state(made.clone()), form_stored });
        Ok(made)
    }

    /// Puts into `writes` all that changed since the last call, and counts on it being written: a write that fails
    /// poisons the store, and nobody asks again. No trace may change between this and what else the checkpoint holds.
    pub fn dirty(&self, writes: &mut Writes) -> Result<(), StateError> {
        for (id, member) in self.members().iter_mut() {
            if !member.form_stored {
                writes.put(Family::Meta, form_key(*id), record::encode(FORM_VERSION, &member.state.form())?);
                member.form_stored = true;
            }
            member.state.write_changes(writes);
        }
        self.blobs.bury(writes)
    }

    /// Whether rows take more memory than they may: a checkpoint and [`TraceSet::make_room`] help.
    pub fn is_over(&self) -> bool {
        self.budget.is_over()
    }

    /// Whether they soon will.
    pub fn presses(&self) -> bool {
        self.budget.presses()
    }

    /// State may take so many bytes from now on, or what it was made for if that is less. Whether it has to give way.
    pub fn may_take(&self, bytes: usize) -> bool {
        self.budget.may_take(bytes)
    }

    /// What state holds that does not leave memory, as it was measured last, and what all state may take now.
    pub fn held(&self) -> (usize, usize) {
        (self.budget.held(), self.budget.limit_now())
    }

    /// What is left free for rows that come when others have left.
    pub fn spare(&self) -> usize {
        self.budget.spare()
    }

    /// What all rows in memory take, and the pages of others that were read again.
    pub fn rows_and_pages(&self) -> (usize, usize) {
        (self.budget.rows(), self.budget.cache.bytes())
    }

    /// Lets rows leave memory, those first that were not used for the longest time, until there is some room again; what of that
    /// can be done side by side is given back. Only while no checkpoint is on its way: what was taken out for one counts as stored.
    pub fn make_room(&self) -> Vec<Leaving> {
        self.budget.tick();
        self.measure();
        if self.budget.presses() { self.down_to(self.budget.room().saturating_sub(self.budget.spare())) } else { Vec::new() }
    }

    /// Finds out what state takes beside rows.
    pub fn measure(&self) {
        self.budget.measured(self.sum(..).bytes.saturating_sub(self.budget.rows()));
    }

    /// Lets rows leave memory until those that are left take so many bytes, or none can leave.
    pub fn evict_down_to(&self, bytes: usize) -> Result<(), StateError> {
        self.down_to(bytes).into_iter().try_for_each(Leaving::leave)
    }

    /// The same but for what can be done side by side: that is given back.
    fn down_to(&self, bytes: usize) -> Vec<Leaving> {
        let members = self.members();
        let clean = members.iter().flat_map(|(id, member)| member.state.clean().into_iter().map(|part| (part, *id)));
        let mut clean: Vec<(Part, TraceId)> = clean.collect();
        clean.sort_unstable();
        let mut left = self.budget.rows();
        let mut places: BTreeMap<TraceId, Vec<usize>> = BTreeMap::new();
        for (part, id) in clean {
            if left <= bytes {
                break;
            }
            left = left.saturating_sub(part.bytes);
            places.entry(id).or_default().push(part.place);
        }
        let leave = |(id, member): (&TraceId, &Member)| member.state.evict(places.get(id).map_or(&[], Vec::as_slice));
        members.iter().filter_map(leave).collect()
    }

    /// Reads some rows into memory again, those first that were used last, if there is much room. False when none came back.
    pub fn bring_back(&self) -> Result<bool, StateError> {
        if self.budget.nothing_is_away() || !self.budget.has_room_for(0) {
            return Ok(false);
        }
        let members = self.members();
        let away = members.iter().flat_map(|(id, member)| member.state.away().into_iter().map(|part| (part, *id)));
        let mut away: Vec<(Part, TraceId)> = away.collect();
        away.sort_unstable_by_key(|(part, id)| (part.used, part.place, *id));
        let mut read = 0;
        let mut places: BTreeMap<TraceId, Vec<usize>> = BTreeMap::new();
        for (part, id) in away.into_iter().rev() {
            if read >= AT_ONCE || !self.budget.has_room_for(read + part.bytes) {
                break;
            }
            places.entry(id).or_default().push(part.place);
            read += part.bytes.max(1);
        }
        for (id, places) in places {
            members.get(&id).map_or(Ok(()), |member| member.state.hold(&places))?;
        }
        Ok(read > 0)
    }

    /// What the object's traces hold in memory.
    pub fn usage(&self, object: ObjectId) -> Usage {
        self.sum(all_of(object)).plus(self.inherited(object, 0..u16::MAX))
    }

    /// What some of the object's traces hold in memory.
    pub fn usage_of(&self, object: ObjectId, slots: Range<u16>) -> Usage {
        let own = self.sum(TraceId::new(object, slots.start)..TraceId::new(object, slots.end.max(slots.start)));
        own.plus(self.inherited(object, slots))
    }

    /// What is kept for it under the number of an object that is gone.
    fn inherited(&self, object: ObjectId, slots: Range<u16>) -> Usage {
        let inherited = self.together().inherited(object, slots);
        inherited.into_iter().fold(Usage::default(), |sum, is| sum.plus(self.sum(is.of_shard(0)..=is.of_shard(u8::MAX))))
    }

    fn sum(&self, traces: impl RangeBounds<TraceId>) -> Usage {
        self.members().range(traces).fold(Usage::default(), |sum, (_, member)| sum.plus(member.state.usage()))
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

    fn together(&self) -> MutexGuard<'_, KeptTogether> {
        self.together.lock().expect("no thread panics while it holds what is kept together")
    }

    fn forgotten(&self) -> MutexGuard<'_, BTreeSet<ObjectId>> {
        self.forgotten.lock().expect("no thread panics while it holds the set of forgotten objects")
    }

    fn dictionaries(&self) -> MutexGuard<'_, BTreeMap<TraceId, Dictionaries>> {
        self.dictionaries.lock().expect("no thread panics while it holds the set of dictionaries")
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<TraceId, Member>> {
        self.members.lock().expect("no thread panics while it holds the set of traces")
    }
}

impl std::fmt::Debug for TraceSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TraceSet({} traces)", self.members().len())
    }
}

fn all_of(object: ObjectId) -> RangeInclusive<TraceId> {
    TraceId::new(object, 0)..=TraceId::new(object, u16::MAX).of_shard(u8::MAX)
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
