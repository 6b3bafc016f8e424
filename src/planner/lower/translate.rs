//! The match from logical verbs to the circuit's.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::{Distinct, Expr, Filter, LogicalPlan, TableScan, Unnest, Values};
use datafusion::physical_expr::create_physical_expr;

use crate::catalog::Kind;
use crate::planner::circuit_plan::{CircuitPlan, ScalarExpr};
use crate::planner::error::{PlanError, PlanResult};
use crate::planner::names::RelationSource;
use crate::planner::stack::with_room;
use crate::types::Report;

use super::nullable::nullable;
use super::with_schema::with_schema;
use super::{aggregate, expressions, join, top_n};

pub fn translate(plan: &LogicalPlan) -> PlanResult<CircuitPlan> {
    with_room(|| translated(plan))
}

fn translated(plan: &LogicalPlan) -> PlanResult<CircuitPlan> {
    match plan {
        LogicalPlan::TableScan(scan) => input(scan),
        LogicalPlan::SubqueryAlias(alias) => translate(&alias.input),
        LogicalPlan::Projection(projection) => {
            let below = match projection.input.as_ref() {
                LogicalPlan::Filter(filter) => filtered(filter, top_n::asks_rank(&projection.expr, filter.input.schema()))?,
                other => translate(other)?,
            };
            project(below, &projection.expr, projection.input.schema(), &projection.schema)
        }
        LogicalPlan::Filter(filter) => filtered(filter, true),
        LogicalPlan::Join(node) => join::join(node, translate(&node.left)?, translate(&node.right)?),
        LogicalPlan::Aggregate(node) => aggregate::aggregate(node, translate(&node.input)?),
        LogicalPlan::Distinct(Distinct::All(below)) => {
            let below = translate(below)?;
            let schema = below.schema();
            let group = (0..schema.fields().len()).collect();
            Ok(CircuitPlan::Aggregate { group, windows: None, calls: Vec::new(), input: Box::new(below), schema })
        }
        LogicalPlan::Union(union) => {
            let schema = nullable(union.schema.fields().iter().map(|f| f.as_ref()));
            let inputs = union.inputs.iter().map(|input| with_schema(translate(input)?, schema.clone()));
            Ok(CircuitPlan::Union { inputs: inputs.collect::<PlanResult<_>>()?, schema })
        }
        LogicalPlan::Unnest(node) => unnest(node),
        LogicalPlan::Values(values) => constant(values),
        LogicalPlan::EmptyRelation(empty) => {
            let schema = nullable(empty.schema.fields().iter().map(|f| f.as_ref()));
            let options = RecordBatchOptions::new().with_row_count(Some(usize::from(empty.produce_one_row)));
            let columns = schema.fields().iter().map(|f| arrow::array::new_null_array(f.data_type(), usize::from(empty.produce_one_row)));
            let rows = RecordBatch::try_new_with_options(schema.clone(), columns.collect(), &options);
            Ok(CircuitPlan::Constant { rows: rows.map_err(Report::internal)? })
        }
        // Order within a query matters only to LIMIT, which is refused.
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => translate(&sort.input),
        LogicalPlan::Sort(sort) => top_n::first_rows(sort, sort.fetch.unwrap_or(usize::MAX), translate(&sort.input)?),
        LogicalPlan::Limit(_) => {
            refused("LIMIT without ORDER BY, or with OFFSET,", "order the rows, or leave it out and use it in the SELECT over the view")
        }
        LogicalPlan::Window(window) => Err(top_n::unbounded(window)),
        LogicalPlan::RecursiveQuery(_) => refused("WITH RECURSIVE", "use a fixed number of joins"),
        LogicalPlan::Subquery(_) => refused("a lateral subquery", "write it as a join"),
        other => refused(&format!("this query ({})", other.display()), "use filters, joins, GROUP BY and UNION"),
    }
}

/// A filter; its last column may be missing where that is a rank that no one wants.
fn filtered(filter: &Filter, wanted: bool) -> PlanResult<CircuitPlan> {
    if let Some(ranked) = top_n::ranked(filter) {
        return ranked.plan(translate(ranked.input())?, wanted);
    }
    let below = translate(&filter.input)?;
    let predicate = expressions::compile(&filter.predicate, filter.input.schema())?;
    Ok(CircuitPlan::Filter { input: Box::new(below), predicate })
}

fn refused<T>(what: &str, hint: &str) -> PlanResult<T> {
    Err(PlanError::unsupported(format!("{what} in a view is not supported"), hint))
}

fn input(scan: &TableScan) -> PlanResult<CircuitPlan> {
    let Some(source) = scan.source.as_any().downcast_ref::<RelationSource>() else {
        return refused(&format!("the system relation \"{}\"", scan.table_name.table()), "views are over sources, tables and views");
    };
    let schema = source.entry.schema.arrow();
    let append_only = source.entry.schema.append_only && source.entry.kind() != Kind::Table;
    let (relation, name) = (source.entry.id, source.entry.name.clone());
    let mut plan = CircuitPlan::Input { relation, name, schema: schema.clone(), append_only };
    if !scan.filters.is_empty() {
        let whole = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &schema)?;
        for filter in &scan.filters {
            plan = CircuitPlan::Filter { input: Box::new(plan), predicate: expressions::compile(filter, &whole)? };
        }
    }
    let Some(projection) = &scan.projection else { return Ok(plan) };
    // Where no column is wanted, all stay: rows must have columns to be counted by.
    if projection.is_empty() || projection.iter().copied().eq(0..schema.fields().len()) {
        return Ok(plan);
    }
    let expressions = projection.iter().map(|i| expressions::column(&schema, *i, schema.field(*i).data_type()));
    let schema = Schema::new(projection.iter().map(|i| schema.field(*i).clone()).collect::<Vec<Field>>());
    Ok(CircuitPlan::Project { input: Box::new(plan), expressions: expressions.collect::<PlanResult<_>>()?, schema: Arc::new(schema) })
}

/// A projection, or nothing where every column stays where it is. A plan may have columns behind the wanted ones only
/// where none is wanted.
pub fn project(below: CircuitPlan, exprs: &[Expr], from: &DFSchema, to: &DFSchema) -> PlanResult<CircuitPlan> {
    let schema = nullable(to.fields().iter().map(|f| f.as_ref()));
    let same = exprs.len() == from.fields().len() && exprs.iter().enumerate().all(|(i, e)| expressions::plain_column(e, from) == Some(i));
    if same && below.schema() == schema {
        return Ok(below);
    }
    if exprs.is_empty() {
        return Ok(below);
    }
    let expressions = exprs.iter().map(|e| expressions::compile(e, from)).collect::<PlanResult<Vec<_>>>()?;
    if let CircuitPlan::Constant { rows } = &below
        && let Some(rows) = computed(rows, &expressions, &schema)
    {
        return Ok(CircuitPlan::Constant { rows });
    }
    Ok(CircuitPlan::Project { input: Box::new(below), expressions, schema })
}

/// Constants computed now; not where that fails, since a failure is an error of its row.
fn computed(rows: &RecordBatch, expressions: &[ScalarExpr], schema: &SchemaRef) -> Option<RecordBatch> {
    let columns = expressions.iter().map(|e| e.physical.evaluate(rows).ok()?.into_array(rows.num_rows()).ok());
    RecordBatch::try_new(schema.clone(), columns.collect::<Option<Vec<_>>>()?).ok()
}

fn unnest(node: &Unnest) -> PlanResult<CircuitPlan> {
    let columns = node.input.schema().fields().len();
    let [(column, list)] = node.list_type_columns.as_slice() else {
        return refused("unnest of several lists at once", "unnest them one after the other");
    };
    let in_place = node.dependency_indices.iter().copied().eq(0..columns);
    if list.depth != 1 || !node.struct_type_columns.is_empty() || !in_place {
        return refused("unnest of nested lists", "unnest them one after the other");
    }
    if node.options.preserve_nulls {
        return refused("unnest that keeps empty lists", "use unnest in the SELECT list");
    }
    let schema = nullable(node.schema.fields().iter().map(|f| f.as_ref()));
    Ok(CircuitPlan::Unnest { input: Box::new(translate(&node.input)?), column: *column, schema })
}

fn constant(values: &Values) -> PlanResult<CircuitPlan> {
    let schema = nullable(values.schema.fields().iter().map(|f| f.as_ref()));
    let nothing = DFSchema::empty();
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let one = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).map_err(Report::internal)?;
    let mut columns = Vec::new();
    for (i, field) in schema.fields().iter().enumerate() {
        let mut parts = Vec::new();
        for row in &values.values {
            let expr = row.get(i).ok_or_else(|| Report::internal("VALUES lists of different lengths"))?;
            let array = create_physical_expr(expr, &nothing, &ExecutionProps::new())?.evaluate(&one)?.into_array(1)?;
            parts.push(arrow::compute::cast(&array, field.data_type()).map_err(|e| crate::types::eval_error::report_of_arrow(&e))?);
        }
        let parts: Vec<&dyn arrow::array::Array> = parts.iter().map(|part| part.as_ref()).collect();
        columns.push(arrow::compute::concat(&parts).map_err(Report::internal)?);
    }
    Ok(CircuitPlan::Constant { rows: RecordBatch::try_new(schema, columns).map_err(Report::internal)? })
}
