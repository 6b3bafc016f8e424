//! Every oddity of a change log, step by step, and random histories against a map of rows.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::concat_batches;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::dataflow::worlds::{Printed, add};
use crate::state::{Store, Writes};
use crate::types::{Column, SqlType};
use crate::zset::text::print;

const SOURCE: ObjectId = ObjectId(16384);

/// `big text, id bigint primary key, v bigint`: the key is not in front.
fn relation() -> RelationSchema {
    let columns = vec![Column::new("big", SqlType::Text), Column::new("id", SqlType::BigInt), Column::new("v", SqlType::BigInt)];
    RelationSchema { primary_key: vec![1], ..RelationSchema::new(columns) }
}

/// A placeholder in the column `big`.
const TOAST: &str = "TOAST";

/// `u 1 text 5`, `d 1`, `t`; `u 2<1 ...` came from key 1, `d 1>2` goes to key 2; `i` is an insert.
fn batch(text: &str) -> ChangeBatch {
    let (mut ops, mut ids, mut bigs, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut unchanged, mut moved, mut moved_ids) = (Vec::new(), Vec::new(), Vec::new());
    for (row, text) in text.split(", ").filter(|t| !t.is_empty()).enumerate() {
        let words: Vec<&str> = text.split(' ').collect();
        ops.push(match words[0] {
            "u" => ChangeOp::Upsert,
            "i" => ChangeOp::Insert,
            "d" => ChangeOp::Delete,
            _ => ChangeOp::Truncate,
        });
        let mut keys = words.get(1).map_or(vec![], |w| w.split(['<', '>']).map(|k| k.parse::<i64>().unwrap()).collect()).into_iter();
        ids.push(keys.next());
        if let Some(other) = keys.next() {
            moved.push(row as u32);
            moved_ids.push(other);
        }
        let big = words.get(2).copied();
        unchanged.push(big == Some(TOAST));
        bigs.push(big.filter(|b| *b != TOAST && *b != "NULL"));
        values.push(words.get(3).map(|v| v.parse::<i64>().unwrap()));
    }
    let columns: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(bigs)), Arc::new(Int64Array::from(ids)), Arc::new(Int64Array::from(values))];
    let schema = relation().arrow();
    let key_schema = Arc::new(schema.project(&[1]).unwrap());
    let mut batch = ChangeBatch::new(ops, RecordBatch::try_new(schema, columns).unwrap());
    batch.unchanged[0] = unchanged.contains(&true).then(|| BooleanBuffer::from(unchanged));
    if !moved.is_empty() {
        batch.moved = moved;
        batch.moved_keys = Some(RecordBatch::try_new(key_schema, vec![Arc::new(Int64Array::from(moved_ids)) as ArrayRef]).unwrap());
    }
    batch
}

fn traces() -> TraceSet {
    TraceSet::new(Arc::new(Store::memory()))
}

struct Steps {
    upsert: Upsert,
    traces: TraceSet,
}

impl Steps {
    fn new() -> Steps {
        let traces = traces();
        Steps { upsert: Upsert::new(&relation(), SOURCE, &traces, 0).unwrap(), traces }
    }

    /// Batches apart by `|`; the delta, then `?batch.row` for what is unresolved, then `-n` for ignored deletes.
    fn step(&mut self, text: &str) -> String {
        let batches: Vec<ChangeBatch> = text.split(" | ").map(batch).collect();
        let output = self.upsert.step(&batches).unwrap();
        let mut shown = print(&output.delta.0.consolidate().unwrap());
        assert_eq!(shown.lines().count(), output.delta.0.len(), "no row twice");
        output.unresolved.iter().for_each(|(b, row)| shown += &format!("?{b}.{row}\n"));
        if output.ignored_deletes > 0 {
            shown += &format!("-{}\n", output.ignored_deletes);
        }
        shown
    }

    /// Entries beside the rows themselves.
    fn waiting(&self) -> usize {
        self.traces.usage(SOURCE).entries - self.upsert.rows().unwrap().len()
    }

    fn rows(&self) -> String {
        let chunks = self.upsert.rows().unwrap().snapshot().chunks(2, None).map(|c| c.unwrap()).collect::<Vec<_>>();
        print(&ZSet::concat(&relation().arrow(), &chunks).unwrap().consolidate().unwrap())
    }
}

#[test]
fn rows_are_replaced_and_deleted_by_key() {
    let mut steps = Steps::new();
    assert_eq!(steps.step("u 1 a 5, i 2 b 6"), "a 1 5 +1\nb 2 6 +1\n");
    assert_eq!(steps.step("u 1 c 5"), "a 1 5 -1\nc 1 5 +1\n");
    assert_eq!(steps.step("u 1 c 5"), "", "the same row again: a replay after a restart");
    assert_eq!(steps.step("d 2, d 3"), "b 2 6 -1\n-1\n");
    assert_eq!(steps.rows(), "c 1 5 +1\n");
}

#[test]
fn changes_of_one_key_inside_an_epoch_are_one() {
    let mut steps = Steps::new();
    assert_eq!(steps.step("u 1 a 1, u 1 b 2 | u 1 c 3"), "c 1 3 +1\n");
    assert_eq!(steps.step("u 1 d 4, d 1, u 1 c 3"), "");
    assert_eq!(steps.step("d 1, u 2 x 1, d 2"), "c 1 3 -1\n");
    assert_eq!(steps.traces.usage(SOURCE).entries, 0);
}

#[test]
fn a_placeholder_is_the_value_of_the_current_row() {
    let mut steps = Steps::new();
    assert_eq!(steps.step("u 1 toast 1, u 1 TOAST 2"), "toast 1 2 +1\n");
    assert_eq!(steps.step("u 1 TOAST 3 | u 1 TOAST 4"), "toast 1 2 -1\ntoast 1 4 +1\n");
    assert_eq!(steps.step("u 2 TOAST 1, u 3 x 1"), "x 3 1 +1\n?0.0\n", "no row, no value");
    assert_eq!(steps.step("d 1, u 1 TOAST 5"), "toast 1 4 -1\n?0.1\n");
}

#[test]
fn a_key_change_takes_the_placeholder_from_the_old_key() {
    let mut steps = Steps::new();
    steps.step("u 1 toast 1");
    assert_eq!(steps.step("d 1>2, u 2<1 TOAST 9"), "toast 1 1 -1\ntoast 2 9 +1\n");
    assert_eq!(steps.waiting(), 0);

    // The delete in one epoch, the upsert in a later one.
    assert_eq!(steps.step("d 2>3"), "toast 2 9 -1\n");
    assert_eq!(steps.waiting(), 1);
    assert_eq!(steps.step("u 2 other 1"), "other 2 1 +1\n", "the old key is used again meanwhile");
    assert_eq!(steps.step("u 3<2 TOAST 8"), "toast 3 8 +1\n");
    assert_eq!(steps.waiting(), 0);

    // The upsert first, the delete later: nothing may stay in limbo.
    assert_eq!(steps.step("u 4<3 TOAST 7"), "toast 4 7 +1\n");
    assert_eq!(steps.step("d 3>4"), "toast 3 8 -1\n");
    assert_eq!(steps.waiting(), 0);
    assert_eq!(steps.step("u 5<4 whole 6, d 4>5"), "toast 4 7 -1\nwhole 5 6 +1\n");
    assert_eq!(steps.waiting(), 0);

    // Sent again after a restart of the connector: the delete finds nothing, the new key's row knows the value.
    assert_eq!(steps.step("d 4>5, u 5<4 TOAST 6"), "-1\n");
    assert_eq!(steps.step("u 7<6 TOAST 1"), "?0.0\n");
    assert_eq!(steps.waiting(), 0);
}

#[test]
fn limbo_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let traces = TraceSet::new(Arc::new(Store::open(dir.path()).unwrap()));
        Steps { upsert: Upsert::new(&relation(), SOURCE, &traces, 0).unwrap(), traces }
    };
    let checkpoint = |steps: Steps| {
        let mut writes = Writes::new();
        steps.traces.dirty(&mut writes).unwrap();
        steps.traces.store().write(writes, true).unwrap();
    };
    let mut steps = open();
    steps.step("u 1 toast 1, u 2 text 2, d 1>10, u 20<2 TOAST 3");
    checkpoint(steps);
    let mut steps = open();
    assert_eq!(steps.step("u 10<1 TOAST 4, d 2>20"), "text 2 2 -1\ntoast 10 4 +1\n");
    assert_eq!(steps.waiting(), 0);
}

#[test]
fn a_truncate_takes_what_was_before_it() {
    let mut steps = Steps::new();
    steps.step("u 1 a 1, u 2 b 2, d 2>3");
    assert_eq!(steps.step("u 4 d 4, t, u 5 e 5, u 1 a 1"), "e 5 5 +1\n");
    assert_eq!((steps.rows().as_str(), steps.waiting()), ("a 1 1 +1\ne 5 5 +1\n", 0));
    assert_eq!(steps.step("t, u 1 TOAST 1"), "a 1 1 -1\ne 5 5 -1\n?0.1\n");
    assert_eq!(steps.step("t"), "");
    assert_eq!(steps.traces.usage(SOURCE).entries, 0);
}

#[test]
fn a_relation_without_a_key_takes_inserts_only() {
    let schema = RelationSchema { primary_key: vec![], ..relation() };
    let traces = traces();
    let mut upsert = Upsert::new(&schema, SOURCE, &traces, 0).unwrap();
    let output = upsert.step(&[batch("i 1 a 1, i 1 a 1, d 1, i 2 b 2")]).unwrap();
    assert_eq!(print(&output.delta.0), "a 1 1 +1\na 1 1 +1\nb 2 2 +1\n");
    assert_eq!(output.unresolved, [(0, 2)]);
    assert!(upsert.rows().is_none() && traces.usage(SOURCE).entries == 0);
}

/// Random operations against a map from key to row, in small epochs and one big one.
#[test]
fn histories_end_in_the_map_of_rows() {
    for seed in 0..300 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut small = Steps::new();
        let mut model: BTreeMap<i64, (String, i64)> = BTreeMap::new();
        let (mut sum, mut all) = (Printed::new(), Vec::new());
        for epoch in 0..rng.random_range(1..20) {
            let mut ops = Vec::new();
            for _ in 0..rng.random_range(0..6) {
                let (key, value) = (rng.random_range(0..5), rng.random_range(0..3));
                match rng.random_range(0..12) {
                    0 => {
                        model.clear();
                        ops.push("t".to_string());
                    }
                    1..4 => {
                        model.remove(&key);
                        ops.push(format!("d {key}"));
                    }
                    4..6 if model.contains_key(&key) => {
                        model.get_mut(&key).unwrap().1 = value;
                        ops.push(format!("u {key} TOAST {value}"));
                    }
                    6..8 if model.contains_key(&key) && !model.contains_key(&(key + 10)) => {
                        let (big, _) = model.remove(&key).unwrap();
                        let to = key + 10;
                        model.insert(to, (big, value));
                        let (delete, upsert) = (format!("d {key}>{to}"), format!("u {to}<{key} TOAST {value}"));
                        ops.extend(if rng.random_bool(0.5) { [delete, upsert] } else { [upsert, delete] });
                    }
                    8 => {
                        model.remove(&(key + 10));
                        ops.push(format!("d {}", key + 10));
                    }
                    _ => {
                        let big = format!("b{}", rng.random_range(0..3));
                        model.insert(key, (big.clone(), value));
                        ops.push(format!("u {key} {big} {value}"));
                    }
                }
            }
            let cut = rng.random_range(0..=ops.len());
            let batches = [batch(&ops[..cut].join(", ")), batch(&ops[cut..].join(", "))];
            let output = small.upsert.step(&batches).unwrap();
            assert!(output.unresolved.is_empty(), "seed {seed}, epoch {epoch}");
            add(&mut sum, &output.delta.0);
            let expected: Printed = model.iter().map(|(key, (big, v))| (format!("{big} {key} {v}"), 1)).collect();
            assert_eq!(sum, expected, "seed {seed}, epoch {epoch}");
            assert_eq!(small.waiting(), 0, "seed {seed}, epoch {epoch}");
            all.extend(batches);
        }
        let mut big = Steps::new();
        let mut once = Printed::new();
        add(&mut once, &big.upsert.step(&all).unwrap().delta.0);
        assert_eq!(once, sum, "seed {seed}: one big epoch");
        assert_eq!(big.rows(), small.rows(), "seed {seed}");
    }
}

/// Any operations, placeholders without a row and moves by halves among them.
fn any_operations(rng: &mut SmallRng) -> String {
    let operation = |rng: &mut SmallRng| {
        let (key, other, value) = (rng.random_range(0..5), rng.random_range(0..5), rng.random_range(0..2));
        let big = if rng.random_bool(0.4) { TOAST.to_string() } else { format!("b{}", rng.random_range(0..2)) };
        match rng.random_range(0..20) {
            0 => "t".to_string(),
            1..4 => format!("d {key}"),
            4..7 => format!("d {key}>{other}"),
            7..10 => format!("u {key}<{other} {big} {value}"),
            _ => format!("u {key} {big} {value}"),
        }
    };
    (0..rng.random_range(0..7)).map(|_| operation(rng)).collect::<Vec<_>>().join(", ")
}

/// Whatever is read of it: the change is that part of the whole change, and the rows that are kept are whole.
#[test]
fn a_change_has_what_is_read_of_it() {
    for seed in 0..400 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let (mut whole, mut some) = (Steps::new(), Steps::new());
        for epoch in 0..12 {
            let mut read = Projection::nothing(3);
            (0..3).filter(|_| rng.random_bool(0.4)).for_each(|column| read.add(column));
            let batches = [batch(&any_operations(&mut rng)), batch(&any_operations(&mut rng))];
            let before = whole.rows();
            let expected = whole.upsert.step(&batches).unwrap();
            let output = some.upsert.step_for(&batches, &read).unwrap();
            let schema = read.schema(&relation().arrow());
            let part = expected.delta.0.with_rows(read.apply(expected.delta.0.rows(), &schema).unwrap());
            let at = format!("seed {seed}, epoch {epoch}, {read:?}");
            assert_eq!(output.delta.schema(), schema, "{at}");
            assert_eq!(print(&output.delta.0.consolidate().unwrap()), print(&part.consolidate().unwrap()), "{at}");
            assert_eq!((&output.unresolved, output.ignored_deletes), (&expected.unresolved, expected.ignored_deletes), "{at}");
            assert_eq!((some.rows(), some.waiting()), (whole.rows(), whole.waiting()), "{at}");
            assert!(output.changed || whole.rows() == before, "{at}");
        }
    }
}

#[test]
fn a_row_that_is_the_same_in_what_is_read_makes_no_change() {
    let mut steps = Steps::new();
    let mut read = Projection::nothing(3);
    read.add(2);
    steps.step("u 1 a 5, u 2 b 6");
    let output = steps.upsert.step_for(&[batch("u 1 c 5, u 2 d 7")], &read).unwrap();
    assert_eq!(print(&output.delta.0.consolidate().unwrap()), "NULL NULL 6 -1\nNULL NULL 7 +1\n");
    let output = steps.upsert.step_for(&[batch("u 1 e 5")], &read).unwrap();
    assert!(output.delta.is_empty() && output.changed);
    assert_eq!(steps.rows(), "d 2 7 +1\ne 1 5 +1\n");
    let output = steps.upsert.step_for(&[batch("u 3 x 1, d 2")], &Projection::nothing(3)).unwrap();
    assert_eq!(output.delta.0.weights().values(), &[-1, 1], "rows are counted, whatever is read of them");
    let output = steps.upsert.step_for(&[batch("d 9")], &read).unwrap();
    assert!(output.delta.is_empty() && !output.changed);
}

#[test]
fn the_test_text_is_read_as_meant() {
    let read = batch("u 2<1 TOAST 3, d 1>2");
    assert_eq!((read.moved.as_slice(), read.unchanged[0].as_ref().map(BooleanBuffer::count_set_bits)), (&[0, 1][..], Some(1)));
    let keys = concat_batches(&read.moved_keys.as_ref().unwrap().schema(), [read.moved_keys.as_ref().unwrap()]).unwrap();
    assert_eq!(keys.column(0).as_ref(), &Int64Array::from(vec![1, 2]) as &dyn Array);
    assert_eq!(BooleanArray::new(read.unchanged[0].clone().unwrap(), None), BooleanArray::from(vec![true, false]));
}
