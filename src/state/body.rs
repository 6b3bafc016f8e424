//! The rows of a chunk: in memory, or in the store alone. Shared by the chunk and by all who still read an older moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use arrow::array::RecordBatch;

use super::error::StateError;
use super::fixed_rows::FixedRows;
use super::shelf::Shelf;

pub struct Body {
    len: usize,
    shelf: Arc<Shelf>,
    /// Once the store has it, or a checkpoint is on its way that holds it.
    number: OnceLock<u64>,
    /// `None` when it was evicted.
    rows: Mutex<Option<Arc<FixedRows>>>,
    /// What the rows take in memory.
    bytes: AtomicU64,
    /// When rows of it were used last, in the budget's time.
    used: AtomicU64,
}

impl Body {
    pub fn new(rows: Arc<FixedRows>, shelf: Arc<Shelf>) -> Body {
        shelf.comes(rows.bytes());
        let (bytes, used) = (AtomicU64::new(rows.bytes() as u64), AtomicU64::new(shelf.budget().now()));
        Body { len: rows.len(), shelf, number: OnceLock::new(), rows: Mutex::new(Some(rows)), bytes, used }
    }

    /// A chunk that the store has, whose rows took so many bytes.
    pub fn stored(number: u64, (len, bytes): (usize, usize), shelf: Arc<Shelf>) -> Body {
        shelf.evicted(bytes, true);
        let (bytes, used) = (AtomicU64::new(bytes as u64), AtomicU64::new(0));
        Body { len, shelf, number: OnceLock::from(number), rows: Mutex::new(None), bytes, used }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// Its number in the store.
    pub fn number(&self) -> Option<u64> {
        self.number.get().copied()
    }

    /// It is put into the store under that number.
    pub fn store_as(&self, number: u64) {
        // A body is stored once.
        let _ = self.number.set(number);
    }

    /// Where a row lies in the store, as [`Shelf::fetch`] takes it.
    pub fn place(&self, row: usize) -> Option<(u64, u32)> {
        Some((self.number()?, row as u32))
    }

    /// The rows, if they are in memory.
    pub fn rows(&self) -> Option<Arc<FixedRows>> {
        self.lock().clone()
    }

    pub fn is_resident(&self) -> bool {
        self.lock().is_some()
    }

    /// Rows `from..from + length`, from memory or from the store.
    pub fn part(&self, from: usize, length: usize) -> Result<RecordBatch, StateError> {
        match self.rows() {
            Some(rows) => rows.part(from, length),
            None => self.shelf.rows(self.stored_number()?, from, length),
        }
    }

    fn stored_number(&self) -> Result<u64, StateError> {
        self.number().ok_or_else(|| StateError::Misuse("rows that were never stored are not in memory".to_string()))
    }

    /// The rows, read from the store.
    pub fn read(&self) -> Result<Arc<FixedRows>, StateError> {
        Ok(Arc::new(self.shelf.chunk(self.stored_number()?, self.len)?))
    }

    /// The rows, read from the store as they stay in memory.
    pub fn read_to_stay(&self) -> Result<Arc<FixedRows>, StateError> {
        match self.shelf.has_dictionaries() {
            true => Ok(Arc::new(self.shelf.fixed(&self.part(0, self.len)?)?)),
            false => self.read(),
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed) as usize
    }

    /// Lets go of the rows, which the store has; who reads them at this moment keeps them until then.
    pub fn evict(&self) {
        if let Some(rows) = self.lock().take() {
            self.shelf.goes(rows.bytes());
            self.shelf.evicted(rows.bytes(), true);
        }
    }

    /// Takes the rows, read again, into memory.
    pub fn hold(&self, rows: Arc<FixedRows>) {
        let mut held = self.lock();
        if held.is_none() {
            self.shelf.evicted(self.bytes(), false);
            self.shelf.comes(rows.bytes());
            self.bytes.store(rows.bytes() as u64, Ordering::Relaxed);
            *held = Some(rows);
        }
    }

    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub fn use_now(&self) {
        self.used.store(self.shelf.budget().now(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<FixedRows>>> {
        self.rows.lock().expect("no thread panics while it holds a chunk's rows")
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        match self.rows.get_mut() {
            Ok(Some(rows)) => self.shelf.goes(rows.bytes()),
            _ => self.shelf.evicted(self.bytes(), false),
        }
        if let Some(number) = self.number() {
            self.shelf.let_go(number, self.len);
        }
    }
}
