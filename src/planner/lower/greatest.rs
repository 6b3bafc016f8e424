//! A relation joined back to its own maximum is the rows that have it.
//!
//! `r JOIN (SELECT k, max(x) AS m FROM r GROUP BY k) g ON r.k = g.k AND r.x >= g.m` keeps all of `r` beside the join, to find
//! the rows of a maximum that comes later. Where the maximum never falls ([`growth`]) no row below it can ever be one again:
//! the rows that have it are all that is kept, and nothing is joined.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_plan::PhysicalExpr;

use crate::planner::circuit_plan::{CircuitPlan, ScalarExpr, growth};
use crate::planner::error::PlanResult;

use super::composed::{composed, over};
use super::expressions;
use super::maximum::Maximum;

/// What an inner join by `=` and with that residual is, if it joins rows to their own maximum.
pub fn instead_of_join(
    left: &CircuitPlan,
    right: &CircuitPlan,
    on: &[(usize, usize)],
    residual: Option<&ScalarExpr>,
    schema: &SchemaRef,
) -> PlanResult<Option<CircuitPlan>> {
    let Some(Maximum { plan: maximum, input, group, argument, .. }) = Maximum::of(right)? else { return Ok(None) };
    let (these, those) = (composed(left)?, composed(input)?);
    if !these.base.is_same(those.base) {
        return Ok(None);
    }
    // The columns of the left side that are those of the aggregate's result: its groups, and the maximum.
    let width = left.schema().fields().len();
    let mut places: Vec<Option<usize>> = vec![None; group.len() + 1];
    let compared = match residual {
        Some(residual) => match not_less(&residual.physical, width) {
            Some(pair) => Some(pair),
            None => return Ok(None),
        },
        None => None,
    };
    for (l, r) in on.iter().copied().chain(compared) {
        let Some(result) = maximum.plain(r) else { return Ok(None) };
        let of = group.get(result).copied().unwrap_or(argument);
        if !these.columns[l].physical.eq(&those.columns[of].physical) {
            return Ok(None);
        }
        places[result] = Some(l);
    }
    let Some(places) = places.into_iter().collect::<Option<Vec<usize>>>() else { return Ok(None) };
    let Some((column, partition)) = places.split_last() else { return Ok(None) };
    let left_schema = left.schema();
    if !growth::is_number(left_schema.field(*column).data_type()) || !growth::grows(left, *column, partition) {
        return Ok(None);
    }

    let own = |at: usize| expressions::column(&left_schema, at, left_schema.field(at).data_type());
    let results = places.iter().map(|place| own(*place)).collect::<PlanResult<Vec<_>>>()?;
    let mut all = (0..width).map(own).collect::<PlanResult<Vec<_>>>()?;
    for made in &maximum.columns {
        let Some(made) = over(made, &results)? else { return Ok(None) };
        all.push(made);
    }
    let greatest = CircuitPlan::Greatest { input: Box::new(left.clone()), partition: partition.to_vec(), column: *column };
    Ok(Some(CircuitPlan::Project { input: Box::new(greatest), expressions: all, schema: schema.clone() }))
}

/// The columns of `left >= right` or `left = right`, whichever way it is written, by their places on their sides.
fn not_less(residual: &Arc<dyn PhysicalExpr>, width: usize) -> Option<(usize, usize)> {
    let compared = residual.as_any().downcast_ref::<BinaryExpr>()?;
    let column = |expr: &Arc<dyn PhysicalExpr>| Some(expr.as_any().downcast_ref::<Column>()?.index());
    let (a, b) = (column(compared.left())?, column(compared.right())?);
    match compared.op() {
        Operator::GtEq | Operator::Eq if a < width && b >= width => Some((a, b - width)),
        Operator::LtEq | Operator::Eq if b < width && a >= width => Some((b, a - width)),
        _ => None,
    }
}
