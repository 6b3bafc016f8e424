//! `SELECT DISTINCT ON (k) ... ORDER BY k, b` is the first row by that order of each `k`: the rows of rank 1.

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Distinct, DistinctOn, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, WindowFunctionDefinition};

use crate::types::Report;

use super::error::{PlanError, PlanResult};
use super::functions::registry;

/// The plan with ranks in the place of DISTINCT ON.
pub fn rewrite(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Distinct(Distinct::On(node)) => Ok(Transformed::yes(ranked(node)?)),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(if rewritten.transformed { rewritten.data.recompute_schema()? } else { rewritten.data })
}

fn ranked(node: DistinctOn) -> Result<LogicalPlan> {
    let DistinctOn { on_expr, select_expr, sort_expr, input, .. } = node;
    let missing = || PlanError::from(Report::internal("there is no row_number")).external();
    let function = registry::window("row_number").ok_or_else(missing)?;
    let order = sort_expr.unwrap_or_default();
    let rank = Expr::from(WindowFunction::new(WindowFunctionDefinition::WindowUDF(function), vec![]));
    let rank = rank.partition_by(on_expr);
    let rank = if order.is_empty() { rank.build()? } else { rank.order_by(order.clone()).build()? };
    let plan = LogicalPlanBuilder::from(input.as_ref().clone()).window([rank])?;
    let rank = plan.schema().columns().pop().ok_or_else(missing)?;
    let first = Expr::Column(rank).lt_eq(Expr::Literal(ScalarValue::UInt64(Some(1)), None));
    let plan = plan.filter(first)?;
    let plan = if order.is_empty() { plan } else { plan.sort(order)? };
    plan.project(select_expr)?.build()
}
