//! Against the rows of a maximum, looked for among all.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;

use crate::dataflow::circuit::Circuit;
use crate::dataflow::workers::Workers;
use crate::dataflow::worlds::*;
use crate::planner::circuit_plan::{AggregateCall, AggregateFunction as F, CircuitPlan};
use crate::state::{Store, TraceSet};
use crate::types::{Epoch, ObjectId};
use crate::zset::Delta;
use crate::zset::text::parse;

fn greatest(input: Box<CircuitPlan>, partition: &[usize], column: usize) -> CircuitPlan {
    CircuitPlan::Greatest { input, partition: partition.to_vec(), column }
}

/// `group` and `count(*)`, or the maximum of a column.
fn aggregate(input: Box<CircuitPlan>, group: &[usize], max: Option<(usize, bool)>, names: &str) -> Box<CircuitPlan> {
    let function = if max.is_some() { F::Max } else { F::CountStar };
    let (argument, lasting) = (max.map(|max| max.0), max.is_some_and(|max| max.1));
    let calls = vec![AggregateCall { function, argument, distinct: false, filter: None, output: DataType::Int64, lasting }];
    Box::new(CircuitPlan::Aggregate { input, group: group.to_vec(), windows: None, calls, schema: columns(names) })
}

/// The rows of the greatest value of each partition.
fn searched(rows: &Rel, partition: &[usize], column: usize) -> Printed {
    let key = |row: &Row| partition.iter().map(|column| row[*column]).collect::<Option<Vec<i64>>>();
    let best = |row: &Row| rows.keys().filter(|other| key(other) == key(row)).filter_map(|other| other[column]).max();
    let chosen = rows.iter().filter(|(row, _)| key(row).is_some() && row[column].is_some() && row[column] == best(row));
    chosen.map(|(row, weight)| (line(row), *weight)).collect()
}

fn counted(rows: &Rel, group: &[usize]) -> Rel {
    let mut groups: BTreeMap<Row, i64> = BTreeMap::new();
    for (row, weight) in rows {
        *groups.entry(group.iter().map(|column| row[*column]).collect()).or_default() += weight;
    }
    groups.into_iter().map(|(key, count)| (key.into_iter().chain([Some(count)]).collect(), 1)).collect()
}

#[test]
fn of_rows_that_only_come() {
    for (partition, by) in [(&[0][..], 1), (&[], 1), (&[0, 1], 2)] {
        judge_growing(&greatest(growing(0, "k v w"), partition, by), &["k v w"], 60, &|inputs| {
            (searched(&inputs[0], partition, by), Printed::new())
        });
    }
}

/// Groups are in other parts than the partitions: each part's greatest rows move, and the greatest of those stay.
#[test]
fn of_counts() {
    for (group, partition) in [(&[0, 1][..], &[1][..]), (&[0, 1], &[0]), (&[0, 1], &[0, 1]), (&[0, 1], &[]), (&[2, 0, 1], &[0, 2])] {
        let names = ["k v n", "a b c n"][group.len() - 2];
        let plan = greatest(aggregate(growing(0, "k v w"), group, None, names), partition, group.len());
        judge_growing(&plan, &["k v w"], 60, &|inputs| (searched(&counted(&inputs[0], group), partition, group.len()), Printed::new()));
    }
}

#[test]
fn the_maximum_of_counts_lasts() {
    for group in [&[0][..], &[]] {
        let counts = aggregate(growing(0, "k v w"), &[0, 1], None, "k v n");
        let plan = aggregate(counts, group, Some((2, true)), ["m", "k m"][group.len()]);
        let traces = TraceSet::new(Arc::new(Store::memory()));
        let circuit = Circuit::render(&plan, VIEW, &traces, 0, &Workers::one()).unwrap();
        assert_eq!(circuit.next_slot(), 2, "no trace of all values");
        judge_growing(&plan, &["k v w"], 60, &|inputs| {
            let mut greatest: BTreeMap<Row, Option<i64>> = BTreeMap::new();
            if group.is_empty() {
                greatest.insert(vec![], None);
            }
            for row in counted(&inputs[0], &[0, 1]).keys() {
                let best = greatest.entry(group.iter().map(|column| row[*column]).collect()).or_default();
                *best = (*best).max(row[2]);
            }
            (greatest.into_iter().map(|(key, best)| (line(&[key, vec![best]].concat()), 1)).collect(), Printed::new())
        });
    }
}

/// Ties are kept, and nothing that is less.
#[test]
fn what_is_less_is_forgotten() {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let mut circuit = Circuit::render(&greatest(growing(0, "k v w"), &[0], 1), VIEW, &traces, 0, &Workers::one()).unwrap();
    for n in 0..100 {
        let rows: Rel =
            [(vec![Some(1), Some(n), Some(0)], 1), (vec![Some(1), Some(n), Some(1)], 2), (vec![Some(1), Some(n - 1), None], 1)].into();
        let inputs = BTreeMap::from([(ObjectId(0), Delta(zset(&columns("k v w"), &rows)))]);
        circuit.step(Epoch(n as u64), 0, &inputs).unwrap();
        assert_eq!(traces.usage(VIEW).entries, 2);
    }
}

#[test]
fn a_maximum_that_falls_is_told() {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let mut circuit = Circuit::render(&greatest(growing(0, "k v"), &[0], 1), VIEW, &traces, 0, &Workers::one()).unwrap();
    let mut step = |text: &str| circuit.step(Epoch(1), 0, &BTreeMap::from([(ObjectId(0), Delta(parse("k int8, v int8", text)))]));
    assert_eq!(step("1 7 +1\n1 9 +1\n1 9 -1").unwrap().delta.0.len(), 1);
    assert_eq!(step("1 7 -1").unwrap_err().report().sqlstate.0, "XX001");
}
