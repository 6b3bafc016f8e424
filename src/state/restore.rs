//! Going back to a kept checkpoint, while no floe has the state directory.
//!
//! 1. A copy of it is made in `restoring`: its sorted files are linked, the others copied, for a database changes those. The
//!    copy is opened and read from end to end, so that what is damaged is found before anything is given up for it.
//! 2. The copy is cut where the checkpoint was. What it has of the journal is of epochs that came while it was made: sources
//!    read those records again, and what statements wrote into tables then is undone like all that came later.
//! 3. It is numbered anew. Epochs are how sinks and their tables know what they have, so none may be given out twice for
//!    different contents: the epochs after a restore begin behind all that were ever given out in this directory, at the next
//!    multiple of [`STRIDE`]. The file `restores` remembers the last one, for when nothing else can be read.
//! 4. The directory changes over to it ([`super::switch`]); the old database stays in a folder of its own.
//!
//! The kept checkpoints stay where they are, also those that are newer: each can be gone to later.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::types::Epoch;

use super::checkpoint::CheckpointRecord;
use super::directory::{self, Hold};
use super::error::StateError;
use super::family::Family;
use super::kept::{self, KeptCheckpoint};
use super::rocks::AHEAD;
use super::store::Store;
use super::switch;
use super::writes::Writes;

/// More epochs than a directory sees between two restores: a thousand a second for thirty years.
pub const STRIDE: u64 = 1_000_000_000_000;
const RESTORES: &str = "restores";
/// For the copy's caches.
const MEMORY: usize = 64 << 20;

/// A restore under way; it holds the directory.
pub struct Restore {
    dir: PathBuf,
    epoch: Epoch,
    /// Where epochs go on.
    begin: Epoch,
    aside: String,
    _hold: Hold,
}

impl Restore {
    /// # Errors
    /// When the directory is in use, or has no such kept checkpoint; nothing is changed then.
    pub fn new(dir: &Path, epoch: Epoch) -> Result<Restore, StateError> {
        let unusable = |source| StateError::Directory { dir: dir.to_path_buf(), source };
        let hold = directory::hold(dir).map_err(unusable)?.ok_or_else(|| StateError::InUse(dir.to_path_buf()))?;
        let kept = kept::list(dir)?;
        if kept.iter().all(|kept| kept.epoch != epoch) {
            return Err(StateError::NotKept { dir: dir.to_path_buf(), epoch, kept: kept.iter().map(|kept| kept.epoch).collect() });
        }
        switch::finish(dir)?;
        switch::clear_leftovers(dir).map_err(unusable)?;
        let (begin, aside) = next(dir, &kept)?;
        Ok(Restore { dir: dir.to_path_buf(), epoch, begin, aside, _hold: hold })
    }

    /// Makes the copy that will be the directory's database.
    ///
    /// # Errors
    /// When it cannot be made, or the checkpoint is damaged; nothing of it is left then.
    pub fn copy(&self) -> Result<(), StateError> {
        let to = self.dir.join(switch::INCOMING);
        let failed = |e: io::Error| StateError::io("copy a kept checkpoint", &e);
        let copied = copy_files(&kept::folder(&self.dir, self.epoch), &to).map_err(failed).and_then(|()| self.cut(&to));
        let copied = copied.and_then(|()| directory::sync(&to).and_then(|()| directory::sync(&self.dir)).map_err(failed));
        copied.inspect_err(|_| {
            // The next start removes what stays.
            let _ = directory::remove(&to);
        })
    }

    /// From here on the directory has the old state no more, whatever happens.
    pub fn decide(&self) -> Result<(), StateError> {
        let last = self.begin.to_string();
        directory::replace(&self.dir, RESTORES, last.as_bytes()).map_err(|e| StateError::io("note a restore", &e))?;
        switch::decide(&self.dir, &self.aside)
    }

    /// Carries out the next step of the change; false when all is done.
    pub fn go_on(&self) -> Result<bool, StateError> {
        switch::go_on(&self.dir)
    }

    /// After which epoch the next one comes.
    pub fn begin(&self) -> Epoch {
        self.begin
    }

    /// Where the replaced database lies: a state directory of its own.
    pub fn aside(&self) -> PathBuf {
        self.dir.join(&self.aside)
    }

    pub fn delete_replaced(&self) -> Result<(), StateError> {
        directory::remove(&self.aside()).map_err(|e| StateError::io("delete the replaced state", &e))
    }

    /// Reads all of the copy, cuts it at its epoch, and numbers it anew.
    fn cut(&self, copy: &Path) -> Result<(), StateError> {
        let store = Store::open_within(copy, MEMORY)?;
        for family in Family::ALL {
            store.scan_with(family, &[], &mut |_, _| Ok(()))?;
        }
        let mut record = CheckpointRecord::load(&store)?.unwrap_or_default();
        if record.epoch != self.epoch {
            return Err(StateError::corrupted(format!("the kept checkpoint of epoch {} is of epoch {}", self.epoch, record.epoch)));
        }
        let mut writes = Writes::new();
        record.epoch = self.begin;
        record.store(&mut writes)?;
        writes.delete_prefix(Family::Journal, []);
        store.write(writes, true)?;
        drop(store);
        directory::remove(&copy.join(AHEAD)).map_err(|e| StateError::io("end a copy", &e))
    }
}

/// Sorted files never change and are linked, where the file system can do that.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for name in directory::names(from)?.into_iter().filter(|name| name != kept::ABOUT) {
        let (source, target) = (from.join(&name), to.join(&name));
        if name.ends_with(".sst") && fs::hard_link(&source, &target).is_ok() {
            continue;
        }
        fs::copy(&source, &target)?;
        fs::File::open(&target)?.sync_all()?;
    }
    Ok(())
}

/// After which epoch those of the restored state begin, and the name of the folder for the old one.
fn next(dir: &Path, kept: &[KeptCheckpoint]) -> Result<(Epoch, String), StateError> {
    let last = match fs::read_to_string(dir.join(RESTORES)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(StateError::io("read which restores there were", &error)),
        Ok(text) => text.trim().parse::<u64>().map_err(|_| StateError::corrupted(format!("the file \"{RESTORES}\" holds no number")))?,
    };
    let known = kept.iter().map(|kept| kept.epoch.0).fold(last, u64::max);
    let mut number = known / STRIDE + 1;
    // Folders that are there have a number that was given out.
    while dir.join(aside(number)).exists() {
        number += 1;
    }
    let begin = number.checked_mul(STRIDE).filter(|begin| i64::try_from(*begin).is_ok());
    let begin = begin.ok_or_else(|| StateError::corrupted(format!("no epochs are left after {known}")))?;
    Ok((Epoch(begin), aside(number)))
}

fn aside(number: u64) -> String {
    format!("replaced-{number}")
}

#[cfg(test)]
mod tests;
