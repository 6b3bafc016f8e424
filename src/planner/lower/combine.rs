//! Before each row becomes one a window: rows that differ in nothing that an aggregate asks for are put together.
//!
//! The list that is unnested is made of something simpler (the start of the slide that an instant is in). That is computed
//! first, equal rows become one with the sum of their weights, and the list is made of what is left.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::PhysicalExpr;

use crate::planner::circuit_plan::{CircuitPlan, ScalarExpr};
use crate::planner::error::PlanResult;

/// The input of an aggregate, with equal rows put together before they are unnested.
pub fn combine(plan: CircuitPlan) -> PlanResult<CircuitPlan> {
    Ok(match plan {
        CircuitPlan::Filter { input, predicate } => CircuitPlan::Filter { input: Box::new(combine(*input)?), predicate },
        CircuitPlan::Project { input, expressions, schema } => {
            CircuitPlan::Project { input: Box::new(combine(*input)?), expressions, schema }
        }
        CircuitPlan::Unnest { input, column, schema } => {
            CircuitPlan::Unnest { input: Box::new(in_two_steps(*input, column)?), column, schema }
        }
        other => other,
    })
}

/// A projection whose `list` is made of an expression: what that gives as a column, equal rows as one, and then the list.
fn in_two_steps(plan: CircuitPlan, list: usize) -> PlanResult<CircuitPlan> {
    let CircuitPlan::Project { input, expressions, schema } = plan else { return Ok(plan) };
    let made_of = expressions.get(list).and_then(|list| list.physical.children().first().map(|first| Arc::clone(first)));
    let is_plain = |expr: &Arc<dyn PhysicalExpr>| expr.as_any().is::<Column>() || expr.as_any().is::<Literal>();
    let Some(made_of) = made_of.filter(|expr| !is_plain(expr)) else { return Ok(CircuitPlan::Project { input, expressions, schema }) };

    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields[list] = Field::new(made_of.to_string(), made_of.data_type(&input.schema())?, true);
    let below: SchemaRef = Arc::new(Schema::new(fields));
    let mut first = expressions.clone();
    first[list] = ScalarExpr { text: made_of.to_string(), physical: made_of };

    let column = |at: usize| Arc::new(Column::new(below.field(at).name(), at)) as Arc<dyn PhysicalExpr>;
    let mut second = Vec::with_capacity(expressions.len());
    for (at, expr) in expressions.into_iter().enumerate() {
        second.push(match at == list {
            false => ScalarExpr { physical: column(at), text: below.field(at).name().clone() },
            true => {
                let mut children: Vec<_> = expr.physical.children().into_iter().map(Arc::clone).collect();
                children[0] = column(at);
                ScalarExpr { physical: expr.physical.with_new_children(children)?, text: expr.text }
            }
        });
    }
    let first = CircuitPlan::Project { input, expressions: first, schema: below };
    let combined = CircuitPlan::Combine { input: Box::new(first) };
    Ok(CircuitPlan::Project { input: Box::new(combined), expressions: second, schema })
}
