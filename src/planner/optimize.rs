//! The rules that a plan is improved by. Left out of DataFusion's are those that evaluate earlier than the query says
//! (so that a row fails that no one asked for) and those that take a sum of sums for a sum, whose type is another here.

use std::sync::Arc;

use chrono::DateTime;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::{BinaryExpr, Case};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};
use datafusion::optimizer::decorrelate_lateral_join::DecorrelateLateralJoin;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_join::EliminateJoin;
use datafusion::optimizer::eliminate_limit::EliminateLimit;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::optimize_unions::OptimizeUnions;
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::push_down_limit::PushDownLimit;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerContext, OptimizerRule};

use super::error::PlanResult;
use super::functions::field::is_field;

fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        Arc::new(RewriteSetComparison::new()),
        Arc::new(OptimizeUnions::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(EliminateJoin::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(DecorrelateLateralJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateLimit::new()),
        Arc::new(PropagateEmptyRelation::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownLimit::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ]
}

/// The plan, improved. `now` is the statement's time in microseconds since 1970 UTC.
pub fn optimize(plan: LogicalPlan, options: Arc<ConfigOptions>, now: i64) -> PlanResult<LogicalPlan> {
    Ok(improve(plan, options, now)?.transform_up_with_subqueries(guard)?.data)
}

/// [`optimize`], for a plan whose parameters have no values yet: what may fail is not known before they have.
pub fn improve(plan: LogicalPlan, options: Arc<ConfigOptions>, now: i64) -> PlanResult<LogicalPlan> {
    let time = DateTime::from_timestamp_micros(now).unwrap_or_default();
    let context = OptimizerContext::new_with_config_options(options).with_query_execution_start_time(time);
    let plan = Optimizer::with_rules(rules()).optimize(plan, &context, |_, _| {})?;
    Ok(plan)
}

/// `a AND b` is computed for whole batches, both sides. Where `b` can fail for a row that `a` refuses, it is asked only
/// behind `a`.
fn guard(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Filter(mut filter) => {
            let guarded = guarded(filter.predicate);
            filter.predicate = guarded.data;
            Ok(Transformed::new(LogicalPlan::Filter(filter), guarded.transformed, guarded.tnr))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The predicate with what may fail behind what may not.
pub fn guarded(predicate: Expr) -> Transformed<Expr> {
    let parts = split_conjunction_owned(predicate.clone());
    let (safe, unsafe_ones): (Vec<Expr>, Vec<Expr>) = parts.into_iter().partition(never_fails);
    match (conjunction(safe), conjunction_in_turn(unsafe_ones)) {
        (Some(safe), Some(then)) => Transformed::yes(behind(safe, then)),
        (None, Some(then)) => Transformed::yes(then),
        _ => Transformed::no(predicate),
    }
}

/// Each only where all before it hold.
fn conjunction_in_turn(parts: Vec<Expr>) -> Option<Expr> {
    parts.into_iter().rev().reduce(|later, part| behind(part, later))
}

/// For a filter false and unknown are the same, so `false` may stand for both.
fn behind(first: Expr, then: Expr) -> Expr {
    Expr::Case(Case {
        expr: None,
        when_then_expr: vec![(Box::new(first), Box::new(then))],
        else_expr: Some(Box::new(Expr::Literal(ScalarValue::Boolean(Some(false)), None))),
    })
}

/// True for expressions that have a value for every row, whatever its columns hold.
pub fn never_fails(expr: &Expr) -> bool {
    !expr
        .exists(|e| {
            Ok(!match e {
                Expr::Column(_) | Expr::Literal(..) | Expr::Alias(_) | Expr::Not(_) | Expr::IsNull(_) | Expr::IsNotNull(_) => true,
                Expr::IsTrue(_)
                | Expr::IsFalse(_)
                | Expr::IsUnknown(_)
                | Expr::IsNotTrue(_)
                | Expr::IsNotFalse(_)
                | Expr::IsNotUnknown(_) => true,
                Expr::Between(_) | Expr::InList(_) | Expr::Like(_) | Expr::Case(_) => true,
                Expr::BinaryExpr(BinaryExpr { op, .. }) => {
                    op.is_logic_operator()
                        || op.supports_propagation()
                        || matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom)
                }
                Expr::ScalarFunction(function) => is_field(function.name()),
                _ => false,
            })
        })
        .unwrap_or(true)
}
