//! The store on RocksDB: opening a directory that may be new, ours, somebody else's or in use, and saying which.
//!
//! Memory is bounded (a block cache and write buffers, both shared by all families), every block's checksum is checked
//! when it is read, and the log's tail may be torn, as a power cut leaves it, but never its middle.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Direction, FlushOptions,
    IteratorMode, LogLevel, Options, ReadOptions, WriteBatch, WriteOptions, properties,
};

use self::errors::{failed, opening};
pub(super) use self::sorted_files::FOLDER as AHEAD;
use self::sorted_files::Missing;
use super::backend::{Backend, Put, Steps, Visit};
use super::directory::{self, Hold};
use super::error::StateError;
use super::family::Family;
use super::kept::{self, KeptCheckpoint, Unnamed};
use super::key_layout::after_prefix;
use super::switch;
use super::writes::Write;

const MOST_BLOCK_CACHE_BYTES: usize = 64 << 20;
const MOST_WRITE_BUFFERS_BYTES: usize = 96 << 20;
const LEAST_BYTES: usize = 4 << 20;
/// The log may grow to this before families that were written rarely are flushed for its sake.
const LOG_BYTES: u64 = 256 << 20;

/// So many deletes beside each other in one of its files have RocksDB compact it.
const DELETES: usize = 64;
/// So many deleted parts of blobs, if they are a quarter of those that are left, are taken out of the files.
const LEAST_DELETED: u64 = 4096;

pub(super) struct Rocks {
    db: DB,
    /// Of [`Family::Blob`].
    blobs: Options,
    /// Bytes of a family's table in memory.
    write_buffer: usize,
    /// Blobs' parts that were deleted since space was taken back.
    deleted: AtomicU64,
    /// Let go of after the database is closed. None where the file system has no such locks: RocksDB's own is enough to keep
    /// other floes out.
    _hold: Option<Hold>,
}

impl Rocks {
    /// Opens the directory, or makes it when it is not there.
    ///
    /// # Errors
    /// `InUse`, `Foreign` (nothing is changed then), `Directory`, `Corrupted`.
    pub(super) fn open(dir: &Path, memory: usize) -> Result<Rocks, StateError> {
        let unusable = |source| StateError::Directory { dir: dir.to_path_buf(), source };
        directory::make(dir).map_err(unusable)?;
        let hold = match directory::hold(dir) {
            Ok(None) => return Err(StateError::InUse(dir.to_path_buf())),
            held => held.ok().flatten(),
        };
        switch::finish(dir)?;
        let found = found_families(dir)?;
        let cache = Cache::new_lru_cache((memory / 5 * 2).clamp(LEAST_BYTES, MOST_BLOCK_CACHE_BYTES));
        let buffers = (memory / 5 * 3).clamp(LEAST_BYTES, MOST_WRITE_BUFFERS_BYTES);
        let mut names: Vec<String> = Family::ALL.iter().map(|family| family.name().to_string()).collect();
        names.extend(found.into_iter().filter(|name| !Family::ALL.iter().any(|family| family.name() == name)));
        let family = |name: &String| {
            let is_blobs = name == Family::Blob.name();
            ColumnFamilyDescriptor::new(name, if is_blobs { blob_options(&cache, buffers) } else { family_options(&cache, buffers) })
        };
        let (mut missing, mut first) = (Missing::of(dir), None);
        let db = loop {
            match DB::open_cf_descriptors(&options(buffers), dir, names.iter().map(family)) {
                Ok(db) => break db,
                Err(error) if missing.give(&error) => first = first.or(Some(error)),
                Err(error) => return Err(opening(dir, first.unwrap_or(error))),
            }
        };
        // The directory is floe's: what an earlier process left there is as well.
        sorted_files::prepare(dir)
            .and_then(|()| switch::clear_leftovers(dir))
            .and_then(|()| kept::clear_leftovers(dir))
            .map_err(unusable)?;
        let blobs = blob_options(&cache, buffers);
        Ok(Rocks { db, blobs, write_buffer: write_buffer(buffers), deleted: AtomicU64::default(), _hold: hold })
    }

    fn family(&self, family: Family) -> Result<&ColumnFamily, StateError> {
        self.db.cf_handle(family.name()).ok_or_else(|| StateError::corrupted(format!("family \"{}\" is missing", family.name())))
    }
}

impl Backend for Rocks {
    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let mut reading = ReadOptions::default();
        reading.fill_cache(family != Family::Blob);
        let values = self.db.batched_multi_get_cf_opt(self.family(family)?, keys.iter().copied(), false, &reading);
        values.into_iter().map(|value| Ok(value.map_err(failed)?.map(|bytes| bytes.to_vec()))).collect()
    }

    fn scan(&self, family: Family, prefix: &[u8], visit: &mut Visit) -> Result<(), StateError> {
        let mut range = ReadOptions::default();
        range.set_total_order_seek(true);
        if let Some(after) = after_prefix(prefix) {
            range.set_iterate_upper_bound(after);
        }
        let start = IteratorMode::From(prefix, Direction::Forward);
        for entry in self.db.iterator_cf_opt(self.family(family)?, range, start) {
            let (key, value) = entry.map_err(failed)?;
            if let ControlFlow::Break(()) = visit(&key, &value)? {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, family: Family) -> Result<Option<(Vec<u8>, Vec<u8>)>, StateError> {
        match self.db.iterator_cf(self.family(family)?, IteratorMode::End).next() {
            None => Ok(None),
            Some(entry) => entry.map(|(key, value)| Some((key.into_vec(), value.into_vec()))).map_err(failed),
        }
    }

    fn write(&self, steps: &mut Steps, sync: bool) -> Result<(), StateError> {
        let (mut batch, mut deleted) = (WriteBatch::default(), 0);
        for step in steps {
            match step? {
                Write::Put { family, key, value } => batch.put_cf(self.family(family)?, key, value),
                Write::Delete { family, key } => {
                    deleted += u64::from(family == Family::Blob);
                    batch.delete_cf(self.family(family)?, key)
                }
                Write::DeleteRange { family, from, to: Some(to) } => batch.delete_range_cf(self.family(family)?, from, to),
                // RocksDB has no range without an end. The end is the first key that is longer than the greatest one.
                Write::DeleteRange { family, from, to: None } => {
                    if let Some((mut greatest, _)) = self.last(family)? {
                        greatest.push(0);
                        batch.delete_range_cf(self.family(family)?, from, greatest);
                    }
                }
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        // No memtable_insert_hint_per_batch: when writers meet, it puts a range and a key of one batch into each other's
        // lists, and what was taken away is there again.
        self.db.write_opt(batch, &options).map_err(failed)?;
        if !sync {
            // Out of this process: see the log's option.
            self.db.flush_wal(false).map_err(failed)?;
        }
        self.take_back_space(deleted)
    }

    fn take_in(&self, family: Family, fill: &mut dyn FnMut(&mut Put) -> Result<(), StateError>) -> Result<(), StateError> {
        sorted_files::take_in(&self.db, self.family(family)?, &self.blobs, fill)
    }

    /// What a table in memory has no room for.
    fn takes_in_from(&self) -> usize {
        self.write_buffer
    }

    /// The log is copied as far as it goes. To have RocksDB write its tables instead would be a write of the store, and one that
    /// fails would close it.
    fn keep(&self, about: &KeptCheckpoint) -> Result<Unnamed, StateError> {
        kept::make(self.db.path(), about, |folder| {
            let checkpoint = Checkpoint::new(&self.db).map_err(failed)?;
            checkpoint.create_checkpoint_with_log_size(folder, u64::MAX).map_err(failed)
        })
    }
}

impl Rocks {
    /// Has RocksDB compact what so many more deletes of blobs are in. By themselves the deletes are too few bytes to be
    /// looked at, and what they delete would lie there for ever.
    fn take_back_space(&self, deleted: u64) -> Result<(), StateError> {
        if deleted == 0 {
            return Ok(());
        }
        let family = self.family(Family::Blob)?;
        let waiting = self.deleted.fetch_add(deleted, Ordering::Relaxed) + deleted;
        if waiting < LEAST_DELETED {
            return Ok(());
        }
        let left = self.db.property_int_value_cf(family, properties::ESTIMATE_NUM_KEYS).map_err(failed)?.unwrap_or(0);
        if waiting < left / 4 {
            return Ok(());
        }
        self.deleted.store(0, Ordering::Relaxed);
        let mut flush = FlushOptions::default();
        flush.set_wait(false);
        self.db.flush_cf_opt(family, &flush).map_err(failed)
    }
}

fn options(buffers: usize) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    // The log is written when it is synced, or told to be. RocksDB has an error of such a log end the database. After one of its
    // own it goes on by itself as soon as the disk has room: it writes the families' tables, one after the other, without the
    // batch that failed, which the log may have all the same. A crash then, and the next start does that batch again in some
    // families and not in the others.
    options.set_manual_wal_flush(true);
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_max_total_wal_size(LOG_BYTES);
    options.set_db_write_buffer_size(buffers);
    options.set_max_background_jobs(2);
    options.set_max_open_files(512);
    options.set_bytes_per_sync(1 << 20);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options
}

/// Of one family.
fn write_buffer(buffers: usize) -> usize {
    buffers / 6
}

fn blob_options(cache: &Cache, buffers: usize) -> Options {
    let mut options = common_options(&blocks(cache), buffers);
    options.set_compression_type(DBCompressionType::None);
    options.add_compact_on_deletion_collector_factory(2 * DELETES, DELETES, 0.5);
    options
}

fn family_options(cache: &Cache, buffers: usize) -> Options {
    let mut blocks = blocks(cache);
    blocks.set_bloom_filter(10.0, false);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = common_options(&blocks, buffers);
    options.set_compression_type(DBCompressionType::Lz4);
    options
}

fn blocks(cache: &Cache) -> BlockBasedOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks
}

fn common_options(blocks: &BlockBasedOptions, buffers: usize) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(blocks);
    options.set_write_buffer_size(write_buffer(buffers));
    options.set_level_compaction_dynamic_level_bytes(true);
    options
}

/// The families that the directory already has; none when it is new.
///
/// A database whose making was cut short has only RocksDB's own family `default`, which floe leaves empty.
fn found_families(dir: &Path) -> Result<Vec<String>, StateError> {
    let foreign = |detail: String| StateError::Foreign { dir: dir.to_path_buf(), detail };
    if !dir.join("CURRENT").exists() {
        let entries = fs::read_dir(dir).map_err(|source| StateError::Directory { dir: dir.to_path_buf(), source })?;
        for entry in entries {
            let name = entry.map_err(|source| StateError::Directory { dir: dir.to_path_buf(), source })?.file_name();
            let name = name.to_string_lossy();
            if !is_left_by_an_unfinished_start(&name) {
                return Err(foreign(format!("It contains \"{name}\".")));
            }
        }
        return Ok(Vec::new());
    }
    let found = DB::list_cf(&options(LEAST_BYTES), dir).map_err(|error| opening(dir, error))?;
    if found.iter().any(|name| name == Family::Meta.name()) {
        return Ok(found);
    }
    if found.iter().any(|name| name != "default" && !Family::ALL.iter().any(|family| family.name() == name)) {
        return Err(foreign("It holds another program's database.".to_string()));
    }
    let mut reading = options(LEAST_BYTES);
    reading.create_if_missing(false);
    let db = DB::open_for_read_only(&reading, dir, false).map_err(|error| opening(dir, error))?;
    match db.iterator(IteratorMode::Start).next() {
        None => Ok(found),
        Some(_) => Err(foreign("It holds another program's database.".to_string())),
    }
}

/// Files that RocksDB makes before the one that says that a database is there, and what file systems put everywhere.
fn is_left_by_an_unfinished_start(name: &str) -> bool {
    let rocksdb = ["LOCK", "LOG", "IDENTITY", "lost+found"].contains(&name)
        || ["LOG.old.", "MANIFEST-", "OPTIONS-", "."].iter().any(|start| name.starts_with(start));
    rocksdb || [".dbtmp", ".log"].iter().any(|end| name.ends_with(end))
}

mod errors;
mod sorted_files;
#[cfg(test)]
mod tests;
