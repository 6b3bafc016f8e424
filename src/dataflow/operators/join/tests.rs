//! Joins against nested loops: both sides changing in one epoch, nulls, residuals that fail, self joins, cross joins.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::Operator as Op;

use super::*;
use crate::dataflow::circuit::Circuit;
use crate::dataflow::workers::Workers;
use crate::dataflow::worlds::*;
use crate::planner::circuit_plan::CircuitPlan;
use crate::state::{Store, TraceSet};
use crate::types::{Epoch, ObjectId};
use crate::zset::text::{parse, print};

#[derive(Clone, Copy, PartialEq)]
enum Residual {
    None,
    /// left.v < right.w
    Less,
    /// 6 / (left.v - right.w) > 0
    Failing,
}

struct Case {
    kind: JoinKind,
    on: Vec<(usize, usize)>,
    null_equal: bool,
    residual: Residual,
    self_join: bool,
}

fn plan(case: &Case) -> CircuitPlan {
    let (v, w) = (column(1), column(3));
    let residual = match case.residual {
        Residual::None => None,
        Residual::Less => Some(scalar(apply(v, Op::Lt, w))),
        Residual::Failing => Some(scalar(apply(apply(number(6), Op::Divide, apply(v, Op::Minus, w)), Op::Gt, number(0)))),
    };
    CircuitPlan::Join {
        left: input(0, "k v"),
        right: input(if case.self_join { 0 } else { 1 }, "l w"),
        kind: case.kind,
        on: case.on.clone(),
        null_equal: case.null_equal,
        residual,
        schema: columns("k v l w"),
    }
}

/// Whether the residual is true; an error where it fails.
fn residual_holds(residual: Residual, v: Option<i64>, w: Option<i64>) -> Result<bool, ()> {
    let (Residual::Less | Residual::Failing, Some(v), Some(w)) = (residual, v, w) else { return Ok(residual == Residual::None) };
    match residual {
        Residual::Failing if v == w => Err(()),
        Residual::Failing => Ok(6 / (v - w) > 0),
        _ => Ok(v < w),
    }
}

fn nested_loops(case: &Case, left: &Rel, right: &Rel) -> (Printed, Printed) {
    let (mut rows, mut errors) = (Printed::new(), Printed::new());
    for (a, left_weight) in left {
        let mut degree = 0;
        for (b, right_weight) in right {
            let equal = |(l, r): &(usize, usize)| a[*l] == b[*r] && (case.null_equal || a[*l].is_some());
            if !case.on.iter().all(equal) {
                continue;
            }
            match residual_holds(case.residual, a[1], b[1]) {
                Err(()) => count(&mut errors, "22012 division by zero".into(), left_weight * right_weight),
                Ok(false) => {}
                Ok(true) => {
                    degree += right_weight;
                    count(&mut rows, line(&[a.clone(), b.clone()].concat()), left_weight * right_weight);
                }
            }
        }
        if case.kind == JoinKind::Left && degree == 0 {
            count(&mut rows, line(&[a.clone(), vec![None, None]].concat()), *left_weight);
        }
    }
    (rows, errors)
}

fn check(case: Case) {
    let inputs: &[&str] = if case.self_join { &["k v"] } else { &["k v", "l w"] };
    judge(&plan(&case), inputs, 40, 0, &|inputs| nested_loops(&case, &inputs[0], &inputs[inputs.len() - 1]));
}

fn check_all(kind: JoinKind, self_join: bool) {
    for residual in [Residual::None, Residual::Less, Residual::Failing] {
        for (on, null_equal) in
            [(vec![(0, 0)], false), (vec![(0, 0)], true), (vec![(0, 1), (1, 1)], false), (vec![(1, 0)], true), (vec![], false)]
        {
            check(Case { kind, on, null_equal, residual, self_join });
        }
    }
}

#[test]
fn inner_joins() {
    check_all(JoinKind::Inner, false);
}

#[test]
fn left_joins() {
    check_all(JoinKind::Left, false);
}

#[test]
fn self_joins() {
    check_all(JoinKind::Inner, true);
    check_all(JoinKind::Left, true);
}

/// A left join of `l (k, v)` and `r (k, w)` on k, step by step.
fn left_join() -> impl FnMut(&str, &str) -> String {
    let case = Case { kind: JoinKind::Left, on: vec![(0, 0)], null_equal: false, residual: Residual::None, self_join: false };
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let mut circuit = Circuit::render(&plan(&case), VIEW, &traces, 0, &Workers::one()).unwrap();
    let mut epoch = Epoch(0);
    move |left, right| {
        epoch = epoch.next();
        let sides = [(ObjectId(0), left), (ObjectId(1), right)];
        let inputs = sides.map(|(id, text)| (id, Delta(parse("k int8, v int8", text))));
        print(&circuit.step(epoch, 0, &BTreeMap::from(inputs)).unwrap().delta.0.consolidate().unwrap())
    }
}

#[test]
fn padding_comes_and_goes_with_the_weight_of_matches() {
    let mut step = left_join();
    assert_eq!(step("1 10 +2", ""), "1 10 NULL NULL +2\n");
    assert_eq!(step("", "1 7 +1\n1 7 -1"), "", "inserted and deleted in one epoch: nothing matched, nothing changes");
    assert_eq!(step("", "1 7 +1"), "1 10 1 7 +2\n1 10 NULL NULL -2\n");
    assert_eq!(step("", "1 8 +3"), "1 10 1 8 +6\n");
    assert_eq!(step("", "1 7 -1\n1 8 -2"), "1 10 1 7 -2\n1 10 1 8 -4\n", "one match is left");
    assert_eq!(step("1 10 -1\n2 20 +1", "1 8 -1\n2 9 +1"), "1 10 1 8 -2\n1 10 NULL NULL +1\n2 20 2 9 +1\n");
    assert_eq!(step("NULL 5 +1", "NULL 6 +1"), "NULL 5 NULL NULL +1\n");
}

#[test]
fn an_inconsistent_right_side_is_told() {
    let case = Case { kind: JoinKind::Left, on: vec![(0, 0)], null_equal: false, residual: Residual::None, self_join: false };
    let mut circuit = Circuit::render(&plan(&case), VIEW, &TraceSet::new(Arc::new(Store::memory())), 0, &Workers::one()).unwrap();
    let inputs = BTreeMap::from([(ObjectId(1), Delta(parse("k int8, v int8", "1 7 -1")))]);
    let error = circuit.step(Epoch(1), 0, &inputs).unwrap_err();
    assert_eq!(error.report().sqlstate.0, "XX001");
}
