//! INSERT, UPDATE, DELETE and COPY as queries over rows: what is to be written, and what is written over.

use std::sync::Arc;

use datafusion::logical_expr::{Expr as LogicalExpr, LogicalPlan, LogicalPlanBuilder, col};
use sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr, Value};

use crate::catalog::{Definition, Entry};
use crate::sql::statement::{self, Copy, CopySource, Delete, Insert, Update};
use crate::types::{Column, RelationSchema, Report, SqlState, SqlType};

use super::bind::bind;
use super::context::PlanContext;
use super::error::{PlanError, PlanResult};
use super::functions::cast::assignment_cast;
use super::literals::assignable;
use super::names::Names;
use super::operators::short;
use super::options::options;
use super::query::{BoundQuery, plan_query, plan_rewritten};
use super::rewrite::{rewrite, trees, typed};

/// The rows to insert: every column of the table in its order, with defaults where none is given.
pub fn plan_insert(insert: &Insert, context: &PlanContext, parameters: &[Option<SqlType>]) -> PlanResult<BoundQuery> {
    no_returning(insert.returning.is_some())?;
    let table = table(&insert.table, context)?;
    let targets = targets(insert, &table)?;
    let types: Vec<SqlType> = targets.iter().map(|i| table.schema.columns[*i].sql_type.clone()).collect();
    let named = !insert.columns.is_empty();
    let mut source = match &insert.source {
        Some(query) => query.as_ref().clone(),
        None => *crate::sql::parse_query("SELECT 1 WHERE true")?,
    };
    let given = match &insert.source {
        Some(_) => assign_literals(&mut source, &types, &targets, &table)?,
        None => Some(0),
    };
    if let Some(given) = given.filter(|given| *given > targets.len()) {
        let message = format!("INSERT has more expressions than target columns ({given} for {})", targets.len());
        return Err(PlanError::new(SqlState::SYNTAX_ERROR, message));
    }
    let facts = rewrite(&mut source, context.system.now)?;
    let finish = |plan: LogicalPlan| {
        let width = if insert.source.is_some() { plan.schema().fields().len() } else { 0 };
        if width > targets.len() {
            return Err(PlanError::new(SqlState::SYNTAX_ERROR, "INSERT has more expressions than target columns"));
        }
        if width < targets.len() && named && insert.source.is_some() {
            return Err(PlanError::new(SqlState::SYNTAX_ERROR, "INSERT has more target columns than expressions"));
        }
        let from = plan.schema().columns();
        let mut columns = Vec::new();
        for (i, column) in table.schema.columns.iter().enumerate() {
            let value = match targets.iter().position(|target| *target == i).filter(|at| *at < width) {
                Some(at) => {
                    let found = SqlType::of_field(plan.schema().field(at));
                    let found = if plan.schema().field(at).data_type().is_null() { SqlType::Unknown } else { found };
                    assigned(col(from[at].clone()), &found, column)?
                }
                None => default(&table, i, context)?,
            };
            columns.push(value.alias(&column.name));
        }
        Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
    };
    let bound = plan_rewritten(source, facts, context, parameters, finish)?;
    Ok(as_table(bound, &table, 1))
}

/// For each row that the WHERE finds: its columns as they are, then all columns as they will be.
pub fn plan_update(update: &Update, context: &PlanContext, parameters: &[Option<SqlType>]) -> PlanResult<BoundQuery> {
    no_returning(update.returning.is_some())?;
    let table = table(&update.table, context)?;
    let mut assigned_to: Vec<Option<Expr>> = vec![None; table.schema.columns.len()];
    for (name, value) in &update.assignments {
        let position = position(&table, name)?;
        if assigned_to[position].is_some() {
            return Err(PlanError::new(SqlState::SYNTAX_ERROR, format!("multiple assignments to same column \"{name}\"")));
        }
        assigned_to[position] = Some(value.clone());
    }
    let mut query = matching(&update.table, update.alias.as_deref(), update.selection.clone())?;
    let columns = &table.schema.columns;
    let mut items = Vec::new();
    let qualifier = update.alias.clone().unwrap_or_else(|| table.name.clone());
    let own = |column: &Column| Expr::CompoundIdentifier(vec![trees::ident(&qualifier), trees::ident(&column.name)]);
    for (i, column) in columns.iter().enumerate() {
        items.push(item(own(column), &format!("old {i}")));
    }
    let mut defaults = Vec::new();
    for (i, (column, value)) in columns.iter().zip(&assigned_to).enumerate() {
        let value = match value {
            Some(value) if is_default(value) => {
                defaults.push(i);
                own(column)
            }
            Some(value) => assign_literal(value.clone(), &column.sql_type),
            None => own(column),
        };
        items.push(item(value, &format!("new {i}")));
    }
    trees::select_of(&mut query)?.projection = items;
    let facts = rewrite(&mut query, context.system.now)?;
    let finish = |plan: LogicalPlan| {
        let from = plan.schema().columns();
        let width = columns.len();
        let mut all: Vec<LogicalExpr> = from.iter().take(width).map(|c| col(c.clone())).collect();
        for (i, column) in columns.iter().enumerate() {
            let field = plan.schema().field(width + i);
            let found = if field.data_type().is_null() { SqlType::Unknown } else { SqlType::of_field(field) };
            let value = match defaults.contains(&i) {
                true => default(&table, i, context)?,
                false => assigned(col(from[width + i].clone()), &found, column)?,
            };
            all.push(value.alias(format!("new {i}")));
        }
        Ok(LogicalPlanBuilder::from(plan).project(all)?.build()?)
    };
    let bound = plan_rewritten(*query, facts, context, parameters, finish)?;
    Ok(as_table(bound, &table, 2))
}

/// The rows that the WHERE finds.
pub fn plan_delete(delete: &Delete, context: &PlanContext, parameters: &[Option<SqlType>]) -> PlanResult<BoundQuery> {
    no_returning(delete.returning.is_some())?;
    let table = table(&delete.table, context)?;
    let query = matching(&delete.table, delete.alias.as_deref(), delete.selection.clone())?;
    Ok(as_table(plan_query(&query, context, parameters)?, &table, 1))
}

/// The rows of COPY ... TO STDOUT.
pub fn plan_copy(copy: &Copy, context: &PlanContext) -> PlanResult<BoundQuery> {
    match &copy.from {
        CopySource::Query(query) => plan_query(query, context, &[]),
        CopySource::Relation { name, columns } => {
            let mut query = matching(name, None, None)?;
            if !columns.is_empty() {
                let items = columns.iter().map(|column| SelectItem::UnnamedExpr(Expr::Identifier(trees::ident(column))));
                trees::select_of(&mut query)?.projection = items.collect();
            }
            plan_query(&query, context, &[])
        }
    }
}

/// The rows that COPY ... FROM STDIN writes: one row of parameters, `$1` the first named column, with defaults.
pub fn plan_copy_in(name: &statement::ObjectName, columns: &[String], context: &PlanContext) -> PlanResult<BoundQuery> {
    let width = match columns.len() {
        0 => table(name, context)?.schema.columns.len(),
        named => named,
    };
    let placeholders: Vec<String> = (1..=width).map(|i| format!("${i}")).collect();
    let source = crate::sql::parse_query(&format!("VALUES ({})", placeholders.join(", ")))?;
    let insert = Insert {
        table: name.clone(),
        columns: columns.to_vec(),
        source: Some(source),
        on_conflict: statement::OnConflict::Error,
        returning: None,
    };
    plan_insert(&insert, context, &[])
}

fn no_returning(asked: bool) -> PlanResult<()> {
    match asked {
        true => Err(PlanError::unsupported("RETURNING is not supported", "SELECT the rows afterwards")),
        false => Ok(()),
    }
}

fn table(name: &statement::ObjectName, context: &PlanContext) -> PlanResult<Arc<Entry>> {
    let entry = context.catalog.resolve(name.schema.as_deref(), &name.name).map_err(|error| PlanError::from(error.report()))?;
    match entry.definition {
        Definition::Table { .. } => Ok(entry.clone()),
        _ => {
            let message = format!("cannot change rows of \"{}\": it is a {}", entry.name, entry.kind().noun());
            Err(Report::error(SqlState::WRONG_OBJECT_TYPE, message).hint("only tables are written to by SQL").into())
        }
    }
}

fn position(table: &Entry, name: &str) -> PlanResult<usize> {
    table.schema.position(name).ok_or_else(|| {
        PlanError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" of relation \"{}\" does not exist", table.name))
    })
}

fn targets(insert: &Insert, table: &Entry) -> PlanResult<Vec<usize>> {
    if insert.columns.is_empty() {
        return Ok((0..table.schema.columns.len()).collect());
    }
    let mut found = Vec::new();
    for name in &insert.columns {
        let position = position(table, name)?;
        if found.contains(&position) {
            return Err(PlanError::new(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
        }
        found.push(position);
    }
    Ok(found)
}

fn item(expr: Expr, name: &str) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: trees::ident(name) }
}

/// `SELECT * FROM table AS alias WHERE selection`.
fn matching(name: &statement::ObjectName, alias: Option<&str>, selection: Option<Expr>) -> PlanResult<Box<Query>> {
    let parts = trees::object_name(name.schema.iter().chain([&name.name]).map(|part| trees::ident(part)));
    let mut query = trees::select_all(trees::table(parts, alias.map(|alias| trees::alias(trees::ident(alias)))))?;
    trees::select_of(&mut query)?.selection = selection;
    Ok(query)
}

fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(Ident { value, quote_style: None, .. }) if value.eq_ignore_ascii_case("default"))
}

/// A literal takes the type of the column that it goes into.
fn assign_literal(expr: Expr, target: &SqlType) -> Expr {
    match &expr {
        Expr::Value(value) => match &value.value {
            Value::Number(..) | Value::Boolean(_) => expr,
            // The length of a text is checked when it is assigned.
            _ if matches!(target, SqlType::Varchar(_)) => typed(expr, &SqlType::Text),
            _ => typed(expr, target),
        },
        _ => expr,
    }
}

/// Types the literals of VALUES and of a SELECT's list, and puts defaults for DEFAULT. The number of values a row, where
/// the tree shows it.
fn assign_literals(query: &mut Query, types: &[SqlType], targets: &[usize], table: &Entry) -> PlanResult<Option<usize>> {
    match query.body.as_mut() {
        SetExpr::Values(values) => {
            let width = values.rows.first().map_or(0, Vec::len);
            if values.rows.iter().any(|row| row.len() != width) {
                return Err(PlanError::new(SqlState::SYNTAX_ERROR, "VALUES lists must all be the same length"));
            }
            for row in &mut values.rows {
                for (i, value) in row.iter_mut().enumerate() {
                    let Some((sql_type, target)) = types.get(i).zip(targets.get(i)) else { continue };
                    let taken = std::mem::replace(value, Expr::Value(Value::Null.into()));
                    *value = match is_default(&taken) {
                        true => default_tree(table, *target)?,
                        false => assign_literal(taken, sql_type),
                    };
                }
            }
            Ok(Some(width))
        }
        SetExpr::Select(select) => {
            let mut plain = true;
            for (i, item) in select.projection.iter_mut().enumerate() {
                let expr = match item {
                    SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr,
                    _ => {
                        plain = false;
                        break;
                    }
                };
                if let Some(sql_type) = types.get(i) {
                    let taken = std::mem::replace(expr, Expr::Value(Value::Null.into()));
                    *expr = assign_literal(taken, sql_type);
                }
            }
            Ok(plain.then_some(select.projection.len()))
        }
        SetExpr::Query(inner) => assign_literals(inner, types, targets, table),
        _ => Ok(None),
    }
}

/// The DEFAULT of a column as a tree: null when it has none.
fn default_tree(table: &Entry, column: usize) -> PlanResult<Expr> {
    let text = match &table.definition {
        Definition::Table { defaults, .. } => defaults.get(column).cloned().flatten(),
        _ => None,
    };
    let target = &table.schema.columns[column].sql_type;
    match text {
        Some(text) => Ok(assign_literal(crate::sql::parse_expr(&text)?, target)),
        None => Ok(typed(Expr::Value(Value::Null.into()), target)),
    }
}

/// The DEFAULT of a column, bound: it can name no other column.
fn default(table: &Entry, column: usize, context: &PlanContext) -> PlanResult<LogicalExpr> {
    let mut query = *crate::sql::parse_query("SELECT 1")?;
    trees::select_of(&mut query)?.projection = vec![item(default_tree(table, column)?, "value")];
    rewrite(&mut query, context.system.now)?;
    let options = options();
    let plan = bind(query, &Names::new(context, &options), &[])?;
    let field = plan.schema().field(0);
    let found = if field.data_type().is_null() { SqlType::Unknown } else { SqlType::of_field(field) };
    let value = plan.expressions().into_iter().next().ok_or_else(|| PlanError::from(Report::internal("a default of nothing")))?;
    assigned(value.unalias(), &found, &table.schema.columns[column])
}

/// The value as it goes into the column.
fn assigned(value: LogicalExpr, found: &SqlType, column: &Column) -> PlanResult<LogicalExpr> {
    let target = &column.sql_type;
    if found != target && matches!(target, SqlType::Varchar(Some(_))) && assignable(value.clone(), found, target).is_some() {
        return Ok(assignment_cast(value, target));
    }
    assignable(value, found, target).ok_or_else(|| {
        let message = format!("column \"{}\" is of type {} but expression is of type {}", column.name, short(target), short(found));
        Report::error(SqlState::DATATYPE_MISMATCH, message).hint("You will need to rewrite or cast the expression.").into()
    })
}

/// With the table's own columns, once or twice.
fn as_table(bound: BoundQuery, table: &Entry, times: usize) -> BoundQuery {
    let RelationSchema { columns, .. } = &table.schema;
    let columns = (0..times).flat_map(|_| columns.iter().cloned()).collect();
    BoundQuery { columns, ..bound }
}
