//! The kept checkpoints of a directory that no floe has to run on, and going back to one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::fail_points::FailPoint;
use crate::state::{KeptCheckpoint, Restore, StateError, kept};
use crate::types::{Epoch, Report};

/// A kept checkpoint as it is listed.
#[derive(Clone, Debug)]
pub struct Listed {
    pub about: KeptCheckpoint,
    /// Of all its files, and of those that only it has.
    pub bytes: u64,
    pub own_bytes: u64,
}

/// What a restore did.
#[derive(Clone, Debug)]
pub struct Restored {
    /// After which epoch the next one comes.
    pub begin: Epoch,
    /// Where the replaced state lies, unless it was deleted.
    pub replaced: Option<PathBuf>,
}

/// The kept checkpoints of a state directory, also of one that is in use.
pub fn list(dir: &Path) -> Result<Vec<Listed>, Report> {
    let size = |about: KeptCheckpoint| match kept::size(dir, about.epoch) {
        // It is just being deleted.
        Err(_) if !kept::folder(dir, about.epoch).is_dir() => None,
        size => Some(size.map(|(bytes, own_bytes)| Listed { about, bytes, own_bytes })),
    };
    if !dir.is_dir() {
        return Err(StateError::Directory { dir: dir.to_path_buf(), source: ErrorKind::NotFound.into() }.report());
    }
    kept::list(dir).and_then(|kept| kept.into_iter().filter_map(size).collect()).map_err(|e: StateError| e.report())
}

/// Puts the directory back to the kept checkpoint of that epoch. After a crash anywhere in it the directory has the old
/// state or the new one.
pub fn restore(dir: &Path, epoch: Epoch, delete_replaced: bool) -> Result<Restored, Report> {
    let told = |error: StateError| match &error {
        StateError::InUse(_) => error.report().hint("Stop floe first: the state of one that runs cannot be replaced."),
        _ => error.report(),
    };
    let restore = Restore::new(dir, epoch).map_err(told)?;
    restore.copy().map_err(told)?;
    FailPoint::RestoreCopied.reach()?;
    restore.decide().map_err(told)?;
    FailPoint::RestoreDecided.reach()?;
    while restore.go_on().map_err(told)? {
        FailPoint::RestoreMoved.reach()?;
    }
    if delete_replaced {
        restore.delete_replaced().map_err(told)?;
    }
    Ok(Restored { begin: restore.begin(), replaced: (!delete_replaced).then(|| restore.aside()) })
}
