//! The change of a state directory from one database to another, which nothing leaves half done.
//!
//! The other database lies whole in the folder `restoring`. A file, which comes to be in one step, decides that it is the
//! directory's from now on, and says how far that is carried out: by who decided it, or by whoever opens the directory next.
//!
//! 1. The files of the old database move into a folder of their own.
//! 2. Those of the other one move to where they were.
//!
//! A file is moved by its name, which each of the two has once: what was done already is found done. Without the deciding
//! file `restoring` is what a crash left, and is removed.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::directory;
use super::error::StateError;
use super::record;

/// Where the other database is made.
pub const INCOMING: &str = "restoring";
const DECISION: &str = "restore.decision";
const VERSION: u8 = 1;
/// The file without which there is no database: the first that goes, the last that comes.
const CURRENT: &str = "CURRENT";

#[derive(Debug, Serialize, Deserialize)]
struct Decision {
    /// The folder for the old files.
    aside: String,
    /// They are there.
    moved: bool,
}

/// From here on the database in `restoring` is the directory's; the old one comes into the folder `aside`.
pub fn decide(dir: &Path, aside: &str) -> Result<(), StateError> {
    put(dir, &Decision { aside: aside.to_string(), moved: false })
}

fn put(dir: &Path, decision: &Decision) -> Result<(), StateError> {
    let bytes = record::encode(VERSION, decision)?;
    directory::replace(dir, DECISION, &bytes).map_err(|e| StateError::io("decide on a restore", &e))
}

/// Carries out the next step of what is decided; false when nothing is.
pub fn go_on(dir: &Path) -> Result<bool, StateError> {
    let failed = |e: io::Error| StateError::io("carry out a restore", &e);
    let decision: Decision = match fs::read(dir.join(DECISION)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        bytes => record::decode(VERSION, &bytes.map_err(failed)?, "the decision on a restore")?,
    };
    if decision.moved {
        bring_in(dir).map_err(failed)?;
    } else {
        put_aside(dir, &dir.join(&decision.aside)).map_err(failed)?;
        put(dir, &Decision { moved: true, ..decision })?;
    }
    Ok(true)
}

/// Carries out what is decided.
pub fn finish(dir: &Path) -> Result<(), StateError> {
    while go_on(dir)? {}
    Ok(())
}

/// Removes what was made and not decided on.
pub fn clear_leftovers(dir: &Path) -> io::Result<()> {
    directory::remove(&dir.join(format!("{DECISION}.new")))?;
    directory::remove(&dir.join(INCOMING))
}

fn put_aside(dir: &Path, aside: &Path) -> io::Result<()> {
    directory::make(aside)?;
    let mut names = directory::names(dir)?;
    names.retain(|name| is_of_a_database(name));
    names.sort_by_key(|name| name != CURRENT);
    names.iter().try_for_each(|name| fs::rename(dir.join(name), aside.join(name)))?;
    directory::sync(aside)?;
    directory::sync(dir)
}

fn bring_in(dir: &Path) -> io::Result<()> {
    let incoming = dir.join(INCOMING);
    let mut names = directory::names(&incoming)?;
    names.sort_by_key(|name| name == CURRENT);
    names.iter().try_for_each(|name| fs::rename(incoming.join(name), dir.join(name)))?;
    directory::sync(dir)?;
    directory::remove(&incoming)?;
    directory::remove(&dir.join(DECISION))?;
    directory::sync(dir)
}

/// What RocksDB calls its files.
fn is_of_a_database(name: &str) -> bool {
    [CURRENT, "IDENTITY", "LOCK", "LOG"].contains(&name)
        || ["LOG.old.", "MANIFEST-", "OPTIONS-"].iter().any(|start| name.starts_with(start))
        || [".sst", ".log", ".blob", ".dbtmp"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests;
