//! What is journalled comes back in the order of epochs, until it is trimmed; bytes that are not an entry are refused.

use super::*;
use crate::state::ipc::{zset_from_ipc, zset_to_ipc};
use crate::types::SqlState;
use crate::zset::text::{parse, print};

fn entry(epoch: u64) -> JournalEntry {
    let mut offsets = Offsets::default();
    offsets.set("0", epoch as i64);
    offsets.set("/data/a b.json", -1);
    let rows = zset_to_ipc(&parse("k int8, v text", &format!("{epoch} a +1\n2 NULL -1"))).unwrap();
    JournalEntry {
        epoch: Epoch(epoch),
        now: -5,
        offsets: BTreeMap::from([(ObjectId(16384), offsets), (ObjectId(u32::MAX), Offsets::default())]),
        tables: vec![(ObjectId(9), rows.clone()), (ObjectId(8), Vec::new()), (ObjectId(9), rows)],
    }
}

fn epochs(store: &Store, after: u64) -> Vec<u64> {
    Journal::after(store, Epoch(after)).unwrap().iter().map(|entry| entry.epoch.0).collect()
}

fn trim(store: &Store, epoch: u64) {
    let mut writes = Writes::new();
    Journal::trim(Epoch(epoch), &mut writes);
    store.write(writes, true).unwrap();
}

#[test]
fn entries_come_back_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = Store::open(dir.path()).unwrap();
        [300, 7, 8, 255, 256].iter().for_each(|epoch| Journal::append(&store, &entry(*epoch)).unwrap());
    }
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(epochs(&store, 0), [7, 8, 255, 256, 300]);
    assert_eq!(epochs(&store, 8), [255, 256, 300]);
    assert_eq!(epochs(&store, 300), [0; 0]);
    let last = Journal::after(&store, Epoch(256)).unwrap().remove(0);
    assert_eq!(last, entry(300));
    assert_eq!(print(&zset_from_ipc(&last.tables[2].1).unwrap()), "300 a +1\n2 NULL -1\n");
}

#[test]
fn trimming_forgets_up_to_the_epoch() {
    let store = Store::memory();
    (1..=5).for_each(|epoch| Journal::append(&store, &entry(epoch)).unwrap());
    trim(&store, 3);
    assert_eq!(epochs(&store, 0), [4, 5]);
    trim(&store, 2);
    assert_eq!(epochs(&store, 0), [4, 5]);
    trim(&store, u64::MAX);
    assert_eq!(epochs(&store, 0), [0; 0]);
}

#[test]
fn an_epoch_that_only_a_source_fed_is_small() {
    let mut offsets = Offsets::default();
    offsets.set("0", 123_456_789);
    let entry =
        JournalEntry { epoch: Epoch(1_000_000), now: 1_790_000_000_000_000, offsets: [(ObjectId(16384), offsets)].into(), tables: vec![] };
    assert!(entry.encode().unwrap().len() <= 120, "{}", entry.encode().unwrap().len());
}

#[test]
fn other_bytes_are_refused() {
    let good = entry(1).encode().unwrap();
    let mut other_version = good.clone();
    other_version[0] = 2;
    let mut long = good.clone();
    long.push(0);
    let cut = |length: usize| good[..length].to_vec();
    for bytes in [vec![], other_version, long, cut(1), cut(3), cut(40), cut(good.len() - 1), vec![1, 0, 0, 0, 1, b'{']] {
        let report = JournalEntry::decode(&bytes).unwrap_err().report();
        assert_eq!(report.sqlstate, SqlState::DATA_CORRUPTED, "{bytes:?}");
    }
    let store = Store::memory();
    let mut writes = Writes::new();
    writes.put(Family::Journal, 2u64.to_be_bytes(), good);
    store.write(writes, true).unwrap();
    assert!(matches!(Journal::after(&store, Epoch(0)), Err(StateError::Corrupted { .. })), "an entry under another's epoch");
}
