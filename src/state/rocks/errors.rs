//! RocksDB's errors as floe's: they are told apart by their text alone.

use std::io;
use std::path::Path;

use crate::state::error::StateError;

pub fn opening(dir: &Path, error: rocksdb::Error) -> StateError {
    opening_told(dir, error.into_string())
}

pub fn failed(error: rocksdb::Error) -> StateError {
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
mod tests {
    use super::*;
    use crate::types::SqlState;

    /// As RocksDB writes them.
    #[test]
    fn messages_are_told_apart() {
        let dir = Path::new("/var/lib/floe");
        for (message, expected) in [
            ("IO error: No space left on device: While appending to file: /x/000004.log: No space left on device", SqlState::DISK_FULL),
            ("IO error: While fsync: /x/000004.log: Disk quota exceeded", SqlState::DISK_FULL),
            ("Corruption: block checksum mismatch: stored = 1, computed = 2 in /x/000008.sst", SqlState::DATA_CORRUPTED),
            ("IO error: While fsync: /x/000004.log: Input/output error", SqlState::IO_ERROR),
            ("IO error: While lock file: /x/LOCK: Resource temporarily unavailable", SqlState::OBJECT_IN_USE),
            (
                "IO error: lock hold by current process, acquire time 1 acquiring thread 2: /x/LOCK: No locks available",
                SqlState::OBJECT_IN_USE,
            ),
            ("IO error: While lock file: /x/LOCK: Permission denied", SqlState::IO_ERROR),
            ("IO error: While open a file for lock: /x/LOCK: Permission denied", SqlState::IO_ERROR),
        ] {
            assert_eq!(opening_told(dir, message.to_string()).report().sqlstate, expected, "{message}");
        }
    }
}
