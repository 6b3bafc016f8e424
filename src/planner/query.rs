//! A bound query: its plan, and what a client is told about it before it runs.

use arrow::datatypes::DataType;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Analyzer;
use sqlparser::ast;

use crate::types::{Column, ObjectId, SqlState, SqlType};

use super::bind::bind;
use super::context::PlanContext;
use super::error::{PlanError, PlanResult};
use super::names::Names;
use super::options::options;
use super::rewrite::{Facts, rewrite, shown_name};
use super::single_row::check_scalar_subqueries;
use super::system;

#[derive(Clone, Debug)]
pub struct BoundQuery {
    /// Typed and not yet optimised. Its fields may have marked names; `columns` has the ones that users see.
    pub plan: LogicalPlan,
    /// Names may occur twice.
    pub columns: Vec<Column>,
    /// The types of `$1`, `$2`, ...: declared, inferred, or text.
    pub parameters: Vec<SqlType>,
    /// The relations of the catalog that the query names, views included (and not what those read), in order.
    pub relations: Vec<ObjectId>,
    /// The plan holds the time at which it was made.
    pub uses_clock: bool,
}

/// Binds a query.
///
/// # Errors
/// PostgreSQL's, with a position within the statement's own text where one is known.
pub fn plan_query(query: &ast::Query, context: &PlanContext, parameters: &[Option<SqlType>]) -> PlanResult<BoundQuery> {
    let mut query = query.clone();
    system::rewrite(&mut query, &context.system);
    let facts = rewrite(&mut query, context.system.now)?;
    plan_rewritten(query, facts, context, parameters, Ok)
}

/// Binds a query whose tree has been rewritten, and lets `finish` change the plan before it is typed.
pub fn plan_rewritten(
    query: ast::Query,
    facts: Facts,
    context: &PlanContext,
    parameters: &[Option<SqlType>],
    finish: impl FnOnce(LogicalPlan) -> PlanResult<LogicalPlan>,
) -> PlanResult<BoundQuery> {
    let options = options();
    let names = Names::new(context, &options);
    names.note(facts);
    let plan = finish(bind(query, &names, parameters)?)?;
    let plan = check_scalar_subqueries(plan)?;
    let types = parameter_types(&plan, parameters)?;
    let plan = Analyzer::new().execute_and_check(plan, &options, |_, _| {})?;
    let columns = plan.schema().fields().iter().map(|field| {
        let sql_type = match field.data_type() {
            // What never got a type is text, as PostgreSQL decides at last.
            DataType::Null => SqlType::Text,
            _ => SqlType::of_field(field),
        };
        Column::new(shown_name(field.name()), sql_type)
    });
    Ok(BoundQuery {
        columns: columns.collect(),
        parameters: types,
        relations: names.relations(),
        uses_clock: names.facts().uses_clock,
        plan,
    })
}

/// The types of the parameters in the order of their numbers.
fn parameter_types(plan: &LogicalPlan, declared: &[Option<SqlType>]) -> PlanResult<Vec<SqlType>> {
    let mut types: Vec<Option<SqlType>> = declared.to_vec();
    for (name, field) in plan.get_parameter_fields()? {
        let number = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).filter(|n| (1..=65_535).contains(n));
        let Some(number) = number else {
            return Err(PlanError::new(SqlState::UNDEFINED_PARAMETER, format!("there is no parameter {name}")));
        };
        if types.len() < number {
            types.resize(number, None);
        }
        types[number - 1] = types[number - 1].take().or_else(|| field.as_ref().map(|field| SqlType::of_field(field)));
    }
    Ok(types.into_iter().map(|t| t.unwrap_or(SqlType::Text)).collect())
}
