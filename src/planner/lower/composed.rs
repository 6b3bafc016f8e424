//! A plan seen through the projections on top of it.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::PhysicalExpr;

use crate::planner::circuit_plan::{CircuitPlan, ScalarExpr};
use crate::planner::error::PlanResult;

/// What lies beneath the projections, and the plan's columns as expressions over that.
pub struct Composed<'a> {
    pub base: &'a CircuitPlan,
    pub columns: Vec<ScalarExpr>,
}

impl Composed<'_> {
    /// The column beneath that the plan's column is, if it is one as it is.
    pub fn plain(&self, column: usize) -> Option<usize> {
        Some(self.columns.get(column)?.physical.as_any().downcast_ref::<Column>()?.index())
    }
}

/// The plan through its projections; through none from one on that would compute something twice.
pub fn composed(plan: &CircuitPlan) -> PlanResult<Composed<'_>> {
    if let CircuitPlan::Project { input, expressions, .. } = plan {
        let below = composed(input)?;
        let columns = expressions.iter().map(|e| over(e, &below.columns)).collect::<PlanResult<Option<Vec<_>>>>()?;
        if let Some(columns) = columns {
            return Ok(Composed { columns, ..below });
        }
    }
    let schema = plan.schema();
    let column = |(at, field): (usize, &Arc<arrow::datatypes::Field>)| ScalarExpr {
        physical: Arc::new(Column::new(field.name(), at)),
        text: field.name().clone(),
    };
    Ok(Composed { base: plan, columns: schema.fields().iter().enumerate().map(column).collect() })
}

/// The expression with other ones in the place of its columns; `None` where one that is computed would be there twice.
pub fn over(expr: &ScalarExpr, columns: &[ScalarExpr]) -> PlanResult<Option<ScalarExpr>> {
    let mut uses = vec![0; columns.len()];
    let mut fits = true;
    expr.physical.apply(|e| {
        if let Some(column) = e.as_any().downcast_ref::<Column>() {
            match (columns.get(column.index()), uses.get_mut(column.index())) {
                (Some(of), Some(uses)) => {
                    *uses += 1;
                    fits &= *uses == 1 || is_plain(&of.physical);
                }
                _ => fits = false,
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !fits {
        return Ok(None);
    }
    // From above: what is put in is not looked into again.
    let physical = expr.physical.clone().transform_down(|e| match e.as_any().downcast_ref::<Column>() {
        Some(column) => Ok(Transformed::new(columns[column.index()].physical.clone(), true, TreeNodeRecursion::Jump)),
        None => Ok(Transformed::no(e)),
    })?;
    Ok(Some(ScalarExpr { physical: physical.data, text: expr.text.clone() }))
}

fn is_plain(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.as_any().is::<Column>() || expr.as_any().is::<Literal>()
}
