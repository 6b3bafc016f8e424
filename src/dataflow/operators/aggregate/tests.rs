//! Aggregates against recomputation, and PostgreSQL's rules: nulls, empty groups, overflow, floats.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};

use super::*;
use crate::dataflow::circuit::{Circuit, Output};
use crate::dataflow::workers::Workers;
use crate::dataflow::worlds::number;
use crate::dataflow::worlds::*;
use crate::planner::circuit_plan::{AggregateFunction as F, CircuitPlan};
use crate::state::{Store, TraceSet};
use crate::types::{Epoch, ObjectId};
use crate::zset::text::{parse, print};

fn call(function: F, column: usize, output: DataType) -> AggregateCall {
    AggregateCall {
        function,
        argument: (function != F::CountStar).then_some(column),
        distinct: false,
        filter: None,
        output,
        lasting: false,
    }
}

fn plan(input: CircuitPlan, group: Vec<usize>, calls: Vec<AggregateCall>) -> CircuitPlan {
    let schema = input.schema();
    let keys = group.iter().map(|c| schema.field(*c).clone());
    let results = calls.iter().map(|call| Field::new("r", call.output.clone(), true));
    let fields: Fields = keys.chain(results).collect::<Vec<_>>().into();
    CircuitPlan::Aggregate { input: Box::new(input), group, windows: None, calls, schema: Arc::new(Schema::new(fields)) }
}

fn all_calls() -> Vec<AggregateCall> {
    vec![
        call(F::CountStar, 0, DataType::Int64),
        call(F::Count, 1, DataType::Int64),
        call(F::Sum, 1, DataType::Decimal128(38, 0)),
        call(F::Avg, 1, DataType::Decimal128(38, 16)),
        call(F::Min, 1, DataType::Int64),
        call(F::Max, 1, DataType::Int64),
    ]
}

/// One row of `all_calls` over weighted values.
fn recomputed(values: &[(Option<i64>, i64)]) -> String {
    let rows: i64 = values.iter().map(|(_, weight)| weight).sum();
    let known: Vec<(i64, i64)> = values.iter().filter_map(|(v, weight)| Some(((*v)?, *weight))).collect();
    let counted: i64 = known.iter().map(|(_, weight)| weight).sum();
    if counted == 0 {
        return format!("{rows} 0 NULL NULL NULL NULL");
    }
    let sum: i64 = known.iter().map(|(v, weight)| v * weight).sum();
    // Values are not negative here: half away from zero is half up.
    let mean = (sum as i128 * 10i128.pow(16) * 2 + counted as i128) / (2 * counted as i128);
    let (low, high) = (known.iter().map(|k| k.0).min().unwrap(), known.iter().map(|k| k.0).max().unwrap());
    format!("{rows} {counted} {sum} {}.{:016} {low} {high}", mean / 10i128.pow(16), mean % 10i128.pow(16))
}

#[test]
fn groups() {
    judge(&plan(*input(0, "k v"), vec![0], all_calls()), &["k v"], 60, 0, &|inputs| {
        let mut groups: BTreeMap<Option<i64>, Vec<(Option<i64>, i64)>> = BTreeMap::new();
        inputs[0].iter().for_each(|(row, weight)| groups.entry(row[0]).or_default().push((row[1], *weight)));
        let rows = groups.iter().map(|(key, values)| (format!("{} {}", line(&[*key]), recomputed(values)), 1));
        (rows.collect(), Printed::new())
    });
}

#[test]
fn one_group_over_everything() {
    judge(&plan(*input(0, "k v"), vec![], all_calls()), &["k v"], 60, 1, &|inputs| {
        let values: Vec<_> = inputs[0].iter().map(|(row, weight)| (row[1], *weight)).collect();
        (Printed::from([(recomputed(&values), 1)]), Printed::new())
    });
}

#[test]
fn distinct() {
    judge(&plan(*input(0, "k v"), vec![1, 0], vec![]), &["k v"], 60, 0, &|inputs| {
        (inputs[0].keys().map(|row| (line(&[row[1], row[0]]), 1)).collect(), Printed::new())
    });
}

#[test]
fn a_join_under_an_aggregate_under_a_join() {
    // The group key and the join key change in one epoch, and the circuit sees both.
    let totals = plan(*input(0, "k v"), vec![0], vec![call(F::CountStar, 0, DataType::Int64)]);
    let join = CircuitPlan::Join {
        left: input(0, "k v"),
        right: Box::new(totals),
        kind: crate::planner::circuit_plan::JoinKind::Inner,
        on: vec![(1, 1)],
        null_equal: false,
        residual: None,
        schema: columns("k v g n"),
    };
    let plan = plan(join, vec![2], vec![call(F::CountStar, 0, DataType::Int64)]);
    judge(&plan, &["k v"], 60, 0, &|inputs| {
        let mut totals: BTreeMap<Option<i64>, i64> = BTreeMap::new();
        inputs[0].iter().for_each(|(row, weight)| *totals.entry(row[0]).or_default() += weight);
        let mut rows = Printed::new();
        for (group, total) in totals {
            let matched: i64 = inputs[0].iter().filter(|(row, _)| row[1] == Some(total)).map(|(_, weight)| weight).sum();
            if matched > 0 {
                count(&mut rows, line(&[group, Some(matched)]), 1);
            }
        }
        (rows, Printed::new())
    });
}

/// Steps an aggregate over columns as `zset::text` has them.
struct Steps {
    circuit: Circuit,
    traces: TraceSet,
    types: &'static str,
}

impl Steps {
    fn new(types: &'static str, group: Vec<usize>, calls: Vec<AggregateCall>) -> Steps {
        let input = CircuitPlan::Input { relation: ObjectId(0), name: "r".into(), schema: parse(types, "").schema(), append_only: false };
        let traces = TraceSet::new(Arc::new(Store::memory()));
        Steps { circuit: Circuit::render(&plan(input, group, calls), VIEW, &traces, 0, &Workers::one()).unwrap(), traces, types }
    }

    fn output(&mut self, text: &str) -> Output {
        let inputs = BTreeMap::from([(ObjectId(0), Delta(parse(self.types, text)))]);
        let output = self.circuit.step(Epoch(1), 0, &inputs).unwrap();
        Output { delta: output.delta.consolidate().unwrap(), ..output }
    }

    /// The change, and the errors behind an exclamation mark.
    fn step(&mut self, text: &str) -> String {
        let output = self.output(text);
        print(&output.delta.0) + &print(&output.errors).lines().map(|l| format!("! {l}\n")).collect::<String>()
    }
}

#[test]
fn a_global_aggregate_has_a_row_before_any_input() {
    let mut steps = Steps::new("v int8", vec![], vec![call(F::CountStar, 0, DataType::Int64), call(F::Max, 0, DataType::Int64)]);
    assert_eq!(steps.step(""), "0 NULL +1\n");
    assert_eq!(steps.step(""), "");
    assert_eq!(steps.step("7 +1"), "0 NULL -1\n1 7 +1\n");
    assert_eq!(steps.step("7 -1"), "0 NULL +1\n1 7 -1\n");
    assert_eq!(steps.traces.usage(VIEW).entries, 1);
}

#[test]
fn one_of_two_equal_minima_goes_and_nothing_changes() {
    let mut steps = Steps::new("k text, v int4", vec![0], vec![call(F::Min, 1, DataType::Int32)]);
    assert_eq!(steps.step("a 3 +2\na 5 +1"), "a 3 +1\n");
    assert_eq!(steps.step("a 3 -1"), "");
    assert_eq!(steps.step("a 3 -1"), "a 3 -1\na 5 +1\n");
    assert_eq!(steps.step("a 5 -1\nb NULL +1"), "a 5 -1\nb NULL +1\n");
    assert_eq!(steps.step("b NULL -1"), "b NULL -1\n");
    assert_eq!(steps.traces.usage(VIEW).entries, 0);
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_until_it_fits() {
    let mut steps = Steps::new("k int4, v int8", vec![0], vec![call(F::Sum, 1, DataType::Int64), call(F::Count, 1, DataType::Int64)]);
    assert_eq!(steps.step("1 9223372036854775807 +1\n2 1 +1"), "1 9223372036854775807 1 +1\n2 1 1 +1\n");
    assert_eq!(steps.step("1 9 +1"), "1 9223372036854775807 1 -1\n! 22003 bigint out of range +1\n");
    assert_eq!(steps.step("1 9 +1"), "");
    assert_eq!(steps.step("1 9223372036854775807 -1"), "1 18 2 +1\n! 22003 bigint out of range -1\n");
    assert_eq!(steps.step("1 9 -2\n2 1 -1"), "1 18 2 -1\n2 1 1 -1\n");
    assert_eq!(steps.traces.usage(VIEW).entries, 0);
}

#[test]
fn decimals_sum_exactly_and_mean_half_away_from_zero() {
    let calls = || vec![call(F::Sum, 0, DataType::Decimal128(38, 2)), call(F::Avg, 0, DataType::Decimal128(38, 16))];
    let mut steps = Steps::new("v numeric(12,2)", vec![], calls());
    assert_eq!(steps.step("0.10 +2\n0.05 +1"), "0.25 0.0833333333333333 +1\n");
    assert_eq!(steps.step("0.10 -2\n0.05 -1\n-0.01 +3\n0.01 +1"), "-0.02 -0.0050000000000000 +1\n0.25 0.0833333333333333 -1\n");
    let mut integers = Steps::new("v int4", vec![], vec![call(F::Avg, 0, DataType::Decimal128(38, 16)), call(F::Sum, 0, DataType::Int64)]);
    assert_eq!(integers.step("-1 +2\n0 +1"), "-0.6666666666666667 -2 +1\n");
}

#[test]
fn floats_forget_what_was_taken_away() {
    let calls = [F::Sum, F::Avg, F::Min, F::Max].map(|f| call(f, 0, DataType::Float64));
    let mut steps = Steps::new("v float8", vec![], calls.into());
    assert_eq!(steps.step("1e308 +1\n1 +1"), "1e308 5e307 1.0 1e308 +1\n");
    assert_eq!(steps.step("1e308 -1"), "1.0 1.0 1.0 1.0 +1\n1e308 5e307 1.0 1e308 -1\n");
    assert_eq!(steps.step("NaN +1"), "1.0 1.0 1.0 1.0 -1\nNaN NaN 1.0 NaN +1\n");
    assert_eq!(steps.step("NaN -1\n-0.0 +1\n1 -1"), "0.0 0.0 0.0 0.0 +1\nNaN NaN 1.0 NaN -1\n");
    assert_eq!(steps.step("0.0 -1\n1e308 +2"), "0.0 0.0 0.0 0.0 -1\n! 22003 value out of range: overflow +1\n");
    assert_eq!(steps.step("1e308 -1"), "1e308 1e308 1e308 1e308 +1\n! 22003 value out of range: overflow -1\n");
}

#[test]
fn equal_floats_are_one_group() {
    let mut steps = Steps::new("v float8", vec![0], vec![call(F::CountStar, 0, DataType::Int64)]);
    assert_eq!(steps.step("-0.0 +1\n0.0 +1\nNaN +1\n-NaN +2"), "0.0 2 +1\nNaN 3 +1\n");
    assert_eq!(steps.step("0.0 -2\nNaN -3"), "0.0 2 -1\nNaN 3 -1\n");
}

#[test]
fn an_inconsistent_input_is_told_with_its_key() {
    let mut steps = Steps::new("k text", vec![0], vec![]);
    let inputs = BTreeMap::from([(ObjectId(0), Delta(parse("k text", "a -1")))]);
    let report = steps.circuit.step(Epoch(1), 0, &inputs).unwrap_err().report();
    assert_eq!((report.sqlstate.0, report.detail.as_deref()), ("XX001", Some("The key: a.")));
}

/// The values, and beside them whether they are greater than one.
fn with_a_filter(input: Box<CircuitPlan>) -> CircuitPlan {
    use datafusion::logical_expr::Operator as Op;
    let expressions = vec![scalar(column(0)), scalar(column(1)), scalar(apply(column(1), Op::Gt, number(1)))];
    let mut fields: Vec<Field> = columns("k v").fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new("f", DataType::Boolean, true));
    CircuitPlan::Project { input, expressions, schema: Arc::new(Schema::new(fields)) }
}

#[test]
fn filters_and_distinct_values() {
    let filtered = |call: AggregateCall| AggregateCall { filter: Some(2), ..call };
    let distinct = |call: AggregateCall| AggregateCall { distinct: true, ..call };
    let calls = vec![
        filtered(call(F::CountStar, 0, DataType::Int64)),
        filtered(call(F::Sum, 1, DataType::Decimal128(38, 0))),
        filtered(call(F::Min, 1, DataType::Int64)),
        call(F::Min, 1, DataType::Int64),
        distinct(call(F::Count, 1, DataType::Int64)),
        distinct(call(F::Sum, 1, DataType::Decimal128(38, 0))),
        filtered(distinct(call(F::Count, 1, DataType::Int64))),
        distinct(call(F::Count, 0, DataType::Int64)),
        distinct(call(F::Max, 1, DataType::Int64)),
    ];
    let oracle: Oracle = &|inputs| {
        let mut groups: BTreeMap<Option<i64>, Vec<(Option<i64>, i64)>> = BTreeMap::new();
        inputs[0].iter().for_each(|(row, weight)| groups.entry(row[0]).or_default().push((row[1], *weight)));
        let rows = groups.iter().map(|(key, values)| {
            let known: Vec<(i64, i64)> = values.iter().filter_map(|(v, weight)| Some(((*v)?, *weight))).collect();
            let passed: Vec<(i64, i64)> = known.iter().copied().filter(|(v, _)| *v > 1).collect();
            let or_null = |value: Option<i64>| value.map_or("NULL".to_string(), |v| v.to_string());
            let sum = |values: &[(i64, i64)], weighted: bool| {
                let terms = values.iter().map(|(v, weight)| if weighted { v * weight } else { *v });
                or_null((!values.is_empty()).then(|| terms.sum()))
            };
            let texts = [
                passed.iter().map(|(_, weight)| weight).sum::<i64>().to_string(),
                sum(&passed, true),
                or_null(passed.iter().map(|p| p.0).min()),
                or_null(known.iter().map(|p| p.0).min()),
                known.len().to_string(),
                sum(&known, false),
                passed.len().to_string(),
                i64::from(key.is_some()).to_string(),
                or_null(known.iter().map(|p| p.0).max()),
            ];
            (format!("{} {}", line(&[*key]), texts.join(" ")), 1)
        });
        (rows.collect(), Printed::new())
    };
    judge(&plan(with_a_filter(input(0, "k v")), vec![0], calls.clone()), &["k v"], 60, 0, oracle);
    judge_growing(&plan(with_a_filter(growing(0, "k v")), vec![0], calls), &["k v"], 60, oracle);
}

/// More streams than a byte has bits.
#[test]
fn distinct_values_of_many_filters() {
    use datafusion::logical_expr::Operator as Op;
    for grows in [false, true] {
        let mut expressions = vec![scalar(column(0)), scalar(column(1))];
        let mut fields: Vec<Field> = columns("k v").fields().iter().map(|f| f.as_ref().clone()).collect();
        let mut calls = Vec::new();
        for filter in 0..11 {
            expressions.push(scalar(apply(column(1 - filter % 2), Op::Gt, number(filter as i64 / 4))));
            fields.push(Field::new("f", DataType::Boolean, true));
            calls.push(AggregateCall { distinct: true, filter: Some(2 + filter), ..call(F::Count, 1, DataType::Int64) });
        }
        let input = if grows { growing(0, "k v") } else { input(0, "k v") };
        let plan = plan(CircuitPlan::Project { input, expressions, schema: Arc::new(Schema::new(fields)) }, vec![0], calls);
        let oracle: Oracle = &|inputs| {
            let mut groups: BTreeMap<Option<i64>, Vec<Option<i64>>> = BTreeMap::new();
            inputs[0].keys().for_each(|row| groups.entry(row[0]).or_default().push(row[1]));
            let rows = groups.iter().map(|(key, values)| {
                let counts = (0..11i64).map(|filter| {
                    let holds = |v: &&Option<i64>| if filter % 2 == 1 { *key } else { **v }.is_some_and(|side| side > filter / 4);
                    values.iter().filter(|v| v.is_some()).filter(holds).count().to_string()
                });
                (format!("{} {}", line(&[*key]), counts.collect::<Vec<_>>().join(" ")), 1)
            });
            (rows.collect(), Printed::new())
        };
        match grows {
            true => judge_growing(&plan, &["k v"], 30, oracle),
            false => judge(&plan, &["k v"], 30, 0, oracle),
        }
    }
}

/// Over rows that are never taken back the extremes are in the record: the same results as with a trace of all values.
#[test]
fn rows_that_stay_need_no_trace_of_their_values() {
    use rand::{Rng, SeedableRng};
    for types in [
        "k int4, v int8",
        "k text, v float8",
        "k int4, v timestamp",
        "k int4, v numeric(12,2)",
        "k int8, v int2",
        "k int8, v text",
        "k int8, v bool",
    ] {
        let output = parse(types, "").schema().field(1).data_type().clone();
        let calls = || vec![call(F::Min, 1, output.clone()), call(F::Max, 1, output.clone())];
        let mut general = Steps::new(types, vec![0], calls());
        let mut append_only = Steps::new(types, vec![0], calls());
        let input = CircuitPlan::Input { relation: ObjectId(0), name: "r".into(), schema: parse(types, "").schema(), append_only: true };
        append_only.circuit = Circuit::render(&plan(input, vec![0], calls()), VIEW, &append_only.traces, 10, &Workers::one()).unwrap();
        let mut random = rand::rngs::SmallRng::seed_from_u64(7);
        for _ in 0..50 {
            let rows: String = (0..random.random_range(0..8))
                .map(|_| {
                    let n = random.random_range(-20..20);
                    let value = match (types.rsplit(' ').next().unwrap(), n) {
                        (_, 0) => "NULL".to_string(),
                        ("float8", 1) => "NaN".to_string(),
                        ("bool", n) => (n % 2 == 0).to_string(),
                        ("timestamp", n) => format!("20{:02}-01-01T00:00:00", n + 40),
                        (_, n) => n.to_string(),
                    };
                    format!("{} {value} +1\n", random.random_range(0..3))
                })
                .collect();
            assert_eq!(append_only.step(&rows), general.step(&rows), "{types}\n{rows}");
        }
        // A record for each of the three groups, and of what has no fixed size the least and the greatest value.
        let entries = append_only.traces.usage(VIEW).entries;
        let expected = if types.ends_with("text") || types.ends_with("bool") { 3 * 3 } else { 3 };
        assert_eq!(entries, expected, "{types}");
    }
}
