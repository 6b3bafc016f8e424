//! Blobs are there once a write has named them, wherever they lie; the others go, and so does the space of deleted ones.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;

const PART: usize = 64 << 10;

/// Parts of [`PART`] bytes each, all of the same byte.
struct Same {
    byte: u8,
    parts: u32,
}

impl Blob for Same {
    fn parts(self: Box<Self>, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        (0..self.parts).try_for_each(|_| put(&[self.byte; PART]))
    }
}

/// With so little memory that a few parts lie ahead of their write.
fn open(dir: &Path) -> (Arc<Store>, Blobs) {
    let store = Arc::new(Store::open_within(dir, 0).unwrap());
    (store.clone(), Blobs::new(store))
}

fn put(blobs: &Blobs, byte: u8, parts: u32, writes: &mut Writes) -> u64 {
    blobs.put(Box::new(Same { byte, parts }), parts as usize * PART, writes)
}

fn bytes_in(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| if entry.path().is_dir() { bytes_in(&entry.path()) } else { entry.metadata().map_or(0, |data| data.len()) }).sum()
}

#[test]
fn blobs_come_back_and_those_that_nothing_names_do_not() {
    for parts in [2, 40, 1100] {
        let dir = tempfile::tempdir().unwrap();
        let (store, blobs) = open(dir.path());
        let mut writes = Writes::new();
        let named = [put(&blobs, 1, parts, &mut writes), put(&blobs, 2, 1, &mut writes)];
        store.write_ahead(&mut writes).unwrap();
        store.write(writes, true).unwrap();
        let mut unnamed = Writes::new();
        let lost = put(&blobs, 3, parts, &mut unnamed);
        store.write_ahead(&mut unnamed).unwrap();
        let lies_there = store.get(Family::Blob, &part_key(lost, 0)).unwrap().is_some();
        assert_eq!(lies_there, parts > 2, "few bytes wait for the write");
        drop((store, blobs, unnamed));

        let (store, blobs) = open(dir.path());
        let found = blobs.get(&[(named[0], 0), (named[0], parts - 1), (named[1], 0)]).unwrap();
        assert_eq!(found, [vec![1; PART], vec![1; PART], vec![2; PART]]);
        assert!(matches!(blobs.get(&[(named[0], parts)]), Err(StateError::Corrupted { .. })));
        assert_eq!(store.get(Family::Blob, &part_key(lost, 0)).unwrap(), None);
        let mut writes = Writes::new();
        let next = put(&blobs, 4, parts, &mut writes);
        assert!(next > named[1] && (parts == 2 || next > lost), "a number is given once");
        store.write_ahead(&mut writes).unwrap();
        store.write(writes, true).unwrap();
        assert_eq!(blobs.get(&[(next, parts - 1)]).unwrap(), [vec![4; PART]]);
        assert_eq!(bytes_in(&dir.path().join("ahead")), 0);
    }
}

#[test]
fn files_that_were_never_linked_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    fs::write(dir.path().join("ahead/0.sst"), [7; 100]).unwrap();
    let (store, blobs) = open(dir.path());
    assert!(!dir.path().join("ahead/0.sst").exists());
    let mut writes = Writes::new();
    let number = put(&blobs, 1, 40, &mut writes);
    store.write_ahead(&mut writes).unwrap();
    store.write(writes, true).unwrap();
    assert_eq!(blobs.get(&[(number, 39)]).unwrap(), [vec![1; PART]]);
}

#[test]
fn a_blob_that_cannot_be_made_closes_the_store() {
    struct Broken;
    impl Blob for Broken {
        fn parts(self: Box<Self>, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
            put(&[1; PART])?;
            Err(StateError::Misuse("the test says so".to_string()))
        }
    }
    for bytes in [1, 64 << 20] {
        let dir = tempfile::tempdir().unwrap();
        let (store, blobs) = open(dir.path());
        let mut writes = Writes::new();
        blobs.put(Box::new(Broken), bytes, &mut writes);
        assert!(store.write_ahead(&mut writes).and_then(|()| store.write(writes, true)).is_err());
        assert!(store.is_poisoned());
        drop((store, blobs));
        let (store, _) = open(dir.path());
        assert_eq!(store.last(Family::Blob).unwrap(), None);
    }
}

/// Each checkpoint replaces what the one before it wrote.
#[test]
fn the_space_of_deleted_blobs_comes_back() {
    const PARTS: u32 = 130;
    let dir = tempfile::tempdir().unwrap();
    let (store, blobs) = open(dir.path());
    let mut last = None;
    for round in 0..40 {
        let mut writes = Writes::new();
        let number = put(&blobs, round, PARTS, &mut writes);
        last.replace(number).into_iter().for_each(|gone| blobs.let_go(gone, PARTS));
        blobs.bury(&mut writes).unwrap();
        store.write_ahead(&mut writes).unwrap();
        store.write(writes, false).unwrap();
    }
    let all = 40 * PARTS as u64 * PART as u64;
    let started = Instant::now();
    while bytes_in(dir.path()) > all / 2 {
        assert!(started.elapsed() < Duration::from_secs(60), "{} of {all} bytes are still there", bytes_in(dir.path()));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(blobs.get(&[(last.unwrap(), 5)]).unwrap(), [vec![39; PART]]);
}
