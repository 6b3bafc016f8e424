//! Queries that take rows as they come: those of one relation, or the one row of a query without FROM, filtered and computed
//! upon. They run without a physical plan: the making of one takes longer than a look-up by key.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchemaRef, Result, ScalarValue};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr_rewriter::unnormalize_cols;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::physical_plan::ExecutionPlan;
use futures::stream::{self, BoxStream, StreamExt};

/// What is done to each batch, and the schema that it has before.
enum Step<'a> {
    Filter(&'a Expr, &'a DFSchemaRef),
    Project(&'a [Expr], &'a DFSchemaRef),
}

/// A straight plan taken apart.
pub struct Straight<'a> {
    leaf: &'a LogicalPlan,
    /// The last first.
    steps: Vec<Step<'a>>,
}

/// A step ready to run.
enum Work {
    Filter(Arc<dyn PhysicalExpr>),
    Project(Vec<Arc<dyn PhysicalExpr>>),
}

impl<'a> Straight<'a> {
    /// `None` for any other plan.
    pub fn of(plan: &'a LogicalPlan) -> Option<Straight<'a>> {
        let mut steps = Vec::new();
        let mut plan = plan;
        loop {
            match plan {
                LogicalPlan::Projection(projection) if projection.expr.iter().all(is_of_one_row) => {
                    steps.push(Step::Project(&projection.expr, projection.input.schema()));
                    plan = &projection.input;
                }
                LogicalPlan::Filter(filter) if is_of_one_row(&filter.predicate) => {
                    steps.push(Step::Filter(&filter.predicate, filter.input.schema()));
                    plan = &filter.input;
                }
                LogicalPlan::SubqueryAlias(alias) => plan = &alias.input,
                LogicalPlan::TableScan(_) => break,
                LogicalPlan::EmptyRelation(empty) if empty.produce_one_row && empty.schema.fields().is_empty() => break,
                _ => return None,
            }
        }
        Some(Straight { leaf: plan, steps })
    }

    /// The rows. `pausing` puts the places to pause at into what reads a relation.
    pub async fn start(
        self,
        state: &SessionState,
        pausing: fn(Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let props = state.execution_props();
        let mut work = Vec::with_capacity(self.steps.len());
        for step in self.steps.iter().rev() {
            match step {
                Step::Filter(Expr::Literal(ScalarValue::Boolean(Some(true)), _), _) => {}
                Step::Filter(Expr::Literal(ScalarValue::Boolean(_), _), _) => return Ok(stream::empty().boxed()),
                Step::Filter(predicate, schema) => work.push(Work::Filter(create_physical_expr(predicate, schema, props)?)),
                Step::Project(exprs, schema) => {
                    let exprs = exprs.iter().map(|expr| create_physical_expr(expr, schema, props));
                    work.push(Work::Project(exprs.collect::<Result<_>>()?));
                }
            }
        }
        let rows = match self.leaf {
            LogicalPlan::TableScan(scan) => {
                let filters = unnormalize_cols(scan.filters.iter().cloned());
                let provider = source_as_provider(&scan.source)?;
                let read = pausing(provider.scan(state, scan.projection.as_ref(), &filters, scan.fetch).await?)?;
                datafusion::physical_plan::execute_stream(read, state.task_ctx())?.boxed()
            }
            _ => stream::iter([one_row()]).boxed(),
        };
        let done = rows.map(move |batch| work.iter().try_fold(batch?, |batch, work| work.on(&batch)));
        // Batches of which nothing is left need not be handed on.
        Ok(done.filter(|batch| std::future::ready(batch.as_ref().map_or(true, |batch| batch.num_rows() > 0))).boxed())
    }
}

impl Work {
    fn on(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        if batch.num_rows() == 0 {
            // Nothing is computed for no rows.
            return Ok(RecordBatch::new_empty(Arc::new(Schema::empty())));
        }
        match self {
            Work::Filter(predicate) => {
                let holds = predicate.evaluate(batch)?.into_array(batch.num_rows())?;
                Ok(filter_record_batch(batch, holds.as_boolean())?)
            }
            Work::Project(exprs) => {
                let columns = exprs.iter().map(|expr| expr.evaluate(batch)?.into_array(batch.num_rows()));
                let columns = columns.collect::<Result<Vec<_>>>()?;
                let fields: Vec<Field> = columns.iter().map(|column| Field::new("", column.data_type().clone(), true)).collect();
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
            }
        }
    }
}

fn one_row() -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?)
}

/// Whether the expression needs nothing but the row that it is computed for.
fn is_of_one_row(expr: &Expr) -> bool {
    !expr
        .exists(|e| {
            Ok(matches!(
                e,
                Expr::AggregateFunction(_)
                    | Expr::WindowFunction(_)
                    | Expr::Exists(_)
                    | Expr::InSubquery(_)
                    | Expr::SetComparison(_)
                    | Expr::ScalarSubquery(_)
                    | Expr::OuterReferenceColumn(..)
                    | Expr::GroupingSet(_)
                    | Expr::Unnest(_)
            ))
        })
        .unwrap_or(true)
}
