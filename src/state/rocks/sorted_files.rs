//! Sorted files: many large values that go into a family as files of its own kind, past its log and its tables in memory.
//!
//! The files are written beside the database, each synced, and then linked into it in one durable step. What a start finds
//! beside it was not linked, and is deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::{ColumnFamily, DB, IngestExternalFileOptions, Options, SstFileWriter};

use crate::state::backend::Put;
use crate::state::error::StateError;

use super::errors::failed;

/// In the database's directory.
pub const FOLDER: &str = "ahead";
/// A file is closed when it has so many bytes: what is deleted of it one day makes RocksDB write a file anew.
const FILE_BYTES: u64 = 64 << 20;

/// Makes the place for files of the database in `dir`, without what an earlier process left there.
pub fn prepare(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir.join(FOLDER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir(dir.join(FOLDER)),
    }
}

/// Puts what `fill` gives, in the order of its keys, which are behind all that the family has.
pub fn take_in(
    db: &DB,
    family: &ColumnFamily,
    options: &Options,
    fill: &mut dyn FnMut(&mut Put) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut files = Files { folder: db.path().join(FOLDER), paths: Vec::new() };
    let mut open: Option<SstFileWriter> = None;
    fill(&mut |key, value| {
        if open.as_ref().is_some_and(|file| file.file_size() >= FILE_BYTES)
            && let Some(mut file) = open.take()
        {
            file.finish().map_err(failed)?;
        }
        if open.is_none() {
            let file = SstFileWriter::create(options);
            file.open(files.next()).map_err(failed)?;
            open = Some(file);
        }
        open.as_mut().map_or(Ok(()), |file| file.put(key, value)).map_err(failed)
    })?;
    if let Some(mut file) = open.take() {
        file.finish().map_err(failed)?;
    }
    if files.paths.is_empty() {
        return Ok(());
    }
    let mut linking = IngestExternalFileOptions::default();
    linking.set_move_files(true);
    db.ingest_external_file_cf_opts(family, &linking, files.paths.clone()).map_err(failed)
}

/// The files that are being written; those that were not linked go with this value.
struct Files {
    folder: PathBuf,
    paths: Vec<PathBuf>,
}

impl Files {
    fn next(&mut self) -> &Path {
        self.paths.push(self.folder.join(format!("{}.sst", self.paths.len())));
        &self.paths[self.paths.len() - 1]
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.paths {
            // Linked ones are gone already; what else stays is deleted at the next start.
            let _ = fs::remove_file(path);
        }
    }
}
