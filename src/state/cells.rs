//! Cells: key bytes to value bytes, the state of what is not a set of rows (accumulators, flags, positions).
//!
//! They are kept and checkpointed as traces are.

use std::sync::{Arc, Mutex, MutexGuard};

use imbl::OrdMap;

use crate::types::TraceId;

use super::resident::{Key, Resident};
use super::writes::Writes;

/// What is stored beside cells in the place of a trace's columns.
pub(super) const FINGERPRINT: &str = "cells";

/// A handle; clones are the same cells. Made by [`super::TraceSet::cells`].
#[derive(Clone)]
pub struct Cells {
    id: TraceId,
    cells: Arc<Mutex<Resident<Arc<[u8]>>>>,
}

impl Cells {
    pub(super) fn new(id: TraceId, cells: Resident<Arc<[u8]>>) -> Cells {
        Cells { id, cells: Arc::new(Mutex::new(cells)) }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.cells().entries().get(key).map(|value| value.to_vec())
    }

    /// Gives the cell a value, or removes it.
    pub fn set(&self, key: &[u8], value: Option<&[u8]>) {
        let mut cells = self.cells();
        if cells.entries().get(key).map(|before| &**before) != value {
            cells.set(key, value.map(Arc::from));
        }
    }

    /// Removes every cell.
    pub fn clear(&self) {
        self.cells().clear();
    }

    /// The cells as they are now, whatever comes later; takes the same time for any size.
    pub fn snapshot(&self) -> CellsSnapshot {
        CellsSnapshot(self.cells().entries().clone())
    }

    pub fn len(&self) -> usize {
        self.cells().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.cells().bytes()
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) {
        self.cells().write_changes(self.id, writes);
    }

    fn cells(&self) -> MutexGuard<'_, Resident<Arc<[u8]>>> {
        self.cells.lock().expect("no thread panics while it holds cells")
    }
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cells({}, {} entries)", self.id, self.len())
    }
}

/// Cells at one moment.
#[derive(Clone, Debug)]
pub struct CellsSnapshot(OrdMap<Key, Arc<[u8]>>);

impl CellsSnapshot {
    /// All cells in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }
}

#[cfg(test)]
mod tests;
