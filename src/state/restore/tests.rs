//! Back to an earlier checkpoint: exactly what it was, under numbers that were never given out; and when not.

use std::collections::BTreeMap;

use super::*;
use crate::state::{Journal, JournalEntry};
use crate::types::SqlState;

const KEY: &[u8] = b"k";

/// A checkpoint of that epoch which says so in a trace.
fn checkpoint(store: &Store, epoch: u64) {
    let mut writes = Writes::new();
    writes.put(Family::Trace, KEY, epoch.to_string());
    CheckpointRecord { epoch: Epoch(epoch), now: 5, next_object_id: 20_000, ..CheckpointRecord::default() }.store(&mut writes).unwrap();
    Journal::trim(Epoch(epoch), &mut writes);
    store.write(writes, true).unwrap();
}

fn journal(store: &Store, epoch: u64) {
    let entry = JournalEntry { epoch: Epoch(epoch), now: 6, offsets: BTreeMap::new(), tables: Vec::new() };
    Journal::append(store, &entry).unwrap();
}

fn keep(store: &Store, epoch: u64) {
    store.keep(&KeptCheckpoint { epoch: Epoch(epoch), ..KeptCheckpoint::default() }).unwrap().name().unwrap();
}

/// The epochs 7 and 9 are kept, 7 with an entry of the journal that came while it was made; the newest is 10.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    checkpoint(&store, 7);
    journal(&store, 8);
    keep(&store, 7);
    checkpoint(&store, 9);
    keep(&store, 9);
    checkpoint(&store, 10);
    journal(&store, 11);
    dir
}

/// What a trace says, the record's epoch, and how many epochs are journalled.
fn state(dir: &Path) -> (String, u64, usize) {
    let store = Store::open(dir).unwrap();
    let record = CheckpointRecord::load(&store).unwrap().unwrap();
    assert_eq!((record.now, record.next_object_id), (5, 20_000));
    let said = String::from_utf8(store.get(Family::Trace, KEY).unwrap().unwrap()).unwrap();
    (said, record.epoch.0, Journal::after(&store, record.epoch).unwrap().len())
}

fn restore(dir: &Path, epoch: u64) -> Restore {
    let restore = Restore::new(dir, Epoch(epoch)).unwrap();
    restore.copy().unwrap();
    restore.decide().unwrap();
    while restore.go_on().unwrap() {}
    restore
}

#[test]
fn the_state_is_the_checkpoints_and_its_epochs_are_new() {
    let dir = directory();
    assert_eq!(state(dir.path()), ("10".into(), 10, 1));
    let done = restore(dir.path(), 7);
    assert_eq!((done.begin(), done.aside()), (Epoch(STRIDE), dir.path().join("replaced-1")));
    drop(done);
    assert_eq!(state(dir.path()), ("7".into(), STRIDE, 0));
    assert_eq!(state(&dir.path().join("replaced-1")), ("10".into(), 10, 1));
    let epochs = |dir: &Path| kept::list(dir).unwrap().iter().map(|kept| kept.epoch.0).collect::<Vec<_>>();
    assert_eq!(epochs(dir.path()), [7, 9]);

    // On, and forward to one that was kept on the way that was left.
    {
        let store = Store::open(dir.path()).unwrap();
        checkpoint(&store, STRIDE + 1);
        keep(&store, STRIDE + 1);
    }
    restore(dir.path(), 9).delete_replaced().unwrap();
    assert_eq!(state(dir.path()), ("9".into(), 2 * STRIDE, 0));
    assert!(!dir.path().join("replaced-2").exists());
    assert_eq!(epochs(dir.path()), [7, 9, STRIDE + 1]);
    // What was given out is remembered, whether one of those epochs was kept or not.
    restore(dir.path(), STRIDE + 1);
    assert_eq!(state(dir.path()), ((STRIDE + 1).to_string(), 3 * STRIDE, 0));
}

#[test]
fn what_was_restored_goes_on_without_harm_to_the_kept() {
    let dir = directory();
    restore(dir.path(), 7);
    for epoch in 1..20 {
        let store = Store::open(dir.path()).unwrap();
        checkpoint(&store, STRIDE + epoch);
        journal(&store, STRIDE + epoch + 1);
    }
    restore(dir.path(), 7);
    assert_eq!(state(dir.path()), ("7".into(), 2 * STRIDE, 0));
}

#[test]
fn it_is_refused_in_words() {
    let dir = directory();
    let refused = |epoch| Restore::new(dir.path(), Epoch(epoch)).err().unwrap().report();
    let report = refused(8);
    assert_eq!(report.sqlstate, SqlState::UNDEFINED_OBJECT);
    assert_eq!(report.detail.as_deref(), Some("Those that are kept: 7, 9."));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(refused(7).sqlstate, SqlState::OBJECT_IN_USE);
    drop(store);
    let held = Restore::new(dir.path(), Epoch(7)).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap_err().report().sqlstate, SqlState::OBJECT_IN_USE, "and it keeps floe out meanwhile");
    drop(held);
    let empty = tempfile::tempdir().unwrap();
    let report = Restore::new(empty.path(), Epoch(7)).err().unwrap().report();
    assert!(report.hint.is_some_and(|hint| hint.contains("--keep-checkpoints")));
    assert!(directory::names(empty.path()).unwrap().is_empty());
    assert_eq!(Restore::new(&empty.path().join("none"), Epoch(7)).err().unwrap().report().sqlstate, SqlState::IO_ERROR);
}

/// In its log, and in its sorted files: after the directory was opened again what was in the log is in those.
#[test]
fn a_damaged_checkpoint_is_found_before_anything_is_given_up() {
    for kind in [".log", ".sst"] {
        let dir = directory();
        {
            let store = Store::open(dir.path()).unwrap();
            checkpoint(&store, 12);
            keep(&store, 12);
        }
        let damaged = kept::folder(dir.path(), Epoch(12));
        let names = directory::names(&damaged).unwrap();
        let mut flipped = 0;
        for name in names.iter().filter(|name| name.ends_with(kind)) {
            // Files of its own, so that the store's are well.
            let mut bytes = fs::read(damaged.join(name)).unwrap();
            directory::remove(&damaged.join(name)).unwrap();
            if let Some(byte) = bytes.get_mut(10) {
                *byte ^= 0x40;
                flipped += 1;
            }
            fs::write(damaged.join(name), bytes).unwrap();
        }
        assert!(flipped > 0, "{names:?}");
        let attempt = Restore::new(dir.path(), Epoch(12)).unwrap();
        assert_eq!(attempt.copy().unwrap_err().report().sqlstate, SqlState::DATA_CORRUPTED);
        drop(attempt);
        assert!(!dir.path().join(switch::INCOMING).exists());
        assert_eq!(state(dir.path()), ("12".into(), 12, 0));
        restore(dir.path(), 7);
        assert_eq!(state(dir.path()), ("7".into(), STRIDE, 0));
    }
}

/// The newest files are gone: what is needed to go back is in the kept checkpoint alone.
#[test]
fn a_destroyed_database_is_no_obstacle() {
    let dir = directory();
    fs::remove_file(dir.path().join("CURRENT")).unwrap();
    for name in directory::names(dir.path()).unwrap().iter().filter(|name| name.starts_with("MANIFEST-") || name.ends_with(".log")) {
        fs::write(dir.path().join(name), "scribble").unwrap();
    }
    assert!(Store::open(dir.path()).is_err(), "it does not begin anew by itself");
    restore(dir.path(), 9);
    assert_eq!(state(dir.path()), ("9".into(), STRIDE, 0));
}

#[test]
fn a_start_forgets_a_copy_and_carries_out_a_decision() {
    let dir = directory();
    let undecided = Restore::new(dir.path(), Epoch(7)).unwrap();
    undecided.copy().unwrap();
    drop(undecided);
    assert_eq!(state(dir.path()), ("10".into(), 10, 1));
    assert!(!dir.path().join(switch::INCOMING).exists());

    for steps in 0..3 {
        let dir = directory();
        let decided = Restore::new(dir.path(), Epoch(7)).unwrap();
        decided.copy().unwrap();
        decided.decide().unwrap();
        (0..steps).for_each(|_| assert!(decided.go_on().unwrap()));
        drop(decided);
        assert_eq!(state(dir.path()), ("7".into(), STRIDE, 0));
        assert_eq!(state(&dir.path().join("replaced-1")), ("10".into(), 10, 1));
    }
}
