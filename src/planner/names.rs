//! What names in a query stand for: relations of the catalog, views by their stored text, system relations, functions.

use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource, WindowUDF, col};
use datafusion::physical_expr::create_physical_expr;
use datafusion::sql::TableReference;

use crate::catalog::{Definition, Entry};
use crate::types::{ObjectId, Report, SqlState};

use super::bind::bind;
use super::context::PlanContext;
use super::error::PlanError;
use super::functions::{cast, field, registry};
use super::operators::Operators;
use super::rewrite::{Facts, rewrite};
use super::stack::with_room;
use super::system::{self, SystemView};

/// Views over views this deep are refused: more is a circle or an accident.
const MAX_VIEW_DEPTH: usize = 64;

static EXPR_PLANNERS: LazyLock<Vec<Arc<dyn ExprPlanner>>> = LazyLock::new(|| {
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(Operators)];
    planners.extend(SessionStateDefaults::default_expr_planners());
    planners
});

/// Answers the binder's questions about names, and remembers what was asked for.
pub struct Names<'a> {
    context: &'a PlanContext,
    options: &'a ConfigOptions,
    depth: usize,
    relations: RefCell<Vec<ObjectId>>,
    facts: Cell<Facts>,
    /// The functions about the system, made when the first of them is asked for.
    system_functions: OnceCell<HashMap<String, Arc<ScalarUDF>>>,
}

impl<'a> Names<'a> {
    pub fn new(context: &'a PlanContext, options: &'a ConfigOptions) -> Names<'a> {
        Names { context, options, depth: 0, relations: RefCell::default(), facts: Cell::default(), system_functions: OnceCell::new() }
    }

    /// The relations of the catalog that were named, views included, each once, in order.
    pub fn relations(&self) -> Vec<ObjectId> {
        self.relations.borrow().clone()
    }

    pub fn facts(&self) -> Facts {
        self.facts.get()
    }

    pub fn note(&self, facts: Facts) {
        let uses_clock = self.facts.get().uses_clock || facts.uses_clock;
        self.facts.set(Facts { uses_clock });
    }

    fn entry(&self, name: &TableReference) -> Result<&Arc<Entry>, PlanError> {
        let found = self.context.catalog.resolve(name.schema(), name.table());
        let entry = found.map_err(|error| PlanError::from(error.report()))?;
        let mut relations = self.relations.borrow_mut();
        if !relations.contains(&entry.id) {
            relations.push(entry.id);
        }
        Ok(entry)
    }

    fn source(&self, name: &TableReference) -> Result<Arc<dyn TableSource>, PlanError> {
        if let Some(schema) = system::resolve(name.schema(), name.table(), &self.context.system)
            && let Some(rows) = system::relation(schema, name.table(), &self.context.system)
        {
            return fixed(rows.map_err(Report::internal)?);
        }
        let entry = self.entry(name)?;
        match &entry.definition {
            Definition::Sink { .. } => {
                let message = format!("\"{}\" is a sink and cannot be read", entry.name);
                Err(Report::error(SqlState::WRONG_OBJECT_TYPE, message).hint("read what it reads").into())
            }
            Definition::View { query } => {
                let plan = with_room(|| self.view(entry, query)).map_err(PlanError::unplaced)?;
                Ok(Arc::new(ViewSource { schema: entry.schema.arrow(), plan }))
            }
            _ => Ok(Arc::new(RelationSource { entry: entry.clone(), schema: entry.schema.arrow() })),
        }
    }

    fn system_function(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if !system::functions::is_function(name) {
            return None;
        }
        let functions = self.system_functions.get_or_init(|| {
            let view: Arc<SystemView> = Arc::new(self.context.system.clone());
            system::scalar_functions(&view).into_iter().map(|function| (function.name().to_string(), function)).collect()
        });
        functions.get(name).cloned()
    }

    /// The rows of a function in FROM, whose arguments are constants.
    fn table_function(&self, name: &str, arguments: &[Expr]) -> Result<Arc<dyn TableSource>, PlanError> {
        let name = name.trim_matches('"');
        let values = arguments.iter().map(constant).collect::<Result<Vec<ArrayRef>, PlanError>>()?;
        match system::table_function(name, &values, &self.context.system) {
            Some(rows) => fixed(rows?),
            None => {
                let report = Report::error(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"))
                    .hint("in FROM: TUMBLE(relation, column, size) and HOP(relation, column, slide, size)");
                Err(report.into())
            }
        }
    }

    /// The plan of a view's stored query, with the view's own column names.
    fn view(&self, entry: &Entry, query: &str) -> Result<LogicalPlan, PlanError> {
        if self.depth >= MAX_VIEW_DEPTH {
            return Err(PlanError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("views are nested more than {MAX_VIEW_DEPTH} deep")));
        }
        let mut query = crate::sql::parse_query(query)?;
        system::rewrite(&mut query, &self.context.system);
        let names = Names { depth: self.depth + 1, ..Names::new(self.context, self.options) };
        names.note(rewrite(&mut query, self.context.system.now)?);
        let plan = bind(*query, &names, &[])?;
        self.note(names.facts());
        let columns: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .zip(&entry.schema.columns)
            .map(|(from, column)| cast::cast(col(from), &column.sql_type).alias(&column.name))
            .collect();
        Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
    }
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        self.source(&name).map_err(PlanError::external)
    }

    fn get_table_function_source(&self, name: &str, arguments: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        self.table_function(name, &arguments).map_err(PlanError::external)
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &EXPR_PLANNERS
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
        cast::cast_named(name)
            .or_else(|| field::field_named(name))
            .or_else(|| self.system_function(name))
            .or_else(|| registry::scalar(name))
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
        registry::aggregate(name).or_else(|| system::aggregate_functions().into_iter().find(|function| function.name() == name))
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        registry::window(name)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.options
    }

    fn udf_names(&self) -> Vec<String> {
        registry::scalar_names()
    }

    fn udaf_names(&self) -> Vec<String> {
        registry::aggregate_names()
    }

    fn udwf_names(&self) -> Vec<String> {
        registry::window_names()
    }
}

/// Rows that are there already.
fn fixed(rows: RecordBatch) -> Result<Arc<dyn TableSource>, PlanError> {
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
    Ok(provider_as_source(Arc::new(table)))
}

fn constant(expr: &Expr) -> Result<ArrayRef, PlanError> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let one = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).map_err(Report::internal)?;
    if expr.any_column_refs() || expr.contains_outer() {
        let hint = "give the function constants";
        return Err(PlanError::unsupported("a function in FROM whose arguments are columns is not supported", hint));
    }
    let expr = create_physical_expr(expr, &DFSchema::empty(), &ExecutionProps::new())?;
    Ok(expr.evaluate(&one)?.into_array(1)?)
}

/// A relation that has rows of its own.
pub struct RelationSource {
    pub entry: Arc<Entry>,
    schema: SchemaRef,
}

impl TableSource for RelationSource {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

/// A view, which the binder puts its plan in the place of.
struct ViewSource {
    schema: SchemaRef,
    plan: LogicalPlan,
}

impl TableSource for ViewSource {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn get_logical_plan(&'_ self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}
