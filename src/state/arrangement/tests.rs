//! Against a plain map: what is found under each key, over many deltas, checkpoints and reopening.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::state::TraceSet;
use crate::types::ObjectId;
use crate::zset::text::{parse, print};

const ID: TraceId = TraceId { object: ObjectId(7), slot: 3 };
const COLUMNS: &str = "v text, k int8, w int4";

type Model = BTreeMap<(u8, u8), i64>;

fn open(dir: &std::path::Path) -> (TraceSet, Arrangement) {
    let traces = TraceSet::new(Arc::new(Store::open(dir).unwrap()));
    let rows = traces.arrangement(ID, parse(COLUMNS, "").schema(), &[1]).unwrap();
    (traces, rows)
}

fn text(key: u8) -> String {
    if key == 0 { "NULL".to_string() } else { key.to_string() }
}

/// Every key with its rows, as the arrangement finds them.
fn found(rows: &Arrangement) -> Vec<String> {
    let keys = parse("k int8", &(0..6u8).map(|key| format!("{} +1\n", text(key))).collect::<String>());
    let matches = rows.lookup(keys.rows().columns(), 6).unwrap();
    assert!(matches.probe.values().is_sorted());
    let mut sums: BTreeMap<(u32, String), i64> = BTreeMap::new();
    for (probe, line) in matches.probe.values().iter().zip(print(&matches.rows).lines()) {
        let (row, weight) = line.rsplit_once(' ').unwrap();
        *sums.entry((*probe, row.to_string())).or_default() += weight.parse::<i64>().unwrap();
    }
    sums.into_iter().filter(|(_, sum)| *sum != 0).map(|((probe, row), sum)| format!("{probe}: {row} {sum:+}")).collect()
}

fn expected(model: &Model) -> Vec<String> {
    let line = |((key, value), weight): (&(u8, u8), &i64)| format!("{key}: v{value} {} {value} {weight:+}", text(*key));
    let mut lines: Vec<String> = model.iter().filter(|(_, weight)| **weight != 0).map(line).collect();
    lines.sort();
    lines
}

#[test]
fn like_a_plain_map() {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let (mut traces, mut rows) = open(dir.path());
        let (mut model, mut stored) = (Model::new(), Model::new());
        // Some only grow, some hold negative sums for a while.
        let least = if seed % 3 == 0 { 1 } else { -2 };
        for step in 0..60 {
            let mut delta = String::new();
            let mut changed = model.clone();
            let count = if random.random_bool(0.05) { 3000 } else { random.random_range(0..12) };
            for _ in 0..count {
                let (key, value) = (random.random_range(0..6u8), random.random_range(0..8u8));
                let weight = random.random_range(least..=2i64);
                if weight == 0 || (seed % 3 == 1 && changed.get(&(key, value)).unwrap_or(&0) + weight < 0) {
                    continue;
                }
                *changed.entry((key, value)).or_default() += weight;
                delta.push_str(&format!("v{value} {} {value} {weight:+}\n", text(key)));
            }
            rows.insert(&parse(COLUMNS, &delta)).unwrap();
            model = changed;
            assert_eq!(found(&rows), expected(&model), "seed {seed}, step {step}");
            if random.random_bool(0.2) {
                let mut writes = Writes::new();
                traces.dirty(&mut writes).unwrap();
                traces.store().write(writes, false).unwrap();
                stored = model.clone();
            }
            if random.random_bool(0.1) {
                drop((rows, traces));
                (traces, rows) = open(dir.path());
                model = stored.clone();
                assert_eq!(found(&rows), expected(&model), "seed {seed}, step {step}, opened again");
            }
        }
        let back: String = model.iter().map(|((key, value), weight)| format!("v{value} {} {value} {:+}\n", text(*key), -weight)).collect();
        rows.insert(&parse(COLUMNS, &back)).unwrap();
        assert_eq!((found(&rows).len(), rows.len()), (0, 0), "seed {seed}: all taken back");
        let mut writes = Writes::new();
        traces.dirty(&mut writes).unwrap();
        traces.store().write(writes, false).unwrap();
        let mut left = 0;
        traces
            .store()
            .scan_with(Family::Trace, &trace_prefix(ID), &mut |_, _| {
                left += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(left, 0, "seed {seed}: something is left in the store");
    }
}

#[test]
fn everything_is_under_the_empty_key() {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let rows = traces.arrangement(ID, parse("k int8", "").schema(), &[]).unwrap();
    rows.insert(&parse("k int8", "1 +1\n2 +2")).unwrap();
    let matches = rows.lookup(&[], 2).unwrap();
    assert_eq!(matches.probe.values(), &[0, 0, 1, 1]);
    assert_eq!(print(&matches.rows.consolidate().unwrap()), "1 +2\n2 +4\n");
    assert!(traces.arrangement(ID, parse("k int8", "").schema(), &[0]).is_err(), "another key is another form");
}
