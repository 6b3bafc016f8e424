//! A peek: a bound query run once by DataFusion over the rows of one epoch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::SchemaRef;
use arrow::util::display::FormatOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Filter, LogicalPlan, TableProviderFilterPushDown};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::types::eval_error::report_of_arrow;
use crate::types::{Column, RelationSchema, Report};

use super::context::PlanContext;
use super::error::{PlanError, PlanResult};
use super::kept::Kept;
use super::names::RelationSource;
use super::optimize::optimize;
use super::options::options;
use super::query::BoundQuery;
use super::straight::Straight;

/// Rows as they come, in the Arrow types of the query's columns.
pub type Rows = BoxStream<'static, Result<RecordBatch, Report>>;

/// Starts the query. One value a parameter, each of the type that the query says (or null). Dropping the stream stops it.
pub async fn execute(bound: &BoundQuery, parameters: Vec<ScalarValue>, context: &PlanContext) -> PlanResult<Rows> {
    let mut plan = bound.plan.clone();
    if !parameters.is_empty() {
        plan = plan.replace_params_with_values(&ParamValues::from(parameters))?;
    }
    let plan = optimize(plan, options(), context.system.now)?;
    start(plan, &bound.columns, context).await
}

/// [`execute`], for a query that was kept with a context that this one fits.
pub async fn execute_kept(kept: &Kept, parameters: Vec<ScalarValue>, context: &PlanContext) -> PlanResult<Rows> {
    match kept.with_values(&parameters)? {
        Some(plan) => start(plan, kept.columns(), context).await,
        None => execute(&kept.bound, parameters, context).await,
    }
}

async fn start(plan: LogicalPlan, columns: &[Column], context: &PlanContext) -> PlanResult<Rows> {
    let plan = plan.transform_up_with_subqueries(|node| with_rows(node, context))?.data;
    let state = context.memory.state();
    let stream = match Straight::of(&plan) {
        Some(straight) => straight.start(state, yielding).await?,
        None => {
            let physical = DefaultPhysicalPlanner::default().create_physical_plan(&plan, state).await?;
            execute_stream(yielding(physical)?, state.task_ctx())?.boxed()
        }
    };
    let schema = RelationSchema::new(columns.to_vec()).arrow();
    let rows = stream.map(move |batch| match batch {
        Ok(batch) => shaped(&batch, &schema),
        Err(error) => Err(PlanError::from(error).report()),
    });
    Ok(rows.boxed())
}

/// The plan with a place to pause at every leaf and every join, so that a long computation can be cancelled.
fn yielding(plan: Arc<dyn ExecutionPlan>) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
    let pausing = plan.transform_up(|node| match node.children().len() {
        1 => Ok(Transformed::no(node)),
        _ => Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>)),
    })?;
    Ok(pausing.data)
}

/// The relation's rows in the place of its name. A filter right above tells them what it asks for: rows that are kept by a
/// key may be found by it.
fn with_rows(node: LogicalPlan, context: &PlanContext) -> datafusion::common::Result<Transformed<LogicalPlan>> {
    let mut scan = match node {
        LogicalPlan::TableScan(scan) => scan,
        LogicalPlan::Filter(filter) => return told(filter),
        node => return Ok(Transformed::no(node)),
    };
    let Some(source) = scan.source.as_any().downcast_ref::<RelationSource>() else {
        return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
    };
    let provider = context.tables.provider(&source.entry).map_err(|report| PlanError::from(report).external())?;
    scan.source = provider_as_source(provider);
    Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
}

fn told(filter: Filter) -> datafusion::common::Result<Transformed<LogicalPlan>> {
    let LogicalPlan::TableScan(scan) = filter.input.as_ref() else { return Ok(Transformed::no(LogicalPlan::Filter(filter))) };
    let parts = split_conjunction(&filter.predicate);
    let known = scan.source.supports_filters_pushdown(&parts)?;
    let told = parts.into_iter().zip(known).filter(|(_, known)| *known != TableProviderFilterPushDown::Unsupported);
    let mut scan = scan.clone();
    scan.filters = told.map(|(part, _)| part.clone()).collect();
    Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(filter.predicate, Arc::new(LogicalPlan::TableScan(scan)))?)))
}

fn shaped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Report> {
    let cast_options = CastOptions { safe: false, format_options: FormatOptions::default() };
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| match column.data_type() == field.data_type() {
        true => Ok(column.clone()),
        false => cast_with_options(column, field.data_type(), &cast_options).map_err(|error| report_of_arrow(&error)),
    });
    let columns = columns.collect::<Result<Vec<_>, Report>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(Report::internal)
}
