//! A trace as it was at one moment: what is read while the trace goes on.

use std::ops::Bound;
use std::sync::Arc;

use arrow::array::Int64Array;
use imbl::OrdMap;

use crate::zset::ZSet;
use crate::zset::text::print;

use super::error::StateError;
use super::resident::Key;
use super::shape::Shape;

/// Immutable and cheap to clone.
#[derive(Clone)]
pub struct TraceSnapshot {
    shape: Arc<Shape>,
    entries: OrdMap<Key, i64>,
}

impl TraceSnapshot {
    pub(super) fn new(shape: Arc<Shape>, entries: OrdMap<Key, i64>) -> TraceSnapshot {
        TraceSnapshot { shape, entries }
    }

    /// The number of entries: of distinct rows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries in row order, consolidated, at most `rows` of them at a time. The iterator holds the snapshot itself.
    ///
    /// # Errors
    /// `NegativeWeight` when the relation holds a row less than zero times; the iterator ends there.
    pub fn chunks(&self, rows: usize) -> Chunks {
        Chunks { snapshot: self.clone(), rows: rows.max(1), next: Some(Bound::Unbounded) }
    }
}

impl std::fmt::Debug for TraceSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TraceSnapshot({} entries)", self.len())
    }
}

/// See [`TraceSnapshot::chunks`].
#[derive(Clone, Debug)]
pub struct Chunks {
    snapshot: TraceSnapshot,
    rows: usize,
    /// Where the next chunk begins; `None` when there is none.
    next: Option<Bound<Key>>,
}

impl Chunks {
    fn chunk(&self, entries: &[(&Key, &i64)]) -> Result<ZSet, StateError> {
        let shape = &self.snapshot.shape;
        if let Some((row, weight)) = entries.iter().find(|(_, weight)| **weight < 0) {
            let row = ZSet::new(shape.decode([&***row])?, Int64Array::from(vec![**weight]));
            return Err(StateError::NegativeWeight { weight: **weight, row: print(&row).trim_end().to_string() });
        }
        let weights = entries.iter().map(|(_, weight)| **weight).collect::<Vec<_>>();
        Ok(ZSet::new(shape.decode(entries.iter().map(|(row, _)| &***row))?, Int64Array::from(weights)))
    }
}

impl Iterator for Chunks {
    type Item = Result<ZSet, StateError>;

    fn next(&mut self) -> Option<Result<ZSet, StateError>> {
        let from = self.next.take()?;
        let range = (from, Bound::Unbounded);
        let entries: Vec<_> = self.snapshot.entries.range::<_, Key>(range).take(self.rows).collect();
        let (last, _) = entries.last()?;
        let next = Bound::Excluded(Key::clone(last));
        let chunk = self.chunk(&entries);
        self.next = chunk.is_ok().then_some(next);
        Some(chunk)
    }
}
