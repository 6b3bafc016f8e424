//! Against a plain map, over changes, checkpoints, leaves that leave memory, and reopening.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::state::family::Family;
use crate::state::trace_set::TraceSet;
use crate::state::writes::Writes;
use crate::state::{Cells, Store};
use crate::types::ObjectId;

const ID: TraceId = TraceId::new(ObjectId(7), 3);

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn checkpoint(set: &TraceSet) -> usize {
    let mut writes = Writes::new();
    set.dirty(&mut writes).unwrap();
    let bytes = writes.bytes();
    set.store().write(writes, false).unwrap();
    bytes
}

fn under(cells: &Cells, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries = cells.cells();
    entries.read_for(1, |entries, _, wanted| entries.away_under(prefix, wanted)).unwrap();
    let mut all = Vec::new();
    let visited = entries.visit(prefix, &mut |(key, value)| {
        all.push((key.to_vec(), value.to_vec()));
        true
    });
    visited.map_err(Away::defect).unwrap();
    all
}

/// The first or the last entry under the prefix.
fn end(cells: &Cells, prefix: &[u8], last: bool) -> Option<Vec<u8>> {
    fn look<'a>(entries: &'a Ordered, prefix: &[u8], last: bool) -> Result<Option<Entry<'a>>, Away<'a>> {
        if last { entries.last(prefix) } else { entries.first(prefix) }
    }
    let mut entries = cells.cells();
    entries.read_for(1, |entries, _, wanted| wanted.extend(look(entries, prefix, last).err().map(|away| away.0.into()))).unwrap();
    look(&entries, prefix, last).map_err(Away::defect).unwrap().map(|(key, _)| key.to_vec())
}

#[test]
fn like_a_plain_map() {
    for seed in 0..48 {
        let mut random = SmallRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        // A third has all memory; in a third leaves leave and come back at times; a third has none to begin with.
        let memory = if seed % 3 == 2 { 1 } else { usize::MAX };
        // Some on RocksDB, which takes its time to open.
        let on_disk = seed < 6 && seed % 2 == 0;
        let mut set = TraceSet::within(Arc::new(if on_disk { Store::open(dir.path()).unwrap() } else { Store::memory() }), memory);
        let mut cells = set.cells(ID).unwrap();
        let (mut model, mut stored) = (Model::new(), Model::new());
        // Some worlds grow, some stay small, some shrink to nothing at times.
        let (keys, goes) = [(40, 0.5), (3000, 0.2), (3000, 0.45)][seed as usize % 3];
        for step in 0..1500 {
            let goes = if step / 300 % 2 == 1 { 0.9 } else { goes };
            for _ in 0..random.random_range(1..8) {
                // In order at times, as windows come; keys that begin alike, and values of all lengths.
                let number: u32 = if seed % 4 == 1 { step * 3 % keys } else { random.random_range(0..keys) };
                let key = [&b"k"[..usize::from(number.is_multiple_of(2))], &number.to_be_bytes()[2..]].concat();
                let value = random.random_bool(1.0 - goes).then(|| vec![number as u8; random.random_range(0..60)]);
                assert_eq!(cells.get([&key[..]].into_iter()).unwrap()[0].as_ref(), model.get(&key), "seed {seed}, step {step}");
                cells.set(&key, value.as_deref()).unwrap();
                match value {
                    Some(value) => drop(model.insert(key, value)),
                    None => drop(model.remove(&key)),
                }
            }
            assert_eq!(cells.len(), model.len());
            if random.random_bool(0.05) {
                let prefix = random.random_range(0..keys).to_be_bytes()[2..][..random.random_range(0..2)].to_vec();
                let there: Vec<_> = model.iter().filter(|(key, _)| key.starts_with(&prefix)).collect();
                assert!(
                    under(&cells, &prefix).iter().map(|(key, value)| (key, value)).eq(there.iter().copied()),
                    "seed {seed}, step {step}"
                );
                let key = |entry: Option<&(&Vec<u8>, &Vec<u8>)>| entry.map(|(key, _)| (*key).clone());
                assert_eq!(end(&cells, &prefix, false), key(there.first()), "seed {seed}, step {step}");
                assert_eq!(end(&cells, &prefix, true), key(there.last()), "seed {seed}, step {step}");
            }
            if random.random_bool(0.05) {
                checkpoint(&set);
                stored = model.clone();
                if seed % 3 > 0 {
                    set.evict_down_to(0).unwrap();
                }
                if seed % 3 == 1 && random.random_bool(0.3) {
                    while set.bring_back().unwrap() {}
                    assert_eq!(cells.cells().away, 0);
                }
            }
            if random.random_bool(0.01) {
                // What was not checkpointed is gone.
                let store = Some(set.store().clone()).filter(|_| !on_disk);
                drop((cells, set));
                let store = store.unwrap_or_else(|| Arc::new(Store::open(dir.path()).unwrap()));
                set = TraceSet::within(store, memory);
                cells = set.cells(ID).unwrap();
                model = stored.clone();
            }
            if random.random_bool(0.002) {
                cells.clear();
                model.clear();
            }
        }
        assert!(under(&cells, b"").into_iter().eq(model), "seed {seed}");
        // Memory is what it is counted to be, and nothing is left of what went.
        let bytes: usize = cells.cells().leaves.values().map(Leaf::bytes).sum();
        assert_eq!(bytes, cells.cells().resident, "seed {seed}");
        cells.clear();
        checkpoint(&set);
        for family in [Family::Trace, Family::Chunk, Family::Blob] {
            assert_eq!(set.store().scan(family, b"").unwrap(), [], "seed {seed}");
        }
    }
}

#[test]
fn leaves_are_neither_large_nor_many() {
    let set = TraceSet::new(Arc::new(Store::memory()));
    let cells = set.cells(ID).unwrap();
    let key = |n: u32| (n.wrapping_mul(2_654_435_761)).to_be_bytes();
    (0..20_000).for_each(|n| cells.set(&key(n), Some(b"12345678")).unwrap());
    let leaves = cells.cells().leaves.len();
    let bytes = cells.bytes();
    assert!((20_000 * 13 / MOST..20_000 * 13 / MOST * 2).contains(&leaves), "{leaves}");
    assert!(bytes < 20_000 * 30, "{bytes}");
    // In order they are full.
    let growing = set.cells(TraceId::new(ObjectId(7), 4)).unwrap();
    (0..20_000u32).for_each(|n| growing.set(&n.to_be_bytes(), Some(b"12345678")).unwrap());
    let leaves = growing.cells().leaves.len();
    assert!(leaves <= 20_000 * 13 / MOST + 2, "{leaves}");
    // Nearly all go, and so do the leaves.
    (0..20_000).filter(|n| n % 100 > 0).for_each(|n| cells.set(&key(n), None).unwrap());
    assert_eq!(cells.len(), 200);
    assert!(cells.cells().leaves.len() <= 4, "{}", cells.cells().leaves.len());
}

#[test]
fn a_checkpoint_of_few_changes_is_small_and_a_start_reads_few_leaves() {
    let dir = tempfile::tempdir().unwrap();
    {
        let set = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
        let cells = set.cells(ID).unwrap();
        (0..50_000u32).for_each(|n| cells.set(&n.to_be_bytes(), Some(b"1")).unwrap());
        assert!(checkpoint(&set) > 300_000);
        (0..50_000u32).step_by(10_000).for_each(|n| cells.set(&n.to_be_bytes(), Some(b"2")).unwrap());
        cells.set(&7u32.to_be_bytes(), None).unwrap();
        let few = checkpoint(&set);
        assert!(few < 200, "{few}");
        assert_eq!(checkpoint(&set), 0);
    }
    let set = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
    let cells = set.cells(ID).unwrap();
    assert_eq!(cells.len(), 49_999);
    assert_eq!(cells.cells().counts.read, 5);
    let key = |n: u32| n.to_be_bytes();
    let some = |text: &[u8]| Some(text.to_vec());
    let found = cells.get([&key(10_000)[..], &key(7), &key(12_345), &key(50_000)].into_iter()).unwrap();
    assert_eq!(found, [some(b"2"), None, some(b"1"), None]);
    assert_eq!(cells.cells().counts.read, 7);
    while set.bring_back().unwrap() {}
    assert_eq!(cells.cells().away, 0);
}

#[test]
fn bytes_that_are_no_entries_are_told() {
    for (family, key, value) in
        [(Family::Trace, &b"k"[..], &b"\x02v"[..]), (Family::Chunk, b"k", b"short"), (Family::Chunk, b"k", &[0; 20])]
    {
        let set = TraceSet::new(Arc::new(Store::memory()));
        set.cells(ID).unwrap().set(b"a", Some(b"1")).unwrap();
        checkpoint(&set);
        let mut writes = Writes::new();
        writes.put(family, [&crate::state::key_layout::trace_prefix(ID), key].concat(), value);
        set.store().write(writes, false).unwrap();
        let set = TraceSet::new(set.store().clone());
        let found = set.cells(ID).and_then(|cells| cells.get([&b"k"[..]].into_iter()));
        assert!(matches!(found, Err(StateError::Corrupted { .. })), "{found:?}");
    }
}
