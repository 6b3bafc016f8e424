//! Against a plain map, over changes, checkpoints and reopening.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::state::TraceSet;
use crate::types::ObjectId;

const ID: TraceId = TraceId::new(ObjectId(7), 3);

fn all(records: &Records) -> BTreeMap<Vec<u8>, Vec<u8>> {
    records.lock().iter().map(|(key, record)| (key.to_vec(), record.to_vec())).collect()
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
        let mut traces = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
        let mut records = traces.records(ID, 8).unwrap();
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut stored = model.clone();
        for step in 0..if seed % 2 == 0 { 400 } else { 3000 } {
            let keys = if seed % 2 == 0 { 40 } else { 250 };
            let key = vec![random.random_range(0..keys); random.random_range(0..4)];
            let mut table = records.lock();
            let found = table.find(&key);
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
            }
            if random.random_bool(0.03) {
                // What was not checkpointed is gone.
                drop((records, traces));
                traces = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
                records = traces.records(ID, 8).unwrap();
                model = stored.clone();
            }
        }
        assert_eq!(all(&records), model, "seed {seed}");
        for key in model.keys() {
            let mut table = records.lock();
            let slot = table.find(key).unwrap();
            table.remove(slot);
        }
        checkpoint(&traces);
        let mut left = 0;
        let count = &mut |_: &[u8], _: &[u8]| {
            left += 1;
            Ok(())
        };
        traces.store().scan_with(Family::Trace, &trace_prefix(ID), count).unwrap();
        assert_eq!(left, 0, "seed {seed}: something is left in the store");
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
            let slot = table.find(format!("{round} {n} {}", "long".repeat(10)).as_bytes()).unwrap();
            assert_eq!(table.record(slot), (n as u16).to_le_bytes());
            table.remove(slot);
        }
        assert!(table.is_empty());
    }
}
