//! GROUP BY: group expressions, arguments and the conditions of FILTER become columns, then one aggregate over columns.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{AggregateFunction as LogicalAggregate, Case};
use datafusion::logical_expr::{Aggregate, Expr};

use crate::planner::circuit_plan::{AggregateCall, AggregateFunction, CircuitPlan, ScalarExpr, growth};
use crate::planner::error::{PlanError, PlanResult};
use crate::planner::optimize::never_fails;
use crate::types::Report;

use super::nullable::nullable;
use super::panes::in_panes;
use super::{combine, expressions};

fn refused<T>(what: &str, hint: &str) -> PlanResult<T> {
    Err(PlanError::unsupported(format!("{what} in a view is not supported"), hint))
}

/// One call before its argument and its filter have places.
struct Call {
    function: AggregateFunction,
    argument: Option<Expr>,
    distinct: bool,
    filter: Option<Expr>,
}

pub fn aggregate(node: &Aggregate, below: CircuitPlan) -> PlanResult<CircuitPlan> {
    if node.group_expr.iter().any(|e| matches!(e, Expr::GroupingSet(_))) {
        return refused("GROUPING SETS, CUBE or ROLLUP", "use a UNION ALL of several GROUP BY");
    }
    let calls = node.aggr_expr.iter().map(call).collect::<PlanResult<Vec<Call>>>()?;
    let from = node.input.schema();
    let schema = nullable(node.schema.fields().iter().map(|f| f.as_ref()));
    let groups = node.group_expr.len();

    // Columns of the projection: the groups, then each argument and each filter once.
    let mut expressions: Vec<ScalarExpr> = node.group_expr.iter().map(|e| expressions::compile(e, from)).collect::<PlanResult<_>>()?;
    let mut fields: Vec<Field> = schema.fields().iter().take(groups).map(|f| f.as_ref().clone()).collect();
    let mut arguments: Vec<(Expr, usize)> = Vec::new();
    let mut place = |argument: &Expr| -> PlanResult<usize> {
        if let Some((_, position)) = arguments.iter().find(|(seen, _)| seen == argument) {
            return Ok(*position);
        }
        let position = expressions.len();
        let compiled = expressions::compile(argument, from)?;
        fields.push(Field::new(&compiled.text, expressions::type_of(argument, from)?, true));
        expressions.push(compiled);
        arguments.push((argument.clone(), position));
        Ok(position)
    };
    let mut placed = Vec::new();
    for call in &calls {
        let argument = call.argument.as_ref().map(&mut place).transpose()?;
        placed.push((argument, call.filter.as_ref().map(&mut place).transpose()?));
    }

    let identity = groups + arguments.len() == from.fields().len()
        && node
            .group_expr
            .iter()
            .chain(arguments.iter().map(|(e, _)| e))
            .enumerate()
            .all(|(i, e)| expressions::plain_column(e, from) == Some(i));
    let below = combine::combine(below)?;
    let mut input = match identity || expressions.is_empty() {
        true => below,
        false => CircuitPlan::Project { input: Box::new(below), expressions, schema: Arc::new(Schema::new(fields)) },
    };
    let only_distinct = arguments.len() == 1 && distinct_alone(&calls);
    if only_distinct {
        let schema = input.schema();
        let group = (0..groups + 1).collect();
        input = CircuitPlan::Aggregate { input: Box::new(input), group, windows: None, calls: Vec::new(), schema };
    }
    let calls = calls.iter().zip(placed).enumerate().map(|(i, (call, (argument, filter)))| AggregateCall {
        function: call.function,
        argument,
        distinct: call.distinct && !only_distinct,
        filter,
        output: schema.field(groups + i).data_type().clone(),
        lasting: false,
    });
    let group: Vec<usize> = (0..groups).collect();
    let mut calls: Vec<AggregateCall> = calls.collect();
    if !input.is_append_only() {
        calls.iter_mut().for_each(|call| call.lasting = growth::lasts(&input, &group, call));
    }
    in_panes(CircuitPlan::Aggregate { input: Box::new(input), group, windows: None, calls, schema })
}

/// Where some are DISTINCT and all would be the same if they were, over one argument, equal rows of group and argument are
/// made one first.
fn distinct_alone(calls: &[Call]) -> bool {
    let insensitive = |call: &Call| call.distinct || matches!(call.function, AggregateFunction::Min | AggregateFunction::Max);
    calls.iter().any(|call| call.distinct) && calls.iter().all(|call| insensitive(call) && call.filter.is_none())
}

fn call(expr: &Expr) -> PlanResult<Call> {
    let function = match expr {
        Expr::Alias(alias) => return call(&alias.expr),
        Expr::AggregateFunction(function) => function,
        _ => return Err(Report::internal("an aggregate that is none").into()),
    };
    let LogicalAggregate { func, params } = function;
    if !params.order_by.is_empty() {
        return refused("ORDER BY in an aggregate", "use min() or max()");
    }
    let [argument] = params.args.as_slice() else {
        return refused(&format!("{}() with several arguments", func.name()), "give it one");
    };
    let counted_rows = func.name() == "count" && matches!(argument, Expr::Literal(value, _) if !value.is_null());
    let kind = match func.name() {
        "count" if counted_rows && !params.distinct => AggregateFunction::CountStar,
        "count" => AggregateFunction::Count,
        "sum" => AggregateFunction::Sum,
        "avg" => AggregateFunction::Avg,
        "min" => AggregateFunction::Min,
        "max" => AggregateFunction::Max,
        crate::planner::single_row::NAME => {
            return refused("a scalar subquery that may have several rows", "make it an aggregate: (SELECT max(x) FROM ...)");
        }
        other => return refused(&format!("the aggregate {other}()"), "count, sum, avg, min and max can be maintained"),
    };
    let argument = match &params.filter {
        // What the filter refuses is not computed, where it could fail.
        Some(filter) if !never_fails(argument) => Expr::Case(Case {
            expr: None,
            when_then_expr: vec![(filter.clone(), Box::new(argument.clone()))],
            else_expr: Some(Box::new(Expr::Literal(ScalarValue::Null, None))),
        }),
        _ => argument.clone(),
    };
    let argument = (kind != AggregateFunction::CountStar).then_some(argument);
    let distinct = params.distinct && !matches!(kind, AggregateFunction::Min | AggregateFunction::Max);
    let filter = params.filter.as_deref().cloned();
    Ok(Call { function: kind, argument, distinct, filter })
}
