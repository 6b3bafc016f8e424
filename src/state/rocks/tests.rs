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

/// Sinks, the journal and checkpoints write at once, ranges and single keys of one family in one batch. What one writer
/// took away must never be there again, and what it put must be.
#[test]
fn writers_beside_each_other_lose_nothing() {
    const ROUNDS: u32 = 400;
    let folder = tempfile::tempdir().unwrap();
    let store = Rocks::open(&folder.path().join("data"), usize::MAX).unwrap();
    let family = Family::Staged;
    std::thread::scope(|scope| {
        for writer in 0..6u8 {
            let store = &store;
            scope.spawn(move || {
                let key = |round: u32| [&[writer][..], &round.to_be_bytes()].concat();
                let mark = vec![writer, 0xff, 0xff, 0xff, 0xff];
                for round in 1..=ROUNDS {
                    store.write(&mut [Ok(Write::Put { family, key: key(round), value: vec![1] })].into_iter(), false).unwrap();
                    store.write(&mut [Ok(Write::Put { family, key: mark.clone(), value: vec![2] })].into_iter(), true).unwrap();
                    store
                        .write(
                            &mut [
                                Ok(Write::DeleteRange { family, from: key(0), to: Some(key(round + 1)) }),
                                Ok(Write::Delete { family, key: mark.clone() }),
                            ]
                            .into_iter(),
                            true,
                        )
                        .unwrap();
                    let mut left = Vec::new();
                    store
                        .scan(family, &[writer], &mut |key, _| {
                            left.push(key.to_vec());
                            Ok(ControlFlow::Continue(()))
                        })
                        .unwrap();
                    assert_eq!(left, Vec::<Vec<u8>>::new(), "writer {writer}, round {round}");
                }
            });
        }
    });
}
