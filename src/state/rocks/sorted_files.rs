//! Sorted files: many large values that go into a family as files of its own kind, past its log and its tables in memory.
//!
//! The files are written beside the database, each synced, and then linked into it in one durable step. What a start finds
//! beside it was not linked, and is deleted; but for files whose link failed, which the database may miss ([`Missing`]).

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
    let mut files = Files { folder: db.path().join(FOLDER), paths: Vec::new(), stay: false };
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
    files.stay = true;
    db.ingest_external_file_cf_opts(family, &linking, files.paths.clone()).map_err(failed)?;
    files.stay = false;
    Ok(())
}

/// Files that the database names and does not have, because their link failed.
///
/// When RocksDB cannot sync its list of files, it takes those away again that it was about to link. But what it has written of the
/// list may be there after all, and names them. They are beside the database still, and are linked now. They got numbers one after
/// the other, of which only one is known, the one that is missed: each place in the row that it may have is tried. That they are the
/// right ones RocksDB finds out itself: the list knows their sizes and what they are called inside.
pub struct Missing<'a> {
    dir: &'a Path,
    /// The number that was missed first.
    missed: Option<u64>,
    tried: u64,
    given: Vec<PathBuf>,
}

impl Missing<'_> {
    pub fn of(dir: &Path) -> Missing<'_> {
        Missing { dir, missed: None, tried: 0, given: Vec::new() }
    }

    /// Whether the files that a start has missed may be there now. What it says after that is of them.
    pub fn give(&mut self, error: &rocksdb::Error) -> bool {
        self.take_back();
        self.missed = self.missed.or_else(|| missed(error.as_ref()));
        let Some(missed) = self.missed else { return false };
        let beside: Vec<PathBuf> = (0..).map(|n| self.dir.join(FOLDER).join(file_name(n))).take_while(|path| path.exists()).collect();
        while self.tried < beside.len() as u64 {
            let first = missed.checked_sub(self.tried);
            self.tried += 1;
            let Some(first) = first else { return false };
            for (path, number) in beside.iter().zip(first..) {
                let there = self.dir.join(format!("{number:06}.sst"));
                if fs::hard_link(path, &there).is_ok() {
                    self.given.push(there);
                }
            }
            if self.given.len() == beside.len() {
                return true;
            }
            self.take_back();
        }
        false
    }

    fn take_back(&mut self) {
        for path in self.given.drain(..) {
            // It is nothing that the database has use for.
            let _ = fs::remove_file(path);
        }
    }
}

/// The number of a file that RocksDB says is not there.
fn missed(error: &str) -> Option<u64> {
    let (before, _) = error.split_once(".sst: No such file or directory")?;
    before.rsplit('/').next()?.parse().ok()
}

fn file_name(number: usize) -> String {
    format!("{number}.sst")
}

/// The files that are being written; those that were not linked go with this value.
struct Files {
    folder: PathBuf,
    paths: Vec<PathBuf>,
    /// It is not known whether they are linked.
    stay: bool,
}

impl Files {
    fn next(&mut self) -> &Path {
        self.paths.push(self.folder.join(file_name(self.paths.len())));
        &self.paths[self.paths.len() - 1]
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in self.paths.iter().filter(|_| !self.stay) {
            // Linked ones are gone already; what else stays is deleted at the next start.
            let _ = fs::remove_file(path);
        }
    }
}
