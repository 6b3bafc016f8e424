//! From a logical plan to a circuit plan: one arm a relational verb, and a clear refusal for what cannot be maintained.

mod aggregate;
mod combine;
mod composed;
mod expressions;
mod greatest;
mod join;
mod maximum;
mod nullable;
mod panes;
mod top_n;
mod translate;
mod window_maximum;
mod with_schema;

use crate::types::{RelationSchema, SqlState};

use super::circuit_plan::CircuitPlan;
use super::context::PlanContext;
use super::error::{PlanError, PlanResult};
use super::optimize::optimize;
use super::options::options;
use super::properties;
use super::query::BoundQuery;

/// The circuit that maintains a query, and the schema of what it makes: columns, key if one follows from the query, and
/// whether rows are only ever added.
///
/// # Errors
/// 0A000 for what cannot be maintained, naming it.
pub fn lower(bound: &BoundQuery, context: &PlanContext) -> PlanResult<(CircuitPlan, RelationSchema)> {
    if !bound.parameters.is_empty() {
        return Err(
            PlanError::new(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1").hinted("a view has no parameters: write the value")
        );
    }
    if bound.uses_clock {
        return Err(PlanError::unsupported(
            "a view that asks for the time is not supported",
            "leave now() out of the view and compare with it in the SELECT over the view",
        ));
    }
    let plan = optimize(bound.plan.clone(), options(), context.system.now)?;
    let circuit = translate::translate(&without_order(&plan))?;
    let schema = RelationSchema::new(bound.columns.clone());
    let circuit = with_schema::with_schema(circuit, schema.arrow())?;
    let properties = properties::of(&circuit, &context.catalog);
    let schema = RelationSchema { primary_key: properties.key.unwrap_or_default(), append_only: properties.append_only, ..schema };
    Ok((circuit, schema))
}

/// An ORDER BY at the top says nothing about a relation, which has no order.
fn without_order(plan: &datafusion::logical_expr::LogicalPlan) -> datafusion::logical_expr::LogicalPlan {
    match plan {
        datafusion::logical_expr::LogicalPlan::Sort(sort) if sort.fetch.is_none() => without_order(&sort.input),
        other => other.clone(),
    }
}
