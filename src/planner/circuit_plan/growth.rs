//! What never falls though rows go: counts of rows that only come, and what is made of them.
//!
//! A column *grows* when each row that goes is followed, in the same step, by one that is equal in the *steady* columns and
//! not less in that one (null is less than everything). The greatest value among rows of equal steady columns then never
//! falls: nothing but the greatest so far has to be kept to know it, whatever goes.
//!
//! - Where rows only come, every column grows and is steady.
//! - A group's row is followed by that of the same group as long as the group has rows and a result. A count grows over rows
//!   that only come; a maximum grows over what grows, by columns that are steady. A sum that leaves its type is an error in
//!   place of the row, so an aggregate with sums promises nothing.
//! - The greatest rows of a partition go for greater ones.
//! - An expression that may fail takes its row away. One that reads steady columns alone does so for all rows that follow.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::PhysicalExpr;

use super::{AggregateCall, AggregateFunction, CircuitPlan};

/// Which columns are steady, if the column grows.
pub fn steady(plan: &CircuitPlan, column: usize) -> Option<Vec<bool>> {
    let width = plan.schema().fields().len();
    if plan.is_append_only() {
        return Some(vec![true; width]);
    }
    match plan {
        CircuitPlan::Combine { input } => steady(input, column),
        CircuitPlan::Filter { input, predicate } => steady(input, column).filter(|below| reads_steady(&predicate.physical, below)),
        CircuitPlan::Project { input, expressions, .. } => {
            let below = steady(input, plain(&expressions.get(column)?.physical)?)?;
            let holds = |e: &Arc<dyn PhysicalExpr>| e.as_any().is::<Column>() || e.as_any().is::<Literal>() || reads_steady(e, &below);
            let all = expressions.iter().all(|e| holds(&e.physical));
            all.then(|| expressions.iter().map(|e| reads_steady(&e.physical, &below)).collect())
        }
        CircuitPlan::Aggregate { input, group, calls, .. } => {
            use AggregateFunction::{Count, CountStar, Max, Min};
            let fits = calls.iter().all(|call| matches!(call.function, Count | CountStar | Min | Max));
            let call = calls.get(column.checked_sub(group.len())?)?;
            let grows = match call.function {
                Count | CountStar => input.is_append_only(),
                Max => input.is_append_only() || lasts(input, group, call),
                _ => false,
            };
            (fits && grows).then(|| (0..width).map(|column| column < group.len()).collect())
        }
        CircuitPlan::Greatest { partition, column: by, .. } if *by == column => {
            Some((0..width).map(|column| partition.contains(&column)).collect())
        }
        CircuitPlan::Union { inputs, .. } => inputs.iter().try_fold(vec![true; width], |all, input| {
            let these = steady(input, column)?;
            Some(all.iter().zip(these).map(|(a, b)| *a && b).collect())
        }),
        _ => None,
    }
}

/// Whether the greatest value of the column, in each group of equal `by` columns, never falls.
pub fn grows(plan: &CircuitPlan, column: usize, by: &[usize]) -> bool {
    steady(plan, column).is_some_and(|steady| by.iter().all(|column| steady.get(*column) == Some(&true)))
}

/// Whether a maximum over rows that may go never falls.
pub fn lasts(input: &CircuitPlan, group: &[usize], call: &AggregateCall) -> bool {
    let by: Vec<usize> = group.iter().copied().chain(call.filter).collect();
    call.function == AggregateFunction::Max && call.argument.is_some_and(|argument| grows(input, argument, &by))
}

/// Whether values of the type order as numbers of 16 bytes do.
pub fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_floating()
        || matches!(data_type, DataType::Decimal128(..) | DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_))
}

fn plain(expression: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    Some(expression.as_any().downcast_ref::<Column>()?.index())
}

fn reads_steady(expression: &Arc<dyn PhysicalExpr>, steady: &[bool]) -> bool {
    collect_columns(expression).iter().all(|column| steady.get(column.index()) == Some(&true))
}

#[cfg(test)]
mod tests;
