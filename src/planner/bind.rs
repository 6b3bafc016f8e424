//! From a rewritten syntax tree to a logical plan, whose expressions mean what PostgreSQL means.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::planner::ContextProvider;
use datafusion::sql::planner::{NullOrdering, ParserOptions, PlannerContext, SqlToRel};
use sqlparser::ast::{Query, Statement};

use crate::types::SqlType;

use super::error::PlanResult;
use super::{distinct_on, literals};

/// Binds a query whose tree has been rewritten. The plan's output may have marked names.
pub fn bind(query: Query, names: &impl ContextProvider, parameters: &[Option<SqlType>]) -> PlanResult<LogicalPlan> {
    let options = ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_map_string_types_to_utf8view(false)
        .with_collect_spans(true)
        .with_default_null_ordering(NullOrdering::NullsMax);
    let mut context = PlannerContext::new();
    // The binder takes all declared types or none; where only some are known, the rest is filled in afterwards.
    if !parameters.is_empty() && parameters.iter().all(Option::is_some) {
        let fields = parameters.iter().flatten().enumerate().map(|(i, t)| Arc::new(t.field(&format!("${}", i + 1))) as FieldRef);
        context = context.with_prepare_param_data_types(fields.collect());
    }
    let plan =
        SqlToRel::new_with_options(names, options).sql_statement_to_plan_with_context(Statement::Query(Box::new(query)), &mut context)?;
    distinct_on::rewrite(literals::resolve(plan, parameters)?)
}
