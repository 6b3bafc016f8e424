//! A kept checkpoint is the store as it was, whatever becomes of the store; those that are too many go, and so does half of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::state::blob::{Blob, part_key};
use crate::state::blobs::Blobs;
use crate::state::{Family, Store, Writes};
use crate::types::SqlState;

fn about(epoch: u64) -> KeptCheckpoint {
    let mut offsets = Offsets::default();
    offsets.set("0", 7);
    KeptCheckpoint { epoch: Epoch(epoch), at: 1_000_000, offsets: BTreeMap::from([("orders".to_string(), offsets)]) }
}

fn write(store: &Store, family: Family, key: &str, value: &str) {
    let mut writes = Writes::new();
    writes.put(family, key, value);
    store.write(writes, true).unwrap();
}

fn keep(store: &Store, epoch: u64) {
    store.keep(&about(epoch)).unwrap().name().unwrap();
}

fn epochs(dir: &Path) -> Vec<u64> {
    list(dir).unwrap().iter().map(|kept| kept.epoch.0).collect()
}

struct Bytes(Vec<u8>);

impl Blob for Bytes {
    fn parts(self: Box<Self>, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        put(&self.0)
    }
}

#[test]
fn it_is_the_store_of_then() {
    let dir = tempfile::tempdir().unwrap();
    // With so little memory that a blob lies in a sorted file of its own.
    let store = Arc::new(Store::open_within(dir.path(), 0).unwrap());
    write(&store, Family::Trace, "k", "then");
    let mut writes = Writes::new();
    let blob = Blobs::new(store.clone()).put(Box::new(Bytes(vec![7; 4 << 20])), 4 << 20, &mut writes);
    store.write_ahead(&mut writes).unwrap();
    store.write(writes, true).unwrap();
    keep(&store, 17);
    assert_eq!(list(dir.path()).unwrap(), [about(17)]);
    let (all, own) = size(dir.path(), Epoch(17)).unwrap();
    assert!(all > 4 << 20 && own < 1 << 20, "the blob is one file for both: {all}, {own}");

    write(&store, Family::Trace, "k", "now");
    write(&store, Family::Journal, "later", "");
    let mut writes = Writes::new();
    Blobs::delete(blob, 1, &mut writes);
    store.write(writes, true).unwrap();
    assert_eq!(store.get(Family::Trace, b"k").unwrap(), Some(b"now".to_vec()));
    drop(store);

    let then = Store::open(&folder(dir.path(), Epoch(17))).unwrap();
    assert_eq!(then.get(Family::Trace, b"k").unwrap(), Some(b"then".to_vec()));
    assert_eq!(then.get(Family::Journal, b"later").unwrap(), None);
    assert_eq!(then.get(Family::Blob, &part_key(blob, 0)).unwrap(), Some(vec![7; 4 << 20]));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.get(Family::Trace, b"k").unwrap(), Some(b"now".to_vec()));
    assert_eq!(store.get(Family::Blob, &part_key(blob, 0)).unwrap(), None);
}

/// Writers go on while it is made: of each it has what came until a moment, all families alike.
#[test]
fn it_is_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_within(dir.path(), 0).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2u8 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                for number in 0u32.. {
                    let mut writes = Writes::new();
                    let key = [&[writer][..], &number.to_be_bytes()].concat();
                    writes.put(Family::Trace, key.clone(), vec![1; 2000]);
                    writes.put(Family::Journal, key, vec![2; 100]);
                    store.write(writes, number.is_multiple_of(50)).unwrap();
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        for epoch in 1..=8 {
            std::thread::sleep(std::time::Duration::from_millis(40));
            keep(&store, epoch);
        }
        done.store(true, Ordering::Relaxed);
    });
    let mut before = [0, 0];
    for epoch in epochs(dir.path()) {
        let then = Store::open(&folder(dir.path(), Epoch(epoch))).unwrap();
        for writer in 0..2u8 {
            let found = |family| then.scan(family, &[writer]).unwrap().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
            let (traces, journal) = (found(Family::Trace), found(Family::Journal));
            assert_eq!(traces, journal, "one write is there whole or not at all");
            let all: Vec<Vec<u8>> = (0..traces.len() as u32).map(|n| [&[writer][..], &n.to_be_bytes()].concat()).collect();
            assert_eq!(traces, all, "nothing before a write is missing");
            assert!(traces.len() >= before[usize::from(writer)], "checkpoint {epoch} has less than the one before");
            before[usize::from(writer)] = traces.len();
        }
    }
    assert!(before.iter().all(|count| *count > 10), "{before:?}");
}

#[test]
fn those_that_are_too_many_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for epoch in [9, 10, 100] {
        write(&store, Family::Trace, "k", &epoch.to_string());
        keep(&store, epoch);
    }
    assert_eq!(epochs(dir.path()), [9, 10, 100]);
    forget_beyond(dir.path(), 2).unwrap();
    assert_eq!(epochs(dir.path()), [10, 100]);
    assert!(store.keep(&about(10)).unwrap().name().is_err(), "a kept checkpoint is not replaced");
    forget_beyond(dir.path(), 2).unwrap();
    assert_eq!(epochs(dir.path()), [10, 100]);
    assert_eq!(directory::names(&dir.path().join(FOLDER)).unwrap(), ["10", "100"], "and nothing is left beside them");
    write(&store, Family::Trace, "k", "the store goes on");
}

#[test]
fn half_of_one_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    drop(store.keep(&about(4)).unwrap());
    assert_eq!(directory::names(&dir.path().join(FOLDER)).unwrap(), Vec::<String>::new(), "without a name it goes");
    keep(&store, 5);
    for left in ["6.new", "7.new.tmp", "3.gone"] {
        fs::create_dir(dir.path().join(FOLDER).join(left)).unwrap();
        fs::write(dir.path().join(FOLDER).join(left).join("000007.sst"), "half").unwrap();
    }
    assert_eq!(epochs(dir.path()), [5]);
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(directory::names(&dir.path().join(FOLDER)).unwrap(), ["5"]);
    fs::write(folder(dir.path(), Epoch(5)).join(ABOUT), "scribble").unwrap();
    assert_eq!(list(dir.path()).unwrap(), [KeptCheckpoint { epoch: Epoch(5), ..KeptCheckpoint::default() }]);
    keep(&store, 6);
}

#[test]
fn a_failure_does_not_close_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    fs::write(dir.path().join(FOLDER), "in the way").unwrap();
    assert_eq!(store.keep(&about(1)).unwrap_err().report().sqlstate, SqlState::IO_ERROR);
    write(&store, Family::Trace, "k", "v");
    assert!(!store.is_poisoned());
    fs::remove_file(dir.path().join(FOLDER)).unwrap();
    keep(&store, 1);
    assert!(Store::memory().keep(&about(1)).is_err());
}
