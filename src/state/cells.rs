//! Cells: key bytes to value bytes, the state of what is not a set of rows and has no fixed size (sums of floats, marks).
//!
//! They are kept and checkpointed as traces are.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::types::TraceId;

use super::error::StateError;
use super::ordered::{Away, Ordered};

/// What is stored beside cells in the place of a trace's columns.
pub(super) const FINGERPRINT: &str = "cells";

/// A handle; clones are the same cells. Made by [`super::TraceSet::cells`].
#[derive(Clone)]
pub struct Cells {
    id: TraceId,
    cells: Arc<Mutex<Ordered>>,
}

impl Cells {
    pub(super) fn new(id: TraceId, cells: Ordered) -> Cells {
        Cells { id, cells: Arc::new(Mutex::new(cells)) }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    /// The values of the cells of those keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn get<'a>(&self, keys: impl Iterator<Item = &'a [u8]> + Clone) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let mut cells = self.cells();
        cells.read_of(keys.clone())?;
        keys.map(|key| Ok(cells.get(key).map_err(Away::defect)?.map(<[u8]>::to_vec))).collect()
    }

    /// Gives the cell a value, or removes it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn set(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
        self.cells().update(key, |_| Ok(value))
    }

    /// Removes every cell.
    pub fn clear(&self) {
        self.cells().clear();
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

    pub(super) fn cells(&self) -> MutexGuard<'_, Ordered> {
        self.cells.lock().expect("no thread panics while it holds cells")
    }
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cells({}, {} entries)", self.id, self.len())
    }
}

#[cfg(test)]
mod tests;
