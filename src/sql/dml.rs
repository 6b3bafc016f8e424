//! INSERT, UPDATE and DELETE: sqlparser reads them, and what floe does not do is refused here.

use sqlparser::ast;

use super::cursor::Cursor;
use super::depth::shallow;
use super::error::SqlError;
use super::names::{folded, object_name};
use super::statement::{Delete, Insert, ObjectName, OnConflict, Statement, Update};

/// Behind INSERT.
pub fn insert(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let token = cursor.parser.get_current_token().clone();
    let mut parsed = cursor.parser.parse_insert(token)?;
    shallow(&mut parsed)?;
    let ast::Statement::Insert(insert) = parsed else { return Err(cursor.unexpected()) };
    let ast::TableObject::TableName(table) = &insert.table else {
        return Err(SqlError::unsupported("INSERT INTO a function", "name a table"));
    };
    if insert.or.is_some()
        || insert.ignore
        || insert.overwrite
        || insert.replace_into
        || insert.partitioned.is_some()
        || insert.settings.is_some()
        || insert.format_clause.is_some()
        || insert.priority.is_some()
        || insert.insert_alias.is_some()
        || !insert.assignments.is_empty()
    {
        return Err(SqlError::unsupported("this form of INSERT", "INSERT INTO t [(columns)] VALUES ... | SELECT ..."));
    }
    Ok(Statement::Insert(Box::new(Insert {
        table: object_name(table)?,
        columns: insert.columns.iter().map(folded).collect(),
        on_conflict: on_conflict(insert.on.as_ref(), &insert.columns)?,
        source: insert.source,
        returning: insert.returning,
    })))
}

fn on_conflict(on: Option<&ast::OnInsert>, columns: &[ast::Ident]) -> Result<OnConflict, SqlError> {
    let Some(on) = on else { return Ok(OnConflict::Error) };
    let refused = || {
        SqlError::unsupported(
            "this ON CONFLICT clause",
            "ON CONFLICT (key) DO NOTHING, or DO UPDATE SET c = excluded.c for every column that is not in the key",
        )
    };
    let ast::OnInsert::OnConflict(clause) = on else { return Err(refused()) };
    let update = match &clause.action {
        ast::OnConflictAction::DoNothing => return Ok(OnConflict::DoNothing),
        ast::OnConflictAction::DoUpdate(update) => update,
    };
    let Some(ast::ConflictTarget::Columns(key)) = &clause.conflict_target else { return Err(refused()) };
    let excluded = |assignment: &ast::Assignment| {
        let ast::AssignmentTarget::ColumnName(target) = &assignment.target else { return None };
        let target = target.0.last()?.as_ident().map(folded)?;
        match &assignment.value {
            ast::Expr::CompoundIdentifier(parts) if parts.len() == 2 && folded(&parts[0]) == "excluded" && folded(&parts[1]) == target => {
                Some(target)
            }
            _ => None,
        }
    };
    let assigned = update.assignments.iter().map(excluded).collect::<Option<Vec<String>>>().ok_or_else(refused)?;
    let covered = columns.iter().map(folded).all(|column| assigned.contains(&column) || key.iter().any(|k| folded(k) == column));
    // Only when the columns are named can be seen here that every one of them is replaced.
    if update.selection.is_some() || columns.is_empty() || !covered {
        return Err(refused());
    }
    Ok(OnConflict::Overwrite)
}

/// Behind UPDATE.
pub fn update(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let token = cursor.parser.get_current_token().clone();
    let mut parsed = cursor.parser.parse_update(token)?;
    shallow(&mut parsed)?;
    let ast::Statement::Update(update) = parsed else { return Err(cursor.unexpected()) };
    if update.from.is_some() {
        return Err(SqlError::unsupported("UPDATE ... FROM", "use a subquery in SET or WHERE"));
    }
    if update.or.is_some() || update.limit.is_some() {
        return Err(SqlError::unsupported("this form of UPDATE", "UPDATE t SET c = ... WHERE ..."));
    }
    let (table, alias) = target(&update.table)?;
    let assignments = update.assignments.into_iter().map(|assignment| match assignment.target {
        ast::AssignmentTarget::ColumnName(name) if name.0.len() == 1 => Ok((object_name(&name)?.name, assignment.value)),
        _ => Err(SqlError::unsupported("assigning several columns at once", "SET a = ..., b = ...")),
    });
    Ok(Statement::Update(Box::new(Update {
        table,
        alias,
        assignments: assignments.collect::<Result<_, SqlError>>()?,
        selection: update.selection,
        returning: update.returning,
    })))
}

/// Behind DELETE.
pub fn delete(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let token = cursor.parser.get_current_token().clone();
    let mut parsed = cursor.parser.parse_delete(token)?;
    shallow(&mut parsed)?;
    let ast::Statement::Delete(delete) = parsed else { return Err(cursor.unexpected()) };
    let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) = &delete.from;
    let [from] = from.as_slice() else {
        return Err(SqlError::unsupported("DELETE from several tables", "DELETE FROM t WHERE ..."));
    };
    if !delete.tables.is_empty() || delete.using.is_some() {
        return Err(SqlError::unsupported("DELETE ... USING", "use a subquery in WHERE"));
    }
    if !delete.order_by.is_empty() || delete.limit.is_some() {
        return Err(SqlError::unsupported("this form of DELETE", "DELETE FROM t WHERE ..."));
    }
    let (table, alias) = target(from)?;
    Ok(Statement::Delete(Box::new(Delete { table, alias, selection: delete.selection, returning: delete.returning })))
}

fn target(table: &ast::TableWithJoins) -> Result<(ObjectName, Option<String>), SqlError> {
    match &table.relation {
        ast::TableFactor::Table { name, alias, args: None, .. } if table.joins.is_empty() => {
            Ok((object_name(name)?, alias.as_ref().map(|alias| folded(&alias.name))))
        }
        _ => Err(SqlError::unsupported("changing anything but one table", "name a table")),
    }
}
