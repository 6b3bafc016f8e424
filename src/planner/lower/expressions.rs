//! Scalar expressions compiled against the rows that they will see.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use crate::planner::circuit_plan::ScalarExpr;
use crate::planner::error::{PlanError, PlanResult};
use crate::planner::rewrite::shown_name;
use crate::types::Report;

/// The expression over rows of `schema`.
pub fn compile(expr: &Expr, schema: &DFSchema) -> PlanResult<ScalarExpr> {
    if expr.is_volatile() {
        return Err(PlanError::unsupported(
            format!("{} in a view is not supported: it has another value each time", text(expr)),
            "compute the value in the SELECT over the view",
        ));
    }
    if let Some(refused) = subquery(expr) {
        return Err(PlanError::unsupported(format!("{refused} in this place of a view is not supported"), "write it as a join"));
    }
    let physical = create_physical_expr(expr, schema, &ExecutionProps::new())?;
    Ok(ScalarExpr { physical, text: text(expr) })
}

/// The name that messages and EXPLAIN give an expression.
pub fn text(expr: &Expr) -> String {
    let expr = match expr {
        Expr::Alias(alias) => alias.expr.as_ref(),
        other => other,
    };
    let printed = expr.to_string();
    if printed.contains('\u{1}') { printed.split(' ').map(shown_name).collect::<Vec<_>>().join(" ") } else { printed }
}

fn subquery(expr: &Expr) -> Option<&'static str> {
    let mut found = None;
    let _ = expr.apply(|e| {
        found = found.or(match e {
            Expr::ScalarSubquery(_) => Some("a scalar subquery"),
            Expr::Exists(_) => Some("EXISTS"),
            Expr::InSubquery(_) => Some("IN (SELECT ...)"),
            _ => None,
        });
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    });
    found
}

/// The position of a plain column among the fields of `schema`.
pub fn plain_column(expr: &Expr, schema: &DFSchema) -> Option<usize> {
    match expr {
        Expr::Alias(alias) => plain_column(&alias.expr, schema),
        Expr::Column(column) => schema.maybe_index_of_column(column),
        _ => None,
    }
}

pub fn type_of(expr: &Expr, schema: &DFSchema) -> PlanResult<DataType> {
    Ok(expr.get_type(schema)?)
}

/// The column at `index`, as `target`.
pub fn column(schema: &Schema, index: usize, target: &DataType) -> PlanResult<ScalarExpr> {
    let field = schema.fields().get(index).ok_or_else(|| Report::internal("a column that is not there"))?;
    let name = shown_name(field.name()).to_string();
    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&name, index));
    match field.data_type() == target {
        true => Ok(ScalarExpr { physical: column, text: name }),
        false => Ok(ScalarExpr { text: format!("{name}::{target}"), physical: Arc::new(CastExpr::new(column, target.clone(), None)) }),
    }
}

/// The expression with each column moved.
pub fn moved(expr: ScalarExpr, to: impl Fn(usize) -> usize) -> PlanResult<ScalarExpr> {
    let physical = expr.physical.transform_up(|e| {
        let Some(column) = e.as_any().downcast_ref::<Column>() else { return Ok(Transformed::no(e)) };
        let moved = Column::new(column.name(), to(column.index()));
        Ok(Transformed::yes(Arc::new(moved) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(ScalarExpr { physical: physical.data, text: expr.text })
}
