//! Against a plain map: what is found under each key, over many deltas, checkpoints and reopening.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::state::key_layout::trace_prefix;
use crate::state::{Family, Store, TraceSet};
use crate::types::ObjectId;
use crate::zset::ZSet;
use crate::zset::text::{parse, print};

const ID: TraceId = TraceId::new(ObjectId(7), 3);
const COLUMNS: &str = "v text, k int8, w int4";

/// The same without texts.
const WORDS: &str = "v int8, k int8, w int4";

type Model = BTreeMap<(u8, u8), i64>;

fn open(dir: &std::path::Path, find: Find, memory: usize) -> (TraceSet, Arrangement) {
    open_of(COLUMNS, dir, find, memory)
}

fn open_of(columns: &str, dir: &std::path::Path, find: Find, memory: usize) -> (TraceSet, Arrangement) {
    let traces = TraceSet::within(Arc::new(Store::open(dir).unwrap()), memory);
    let rows = traces.arrangement(ID, parse(columns, "").schema(), &[1], find).unwrap();
    (traces, rows)
}

/// A checkpoint; with `evict` every chunk leaves memory that may.
fn settle(traces: &TraceSet, evict: bool) {
    let mut writes = Writes::new();
    traces.dirty(&mut writes).unwrap();
    traces.store().write(writes, false).unwrap();
    if evict {
        traces.evict_down_to(0).unwrap();
    }
}

fn stored_entries(traces: &TraceSet) -> usize {
    let mut entries = 0;
    let mut count = |_: &[u8], _: &[u8]| {
        entries += 1;
        Ok(())
    };
    traces.store().scan_with(Family::Trace, &trace_prefix(ID), &mut count).unwrap();
    entries
}

fn text(key: u8) -> String {
    if key == 0 { "NULL".to_string() } else { key.to_string() }
}

/// Every key with its rows, as the arrangement finds them.
fn found(rows: &Arrangement) -> Vec<String> {
    found_by(&|keys| rows.lookup(keys, 6).unwrap())
}

fn found_by(lookup: &dyn Fn(&[ArrayRef]) -> Matches) -> Vec<String> {
    let keys = parse("k int8", &(0..6u8).map(|key| format!("{} +1\n", text(key))).collect::<String>());
    let matches = lookup(keys.rows().columns());
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
    for (seed, find) in (0..60).flat_map(|seed| [(seed, Find::ByRow), (seed, Find::ByKey)]) {
        let mut random = SmallRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        // A third has all memory, a third none, and a third none but for pages.
        let (memory, evict) = [(usize::MAX, false), (1, true), (usize::MAX, true)][seed as usize / 2 % 3];
        let (mut traces, mut rows) = open(dir.path(), find, memory);
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
            if random.random_bool(if evict { 0.7 } else { 0.2 }) {
                settle(&traces, evict);
                stored = model.clone();
                assert_eq!(found(&rows), expected(&model), "seed {seed}, step {step}, settled");
            }
            if random.random_bool(0.1) {
                drop((rows, traces));
                (traces, rows) = open(dir.path(), find, memory);
                model = stored.clone();
                assert_eq!(found(&rows), expected(&model), "seed {seed}, step {step}, opened again");
            }
        }
        let back: String = model.iter().map(|((key, value), weight)| format!("v{value} {} {value} {:+}\n", text(*key), -weight)).collect();
        rows.insert(&parse(COLUMNS, &back)).unwrap();
        assert_eq!((found(&rows).len(), rows.len()), (0, 0), "seed {seed}: all taken back");
        settle(&traces, evict);
        assert_eq!(stored_entries(&traces), 0, "seed {seed}: something is left in the store");
    }
}

/// Snapshots of many moments, held at random: what each has as a whole and under each key stays what it was.
#[test]
fn snapshots_do_not_follow() {
    for seed in 0..40 {
        let mut random = SmallRng::seed_from_u64(seed);
        let memory = if seed % 2 == 0 { usize::MAX } else { 1 };
        let store = Arc::new(Store::memory());
        let traces = TraceSet::within(store.clone(), memory);
        let rows = traces.arrangement(ID, parse(COLUMNS, "").schema(), &[1], Find::ByKey).unwrap();
        let mut model = Model::new();
        let mut held: Vec<(ArrangementSnapshot, Vec<String>)> = Vec::new();
        for step in 0..80 {
            let mut delta = String::new();
            let count = if random.random_bool(0.05) { 2500 } else { random.random_range(0..12) };
            for _ in 0..count {
                let (key, value) = (random.random_range(0..6u8), random.random_range(0..200u8));
                let there = model.get(&(key, value)).copied().unwrap_or(0);
                let weight = if there > 0 && random.random_bool(0.7) { -there } else { random.random_range(1..3) };
                *model.entry((key, value)).or_default() += weight;
                delta.push_str(&format!("v{value} {} {value} {weight:+}\n", text(key)));
            }
            rows.insert(&parse(COLUMNS, &delta)).unwrap();
            held.push((rows.snapshot(), expected(&model)));
            if seed % 4 != 0 {
                settle(&traces, true);
            }
            held.retain(|_| random.random_bool(0.8));
            for (snapshot, expected) in &held {
                assert_eq!(&found_by(&|keys| snapshot.lookup(keys, 6).unwrap()), expected, "seed {seed}, step {step}");
                let chunks = snapshot.chunks(random.random_range(1..3000), None).map(|chunk| chunk.unwrap()).collect::<Vec<_>>();
                let all = ZSet::concat(snapshot.schema(), &chunks).unwrap();
                assert_eq!((all.len(), expected.len()), (snapshot.len(), snapshot.len()), "seed {seed}, step {step}");
                let all = print(&all.consolidate().unwrap());
                let mut values: Vec<&str> = all.lines().collect();
                let mut wanted: Vec<&str> = expected.iter().filter_map(|line| Some(line.split_once(": ")?.1)).collect();
                values.sort_unstable();
                wanted.sort_unstable();
                assert_eq!(values, wanted, "seed {seed}, step {step}");
            }
        }
        // With no earlier view held, nothing that left is remembered.
        held.clear();
        let _ = rows.snapshot();
        assert!(rows.lock().history.is_empty());
        // What only they held leaves the store.
        settle(&traces, true);
        drop((rows, traces));
        let before = Arc::new(TraceSet::new(store.clone()));
        let (again, entries) = (before.arrangement(ID, parse(COLUMNS, "").schema(), &[1], Find::ByKey).unwrap(), stored_entries(&before));
        assert_eq!(found(&again), expected(&model), "seed {seed}");
        again.clear().unwrap();
        settle(&before, false);
        assert_eq!(stored_entries(&before), 0, "seed {seed}: of {entries} entries some are left");
    }
}

/// Many keys, each with one row that is replaced again and again: chunks lose their rows, which move to new ones.
#[test]
fn rows_that_move_are_found() {
    for evict in [false, true] {
        rows_that_move(evict, Find::ByKey, 2);
        rows_that_move(evict, Find::ByRow, 2);
        // No row is looked for by all its columns.
        rows_that_move(evict, Find::ByRow, 1);
    }
}

/// Each `inserts`-th change names the rows that go by their columns, the others by their places.
fn rows_that_move(evict: bool, find: Find, inserts: usize) {
    let mut random = SmallRng::seed_from_u64(7);
    let dir = tempfile::tempdir().unwrap();
    let memory = if evict { 1 } else { usize::MAX };
    let (mut traces, mut rows) = open(dir.path(), find, memory);
    let line = |key: i64, value: i64, weight: i64| format!("v{value} {key} 0 {weight:+}\n");
    let mut model: BTreeMap<i64, i64> = BTreeMap::new();
    let keys = parse("k int8", &(0..6000).map(|key| format!("{key} +1\n")).collect::<String>());
    let mut held: Vec<(ArrangementSnapshot, String)> = Vec::new();
    for step in 0..60i64 {
        let (mut gone, mut come, mut names) = (String::new(), String::new(), String::new());
        let mut chosen: Vec<i64> = (0..random.random_range(1..3000)).map(|_| random.random_range(0..6000)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        for key in chosen {
            if let Some(old) = model.remove(&key) {
                gone.push_str(&line(key, old, -1));
                names.push_str(&format!("{key} +1\n"));
            }
            if random.random_bool(0.9) {
                model.insert(key, step);
                come.push_str(&line(key, step, 1));
            }
        }
        if inserts > 1 && (step as usize).is_multiple_of(inserts) {
            rows.insert(&parse(COLUMNS, &(gone + &come))).unwrap();
        } else {
            let names = parse("k int8", &names);
            let (found, places) = rows.find(names.rows().columns(), names.len()).unwrap();
            assert_eq!(found, (0..names.len() as u32).collect::<Vec<_>>());
            assert_eq!(rows.gather(&places, &[1]).unwrap(), names.rows().columns());
            rows.exchange(&places, &parse(COLUMNS, &come)).unwrap();
        }
        let expected: String = model.iter().map(|(key, value)| line(*key, *value, 1)).collect();
        let found = rows.lookup(keys.rows().columns(), keys.len()).unwrap();
        assert_eq!(print(&found.rows), expected, "step {step}");
        assert_eq!(rows.len(), model.len());
        // Nobody reads the sides of joins.
        if find == Find::ByKey {
            held.push((rows.snapshot(), expected));
        }
        held.retain(|_| random.random_bool(0.7));
        for (snapshot, expected) in &held {
            assert_eq!(&print(&snapshot.lookup(keys.rows().columns(), keys.len()).unwrap().rows), expected, "step {step}");
        }
        settle(&traces, evict);
        if step % 20 == 19 {
            held.clear();
            drop((rows, traces));
            (traces, rows) = open(dir.path(), find, memory);
        }
    }
}

/// Of chunks that have left memory little stays: a filter of their hashes, and a bit a row.
#[test]
fn the_index_leaves_memory_with_its_rows() {
    for find in [Find::ByKey, Find::ByRow] {
        let dir = tempfile::tempdir().unwrap();
        let (traces, rows) = open(dir.path(), find, usize::MAX);
        let line = |key: i64| format!("v{key} {key} 0 +1\n");
        for part in 0..9 {
            let delta: String = (part * 6000..(part + 1) * 6000).map(line).collect();
            rows.insert(&parse(COLUMNS, &delta)).unwrap();
            settle(&traces, true);
        }
        let (count, left) = (54_000, rows.bytes());
        assert!(left < count * 5 / 2, "{left} bytes of {count} rows");
        assert!(rows.lock().cold.segments().len() < 5, "some segments are one by now");
        // A start with little memory leaves them where they are, one with much has them found in memory at once.
        drop((rows, traces));
        let (small, rows) = open(dir.path(), find, 1 << 18);
        assert!(rows.bytes() < left + (1 << 19), "{} bytes of {count} rows", rows.bytes());
        let keys = parse("k int8", "53999 +1\n54000 +1\n0 +1");
        assert_eq!(print(&rows.lookup(keys.rows().columns(), 3).unwrap().rows), line(53999) + &line(0));
        drop((rows, small));
        let (traces, rows) = open(dir.path(), find, usize::MAX);
        while traces.bring_back().unwrap() {}
        assert!(rows.lock().cold.is_empty() && rows.evicted().0 == 0);
        let read = rows.evicted().1;
        assert_eq!(print(&rows.lookup(keys.rows().columns(), 3).unwrap().rows), line(53999) + &line(0));
        assert_eq!(rows.evicted().1, read, "what is in memory is not read");
    }
}

/// Rows that have left memory come back, and leave again, while others change: each is found once.
#[test]
fn rows_go_and_come_back() {
    let mut random = SmallRng::seed_from_u64(11);
    for (round, find) in [(0, Find::ByKey), (1, Find::ByRow)] {
        let dir = tempfile::tempdir().unwrap();
        let (traces, rows) = open(dir.path(), find, usize::MAX);
        let line = |key: i64, weight: i64| format!("v{key} {key} 0 {weight:+}\n");
        let keys = parse("k int8", &(0..9000).map(|key| format!("{key} +1\n")).collect::<String>());
        let mut there = std::collections::BTreeSet::new();
        for step in 0..40 {
            let key = random.random_range(0..9000);
            let changed: std::collections::BTreeSet<i64> = (key..(key + random.random_range(1..2500)).min(9000)).collect();
            let delta: String = changed.iter().map(|key| line(*key, if there.contains(key) { -1 } else { 1 })).collect();
            there = there.symmetric_difference(&changed).copied().collect();
            rows.insert(&parse(COLUMNS, &delta)).unwrap();
            settle(&traces, random.random_bool(0.5));
            for number in rows.away().into_iter().map(|chunk| chunk.place as u32).filter(|_| random.random_bool(0.3)).collect::<Vec<_>>() {
                rows.hold(number).unwrap();
            }
            let expected: String = there.iter().map(|key| line(*key, 1)).collect();
            let found = rows.lookup(keys.rows().columns(), keys.len()).unwrap();
            assert_eq!(print(&found.rows), expected, "round {round}, step {step}");
            assert_eq!(rows.len(), there.len());
        }
    }
}

#[test]
fn a_row_less_than_no_times_is_told() {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let rows = traces.arrangement(ID, parse("k int8", "").schema(), &[0], Find::ByKey).unwrap();
    rows.insert(&parse("k int8", "1 +1\n2 -1")).unwrap();
    assert!(rows.snapshot().chunks(9, None).any(|chunk| chunk.is_err()));
    rows.insert(&parse("k int8", "2 +1")).unwrap();
    assert!(rows.snapshot().chunks(9, None).all(|chunk| chunk.is_ok()));
}

#[test]
fn everything_is_under_the_empty_key() {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let rows = traces.arrangement(ID, parse("k int8", "").schema(), &[], Find::ByRow).unwrap();
    rows.insert(&parse("k int8", "1 +1\n2 +2")).unwrap();
    let matches = rows.lookup(&[], 2).unwrap();
    assert_eq!(matches.probe.values(), &[0, 0, 1, 1]);
    assert_eq!(print(&matches.rows.consolidate().unwrap()), "1 +2\n2 +4\n");
    assert!(traces.arrangement(ID, parse("k int8", "").schema(), &[0], Find::ByRow).is_err(), "another key is another form");
}

/// Rows that only come, and go by their places: with few texts, with many, and with few that become many, and rows of words
/// alone, which lie by their keys.
#[test]
fn rows_that_nobody_looks_for_are_found_by_key() {
    for (seed, columns) in (0..24).flat_map(|seed| [(seed, COLUMNS), (seed, WORDS)]) {
        let mut random = SmallRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let (memory, evict) = [(usize::MAX, false), (1, true), (usize::MAX, true)][seed as usize % 3];
        let (mut traces, mut rows) = open_of(columns, dir.path(), Find::Never, memory);
        let mut model: Vec<String> = Vec::new();
        let mut stored = model.clone();
        let mut next = 0;
        let mut line = |random: &mut SmallRng, many: bool| {
            next += 1;
            let word = match random.random_range(0..20) {
                0 => "NULL".to_string(),
                _ if many => next.to_string(),
                few => few.to_string(),
            };
            let word = if columns == WORDS || word == "NULL" { word } else { format!("text{word}") };
            format!("{word} {} {next}", text(random.random_range(0..6)))
        };
        for step in 0..14 {
            let many = [false, true, step > 7][seed as usize / 3 % 3];
            let count = [3, 700, 3000][random.random_range(0..3)];
            let come: Vec<String> = (0..count).map(|_| line(&mut random, many)).collect();
            let delta = parse(columns, &come.iter().map(|line| format!("{line} +1\n")).collect::<String>());
            match random.random_bool(0.4) {
                true => {
                    let keys = parse("k int8", "3 +1\nNULL +1");
                    let (_, places) = rows.find(keys.rows().columns(), 2).unwrap();
                    let gone: Vec<RowAt> = places.into_iter().filter(|_| random.random_bool(0.7)).collect();
                    let numbers = rows.gather(&gone, &[2]).unwrap();
                    let numbers = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(&numbers[0]).values();
                    model.retain(|line| !line.rsplit(' ').next().and_then(|n| n.parse().ok()).is_some_and(|n: i32| numbers.contains(&n)));
                    rows.exchange(&gone, &delta).unwrap();
                }
                false => rows.insert(&delta).unwrap(),
            }
            model.extend(come);
            if random.random_bool(0.4) {
                settle(&traces, evict);
                stored = model.clone();
            }
            if random.random_bool(0.2) {
                drop((traces, rows));
                (traces, rows) = open_of(columns, dir.path(), Find::Never, memory);
                model = stored.clone();
            }
            let mut expected: Vec<String> = model.iter().map(|line| format!("{line} +1")).collect();
            expected.sort();
            assert_eq!(rows.len(), model.len(), "seed {seed}, step {step}");
            let keys = parse("k int8", &(0..6u8).map(|key| format!("{} +1\n", text(key))).collect::<String>());
            let found = print(&rows.lookup(keys.rows().columns(), 6).unwrap().rows);
            let mut found: Vec<&str> = found.lines().collect();
            found.sort();
            assert!(found == expected, "seed {seed}, step {step}: {} rows, {} expected", found.len(), expected.len());
        }
        assert!(rows.insert(&parse(columns, "1 3 1 -1")).is_err(), "a row is taken back");
    }
}

/// Rows of words, of which each key has many, take little beside what they say.
#[test]
fn the_rows_of_a_key_have_one_place() {
    let dir = tempfile::tempdir().unwrap();
    let (traces, rows) = open_of(WORDS, dir.path(), Find::Never, usize::MAX);
    let (mut random, mut count) = (SmallRng::seed_from_u64(7), 0);
    for _ in 0..4 {
        let lines = (0..20_000).map(|row| format!("{} {} {} +1\n", 60_000 - row % 1000, random.random_range(0..500u32), row));
        rows.insert(&parse(WORDS, &lines.collect::<String>())).unwrap();
        count += 20_000;
        // Two bytes the first column, four the last.
        assert!(rows.bytes() < count * 7 + 500 * 20, "{} bytes for {count} rows", rows.bytes());
    }
    let before = found(&rows);
    settle(&traces, true);
    assert_eq!(found(&rows), before);
    drop((traces, rows));
    let (_traces, rows) = open_of(WORDS, dir.path(), Find::Never, usize::MAX);
    assert_eq!(found(&rows), before);
    assert!(rows.bytes() < count * 7 + 500 * 20, "{} bytes for {count} rows read again", rows.bytes());
}

/// Two keys whose hashes have one half, and so one chain: each has its own rows, whichever of them go.
#[test]
fn keys_that_share_a_chain_are_told_apart() {
    let mut random = SmallRng::seed_from_u64(5);
    let numbers: Vec<i64> = (0..400_000).map(|_| random.random_range(0..i64::MAX)).collect();
    let keys: ArrayRef = Arc::new(arrow::array::Int64Array::from(numbers.clone()));
    let hashes = crate::zset::KeyColumns::new(&[keys], 400_000).unwrap().hashes();
    let mut halves: Vec<(u64, usize)> = hashes.iter().map(|hash| hash >> 32).zip(0..).collect();
    halves.sort_unstable();
    let pairs: Vec<[i64; 2]> =
        halves.windows(2).filter(|two| two[0].0 == two[1].0).map(|two| [numbers[two[0].1], numbers[two[1].1]]).collect();
    assert!(!pairs.is_empty(), "a few are expected of so many");
    for (pair, find) in pairs.iter().flat_map(|pair| [(pair, Find::ByKey), (pair, Find::ByRow), (pair, Find::Never)]) {
        let dir = tempfile::tempdir().unwrap();
        let (traces, rows) = open(dir.path(), find, 1);
        let row = |key: i64, value: usize| format!("v{value} {key} {value}");
        let under = |found: Matches| print(&found.rows);
        let of = |key: i64, rows: &Arrangement| {
            let probe: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![key]));
            let mut lines: Vec<String> = under(rows.lookup(&[probe], 1).unwrap()).lines().map(str::to_string).collect();
            lines.sort();
            lines
        };
        let all: String = (0..4).map(|n| format!("{} +1\n", row(pair[n % 2], n))).collect();
        rows.insert(&parse(COLUMNS, &all)).unwrap();
        let expect = |key: i64, values: &[usize]| values.iter().map(|value| format!("{} +1", row(key, *value))).collect::<Vec<_>>();
        assert_eq!((of(pair[0], &rows), of(pair[1], &rows)), (expect(pair[0], &[0, 2]), expect(pair[1], &[1, 3])), "{find:?}");
        if find != Find::Never {
            for gone in [2, 3] {
                rows.insert(&parse(COLUMNS, &format!("{} -1", row(pair[gone % 2], gone)))).unwrap();
            }
            assert_eq!((of(pair[0], &rows), of(pair[1], &rows)), (expect(pair[0], &[0]), expect(pair[1], &[1])), "{find:?}");
        }
        let before = (of(pair[0], &rows), of(pair[1], &rows));
        let snapshot = rows.snapshot();
        settle(&traces, true);
        rows.insert(&parse(COLUMNS, &format!("{} +1", row(pair[0], 9)))).unwrap();
        assert_eq!((of(pair[0], &rows).len(), of(pair[1], &rows)), (before.0.len() + 1, before.1), "{find:?}");
        let probe: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![pair[0]]));
        assert_eq!(under(snapshot.lookup(&[probe], 1).unwrap()).lines().count(), before.0.len(), "{find:?}");
    }
}
