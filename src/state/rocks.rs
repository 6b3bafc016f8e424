//! The store on RocksDB: opening a directory that may be new, ours, somebody else's or in use, and saying which.
//!
//! Memory is bounded (a block cache and write buffers, both shared by all families), every block's checksum is checked
//! when it is read, and the log's tail may be torn, as a power cut leaves it, but never its middle.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Direction, IteratorMode,
    LogLevel, Options, ReadOptions, WriteBatch, WriteOptions,
};

use super::backend::{Backend, Steps, Visit};
use super::error::StateError;
use super::family::Family;
use super::key_layout::after_prefix;
use super::writes::Write;

const MOST_BLOCK_CACHE_BYTES: usize = 64 << 20;
const MOST_WRITE_BUFFERS_BYTES: usize = 96 << 20;
const LEAST_BYTES: usize = 4 << 20;
/// The log may grow to this before families that were written rarely are flushed for its sake.
const LOG_BYTES: u64 = 256 << 20;

pub(super) struct Rocks {
    db: DB,
}

impl Rocks {
    /// Opens the directory, or makes it when it is not there.
    ///
    /// # Errors
    /// `InUse`, `Foreign` (nothing is changed then), `Directory`, `Corrupted`.
    pub(super) fn open(dir: &Path, memory: usize) -> Result<Rocks, StateError> {
        make_directory(dir).map_err(|source| StateError::Directory { dir: dir.to_path_buf(), source })?;
        let found = found_families(dir)?;
        let cache = Cache::new_lru_cache((memory / 5 * 2).clamp(LEAST_BYTES, MOST_BLOCK_CACHE_BYTES));
        let buffers = (memory / 5 * 3).clamp(LEAST_BYTES, MOST_WRITE_BUFFERS_BYTES);
        let mut names: Vec<String> = Family::ALL.iter().map(|family| family.name().to_string()).collect();
        names.extend(found.into_iter().filter(|name| !Family::ALL.iter().any(|family| family.name() == name)));
        let families = names.into_iter().map(|name| ColumnFamilyDescriptor::new(name, family_options(&cache, buffers)));
        let db = DB::open_cf_descriptors(&options(buffers), dir, families).map_err(|error| opening(dir, error))?;
        Ok(Rocks { db })
    }

    fn family(&self, family: Family) -> Result<&ColumnFamily, StateError> {
        self.db.cf_handle(family.name()).ok_or_else(|| StateError::corrupted(format!("family \"{}\" is missing", family.name())))
    }
}

impl Backend for Rocks {
    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let values = self.db.batched_multi_get_cf(self.family(family)?, keys.iter().copied(), false);
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
        let mut batch = WriteBatch::default();
        for step in steps {
            match step? {
                Write::Put { family, key, value } => batch.put_cf(self.family(family)?, key, value),
                Write::Delete { family, key } => batch.delete_cf(self.family(family)?, key),
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
        self.db.write_opt(batch, &options).map_err(failed)
    }
}

fn options(buffers: usize) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
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

fn family_options(cache: &Cache, buffers: usize) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_bloom_filter(10.0, false);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(buffers / 6);
    options.set_level_compaction_dynamic_level_bytes(true);
    options
}

/// Makes the directory and those above it, each durable in its parent before the next.
fn make_directory(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directory(parent)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        made => made?,
    }
    File::open(parent)?.sync_all()
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

fn opening(dir: &Path, error: rocksdb::Error) -> StateError {
    opening_told(dir, error.into_string())
}

fn failed(error: rocksdb::Error) -> StateError {
    told(error.into_string())
}

/// RocksDB's errors are told apart by their text alone: the kind comes first, the system's own words last.
fn told(detail: String) -> StateError {
    if detail.contains("No space left on device") || detail.contains("Disk quota exceeded") {
        StateError::DiskFull { detail }
    } else if detail.starts_with("Corruption: ") {
        StateError::Corrupted { detail }
    } else {
        StateError::Io { detail }
    }
}

fn opening_told(dir: &Path, detail: String) -> StateError {
    let dir = dir.to_path_buf();
    let held = detail.contains("While lock file: ") && detail.ends_with("Resource temporarily unavailable");
    if held || detail.contains("lock hold by current process") {
        return StateError::InUse(dir);
    }
    match told(detail) {
        StateError::Io { detail } => StateError::Directory { dir, source: io::Error::other(detail) },
        other => other,
    }
}

#[cfg(test)]
mod tests;
