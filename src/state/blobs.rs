//! The blobs of a store: put, read, and deleted when nobody holds them any more, readers of older moments included. Until then
//! one that state has let go of is marked as dead, so that a start after a crash deletes it.
//!
//! ```text
//! meta: "dead/" | number, 8 bytes big endian -> parts, 4 bytes big endian
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::blob::{Blob, part_key};
use super::error::StateError;
use super::family::Family;
use super::store::Store;
use super::writes::Writes;

/// In [`Family::Meta`], before a number.
const DEAD: &[u8] = b"dead/";

/// The blobs of one store.
pub struct Blobs {
    store: Arc<Store>,
    /// Blobs that nobody holds any more, with their numbers of parts.
    unheld: Mutex<Vec<(u64, u32)>>,
    /// Whether the store was asked for those that the process before this one left.
    asked: AtomicBool,
}

impl Blobs {
    pub fn new(store: Arc<Store>) -> Blobs {
        Blobs { store, unheld: Mutex::default(), asked: AtomicBool::default() }
    }

    /// Puts a blob of about so many bytes; its number.
    pub fn put(&self, blob: Box<dyn Blob>, bytes: usize, writes: &mut Writes) -> u64 {
        let number = self.store.next_blob();
        writes.put_blob(number, blob, bytes);
        number
    }

    /// Each of those parts, as they were written.
    ///
    /// # Errors
    /// When one is not there.
    pub fn get(&self, parts: &[(u64, u32)]) -> Result<Vec<Vec<u8>>, StateError> {
        let keys: Vec<[u8; 12]> = parts.iter().map(|(number, part)| part_key(*number, *part)).collect();
        let values = self.store.get_settled(Family::Blob, &keys)?.into_iter().zip(parts);
        let there = |(value, (number, part)): (Option<Vec<u8>>, &(u64, u32))| {
            value.ok_or_else(|| StateError::corrupted(format!("part {part} of blob {number} is missing")))
        };
        values.map(there).collect()
    }

    /// State has let go of a blob; its parts stay for as long as somebody reads them.
    pub fn mark_dead(&self, number: u64, parts: u32, writes: &mut Writes) {
        writes.put(Family::Meta, dead_key(number), parts.to_be_bytes());
    }

    /// Nobody holds the blob any more.
    pub fn let_go(&self, number: u64, parts: u32) {
        self.unheld().push((number, parts));
    }

    /// Deletes the blobs that nobody holds, after all else that is put into the write.
    pub fn bury(&self, writes: &mut Writes) -> Result<(), StateError> {
        if !self.asked.load(Ordering::Relaxed) {
            let left = self.left_dead()?;
            self.unheld().extend(left);
            self.asked.store(true, Ordering::Relaxed);
        }
        for (number, parts) in std::mem::take(&mut *self.unheld()) {
            Blobs::delete(number, parts, writes);
            writes.delete(Family::Meta, dead_key(number));
        }
        Ok(())
    }

    /// Deletes a blob that nobody has held since the start.
    pub fn delete(number: u64, parts: u32, writes: &mut Writes) {
        (0..parts).for_each(|part| writes.delete(Family::Blob, part_key(number, part)));
    }

    fn left_dead(&self) -> Result<Vec<(u64, u32)>, StateError> {
        let marks = self.store.scan(Family::Meta, DEAD)?;
        let mark = |(key, value): (Vec<u8>, Vec<u8>)| {
            let number = key.strip_prefix(DEAD).and_then(|number| number.try_into().ok()).map(u64::from_be_bytes);
            let parts = value.try_into().ok().map(u32::from_be_bytes);
            number.zip(parts).ok_or_else(|| StateError::corrupted("the mark of a dead blob cannot be read"))
        };
        marks.into_iter().map(mark).collect()
    }

    fn unheld(&self) -> MutexGuard<'_, Vec<(u64, u32)>> {
        self.unheld.lock().expect("no thread panics while it holds a list")
    }
}

fn dead_key(number: u64) -> Vec<u8> {
    [DEAD, &number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests;
