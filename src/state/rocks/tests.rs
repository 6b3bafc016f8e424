//! RocksDB's messages, as it writes them, become the right errors.

use super::*;
use crate::types::SqlState;

#[test]
fn messages_are_told_apart() {
    let dir = Path::new("/var/lib/floe");
    for (message, expected) in [
        ("IO error: No space left on device: While appending to file: /x/000004.log: No space left on device", SqlState::DISK_FULL),
        ("IO error: While fsync: /x/000004.log: Disk quota exceeded", SqlState::DISK_FULL),
        ("Corruption: block checksum mismatch: stored = 1, computed = 2 in /x/000008.sst", SqlState::DATA_CORRUPTED),
        ("IO error: While fsync: /x/000004.log: Input/output error", SqlState::IO_ERROR),
        ("IO error: While lock file: /x/LOCK: Resource temporarily unavailable", SqlState::OBJECT_IN_USE),
        ("IO error: lock hold by current process, acquire time 1 acquiring thread 2: /x/LOCK: No locks available", SqlState::OBJECT_IN_USE),
        ("IO error: While lock file: /x/LOCK: Permission denied", SqlState::IO_ERROR),
        ("IO error: While open a file for lock: /x/LOCK: Permission denied", SqlState::IO_ERROR),
    ] {
        assert_eq!(opening_told(dir, message.to_string()).report().sqlstate, expected, "{message}");
    }
}
