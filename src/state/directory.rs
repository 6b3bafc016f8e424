//! The state directory as a folder: made durably, held by one process at a time, and what is done to names in it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;

/// Keeps everybody else out of a directory for as long as it lives, whatever becomes of the files in it. The system lets go
/// of it with the process.
#[derive(Debug)]
pub struct Hold {
    _directory: File,
}

/// `None` when somebody has it already, in this process or in another.
///
/// # Errors
/// When the directory cannot be opened, or its file system has no such locks.
pub fn hold(dir: &Path) -> io::Result<Option<Hold>> {
    let directory = File::open(dir)?;
    match directory.try_lock() {
        Ok(()) => Ok(Some(Hold { _directory: directory })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Makes the directory and those above it, each durable in its parent before the next.
pub fn make(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make(parent)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        made => made?,
    }
    sync(parent)
}

/// The names in it are durable when this returns.
pub fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Their names, in order; none when the directory is not there.
pub fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Writes a file that is durable, but for its name in its directory.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts a file in the place of the one of that name, if there is one: durably, and in one step.
pub fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = dir.join(format!("{name}.new"));
    write(&new, bytes)?;
    fs::rename(&new, dir.join(name))?;
    sync(dir)
}

/// Removes a folder with all that is in it, or a file, if it is there.
pub fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let first = hold(dir.path()).unwrap();
        assert!(first.is_some() && hold(dir.path()).unwrap().is_none());
        drop(first);
        assert!(hold(dir.path()).unwrap().is_some());
        assert!(hold(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_file_is_replaced_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/on/demand");
        make(&path).unwrap();
        replace(&path, "f", b"one").unwrap();
        replace(&path, "f", b"two").unwrap();
        assert_eq!((fs::read(path.join("f")).unwrap(), names(&path).unwrap()), (b"two".to_vec(), vec!["f".to_string()]));
        remove(&path.join("f")).unwrap();
        remove(&path.join("f")).unwrap();
        remove(&dir.path().join("made")).unwrap();
        assert!(names(&path).unwrap().is_empty());
    }
}
