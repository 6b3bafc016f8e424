//! The store: a durable, ordered map of bytes in families, written atomically and poisoned by a failed write.
//!
//! A write that fails leaves it unknown what the disk holds: a later write could land behind one that did not. So after
//! the first failure the store refuses everything, reads included, until it is opened again and the disk has told.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::types::{Report, SqlState};
use crate::zset::row_codec;

use super::backend::Backend;
use super::blob::part_key;
use super::error::StateError;
use super::family::Family;
use super::kept::{KeptCheckpoint, Unnamed};
use super::memory::Memory;
use super::rocks::{AHEAD, Rocks};
use super::scratch::Scratch;
use super::writes::Writes;

/// The version of everything that this folder and the catalog put on disk, the bytes of rows apart.
pub const FORMAT: u8 = 7;
/// What is read as well, and is of [`FORMAT`] from then on. It knows of no traces that are one.
const BEFORE: u8 = 6;

/// In [`Family::Meta`]: [`FORMAT`], then the format of the bytes of rows.
const FORMAT_KEY: &[u8] = b"format";
/// In [`Family::Meta`]: after the numbers of all blobs that were named, 8 bytes big endian.
const BLOBS_KEY: &[u8] = b"blobs";

pub struct Store {
    backend: Box<dyn Backend>,
    scratch: Scratch,
    /// The number of the next blob.
    next_blob: AtomicU64,
    poison: OnceLock<Poison>,
}

struct Poison {
    reason: String,
    disk_full: bool,
}

impl Store {
    /// Opens the state directory, which is made when it is not there, and keeps every other process out of it.
    ///
    /// # Errors
    /// When the directory is in use, not floe's, of another format, corrupted, or cannot be written.
    pub fn open(dir: &Path) -> Result<Store, StateError> {
        Store::open_within(dir, usize::MAX)
    }

    /// [`Store::open`] with about so many bytes of memory for the store's own caches and buffers.
    pub fn open_within(dir: &Path, memory: usize) -> Result<Store, StateError> {
        let mut store = Store::over(Rocks::open(dir, memory)?, Scratch::new(Some(dir.join(AHEAD))));
        let known = [FORMAT, row_codec::FORMAT];
        match store.get(Family::Meta, FORMAT_KEY)?.as_deref() {
            Some(found) if found == known || found == [BEFORE, row_codec::FORMAT] => {
                if found != known {
                    let mut writes = Writes::new();
                    writes.put(Family::Meta, FORMAT_KEY, known);
                    store.write(writes, true)?;
                }
                store.number_blobs()?;
                Ok(store)
            }
            Some([format, rows]) if *format > FORMAT || *rows > row_codec::FORMAT => Err(StateError::Newer {
                dir: dir.to_path_buf(),
                found: format!("{format}.{rows}"),
                known: format!("{}.{}", known[0], known[1]),
            }),
            Some([format, rows]) if *format > 0 && *rows > 0 => Err(StateError::Older {
                dir: dir.to_path_buf(),
                found: format!("{format}.{rows}"),
                known: format!("{BEFORE}.{1} and {0}.{1}", known[0], known[1]),
            }),
            Some(found) => Err(StateError::corrupted(format!("the format is written as {found:?}"))),
            None => {
                for family in Family::ALL {
                    if store.last(family)?.is_some() {
                        let detail = format!("It has data in \"{}\", and no format.", family.name());
                        return Err(StateError::Foreign { dir: dir.to_path_buf(), detail });
                    }
                }
                let mut writes = Writes::new();
                writes.put(Family::Meta, FORMAT_KEY, known);
                store.write(writes, true)?;
                Ok(store)
            }
        }
    }

    /// A store that lives as long as this value.
    pub fn memory() -> Store {
        Store::over(Memory::default(), Scratch::new(None))
    }

    /// A store in memory whose disk is full after that many writes.
    #[cfg(test)]
    pub fn memory_failing_after(writes: usize) -> Store {
        Store::over(Memory::failing_after(writes), Scratch::new(None))
    }

    fn over(backend: impl Backend + 'static, scratch: Scratch) -> Store {
        Store { backend: Box::new(backend), scratch, next_blob: AtomicU64::new(0), poison: OnceLock::new() }
    }

    /// Goes on behind the numbers that were given, and deletes blobs that no write has named.
    fn number_blobs(&mut self) -> Result<(), StateError> {
        let number = |bytes: Option<&[u8]>| match bytes {
            None => Ok(0),
            Some(bytes) => match bytes.first_chunk() {
                Some(number) => Ok(u64::from_be_bytes(*number)),
                None => Err(StateError::corrupted("the number of a blob cannot be read")),
            },
        };
        let named = number(self.get(Family::Meta, BLOBS_KEY)?.as_deref())?;
        let greatest = self.last(Family::Blob)?.map(|(key, _)| number(Some(&key))).transpose()?;
        let next = greatest.map_or(named, |greatest| named.max(greatest + 1));
        if next > named {
            let mut writes = Writes::new();
            writes.delete_range(Family::Blob, part_key(named, 0), part_key(next, 0));
            self.write(writes, false)?;
        }
        self.next_blob = AtomicU64::new(next);
        Ok(())
    }

    /// A number that no other blob of this store has.
    pub(super) fn next_blob(&self) -> u64 {
        self.next_blob.fetch_add(1, Ordering::Relaxed)
    }

    pub fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.get_many(family, &[key])?.pop().flatten())
    }

    /// The value of each key, in the order of the keys.
    pub fn get_many<K: AsRef<[u8]>>(&self, family: Family, keys: &[K]) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        self.refuse_if_poisoned()?;
        let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
        self.backend.get_many(family, &keys)
    }

    /// [`Store::get_many`] of what was durable before and is never written again: that is read from a poisoned store too,
    /// whose readers go on with what they have.
    pub fn get_settled<K: AsRef<[u8]>>(&self, family: Family, keys: &[K]) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
        self.backend.get_many(family, &keys)
    }

    /// The keys that begin with `prefix`, in order, with their values.
    pub fn scan(&self, family: Family, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StateError> {
        let mut found = Vec::new();
        self.scan_with(family, prefix, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(found)
    }

    /// Visits the keys that begin with `prefix` in their order, as of one moment; the first error ends the visit.
    pub fn scan_with(
        &self,
        family: Family,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        self.scan_while(family, prefix, &mut |key, value| visit(key, value).map(ControlFlow::Continue))
    }

    /// [`Store::scan_with`], until the visitor breaks.
    pub fn scan_while(
        &self,
        family: Family,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StateError>,
    ) -> Result<(), StateError> {
        self.refuse_if_poisoned()?;
        self.backend.scan(family, prefix, visit)
    }

    /// The greatest key of the family, and its value.
    pub fn last(&self, family: Family) -> Result<Option<(Vec<u8>, Vec<u8>)>, StateError> {
        self.refuse_if_poisoned()?;
        self.backend.last(family)
    }

    /// Lays the blobs of `writes` down ahead of the rest, if they are many: written once, past the log. They are durable when
    /// this returns, and nothing until `writes` are written, which must be before any other blobs are.
    ///
    /// # Errors
    /// After an error the store is poisoned, whatever the error.
    pub fn write_ahead(&self, writes: &mut Writes) -> Result<(), StateError> {
        self.refuse_if_poisoned()?;
        if writes.blob_bytes() < self.backend.takes_in_from() {
            return Ok(());
        }
        let mut blobs = writes.take_blobs().into_iter();
        let taken = self.backend.take_in(Family::Blob, &mut |put| {
            blobs.try_for_each(|(number, blob)| {
                let mut part = 0;
                blob.parts(&mut |bytes| {
                    part += 1;
                    put(&part_key(number, part - 1), bytes)
                })
            })
        });
        taken.inspect_err(|error| self.poison_by(error))
    }

    /// Writes all steps or none. With `sync` they are durable when this returns; without it they are durable together
    /// with the next write that syncs, and outlive the process but not the machine until then.
    ///
    /// # Errors
    /// After an error the store is poisoned, whatever the error.
    pub fn write(&self, mut writes: Writes, sync: bool) -> Result<(), StateError> {
        self.refuse_if_poisoned()?;
        if writes.is_empty() && !sync {
            return Ok(());
        }
        if let Some(next) = writes.next_blob() {
            writes.put(Family::Meta, BLOBS_KEY, next.to_be_bytes());
        }
        self.backend.write(&mut writes.into_steps(), sync).inspect_err(|error| self.poison_by(error))
    }

    /// Makes a kept checkpoint of what was written until now; writes go on meanwhile. An error does not close the store, and
    /// nothing is left of the checkpoint then.
    pub fn keep(&self, about: &KeptCheckpoint) -> Result<Unnamed, StateError> {
        self.refuse_if_poisoned()?;
        self.backend.keep(about)
    }

    /// Where this process puts what it alone has use for.
    pub(super) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    fn poison_by(&self, error: &StateError) {
        let reason = error.report();
        let reason = reason.detail.unwrap_or(reason.message);
        // Of two writes that fail at once the first one's reason stays.
        let _ = self.poison.set(Poison { reason, disk_full: error.is_disk_full() });
    }

    /// Closes the store as a failed write does. For a failure beside it after which what is in memory may never be written:
    /// half of a change was taken out of the traces, or the disk holds what memory does not.
    pub fn poison(&self, report: &Report) {
        let reason = report.detail.as_ref().map_or_else(|| report.message.clone(), |detail| format!("{}: {detail}", report.message));
        let _ = self.poison.set(Poison { reason, disk_full: report.sqlstate == SqlState::DISK_FULL });
    }

    /// True when a write failed and only opening the store again helps.
    pub fn is_poisoned(&self) -> bool {
        self.poison.get().is_some()
    }

    /// Why nothing works any more.
    pub fn failure(&self) -> Option<StateError> {
        self.refuse_if_poisoned().err()
    }

    fn refuse_if_poisoned(&self) -> Result<(), StateError> {
        match self.poison.get() {
            None => Ok(()),
            Some(Poison { reason, disk_full }) => Err(StateError::Poisoned { reason: reason.clone(), disk_full: *disk_full }),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_poisoned() { "Store(poisoned)" } else { "Store" })
    }
}

#[cfg(test)]
mod tests;
