//! Windows made of slides, against groups of a row for each window.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::Operator as Op;

use crate::dataflow::circuit::Circuit;
use crate::dataflow::workers::Workers;
use crate::dataflow::worlds::*;
use crate::planner::circuit_plan::{AggregateCall, AggregateFunction as F, CircuitPlan, Windows};
use crate::state::{Store, TraceSet};
use crate::types::{Epoch, ObjectId};
use crate::zset::Delta;

fn call(function: F, column: usize, output: DataType) -> AggregateCall {
    let argument = (function != F::CountStar).then_some(column);
    AggregateCall { function, argument, distinct: false, filter: None, output, lasting: false }
}

/// Over rows `k v s`: by those columns of them, and windows of the instant `s` slides after 0.
fn plan(input: Box<CircuitPlan>, keys: &[usize], windows: Windows, calls: Vec<AggregateCall>) -> CircuitPlan {
    let instant = apply(column(2), Op::Multiply, number(windows.slide));
    let expressions = vec![scalar(column(0)), scalar(column(1)), scalar(instant)];
    let schema = columns("k v s");
    let project = CircuitPlan::Project { input, expressions, schema: schema.clone() };
    let group: Vec<usize> = keys.iter().copied().chain([2]).collect();
    let fields = group.iter().map(|column| schema.field(*column).clone());
    let fields = fields.chain(calls.iter().map(|call| Field::new("r", call.output.clone(), true)));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    CircuitPlan::Aggregate { input: Box::new(project), group, windows: Some(windows), calls, schema }
}

/// The values of each window, and how often each is there, by the printed keys and start.
fn windows_of(rows: &Rel, keys: &[usize], windows: Windows) -> BTreeMap<String, Vec<(Option<i64>, i64)>> {
    let mut groups: BTreeMap<String, Vec<(Option<i64>, i64)>> = BTreeMap::new();
    for (row, weight) in rows {
        let Some(slide) = row[2] else { continue };
        for window in slide..slide + windows.count as i64 {
            let group: Row = keys.iter().map(|key| row[*key]).chain([Some(window * windows.slide)]).collect();
            groups.entry(line(&group)).or_default().push((row[1], *weight));
        }
    }
    groups
}

const SIZES: [Windows; 4] =
    [Windows { slide: 1, count: 2 }, Windows { slide: 10, count: 5 }, Windows { slide: 7, count: 3 }, Windows { slide: 2, count: 40 }];

#[test]
fn counts_and_sums() {
    let calls = || vec![call(F::CountStar, 0, DataType::Int64), call(F::Count, 1, DataType::Int64), call(F::Sum, 1, DataType::Int64)];
    for (keys, windows) in [&[0][..], &[], &[0, 1]].into_iter().flat_map(|keys| SIZES.map(|windows| (keys, windows))) {
        judge(&plan(input(0, "k v s"), keys, windows, calls()), &["k v s"], 25, 0, &|inputs| {
            let groups = windows_of(&inputs[0], keys, windows).into_iter().map(|(group, values)| {
                let known: Vec<(i64, i64)> = values.iter().filter_map(|(value, weight)| Some(((*value)?, *weight))).collect();
                let sum = (!known.is_empty()).then(|| known.iter().map(|(value, weight)| value * weight).sum());
                let rows = values.iter().map(|(_, weight)| weight).sum();
                (format!("{group} {}", line(&[Some(rows), Some(known.iter().map(|k| k.1).sum()), sum])), 1)
            });
            (groups.collect(), Printed::new())
        });
    }
}

#[test]
fn extremes_of_rows_that_only_come() {
    let calls = || vec![call(F::Min, 1, DataType::Int64), call(F::Max, 1, DataType::Int64)];
    for windows in SIZES {
        judge_growing(&plan(growing(0, "k v s"), &[0], windows, calls()), &["k v s"], 40, &|inputs| {
            let groups = windows_of(&inputs[0], &[0], windows).into_iter().map(|(group, values)| {
                let known = || values.iter().filter_map(|(value, _)| *value);
                (format!("{group} {}", line(&[known().min(), known().max()])), 1)
            });
            (groups.collect(), Printed::new())
        });
    }
}

#[test]
fn which_windows_have_rows() {
    judge(&plan(input(0, "k v s"), &[0], SIZES[1], vec![]), &["k v s"], 40, 0, &|inputs| {
        (windows_of(&inputs[0], &[0], SIZES[1]).into_keys().map(|group| (group, 1)).collect(), Printed::new())
    });
}

/// One record a slide, whatever the number of windows.
#[test]
fn a_record_is_kept_for_a_slide() {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let plan = plan(growing(0, "k v s"), &[0], Windows { slide: 5, count: 40 }, vec![call(F::CountStar, 0, DataType::Int64)]);
    let mut circuit = Circuit::render(&plan, VIEW, &traces, 0, &Workers::one()).unwrap();
    let rows: Rel = (0..6).map(|n| (vec![Some(n % 2), None, Some(n / 2 * 1000)], 1)).collect();
    let inputs = BTreeMap::from([(ObjectId(0), Delta(zset(&columns("k v s"), &rows)))]);
    assert_eq!(circuit.step(Epoch(1), 0, &inputs).unwrap().delta.0.len(), 6 * 40);
    assert_eq!(traces.usage(VIEW).entries, 6);
}
