//! What grows, and by which columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator as Op;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};

use super::*;
use crate::planner::circuit_plan::ScalarExpr;
use crate::types::ObjectId;

fn schema(width: usize) -> SchemaRef {
    Arc::new(Schema::new((0..width).map(|at| Field::new(format!("c{at}"), DataType::Int64, true)).collect::<Vec<_>>()))
}

fn input(append_only: bool) -> Box<CircuitPlan> {
    Box::new(CircuitPlan::Input { relation: ObjectId(1), name: "r".into(), schema: schema(3), append_only })
}

fn column(at: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new("c", at))
}

fn divided(at: usize) -> Arc<dyn PhysicalExpr> {
    let one = Arc::new(Literal::new(ScalarValue::Int64(Some(1))));
    Arc::new(BinaryExpr::new(one, Op::Divide, column(at)))
}

fn scalar(physical: Arc<dyn PhysicalExpr>) -> ScalarExpr {
    ScalarExpr { text: physical.to_string(), physical }
}

fn project(input: Box<CircuitPlan>, expressions: Vec<Arc<dyn PhysicalExpr>>) -> Box<CircuitPlan> {
    let schema = schema(expressions.len());
    Box::new(CircuitPlan::Project { input, expressions: expressions.into_iter().map(scalar).collect(), schema })
}

/// By the first two columns.
fn aggregate(input: Box<CircuitPlan>, functions: &[AggregateFunction]) -> Box<CircuitPlan> {
    let call = |function: &AggregateFunction| AggregateCall {
        function: *function,
        argument: (*function != AggregateFunction::CountStar).then_some(2),
        distinct: false,
        filter: None,
        output: DataType::Int64,
        lasting: false,
    };
    let calls: Vec<AggregateCall> = functions.iter().map(call).collect();
    Box::new(CircuitPlan::Aggregate { input, group: vec![0, 1], windows: None, schema: schema(2 + calls.len()), calls })
}

#[test]
fn what_grows_and_by_what() {
    use AggregateFunction::{CountStar, Max, Min, Sum};
    let counts = || aggregate(input(true), &[CountStar]);
    let filter = |of: usize| CircuitPlan::Filter { input: counts(), predicate: scalar(divided(of)) };
    let greatest = |input| CircuitPlan::Greatest { input, partition: vec![1], column: 2 };
    let both = |other| CircuitPlan::Union { inputs: vec![*counts(), other], schema: schema(3) };
    let cases: [(CircuitPlan, usize, Option<&[bool]>); 22] = [
        (*input(true), 1, Some(&[true; 3])),
        (*input(false), 1, None),
        (*counts(), 2, Some(&[true, true, false])),
        (*counts(), 0, None),
        (*aggregate(input(false), &[CountStar]), 2, None),
        (*aggregate(input(true), &[Min, Max]), 2, None),
        (*aggregate(input(true), &[Min, Max]), 3, Some(&[true, true, false, false])),
        // The row goes, and an error comes, when the sum is too large.
        (*aggregate(input(true), &[CountStar, Sum]), 2, None),
        // The maximum of counts, and of what is no more than a count's group.
        (*aggregate(counts(), &[Max]), 2, Some(&[true, true, false])),
        (*aggregate(counts(), &[CountStar]), 2, None),
        (*aggregate(project(counts(), vec![column(0), column(2), column(2)]), &[Max]), 2, None),
        (*project(counts(), vec![column(2), column(1)]), 0, Some(&[false, true])),
        (*project(counts(), vec![column(2), column(1)]), 1, None),
        (*project(counts(), vec![divided(2), column(2)]), 1, None),
        (*project(counts(), vec![divided(1), column(2)]), 1, Some(&[true, false])),
        (*project(counts(), vec![divided(2)]), 0, None),
        (filter(0), 2, Some(&[true, true, false])),
        (filter(2), 2, None),
        (greatest(counts()), 2, Some(&[false, true, false])),
        (greatest(counts()), 1, None),
        (both(greatest(counts())), 2, Some(&[false, true, false])),
        (both(*input(false)), 2, None),
    ];
    for (number, (plan, column, expected)) in cases.into_iter().enumerate() {
        assert_eq!(steady(&plan, column).as_deref(), expected, "case {number}, column {column} of\n{plan}");
    }
}
