//! Kept checkpoints: the store as it was right after a checkpoint, each a database of its own in a folder of the state
//! directory. It shares its sorted files with the store by hard links, so that keeping one copies little; what the store
//! deletes later stays on the disk for as long as a kept checkpoint has it.
//!
//! ```text
//! kept/17        the checkpoint of epoch 17: a database, and the file `about`
//! kept/18.new    one that is being made
//! kept/16.gone   one that is being deleted
//! ```
//!
//! The last two are none: a start removes what a crash left of them. A kept checkpoint may hold a little of what came after
//! its epoch, journal entries and what sinks have committed of it; [`super::restore`] says what becomes of that.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::types::{Epoch, Offsets};

use super::directory;
use super::error::StateError;
use super::record;

const FOLDER: &str = "kept";
pub(super) const ABOUT: &str = "about";
const VERSION: u8 = 1;

/// What is told of a kept checkpoint; nothing of it is needed to go back there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheckpoint {
    pub epoch: Epoch,
    /// When it was kept, microseconds since 1970 UTC; 0 when its file does not say.
    pub at: i64,
    /// Where the reading of each source goes on, by the source's name.
    pub offsets: BTreeMap<String, Offsets>,
}

/// Where it lies.
pub fn folder(dir: &Path, epoch: Epoch) -> PathBuf {
    dir.join(FOLDER).join(epoch.to_string())
}

/// Those that there are, in the order of their epochs.
pub fn list(dir: &Path) -> Result<Vec<KeptCheckpoint>, StateError> {
    let mut kept = Vec::new();
    for name in directory::names(&dir.join(FOLDER)).map_err(|e| StateError::io("list the kept checkpoints", &e))? {
        let Some(epoch) = epoch_of(&name) else { continue };
        let folder = folder(dir, epoch);
        let about = fs::read(folder.join(ABOUT)).ok().and_then(|bytes| record::decode(VERSION, &bytes, "a kept checkpoint").ok());
        // A file that cannot be read is no reason to hide what may well be whole. One that is just being deleted is.
        if folder.is_dir() {
            kept.push(KeptCheckpoint { epoch, ..about.unwrap_or_default() });
        }
    }
    kept.sort_by_key(|kept| kept.epoch);
    Ok(kept)
}

/// The size of all its files in bytes, and of those that nothing else has: what is free when it is deleted.
pub fn size(dir: &Path, epoch: Epoch) -> Result<(u64, u64), StateError> {
    let folder = folder(dir, epoch);
    let sizes = || -> io::Result<(u64, u64)> {
        directory::names(&folder)?.iter().try_fold((0, 0), |(all, own), name| {
            let file = fs::metadata(folder.join(name))?;
            Ok((all + file.len(), own + if file.nlink() == 1 { file.len() } else { 0 }))
        })
    };
    sizes().map_err(|e| StateError::io("read the size of a kept checkpoint", &e))
}

fn epoch_of(name: &str) -> Option<Epoch> {
    let epoch = name.parse().map(Epoch).ok()?;
    (epoch.to_string() == name).then_some(epoch)
}

/// A kept checkpoint that is whole, and has no name yet. It goes with this value unless it gets one.
#[derive(Debug)]
pub struct Unnamed {
    folder: PathBuf,
    named: PathBuf,
    keep: bool,
}

/// Makes one: `link` makes the database in the folder that it is given, which is not there.
pub(super) fn make(dir: &Path, about: &KeptCheckpoint, link: impl FnOnce(&Path) -> Result<(), StateError>) -> Result<Unnamed, StateError> {
    let named = folder(dir, about.epoch);
    let unnamed = Unnamed { folder: named.with_extension("new"), named, keep: false };
    let failed = |e: io::Error| StateError::io("make a kept checkpoint", &e);
    directory::make(&dir.join(FOLDER)).map_err(failed)?;
    directory::remove(&unnamed.folder).map_err(failed)?;
    link(&unnamed.folder)?;
    let told = record::encode(VERSION, about)?;
    directory::write(&unnamed.folder.join(ABOUT), &told).and_then(|()| directory::sync(&unnamed.folder)).map_err(failed)?;
    Ok(unnamed)
}

impl Unnamed {
    /// From here on it is a kept checkpoint, durably.
    pub fn name(mut self) -> Result<(), StateError> {
        let failed = |e: io::Error| StateError::io("name a kept checkpoint", &e);
        fs::rename(&self.folder, &self.named).map_err(failed)?;
        self.folder = self.named.clone();
        directory::sync(parent(&self.named)).map_err(failed)?;
        self.keep = true;
        Ok(())
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        if !self.keep {
            // What stays is removed by the next start.
            let _ = delete(&self.folder);
        }
    }
}

/// Deletes all but the newest `most`.
pub fn forget_beyond(dir: &Path, most: usize) -> Result<(), StateError> {
    let kept = list(dir)?;
    let beyond = kept.len().saturating_sub(most);
    let deleted = kept[..beyond].iter().try_for_each(|kept| delete(&folder(dir, kept.epoch)));
    deleted.map_err(|e| StateError::io("delete a kept checkpoint", &e))
}

/// Takes its name away first: half of one must not look like one.
fn delete(folder: &Path) -> io::Result<()> {
    let gone = folder.with_extension("gone");
    directory::remove(&gone)?;
    match fs::rename(folder, &gone) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        renamed => renamed?,
    }
    directory::sync(parent(folder))?;
    directory::remove(&gone)
}

fn parent(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}

/// Removes what a crash left of those that were being made or deleted.
pub(super) fn clear_leftovers(dir: &Path) -> io::Result<()> {
    let all = dir.join(FOLDER);
    for name in directory::names(&all)? {
        if [".new", ".tmp", ".gone"].iter().any(|end| name.ends_with(end)) {
            directory::remove(&all.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
