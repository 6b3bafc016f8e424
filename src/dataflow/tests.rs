//! Whole circuits: linear verbs with failing rows, constants across restarts, trace slots.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::NegativeExpr;

use super::profile::{Line, Stopwatch};
use super::worlds::*;
use super::*;
use crate::planner::circuit_plan::{AggregateCall, AggregateFunction, CircuitPlan, JoinKind};
use crate::state::{Store, TraceSet};
use crate::types::{Epoch, ObjectId, TraceId};
use crate::zset::text::{parse, print};
use crate::zset::{Delta, ZSet};

const DIVISION: &str = "22012 division";

fn memory() -> TraceSet {
    TraceSet::new(Arc::new(Store::memory()))
}

#[test]
fn filter_project_and_union_with_rows_that_fail() {
    // SELECT k, 6 / v FROM r0 WHERE 6 / k > 2 UNION ALL SELECT k, v FROM r1
    let filter = CircuitPlan::Filter {
        input: input(0, "k v"),
        predicate: scalar(apply(apply(number(6), Op::Divide, column(0)), Op::Gt, number(2))),
    };
    let project = CircuitPlan::Project {
        input: Box::new(filter),
        expressions: vec![scalar(column(0)), scalar(apply(number(6), Op::Divide, column(1)))],
        schema: columns("k q"),
    };
    let plan = CircuitPlan::Union { inputs: vec![project, *input(1, "a b")], schema: columns("x y") };
    judge(&plan, &["k v", "a b"], 60, 0, &|inputs| {
        let (mut rows, mut errors) = (Printed::new(), Printed::new());
        for (row, weight) in &inputs[0] {
            match (row[0], row[1]) {
                (Some(0), _) => count(&mut errors, format!("{DIVISION} by zero"), *weight),
                (Some(k), _) if 6 / k <= 2 => {}
                (None, _) => {}
                (Some(_), Some(0)) => count(&mut errors, format!("{DIVISION} by zero"), *weight),
                (k, v) => count(&mut rows, line(&[k, v.map(|v| 6 / v)]), *weight),
            }
        }
        inputs[1].iter().for_each(|(row, weight)| count(&mut rows, line(row), *weight));
        (rows, errors)
    });
}

#[test]
fn a_failing_row_fails_alone_and_heals_when_it_goes() {
    let plan = CircuitPlan::Project {
        input: input(0, "v"),
        expressions: vec![scalar(apply(number(10), Op::Divide, column(0)))],
        schema: columns("q"),
    };
    let mut circuit = Circuit::render(&plan, VIEW, &memory(), 0, &Workers::one()).unwrap();
    let mut step = |text: &str| {
        let inputs = BTreeMap::from([(ObjectId(0), Delta(parse("v int8", text)))]);
        let output = circuit.step(Epoch(1), 0, &inputs).unwrap();
        (print(&output.delta.0.consolidate().unwrap()), print(&output.errors))
    };
    assert_eq!(step("0 +3\n5 +1"), ("2 +1\n".into(), "22012 division by zero +3\n".into()));
    assert_eq!(step("0 +1\n0 -1"), (String::new(), String::new()));
    assert_eq!(step("0 -3\n0 -0\n1 +1"), ("10 +1\n".into(), "22012 division by zero -3\n".into()));
    let many: String = (0..1000).map(|i| format!("{} +1\n", i % 10)).collect();
    let (rows, errors) = step(&many);
    assert_eq!(rows, "1 +400\n2 +200\n3 +100\n5 +100\n10 +100\n");
    assert_eq!(errors, "22012 division by zero +100\n");
}

#[test]
fn a_list_becomes_rows() {
    let list = |values: Vec<Option<Vec<Option<i64>>>>| Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(values)) as ArrayRef;
    let array = list(vec![Some(vec![Some(1), None, Some(2)]), None, Some(vec![]), Some(vec![Some(1)])]);
    let schema = Arc::new(Schema::new(vec![Field::new("l", array.data_type().clone(), true), Field::new("v", DataType::Int64, true)]));
    let rows = RecordBatch::try_new(schema.clone(), vec![array, Arc::new(Int64Array::from(vec![7, 8, 9, 7]))]).unwrap();
    let input = CircuitPlan::Input { relation: ObjectId(0), name: "r".into(), schema, append_only: false };
    let plan = CircuitPlan::Unnest { input: Box::new(input), column: 0, schema: columns("e v") };
    let mut circuit = Circuit::render(&plan, VIEW, &memory(), 0, &Workers::one()).unwrap();
    let delta = ZSet::new(rows, vec![2, 1, 1, -1].into());
    let step = |circuit: &mut Circuit, zset: ZSet| {
        print(&circuit.step(Epoch(1), 0, &BTreeMap::from([(ObjectId(0), Delta(zset))])).unwrap().delta.0.consolidate().unwrap())
    };
    assert_eq!(step(&mut circuit, delta.clone()), "1 7 +1\n2 7 +2\nNULL 7 +2\n");
    assert_eq!(step(&mut circuit, delta.slice(3, 1)), "1 7 -1\n", "a slice of a list array");
}

#[test]
fn parts_that_compute_the_same_are_there_once() {
    let input = || CircuitPlan::Input { relation: ObjectId(0), name: "r".into(), schema: columns("v"), append_only: false };
    let distinct =
        |input| CircuitPlan::Aggregate { input: Box::new(input), group: vec![0], windows: None, calls: vec![], schema: columns("v") };
    let other = CircuitPlan::Input { relation: ObjectId(1), name: "r".into(), schema: columns("v"), append_only: false };
    let inputs = vec![distinct(input()), distinct(input()), distinct(other)];
    let plan = CircuitPlan::Union { inputs, schema: columns("v") };
    let mut circuit = Circuit::render(&plan, VIEW, &memory(), 0, &Workers::one()).unwrap();
    assert_eq!(circuit.operators().collect::<Vec<_>>(), ["Input", "Distinct", "Input", "Distinct", "Union"]);
    let mut step = |r: &str, s: &str| {
        let inputs = [(0, r), (1, s)].map(|(id, text)| (ObjectId(id), Delta(parse("v int8", text))));
        print(&circuit.step(Epoch(1), 0, &BTreeMap::from(inputs)).unwrap().delta.0.consolidate().unwrap())
    };
    assert_eq!(step("1 +2\n2 +1", "1 +1"), "1 +3\n2 +2\n");
    assert_eq!(step("1 -2", ""), "1 -2\n");
}

/// Many equal rows, few, and then many again: the change is the same, and shorter where that is worth it.
#[test]
fn combined_rows_are_the_same_change() {
    let input = CircuitPlan::Input { relation: ObjectId(0), name: "r".into(), schema: columns("v"), append_only: false };
    let mut circuit = Circuit::render(&CircuitPlan::Combine { input: Box::new(input) }, VIEW, &memory(), 0, &Workers::one()).unwrap();
    for (distinct, rows) in [(10, 1000), (1000, 1000), (10, 1000), (10, 50)] {
        let text: String = (0..rows).map(|row| format!("{} {}\n", row % distinct, if row % 7 == 0 { "-1" } else { "+2" })).collect();
        let delta = Delta(parse("v int8", &text));
        let passed = circuit.pass(Epoch(1), 0, &BTreeMap::from([(ObjectId(0), delta.clone())])).unwrap().delta;
        assert_eq!(print(&passed.0.consolidate().unwrap()), print(&delta.0.consolidate().unwrap()), "{distinct} of {rows}");
        let first = (distinct, rows) == (10, 1000) && passed.0.len() == 10;
        assert!(first || passed.0.len() == rows, "{} rows left of {distinct} in {rows}", passed.0.len());
    }
}

#[test]
fn a_constant_comes_once_and_not_again_after_a_restart() {
    let plan = CircuitPlan::Constant { rows: parse("k int8, v text", "1 a +1\n1 a +1").rows().clone() };
    let traces = memory();
    let step = |traces: &TraceSet, epoch| {
        let mut circuit = Circuit::render(&plan, VIEW, traces, 3, &Workers::one()).unwrap();
        assert_eq!(circuit.next_slot(), 4);
        print(&circuit.step(Epoch(epoch), 0, &BTreeMap::<_, Delta>::new()).unwrap().delta.0.consolidate().unwrap())
    };
    assert_eq!(step(&traces, 1), "1 a +2\n");
    assert_eq!(step(&traces, 2), "");
}

#[test]
fn zeros_and_nans_leave_a_projection_canonical() {
    let schema = Arc::new(Schema::new(vec![Field::new("f", DataType::Float64, true)]));
    let rows = RecordBatch::try_new(schema.clone(), vec![Arc::new(Float64Array::from(vec![0.0])) as ArrayRef]).unwrap();
    let plan = CircuitPlan::Project {
        input: Box::new(CircuitPlan::Input { relation: ObjectId(0), name: "r".into(), schema: schema.clone(), append_only: false }),
        expressions: vec![scalar(Arc::new(NegativeExpr::new(column(0))))],
        schema,
    };
    let mut circuit = Circuit::render(&plan, VIEW, &memory(), 0, &Workers::one()).unwrap();
    let output = circuit.step(Epoch(1), 0, &BTreeMap::from([(ObjectId(0), Delta::inserts(rows))])).unwrap();
    assert_eq!(print(&output.delta.0.consolidate().unwrap()), "0.0 +1\n");
}

#[test]
fn slots_follow_the_plan_and_wrong_plans_are_refused() {
    let call = |function, argument, output| AggregateCall { function, argument, distinct: false, filter: None, output, lasting: false };
    let aggregate =
        |calls, names| CircuitPlan::Aggregate { input: input(0, "k v"), group: vec![0], windows: None, calls, schema: columns(names) };
    let minimum = aggregate(vec![call(AggregateFunction::Min, Some(1), DataType::Int64)], "k low");
    let join = CircuitPlan::Join {
        left: Box::new(minimum),
        right: input(1, "k v"),
        kind: JoinKind::Left,
        on: vec![(0, 0)],
        null_equal: false,
        residual: None,
        schema: columns("a b c d"),
    };
    let circuit = Circuit::render(&join, VIEW, &memory(), 1, &Workers::one()).unwrap();
    assert_eq!(circuit.operators().collect::<Vec<_>>(), ["Input", "Exchange", "Aggregate", "Input", "Exchange", "LeftJoin"]);
    assert_eq!(circuit.next_slot(), 1 + 2 + 3);

    let traces = memory();
    let sum = aggregate(vec![call(AggregateFunction::Sum, Some(1), DataType::Boolean)], "k s");
    let refused = Circuit::render(&sum, VIEW, &traces, 0, &Workers::one()).err().unwrap();
    assert_eq!(refused.report().to_string(), "sum(bigint) as boolean is not supported (0A000)");
}

#[test]
fn a_profile_counts_what_each_operator_took_and_gave() {
    struct Ticks(std::sync::atomic::AtomicU64);
    impl Stopwatch for Ticks {
        fn nanos(&self) -> u64 {
            self.0.fetch_add(10, std::sync::atomic::Ordering::Relaxed)
        }
    }
    let inputs = vec![*input(0, "v"), *input(0, "v")];
    let plan = CircuitPlan::Union { inputs, schema: columns("v") };
    let mut circuit = Circuit::render(&plan, VIEW, &memory(), 0, &Workers::one()).unwrap().timed(Arc::new(Ticks(Default::default())));
    for rows in ["1 +1\n2 +1", "2 -1"] {
        circuit.step(Epoch(1), 0, &BTreeMap::from([(ObjectId(0), Delta(parse("v int8", rows)))])).unwrap();
    }
    let lines: Vec<String> = circuit
        .profile()
        .tree()
        .iter()
        .map(|Line { depth, operator, again }| {
            let counts = &operator.counts;
            format!("{depth} {} {} {} {} {again}", operator.name, counts.rows_in(), counts.rows_out(), counts.nanos())
        })
        .collect();
    assert_eq!(lines, ["0 Union 6 6 20 false", "1 Input 3 3 20 false", "1 Input 3 3 20 true"]);
    let kept = &circuit.profile().kept;
    assert_eq!((kept.rows_in(), kept.nanos()), (6, 20));
}

/// A circuit that fails leaves to another what they have in common, whole: also what comes after the node that fails.
#[test]
fn who_fails_alone_leaves_the_others_right() {
    let (traces, other) = (memory(), ObjectId(30000));
    let call =
        |function, argument| AggregateCall { function, argument, distinct: false, filter: None, output: DataType::Int64, lasting: false };
    let aggregate = |input: Box<CircuitPlan>, function, argument| CircuitPlan::Aggregate {
        input,
        group: vec![0],
        windows: None,
        calls: vec![call(function, argument)],
        schema: columns("k n"),
    };
    let distinct =
        || CircuitPlan::Aggregate { input: input(0, "k v"), group: vec![0, 1], windows: None, calls: vec![], schema: columns("k v") };
    let counted = || aggregate(Box::new(distinct()), AggregateFunction::CountStar, None);
    let least = || aggregate(Box::new(distinct()), AggregateFunction::Min, Some(1));
    let failing = aggregate(input(1, "k v"), AggregateFunction::CountStar, None);
    // What fails stands between two parts that the other has too, and both of these read a third.
    let plan = CircuitPlan::Union { inputs: vec![counted(), failing, least()], schema: columns("k n") };
    let others = CircuitPlan::Union { inputs: vec![counted(), least()], schema: columns("k n") };
    let render = |plan, object| Circuit::render(plan, object, &traces, 0, &Workers::one()).unwrap();
    let (one, two) = (render(&plan, VIEW), render(&others, other));
    let mut writes = crate::state::Writes::new();
    let common = two.in_common(&one, |_, _| true);
    assert!(common.len() >= 4, "the relation, three aggregates and what moves their rows: {}", common.len());
    for node in &common {
        for (slot, with) in node.slots.clone().zip(node.other_slots.clone()) {
            traces.keep_together(TraceId::new(other, slot), TraceId::new(VIEW, with), &mut writes).unwrap();
        }
    }
    let (mut one, mut two) = (render(&plan, VIEW), render(&others, other));
    let common = two.in_common(&one, |_, _| true);
    two.have_in_common(&common, &mut one);
    let inputs = |rows: &str, wrong: &str| {
        BTreeMap::from([(ObjectId(0), Delta(parse("k int8, v int8", rows))), (ObjectId(1), Delta(parse("k int8, v int8", wrong)))])
    };
    let printed = |output: Output| print(&output.delta.0.consolidate().unwrap());
    let first = inputs("1 5 +1\n1 6 +2", "7 7 +1");
    assert_eq!(printed(one.step(Epoch(1), 0, &first).unwrap()), "1 2 +1\n1 5 +1\n7 1 +1\n");
    assert_eq!(printed(two.step(Epoch(1), 0, &first).unwrap()), "1 2 +1\n1 5 +1\n");
    let second = inputs("1 4 +1\n2 9 +1", "8 8 -1");
    assert_eq!(one.step(Epoch(2), 0, &second).unwrap_err().report().sqlstate.0, "XX001");
    one.leave();
    assert_eq!(printed(two.step(Epoch(2), 0, &second).unwrap()), "1 2 -1\n1 3 +1\n1 4 +1\n1 5 -1\n2 1 +1\n2 9 +1\n");
    assert_eq!(printed(two.step(Epoch(3), 0, &inputs("1 4 -1", "")).unwrap()), "1 2 +1\n1 3 -1\n1 4 -1\n1 5 +1\n");
}
