//! Against a plain map, over changes, checkpoints and reopening.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::state::key_layout::trace_prefix;
use crate::state::{Family, TraceSet};
use crate::types::ObjectId;

const ID: TraceId = TraceId::new(ObjectId(7), 3);

fn all(records: &Records) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut all = BTreeMap::new();
    records.lock().each(&mut |key, record| assert!(all.insert(key.to_vec(), record.to_vec()).is_none())).unwrap();
    all
}

fn checkpoint(traces: &TraceSet) {
    let mut writes = Writes::new();
    traces.dirty(&mut writes).unwrap();
    traces.store().write(writes, false).unwrap();
}

#[test]
fn like_a_plain_map() {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        // A third has all memory; in a third pages leave and come back at times; a third has none to begin with.
        let memory = if seed % 3 == 2 { 1 } else { usize::MAX };
        // Some on RocksDB, which takes its time to open.
        let on_disk = seed < 6 && seed % 2 == 0;
        let mut traces = TraceSet::within(Arc::new(if on_disk { Store::open(dir.path()).unwrap() } else { Store::memory() }), memory);
        let mut records = traces.records(ID, 8).unwrap();
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut stored = model.clone();
        for step in 0..if seed % 2 == 0 { 400 } else { 3000 } {
            let keys = if seed % 2 == 0 { 40 } else { 250 };
            let key = vec![random.random_range(0..keys); random.random_range(0..4)];
            let mut table = records.lock();
            table.fetch([&key[..]].into_iter()).unwrap();
            let found = table.find(&key).unwrap();
            assert_eq!(found.map(|slot| table.record(slot).to_vec()).as_ref(), model.get(&key), "seed {seed}, step {step}");
            match (found, random.random_range(0..100)) {
                (Some(slot), 0..40) => {
                    table.remove(slot);
                    model.remove(&key);
                }
                (found, value) => {
                    let slot = found.unwrap_or_else(|| table.insert(&key));
                    if found.is_none() {
                        assert_eq!(table.record(slot), [0; 8], "seed {seed}, step {step}: a slot used again is empty");
                    }
                    table.record_mut(slot).copy_from_slice(&[value as u8; 8]);
                    model.insert(key, vec![value as u8; 8]);
                }
            }
            assert_eq!(table.len(), model.len());
            drop(table);
            if random.random_bool(0.1) {
                checkpoint(&traces);
                stored = model.clone();
                if seed % 3 > 0 {
                    traces.evict_down_to(0).unwrap();
                }
                if seed % 3 == 1 && random.random_bool(0.3) {
                    while traces.bring_back().unwrap() {}
                    assert!(records.lock().is_resident());
                }
            }
            if random.random_bool(0.03) {
                // What was not checkpointed is gone.
                let store = Some(traces.store().clone()).filter(|_| !on_disk);
                drop((records, traces));
                let store = store.unwrap_or_else(|| Arc::new(Store::open(dir.path()).unwrap()));
                traces = TraceSet::within(store, memory);
                records = traces.records(ID, 8).unwrap();
                model = stored.clone();
            }
        }
        assert_eq!(all(&records), model, "seed {seed}");
        let there = records.lock().pages.iter().filter(|page| page.away.is_none()).map(Page::live).sum::<usize>();
        assert_eq!(records.lock().index.len(), there, "seed {seed}: each slot in memory is in the index once");
        for key in model.keys() {
            let mut table = records.lock();
            table.fetch([&key[..]].into_iter()).unwrap();
            let slot = table.find(key).unwrap().unwrap();
            table.remove(slot);
        }
        checkpoint(&traces);
        assert_eq!(in_store(&traces), [0; 3], "seed {seed}: something is left in the store");
    }
}

/// How many singles, pages and blobs the store has.
fn in_store(traces: &TraceSet) -> [usize; 3] {
    let count = |family, prefix: &[u8]| traces.store().scan(family, prefix).unwrap().len();
    [count(Family::Trace, &trace_prefix(ID)), count(Family::Chunk, &trace_prefix(ID)), count(Family::Blob, &[])]
}

/// A page is written as it was when the checkpoint was collected, whatever becomes of it until then; a page is one blob, and
/// what it was before is deleted.
#[test]
fn what_changes_while_it_is_written_is_written_as_it_was() {
    for on_disk in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        // With so little memory that pages lie ahead of their write.
        let store = if on_disk { Store::open_within(dir.path(), 0).unwrap() } else { Store::memory() };
        let traces = TraceSet::new(Arc::new(store));
        let records = traces.records(ID, 8).unwrap();
        let mut model = BTreeMap::new();
        for round in 0..4u64 {
            let mut put = |n: u64, value: u64| {
                let mut table = records.lock();
                let key = format!("{n} {}", "long".repeat(n as usize % 50)).into_bytes();
                let slot = table.find(&key).unwrap().unwrap_or_else(|| table.insert(&key));
                table.record_mut(slot).copy_from_slice(&value.to_le_bytes());
                model.insert(key, value.to_le_bytes().to_vec());
            };
            (0..20_000).for_each(|n| put(n, n + round));
            let mut writes = Writes::new();
            traces.dirty(&mut writes).unwrap();
            let then = model.clone();
            // Records change, go and come on pages that are on their way.
            (0..30_000).step_by(7).for_each(|n| {
                let mut table = records.lock();
                let key = format!("{n} {}", "long".repeat(n as usize % 50)).into_bytes();
                match table.find(&key).unwrap() {
                    Some(slot) if n % 2 == 0 => {
                        table.remove(slot);
                        model.remove(&key);
                    }
                    slot => {
                        let slot = slot.unwrap_or_else(|| table.insert(&key));
                        table.record_mut(slot).fill(9);
                        model.insert(key, vec![9; 8]);
                    }
                }
            });
            traces.store().write_ahead(&mut writes).unwrap();
            traces.store().write(writes, true).unwrap();
            let stored = TraceSet::new(traces.store().clone());
            assert_eq!(all(&stored.records(ID, 8).unwrap()), then, "round {round}");
            assert_eq!(all(&records), model, "round {round}");
        }
        checkpoint(&traces);
        let [_, pages, blobs] = in_store(&traces);
        assert_eq!(pages, blobs);
        assert!(pages > 70, "{pages}");
    }
}

#[test]
fn many_keys_and_as_many_others_after_them() {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let records = traces.records(ID, 2).unwrap();
    let mut table = records.lock();
    for round in 0..3u64 {
        for n in 0..50_000u64 {
            let slot = table.insert(format!("{round} {n} {}", "long".repeat(10)).as_bytes());
            table.record_mut(slot).copy_from_slice(&(n as u16).to_le_bytes());
        }
        assert_eq!(table.len(), 50_000);
        let bytes = table.bytes();
        assert!(bytes < 20_000_000, "round {round}: {bytes}");
        for n in 0..50_000u64 {
            let slot = table.find(format!("{round} {n} {}", "long".repeat(10)).as_bytes()).unwrap().unwrap();
            assert_eq!(table.record(slot), (n as u16).to_le_bytes());
            table.remove(slot);
        }
        assert!(table.is_empty());
    }
}

/// Pages that have left memory are read all at once, and of the others none is; what nobody fetched is not taken for missing.
#[test]
fn pages_leave_and_are_read_when_they_are_wanted() {
    const COUNT: usize = 40 * PAGE;
    let traces = TraceSet::within(Arc::new(Store::memory()), usize::MAX);
    let records = traces.records(ID, 8).unwrap();
    let key = |n: u64| n.to_be_bytes();
    for n in 0..COUNT as u64 {
        let mut table = records.lock();
        let slot = table.insert(&key(n));
        table.record_mut(slot).copy_from_slice(&n.to_le_bytes());
    }
    checkpoint(&traces);
    let before = records.bytes();
    traces.evict_down_to(0).unwrap();
    assert!(records.bytes() < before - COUNT * 16 + 1, "{} of {before} bytes", records.bytes());
    assert!(traces.rows_and_pages().0 == 0 && records.evicted().0 >= COUNT * 16);
    assert!(records.bytes() < COUNT * 4, "{} bytes for {COUNT} records that are not in memory", records.bytes());
    {
        let mut table = records.lock();
        assert!(table.find(&key(77)).is_err() && table.find(&key(20_001)).unwrap().is_none());
        let wanted = [77u64, 78, 9_000, 20_001].map(key);
        table.fetch(wanted.iter().map(|key| &key[..])).unwrap();
        let slot = table.find(&key(9_000)).unwrap().unwrap();
        assert_eq!(table.record(slot), 9_000u64.to_le_bytes());
        table.record_mut(slot).fill(1);
        assert_eq!(table.counts.read, 2);
    }
    // A single record that was touched is written beside its page, which can leave after one more checkpoint.
    checkpoint(&traces);
    traces.evict_down_to(0).unwrap();
    assert_eq!(records.lock().away, COUNT / PAGE - 1);
    checkpoint(&traces);
    traces.evict_down_to(0).unwrap();
    assert_eq!(records.lock().away, COUNT / PAGE);
    let again = TraceSet::new(traces.store().clone());
    let again = again.records(ID, 8).unwrap();
    for records in [&records, &again] {
        let all = all(records);
        assert_eq!((all.len(), &all[&key(77)[..]], &all[&key(9_000)[..]]), (COUNT, &77u64.to_le_bytes().to_vec(), &vec![1; 8]));
    }
}
