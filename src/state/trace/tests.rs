//! A trace is the sum of its deltas and nothing else: checked against a plain map, in memory, and reopened from disk.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatchOptions, StringArray};
use arrow::datatypes::{Int64Type, Schema};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::state::family::Family;
use crate::state::store::Store;
use crate::state::trace_set::TraceSet;
use crate::state::writes::Writes;
use crate::types::{ObjectId, SqlState};
use crate::zset::text::{parse, print};

const COLUMNS: &str = "k int8, v text";

fn z(text: &str) -> ZSet {
    parse(COLUMNS, text)
}

fn id() -> TraceId {
    TraceId::new(ObjectId(16384), 1)
}

fn trace_of(set: &TraceSet) -> Trace {
    set.trace(id(), z("").schema(), 1).unwrap()
}

fn trace() -> Trace {
    trace_of(&TraceSet::new(Arc::new(Store::memory())))
}

fn keys(keys: &[Option<i64>]) -> Vec<ArrayRef> {
    vec![Arc::new(Int64Array::from(keys.to_vec()))]
}

fn checkpoint(set: &TraceSet) -> usize {
    let mut writes = Writes::new();
    set.dirty(&mut writes).unwrap();
    let bytes = writes.bytes();
    set.store().write(writes, true).unwrap();
    bytes
}

fn content(trace: &Trace) -> String {
    print(&probe::lookup(&trace.shape, &mut trace.rows(), &[]).unwrap().rows)
}

fn stored_entries(store: &Store) -> usize {
    store.scan(Family::Trace, b"").unwrap().len()
}

fn open(dir: &Path) -> TraceSet {
    TraceSet::new(Arc::new(Store::open(dir).unwrap()))
}

#[test]
fn a_delta_and_its_negation_leave_nothing() {
    let delta = z("1 a +2\n2 b +1\nNULL NULL +1\n1 c +1");
    let dir = tempfile::tempdir().unwrap();
    {
        let set = open(dir.path());
        let trace = trace_of(&set);
        trace.insert(&delta).unwrap();
        assert_eq!((trace.len(), stored_entries(set.store())), (4, 0));
        checkpoint(&set);
        assert_eq!(stored_entries(set.store()), 4);
    }
    let set = open(dir.path());
    let trace = trace_of(&set);
    assert_eq!(content(&trace), "1 a +2\n1 c +1\n2 b +1\nNULL NULL +1\n");
    trace.insert(&delta.negate()).unwrap();
    assert_eq!(trace.len(), 0);
    checkpoint(&set);
    assert_eq!(stored_entries(set.store()), 0);
}

#[test]
fn what_came_and_went_leaves_nothing_in_the_store() {
    let set = TraceSet::new(Arc::new(Store::memory()));
    let trace = trace_of(&set);
    trace.insert(&z("1 a +1")).unwrap();
    checkpoint(&set);
    trace.insert(&z("2 b +1\n1 a +4")).unwrap();
    trace.insert(&z("2 b -1\n1 a -4")).unwrap();
    checkpoint(&set);
    assert_eq!((checkpoint(&set), stored_entries(set.store())), (0, 1));
    trace.insert(&z("1 a -1")).unwrap();
    assert!(checkpoint(&set) > 0);
    assert_eq!((checkpoint(&set), stored_entries(set.store())), (0, 0));
}

#[test]
fn golden_bytes_of_an_entry() {
    let set = TraceSet::new(Arc::new(Store::memory()));
    trace_of(&set).insert(&z("-2 ab +3")).unwrap();
    checkpoint(&set);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (key, weight) = set.store().scan(Family::Trace, b"").unwrap().remove(0);
    assert_eq!((hex(&key), hex(&weight)), ("00004000000100017ffffffffffffffe02616200000000000002".to_string(), "0106".to_string()));
    let (key, form) = set.store().scan(Family::Meta, b"trace/").unwrap().remove(0);
    assert_eq!((hex(&key), &form[..]), ("74726163652f00004000000100".to_string(), &b"\x01\"rows of (Int64, Utf8) by 1\""[..]));
}

#[test]
fn lookup_finds_all_entries_of_each_key() {
    let trace = trace();
    trace.insert(&z("1 b +1\n1 a +2\n2 c +1\nNULL d +1\n-1 e +1")).unwrap();
    let matches = trace.lookup(&keys(&[Some(2), Some(7), None, Some(1), Some(1)])).unwrap();
    assert_eq!(matches.probe.values(), &[0, 2, 3, 3, 4, 4]);
    assert_eq!(print(&matches.rows), "2 c +1\nNULL d +1\n1 a +2\n1 b +1\n1 a +2\n1 b +1\n");
    assert_eq!(trace.lookup(&keys(&[])).unwrap().rows.len(), 0);
}

#[test]
fn first_and_last_are_the_ends_of_each_key() {
    let trace = trace();
    trace.insert(&z("1 b +1\n1 a +2\n1 NULL +1\n2 c +1\nNULL d +1\nNULL f +1")).unwrap();
    let probe = keys(&[Some(1), Some(9), None, Some(2)]);
    let values = |extremes: &Extremes| extremes.rows.column(1).as_string::<i32>().iter().map(|v| v.map(str::to_string)).collect::<Vec<_>>();
    let some = |text: &str| Some(text.to_string());
    let first = trace.first(&probe).unwrap();
    assert_eq!(first.found, [true, false, true, true]);
    assert_eq!(values(&first), [some("a"), None, some("d"), some("c")]);
    assert!(first.rows.column(0).is_null(1));
    let last = trace.last(&probe).unwrap();
    assert_eq!(last.found, [true, false, true, true]);
    assert_eq!(values(&last), [None, None, some("f"), some("c")], "null is the greatest");
    assert_eq!(last.rows.column(0).as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(trace.first(&keys(&[])).unwrap().rows.num_rows(), 0);
}

#[test]
fn a_negative_weight_is_kept_inside_and_refused_outside() {
    let trace = trace();
    trace.insert(&z("1 a +1\n2 b -2\n3 c +1")).unwrap();
    assert_eq!(print(&trace.lookup(&keys(&[Some(2)])).unwrap().rows), "2 b -2\n");
    assert_eq!(print(&trace.least().unwrap()), "1 a +1\n");
    trace.insert(&z("1 a -1")).unwrap();
    let report = trace.least().unwrap_err().report();
    assert_eq!(report.sqlstate, SqlState::DATA_CORRUPTED);
    assert_eq!(report.detail.unwrap(), "The row: 2 b -2.");
    trace.insert(&z("2 b +2")).unwrap();
    assert_eq!(print(&trace.least().unwrap()), "3 c +1\n");
    trace.insert(&z("3 c -1")).unwrap();
    assert!(trace.least().unwrap().is_empty());
}

#[test]
fn clear_returns_what_takes_everything_away() {
    let dir = tempfile::tempdir().unwrap();
    {
        let set = open(dir.path());
        let trace = trace_of(&set);
        trace.insert(&z("1 a +2\n2 b +1")).unwrap();
        checkpoint(&set);
        trace.insert(&z("3 c +1")).unwrap();
        assert_eq!(print(&trace.clear().unwrap()), "1 a -2\n2 b -1\n3 c -1\n");
        assert!(trace.is_empty() && trace.clear().unwrap().is_empty());
        trace.insert(&z("2 b +1\n4 d +1")).unwrap();
        checkpoint(&set);
        trace.insert(&z("4 d -1")).unwrap();
        checkpoint(&set);
    }
    assert_eq!(content(&trace_of(&open(dir.path()))), "2 b +1\n");
}

#[test]
fn rows_without_key_or_without_columns() {
    let set = TraceSet::new(Arc::new(Store::memory()));
    let bag = set.trace(TraceId::new(ObjectId(1), 0), z("").schema(), 0).unwrap();
    bag.insert(&z("1 a +1\n2 b +1")).unwrap();
    let matches = bag.lookup(&[]).unwrap();
    assert_eq!((matches.probe.values().to_vec(), matches.rows.len()), (vec![0, 0], 2));
    assert_eq!(bag.first(&[]).unwrap().rows.num_rows(), 1);

    let nothing = Arc::new(Schema::empty());
    let count = set.trace(TraceId::new(ObjectId(1), 1), nothing.clone(), 0).unwrap();
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    count.insert(&ZSet::of_rows(RecordBatch::try_new_with_options(nothing, vec![], &options).unwrap())).unwrap();
    assert_eq!(count.lookup(&[]).unwrap().rows.weights().values(), &[3]);
    assert_eq!(count.first(&[]).unwrap().found, [true]);
    checkpoint(&set);
    let again = TraceSet::new(set.store().clone()).trace(TraceId::new(ObjectId(1), 1), Arc::new(Schema::empty()), 0).unwrap();
    assert_eq!(again.clear().unwrap().weights().values(), &[-3]);
}

#[test]
fn rows_that_do_not_fit_change_nothing() {
    let trace = trace();
    for misfit in [parse("k text, v text", "1 a +1"), parse("k int8", "1 +1"), parse("k int8, v text, w text", "1 a b +1")] {
        assert!(matches!(trace.insert(&misfit), Err(StateError::Arrow(_))), "{misfit:?}");
    }
    assert!(matches!(trace.lookup(&[]), Err(StateError::Misuse(_))));
    let texts: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["1"]))];
    assert!(matches!(trace.lookup(&texts), Err(StateError::Arrow(_))));
    assert!(trace.is_empty());
    let huge = |weight| ZSet::new(z("1 a +1").rows().clone(), Int64Array::from(vec![weight]));
    trace.insert(&huge(i64::MAX)).unwrap();
    assert!(matches!(trace.insert(&huge(1)), Err(StateError::WeightOutOfRange)));
}

/// Random deltas over a small dense world, cut and reopened anywhere, against a plain map.
#[test]
fn random_histories_equal_the_sum_of_their_deltas() {
    for seed in 0..12 {
        let mut random = SmallRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let mut set = open(dir.path());
        let mut trace = trace_of(&set);
        let (mut model, mut durable): (BTreeMap<(i64, u8), i64>, BTreeMap<(i64, u8), i64>) = Default::default();
        for step in 0..60 {
            let mut text = String::new();
            for _ in 0..random.random_range(0..6) {
                let (k, v, weight) = (random.random_range(0..5), random.random_range(0..4u8), random.random_range(-2..=2i64));
                text += &format!("{k} v{v} {weight:+}\n");
                let sum = model.entry((k, v)).or_default();
                *sum += weight;
                if *sum == 0 {
                    model.remove(&(k, v));
                }
            }
            trace.insert(&z(&text)).unwrap();
            match random.random_range(0..12) {
                0..4 => {
                    checkpoint(&set);
                    durable = model.clone();
                }
                4 => {
                    trace.clear().unwrap();
                    model.clear();
                }
                5 => {
                    drop((set, trace));
                    set = open(dir.path());
                    trace = trace_of(&set);
                    model = durable.clone();
                }
                _ => {}
            }
            let expected: String = model.iter().map(|((k, v), weight)| format!("{k} v{v} {weight:+}\n")).collect();
            let probe = keys(&[Some(0), Some(1), Some(2), Some(3), Some(4)]);
            assert_eq!(print(&trace.lookup(&probe).unwrap().rows), expected, "seed {seed}, step {step}");
            assert_eq!(trace.len(), model.len());
        }
    }
}
