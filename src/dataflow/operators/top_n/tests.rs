//! Top N against sorting everything again: ties, copies, nulls, ranks.

use std::collections::BTreeMap;

use super::*;
use crate::dataflow::circuit::Circuit;
use crate::dataflow::workers::Workers;
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

/// An input that only grows: the same answers from the first rows alone.
#[test]
fn rows_behind_the_limit_are_forgotten_where_none_is_taken_back() {
    use rand::{Rng, SeedableRng};
    for (seed, rank) in (0..80u64).zip([false, true].into_iter().cycle()) {
        let mut random = rand::rngs::SmallRng::seed_from_u64(seed);
        let limit = random.random_range(0..4usize).max(1);
        let orders = [vec![by(1, true, seed % 4 < 2)], vec![by(1, false, true), by(2, true, false)], vec![]];
        let (order, partition) = (orders[seed as usize % 3].clone(), if seed % 5 == 0 { vec![] } else { vec![0] });
        let mut plan = plan(&partition, &order, limit, rank);
        if let CircuitPlan::TopN { input, .. } = &mut plan
            && let CircuitPlan::Input { append_only, .. } = input.as_mut()
        {
            *append_only = true;
        }
        let traces = TraceSet::new(Arc::new(Store::memory()));
        let mut circuit = Circuit::render(&plan, VIEW, &traces, 0, &Workers::one()).unwrap();
        let (mut all, mut shown) = (Rel::new(), Printed::new());
        for epoch in 0..40 {
            let mut change = Rel::new();
            for _ in 0..random.random_range(0..5) {
                let row: Row = (0..3).map(|_| Some(random.random_range(-1..=3)).filter(|v| *v >= 0)).collect();
                *change.entry(row.clone()).or_insert(0) += 1;
                *all.entry(row).or_insert(0) += 1;
            }
            let inputs = BTreeMap::from([(ObjectId(0), Delta(zset(&columns(NAMES), &change)))]);
            add(&mut shown, &circuit.step(Epoch(epoch), 0, &inputs).unwrap().delta.0);
            assert_eq!(shown, sorted_again(&all, &partition, &order, limit, rank), "seed {seed}, epoch {epoch}");
        }
        assert!(traces.usage(VIEW).entries <= 5 * limit, "seed {seed}");
    }
}

#[test]
fn an_inconsistent_input_is_told() {
    let mut circuit =
        Circuit::render(&plan(&[0], &[], 1, false), VIEW, &TraceSet::new(Arc::new(Store::memory())), 0, &Workers::one()).unwrap();
    let inputs = BTreeMap::from([(ObjectId(0), Delta(parse("k int8, v int8, w int8", "1 7 1 -1")))]);
    let error = circuit.step(Epoch(1), 0, &inputs).unwrap_err();
    assert_eq!(error.report().sqlstate.0, "XX001");
}
