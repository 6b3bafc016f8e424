//! What is kept of a prepared query between its runs: its bound plan, and where the values of the parameters need not be known
//! for it, the improved plan too.
//!
//! Kept is only what follows from the query's text, the catalog and the session's variables. A plan that holds the time, or
//! what the running system was like (system relations and functions), is made anew each time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use crate::catalog::Catalog;
use crate::types::Column;

use super::context::PlanContext;
use super::error::PlanResult;
use super::names::RelationSource;
use super::optimize::{guarded, improve, optimize};
use super::options::options;
use super::query::BoundQuery;
use super::straight::Straight;

pub struct Kept {
    catalog: Arc<Catalog>,
    settings: Arc<BTreeMap<String, String>>,
    types: Vec<DataType>,
    pub(super) bound: BoundQuery,
    /// Good for all values of the parameters.
    improved: Option<LogicalPlan>,
}

impl Kept {
    /// `None` when the plan is good for one run only.
    pub fn new(bound: &BoundQuery, parameters: &[ScalarValue], context: &PlanContext) -> PlanResult<Option<Kept>> {
        if bound.uses_clock || !lasts(&bound.plan)? {
            return Ok(None);
        }
        let (plan, now) = (bound.plan.clone(), context.system.now);
        let improved = match parameters.is_empty() {
            true => Some(optimize(plan, options(), now)?),
            false => Some(improve(plan, options(), now)?).filter(only_filters_have_parameters),
        };
        Ok(Some(Kept {
            catalog: context.catalog.clone(),
            settings: context.system.settings.clone(),
            types: parameters.iter().map(ScalarValue::data_type).collect(),
            bound: bound.clone(),
            improved,
        }))
    }

    /// Whether a plan made now would be the same.
    pub fn fits(&self, parameters: &[ScalarValue], context: &PlanContext) -> bool {
        Arc::ptr_eq(&self.catalog, &context.catalog)
            && Arc::ptr_eq(&self.settings, &context.system.settings)
            && parameters.iter().map(ScalarValue::data_type).eq(self.types.iter().cloned())
    }

    pub fn columns(&self) -> &[Column] {
        &self.bound.columns
    }

    /// The improved plan with those values, where one is kept.
    pub(super) fn with_values(&self, parameters: &[ScalarValue]) -> Result<Option<LogicalPlan>> {
        let Some(plan) = &self.improved else { return Ok(None) };
        if parameters.is_empty() {
            return Ok(Some(plan.clone()));
        }
        Ok(Some(plan.clone().transform_up(|node| filled(node, parameters))?.data))
    }
}

/// Whether nothing in the plan is of one moment only.
fn lasts(plan: &LogicalPlan) -> Result<bool> {
    let mut lasts = true;
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) => lasts &= scan.source.as_any().is::<RelationSource>(),
            LogicalPlan::Extension(_) => lasts = false,
            _ => {}
        }
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                match e {
                    Expr::ScalarFunction(call) => lasts &= call.func.signature().volatility == Volatility::Immutable,
                    Expr::AggregateFunction(call) => lasts &= call.func.signature().volatility == Volatility::Immutable,
                    Expr::ScalarVariable(..) => lasts = false,
                    _ => {}
                }
                Ok(if lasts { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
            })
        })?;
        Ok(if lasts { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(lasts)
}

/// Whether no rule could have made more of the plan with the values: for other plans they are worth another look.
fn only_filters_have_parameters(plan: &LogicalPlan) -> bool {
    let elsewhere = plan.exists(|node| match node {
        LogicalPlan::Filter(_) => Ok(false),
        node => {
            let mut found = false;
            node.apply_expressions(|expr| {
                found |= has_parameters(expr);
                Ok(TreeNodeRecursion::Continue)
            })?;
            Ok(found)
        }
    });
    Straight::of(plan).is_some() && !elsewhere.unwrap_or(true)
}

fn has_parameters(expr: &Expr) -> bool {
    expr.exists(|e| Ok(matches!(e, Expr::Placeholder(_)))).unwrap_or(true)
}

/// A filter with the values of the parameters, simplified: what names a key is a literal then.
fn filled(node: LogicalPlan, parameters: &[ScalarValue]) -> Result<Transformed<LogicalPlan>> {
    let mut filter = match node {
        LogicalPlan::Filter(filter) => filter,
        node => return Ok(Transformed::no(node)),
    };
    if has_parameters(&filter.predicate) {
        let value = |expr: Expr| match &expr {
            Expr::Placeholder(placeholder) => {
                let number = placeholder.id.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
                match number.and_then(|number| parameters.get(number.checked_sub(1)?)) {
                    Some(value) => Ok(Transformed::yes(Expr::Literal(value.clone(), None))),
                    None => Ok(Transformed::no(expr)),
                }
            }
            _ => Ok(Transformed::no(expr)),
        };
        let predicate = filter.predicate.transform_up(value)?.data;
        let context = SimplifyContext::default().with_config_options(options()).with_schema(filter.input.schema().clone());
        filter.predicate = ExprSimplifier::new(context).simplify(predicate)?;
    }
    filter.predicate = guarded(filter.predicate).data;
    Ok(Transformed::yes(LogicalPlan::Filter(filter)))
}
