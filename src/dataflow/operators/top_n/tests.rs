//! Top N against sorting everything again: ties, copies, nulls, ranks.

use std::collections::BTreeMap;

use super::*;
use crate::dataflow::circuit::Circuit;
use crate::dataflow::worlds::*;
use crate::planner::circuit_plan::CircuitPlan;
use crate::state::{Store, TraceSet};
use crate::types::{Epoch, ObjectId};
use crate::zset::text::parse;

const NAMES: &str = "k v w";

fn by(column: usize, descending: bool, nulls_first: bool) -> SortKey {
    SortKey { column, descending, nulls_first }
}

fn plan(partition: &[usize], order: &[SortKey], limit: usize, rank: bool) -> CircuitPlan {
    let schema = columns(if rank { "k v w rank" } else { NAMES });
    CircuitPlan::TopN { input: input(0, NAMES), partition: partition.to_vec(), order: order.to_vec(), limit, rank, schema }
}

/// A value's place in an order: nulls first or last, whatever the direction.
fn place(value: Option<i64>, key: SortKey) -> (i64, i64) {
    match value {
        None => (if key.nulls_first { -1 } else { 1 }, 0),
        Some(value) => (0, if key.descending { -value } else { value }),
    }
}

fn sorted_again(rows: &Rel, partition: &[usize], order: &[SortKey], limit: usize, rank: bool) -> Printed {
    let mut groups: BTreeMap<Row, Vec<Row>> = BTreeMap::new();
    for (row, weight) in rows {
        let key = partition.iter().map(|c| row[*c]).collect();
        groups.entry(key).or_default().extend((0..*weight).map(|_| row.clone()));
    }
    let mut out = Printed::new();
    for mut rows in groups.into_values() {
        rows.sort_by_key(|row| {
            let whole = row.iter().map(|value| place(*value, by(0, false, false)));
            order.iter().map(|key| place(row[key.column], *key)).chain(whole).collect::<Vec<_>>()
        });
        for (i, mut row) in rows.into_iter().take(limit).enumerate() {
            if rank {
                row.push(Some(i as i64 + 1));
            }
            count(&mut out, line(&row), 1);
        }
    }
    out
}

fn check(partition: &[usize], order: &[SortKey], limit: usize) {
    for rank in [false, true] {
        judge(&plan(partition, order, limit, rank), &[NAMES], 40, 0, &|inputs| {
            (sorted_again(&inputs[0], partition, order, limit, rank), Printed::new())
        });
    }
}

#[test]
fn first_rows_of_groups() {
    check(&[0], &[by(1, true, true)], 1);
    check(&[0], &[by(1, true, false), by(2, false, true)], 2);
    check(&[0, 1], &[by(2, false, false)], 3);
    check(&[2], &[], 2);
    check(&[1], &[by(1, false, false)], 0);
}

#[test]
fn first_rows_of_all() {
    check(&[], &[by(1, true, true)], 3);
    check(&[], &[], 1);
}

#[test]
fn an_inconsistent_input_is_told() {
    let mut circuit = Circuit::render(&plan(&[0], &[], 1, false), VIEW, &TraceSet::new(Arc::new(Store::memory())), 0).unwrap();
    let inputs = BTreeMap::from([(ObjectId(0), Delta(parse("k int8, v int8, w int8", "1 7 1 -1")))]);
    let error = circuit.step(Epoch(1), 0, &inputs).unwrap_err();
    assert_eq!(error.report().sqlstate.0, "XX001");
}
