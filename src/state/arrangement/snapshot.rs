//! An arrangement as it was at one moment.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;
use hashbrown::{HashMap, HashSet};
use imbl::Vector;

use crate::state::cold::{By, named};
use crate::state::error::StateError;
use crate::state::fixed_rows::FixedRows;
use crate::state::probe::Matches;
use crate::state::row_at::RowAt;
use crate::zset::text::print;
use crate::zset::{KeyColumns, ZSet};

use super::chunk::View;
use super::gather::gather;
use super::history::Pin;
use super::reach::Reach;
use super::shared::Shared;

/// Cheap to make and to clone, whatever the size.
#[derive(Clone)]
pub struct ArrangementSnapshot {
    schema: SchemaRef,
    key: Arc<[usize]>,
    views: Vector<Option<View>>,
    len: usize,
    /// Where rows are found by key: they have moved on since, and their history tells from where.
    now: Arc<Shared>,
    pin: Arc<Pin>,
}

impl ArrangementSnapshot {
    pub(super) fn new(rows: &Arc<Shared>) -> ArrangementSnapshot {
        let mut now = rows.lock();
        ArrangementSnapshot {
            schema: now.schema.clone(),
            key: now.key.clone(),
            views: now.views(),
            len: now.len(),
            now: rows.clone(),
            pin: now.history.pin(),
        }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Entries, not weights.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The columns that rows are found by.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// All entries, at most `rows` at a time, of those columns or of all. The iterator holds the snapshot itself.
    ///
    /// # Errors
    /// When a row is there less than zero times.
    pub fn chunks(&self, rows: usize, columns: Option<&[usize]>) -> impl Iterator<Item = Result<ZSet, StateError>> + Send + use<> {
        let rows = rows.max(1);
        let columns: Option<Arc<[usize]>> = columns.map(Arc::from);
        self.views.clone().into_iter().flatten().filter(|view| view.count > 0).flat_map(move |view| {
            let starts = (0..view.len()).step_by(rows);
            let columns = columns.clone();
            starts.map(move |start| {
                let part = view.part(start, rows.min(view.len() - start), columns.as_deref())?;
                positive(&part).map(|()| part)
            })
        })
    }

    /// All entries under each of `count` probes, which are columns of the key's types in the key's order.
    pub fn lookup(&self, keys: &[ArrayRef], count: usize) -> Result<Matches, StateError> {
        let (probes, mut probe, mut found) = self.candidates(keys, count)?;
        // What is in memory now stays for as long as this takes.
        let mut held: HashMap<u32, Option<Arc<FixedRows>>> = HashMap::new();
        let mut far = Vec::new();
        for at in &found {
            let Some(view) = self.view(at.chunk) else { continue };
            if held.entry(at.chunk).or_insert_with(|| view.body().rows()).is_none() {
                far.extend(view.body().place(at.row as usize));
            }
        }
        let reach = match far.first().zip(self.view(found.first().map_or(0, |at| at.chunk))) {
            Some((_, view)) => Reach::of(view.body().shelf().fetch(far)?),
            None => Reach::default(),
        };
        let of_chunk = |number: u32| Some((self.view(number)?, held.get(&number).and_then(Option::as_deref)));
        let mut kept = 0;
        for i in 0..found.len() {
            let (at, row) = (found[i], found[i].row as usize);
            let (rows, row) = match of_chunk(at.chunk) {
                Some((_, Some(rows))) => (rows, row),
                Some((view, None)) => reach.row(view.body(), row)?,
                None => continue,
            };
            if rows.keys.equals(row, &probes, probe[i] as usize) {
                (probe[kept], found[kept]) = (probe[i], at);
                kept += 1;
            }
        }
        probe.truncate(kept);
        found.truncate(kept);
        Ok(Matches { probe: UInt32Array::from(probe), rows: gather(&self.schema, &found, &reach, of_chunk)? })
    }

    /// The places that were there then and whose keys have the probes' hashes, found by the chains, the segments and the
    /// history of now.
    fn candidates(&self, keys: &[ArrayRef], count: usize) -> Result<(KeyColumns, Vec<u32>, Vec<RowAt>), StateError> {
        let mut places: Vec<(u32, RowAt)> = Vec::new();
        let now = self.now.read();
        let probes = now.probes(keys, count)?;
        let hashes = probes.hashes();
        let mut gone: HashMap<u64, Vec<RowAt>> = HashMap::new();
        {
            let mut history = now.history.gone_since(&self.pin).peekable();
            if history.peek().is_some() {
                gone.extend(hashes.iter().map(|hash| (*hash, Vec::new())));
                history.for_each(|(hash, at)| gone.get_mut(&hash).into_iter().for_each(|places| places.push(at)));
            }
        }
        for (number, hash) in (0..).zip(&hashes) {
            places.extend(gone.get(hash).into_iter().flatten().map(|at| (number, *at)));
            now.of_hash(*hash, number, &mut places)?;
        }
        let segments = now.cold.segments();
        drop(now);
        if !segments.is_empty() {
            // A place may have been left since, or be another chunk's by now: the rows themselves tell.
            places.extend(named(&segments, By::Key, &hashes)?.into_iter().map(|(number, at, _)| (number, at)));
            places.sort_by_key(|(number, _)| *number);
        }
        // A place that was left may have been taken again. A chain alone has each once.
        let mut seen = (!gone.is_empty() || !segments.is_empty()).then(HashSet::new);
        let (mut probe, mut found) = (Vec::new(), Vec::new());
        for (number, at) in places {
            let then = self.view(at.chunk).is_some_and(|view| (at.row as usize) < view.len() && view.is_live(at.row as usize));
            if then && seen.as_mut().is_none_or(|seen| seen.insert((number, at.chunk, at.row))) {
                probe.push(number);
                found.push(at);
            }
        }
        Ok((probes, probe, found))
    }

    fn view(&self, number: u32) -> Option<&View> {
        self.views.get(number as usize).and_then(Option::as_ref)
    }
}

fn positive(rows: &ZSet) -> Result<(), StateError> {
    match rows.weights().values().iter().position(|weight| *weight < 0) {
        Some(row) => {
            let (weight, row) = (rows.weights().value(row), print(&rows.slice(row, 1)).trim_end().to_string());
            Err(StateError::NegativeWeight { weight, row })
        }
        None => Ok(()),
    }
}

impl std::fmt::Debug for ArrangementSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ArrangementSnapshot({} rows)", self.len)
    }
}
