//! Runs a statement: the one match from statement to what the session or its engine does.

use std::sync::Arc;

use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use sqlparser::ast;

use super::copy_in::CopyIn;
use super::copy_out;
use super::cursor::Cursor;
use super::describe::{explain_columns, located};
use super::engine::Change;
use super::prepared::Prepared;
use super::remembered::Remembered;
use super::rows::{batches, text_response};
use super::session::Session;
use crate::coordinator::api::{Description, Response, RowStream, RowsTag};
use crate::sql::statement::{CopySource, ObjectKind};
use crate::sql::{ParsedStatement, Statement};
use crate::types::{Column, Report, SqlState, SqlType};

impl Session {
    /// Runs one statement inside the current transaction, or begins an implicit one, which the caller ends with
    /// [`Session::commit_implicit`]. After an error the caller calls [`Session::fail`].
    ///
    /// Rows that come back stop with an error when the statement is interrupted.
    pub async fn execute(
        &mut self,
        statement: &ParsedStatement,
        parameters: Vec<ScalarValue>,
        remembered: &Remembered,
    ) -> Result<Response, Report> {
        self.admit(statement)?;
        self.variables.note_workers(self.engine.workers());
        self.run(&statement.statement, parameters, &statement.text, remembered).await.map_err(|report| located(report, statement))
    }

    async fn run(
        &mut self,
        statement: &Statement,
        parameters: Vec<ScalarValue>,
        text: &str,
        remembered: &Remembered,
    ) -> Result<Response, Report> {
        let done = |tag: &str| Ok(Response::Done { tag: tag.to_string() });
        match statement {
            Statement::Begin { read_only } => done(self.begin(*read_only)),
            Statement::Commit => done(self.commit().await?),
            Statement::Rollback => done(self.rollback()),
            Statement::Savepoint(name) => done(self.savepoint(name)?),
            Statement::ReleaseSavepoint(name) => done(self.release_savepoint(name)?),
            Statement::RollbackTo(name) => done(self.rollback_to(name)?),

            Statement::Query(query) => {
                let (columns, rows) = self.query(query.clone(), parameters, remembered).await?;
                Ok(Response::Rows { columns, rows, tag: RowsTag::Counted("SELECT") })
            }
            Statement::Insert(_) => self.change(statement, parameters, "INSERT", "INSERT 0").await,
            Statement::Update(_) => self.change(statement, parameters, "UPDATE", "UPDATE").await,
            Statement::Delete(_) => self.change(statement, parameters, "DELETE", "DELETE").await,
            Statement::Copy(copy) if copy.to_stdout => {
                let (columns, rows) = match &copy.from {
                    CopySource::Query(query) => self.query(Arc::from(query.clone()), parameters, &Remembered::default()).await?,
                    CopySource::Relation { name, columns } => {
                        self.query(Arc::from(select_from(name, columns)?), Vec::new(), &Remembered::default()).await?
                    }
                };
                let width = columns.len();
                let data = copy_out::stream(columns, rows, copy.clone(), self.zone());
                Ok(Response::CopyOut { columns: width, data })
            }
            Statement::Copy(copy) => {
                self.writable("COPY FROM")?;
                let CopySource::Relation { name, columns } = &copy.from else {
                    return Err(Report::error(SqlState::SYNTAX_ERROR, "COPY FROM STDIN needs a table, not a query"));
                };
                let entry = self.find_entry(name)?;
                let copy = CopyIn::new(&entry, columns, copy.clone(), self.zone())?;
                Ok(Response::CopyIn { columns: copy.width(), copy: Box::new(copy) })
            }

            Statement::CreateSource(_) => self.definition(statement, "CREATE SOURCE").await,
            Statement::CreateTable(_) => self.definition(statement, "CREATE TABLE").await,
            Statement::CreateView(view) if view.materialized => self.definition(statement, "CREATE MATERIALIZED VIEW").await,
            Statement::CreateView(_) => self.definition(statement, "CREATE VIEW").await,
            Statement::CreateSink(_) => self.definition(statement, "CREATE SINK").await,
            Statement::Drop(drop) => {
                let tag = match drop.kind {
                    ObjectKind::Source => "DROP SOURCE",
                    ObjectKind::Table => "DROP TABLE",
                    ObjectKind::View => "DROP VIEW",
                    ObjectKind::MaterializedView => "DROP MATERIALIZED VIEW",
                    ObjectKind::Sink => "DROP SINK",
                };
                self.definition(statement, tag).await
            }
            Statement::Flush => {
                self.settle("FLUSH").await?;
                self.interrupt.guard(self.engine.flush()).await?;
                done("FLUSH")
            }
            Statement::AlterSystem { name, value } => {
                self.settle("ALTER SYSTEM").await?;
                self.interrupt.guard(self.engine.alter_system(name.clone(), value.clone())).await?;
                done("ALTER SYSTEM")
            }
            Statement::Checkpoint => {
                self.settle("CHECKPOINT").await?;
                self.interrupt.guard(self.engine.checkpoint()).await?;
                done("CHECKPOINT")
            }

            Statement::Show(show) => self.show(show),
            Statement::Describe(name) => self.describe_object(name),
            Statement::Explain(explain) => {
                let context = self.context();
                let work = self.engine.explain((**explain).clone(), parameters, context);
                let lines = self.interrupt.guard(work).await?;
                let rows = lines.into_iter().map(|line| vec![Some(line)]).collect();
                text_response(explain_columns(), rows, RowsTag::Plain("EXPLAIN"))
            }

            Statement::ExplainRunning { kind, name } => {
                let entry = self.find_entry_of(*kind, name)?;
                let rows = self.engine.profile(&entry)?.into_iter().map(|line| vec![Some(line)]).collect();
                text_response(explain_columns(), rows, RowsTag::Plain("EXPLAIN"))
            }

            Statement::SetVariable { name, value, local } => self.set_variable(name, value.as_deref(), *local),
            Statement::ResetVariable(name) => self.reset_variable(name.as_deref()),
            Statement::Discard(what) => self.discard(what),

            Statement::Prepare { name, types, statement, text } => self.prepare(name, types, statement, text).await,
            Statement::Execute { name, arguments } => {
                let prepared = self.prepared.get(name)?;
                self.execute_prepared(&prepared, name, arguments).await
            }
            Statement::Deallocate(Some(name)) => {
                self.prepared.deallocate(name)?;
                done("DEALLOCATE")
            }
            Statement::Deallocate(None) => {
                self.prepared.clear();
                done("DEALLOCATE ALL")
            }

            Statement::Declare { name, query } => self.declare(name, query, parameters).await,
            Statement::Fetch { name, count } => {
                let interrupt = self.interrupt.clone();
                let cursor = self.cursors.get_mut(name).ok_or_else(|| no_cursor(name))?;
                interrupt.guard(cursor.fetch(*count)).await
            }
            Statement::Close(Some(name)) => match self.cursors.remove(name) {
                Some(_) => done("CLOSE CURSOR"),
                None => Err(no_cursor(name)),
            },
            Statement::Close(None) => {
                self.cursors.clear();
                done("CLOSE CURSOR ALL")
            }
            Statement::NoOperation { tag } => {
                tracing::debug!(%tag, %text, "accepted without effect");
                done(tag)
            }
        }
    }

    async fn query(
        &mut self,
        query: Arc<ast::Query>,
        parameters: Vec<ScalarValue>,
        remembered: &Remembered,
    ) -> Result<(Vec<Column>, RowStream), Report> {
        self.not_after_definition()?;
        let context = self.context();
        let (columns, rows) = self.interrupt.guard(self.engine.query(query, parameters, context, remembered.clone())).await?;
        Ok((columns, self.interrupt.stream(rows)))
    }

    async fn change(
        &mut self,
        statement: &Statement,
        parameters: Vec<ScalarValue>,
        verb: &str,
        tag: &'static str,
    ) -> Result<Response, Report> {
        self.writable(verb)?;
        self.not_after_definition()?;
        let context = self.context();
        let change = self.interrupt.guard(self.engine.change(statement.clone(), parameters, context)).await?;
        Ok(self.buffer(change, tag))
    }

    /// Keeps a change until the transaction commits.
    pub(super) fn buffer(&mut self, change: Change, tag: &'static str) -> Response {
        self.work().changes.extend(change.changes);
        match change.returning {
            Some((columns, rows)) => Response::Rows { columns, rows: batches(rows), tag: RowsTag::Counted(tag) },
            None => Response::Done { tag: format!("{tag} {}", change.affected) },
        }
    }

    pub(super) fn writable(&mut self, verb: &str) -> Result<(), Report> {
        if self.work().read_only {
            return Err(Report::error(SqlState("25006"), format!("cannot execute {verb} in a read-only transaction")));
        }
        Ok(())
    }

    fn not_after_definition(&mut self) -> Result<(), Report> {
        if self.work().definition.is_some() {
            return Err(Report::error(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "no other statement may follow a CREATE or DROP in its transaction block",
            )
            .hint("COMMIT first: the definition takes effect then"));
        }
        Ok(())
    }

    async fn definition(&mut self, statement: &Statement, tag: &'static str) -> Result<Response, Report> {
        self.writable(tag)?;
        Ok(Response::Done { tag: self.define(statement, tag).await? })
    }

    async fn prepare(&mut self, name: &str, types: &[SqlType], statement: &Statement, text: &str) -> Result<Response, Report> {
        let statement = ParsedStatement { statement: statement.clone(), text: text.to_string(), position: 0 };
        let types: Vec<Option<SqlType>> = types.iter().map(|t| (*t != SqlType::Unknown).then(|| t.clone())).collect();
        let description = self.describe(&statement, &types).await?;
        self.prepared.add(name, Prepared::new(Some(statement), description, Vec::new()))?;
        Ok(Response::Done { tag: "PREPARE".to_string() })
    }

    async fn execute_prepared(&mut self, prepared: &Arc<Prepared>, name: &str, arguments: &[ast::Expr]) -> Result<Response, Report> {
        let Description { parameters: types, .. } = &prepared.description;
        if types.len() != arguments.len() {
            return Err(Report::error(SqlState::SYNTAX_ERROR, format!("wrong number of parameters for prepared statement \"{name}\""))
                .detail(format!("Expected {} parameters but got {}.", types.len(), arguments.len())));
        }
        let Some(statement) = &prepared.statement else { return Ok(Response::Empty) };
        if matches!(statement.statement, Statement::Execute { .. } | Statement::Prepare { .. }) {
            return Err(Report::unsupported("a prepared statement cannot be PREPARE or EXECUTE"));
        }
        let parameters = self.arguments(arguments, types).await?;
        self.admit(statement)?;
        Box::pin(self.run(&statement.statement, parameters, &statement.text, &prepared.remembered)).await
    }

    /// The values of EXECUTE's arguments: one row of a query that selects them.
    async fn arguments(&mut self, arguments: &[ast::Expr], types: &[SqlType]) -> Result<Vec<ScalarValue>, Report> {
        if arguments.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = bare_query()?;
        if let ast::SetExpr::Select(select) = &mut *query.body {
            select.projection = arguments.iter().cloned().map(ast::SelectItem::UnnamedExpr).collect();
        }
        let (columns, mut rows) = self.query(Arc::from(query), Vec::new(), &Remembered::default()).await?;
        let row = match rows.next().await {
            Some(batch) => batch?,
            None => return Err(Report::internal("the arguments of EXECUTE gave no row")),
        };
        let zone = self.zone();
        let mut values = Vec::with_capacity(types.len());
        for ((column, array), wanted) in columns.iter().zip(row.columns()).zip(types) {
            let value = ScalarValue::try_from_array(array, 0).map_err(Report::internal)?;
            let value = match value {
                value if value.is_null() => crate::types::form::read_text::null(wanted)?,
                // A literal's type is still open.
                ScalarValue::Utf8(Some(text)) => crate::types::form::read_text(&text, wanted, &zone)?,
                value => value.cast_to(&wanted.arrow()).map_err(|_| {
                    Report::error(
                        SqlState::DATATYPE_MISMATCH,
                        format!("an argument of type {} cannot be coerced to the expected type {wanted}", column.sql_type),
                    )
                })?,
            };
            values.push(value);
        }
        Ok(values)
    }

    async fn declare(&mut self, name: &str, query: &Statement, parameters: Vec<ScalarValue>) -> Result<Response, Report> {
        if !self.transaction.is_explicit() {
            return Err(Report::error(SqlState::NO_ACTIVE_SQL_TRANSACTION, "DECLARE CURSOR can only be used in transaction blocks"));
        }
        if self.cursors.contains_key(name) {
            return Err(Report::error(SqlState("42P03"), format!("cursor \"{name}\" already exists")));
        }
        let Statement::Query(query) = query else {
            return Err(Report::error(SqlState::SYNTAX_ERROR, "DECLARE CURSOR needs a query"));
        };
        let (columns, rows) = self.query(query.clone(), parameters, &Remembered::default()).await?;
        self.cursors.insert(name.to_string(), Cursor::new(columns, rows));
        Ok(Response::Done { tag: "DECLARE CURSOR".to_string() })
    }

    pub(super) fn cursor(&self, name: &str) -> Result<&Cursor, Report> {
        self.cursors.get(name).ok_or_else(|| no_cursor(name))
    }

    /// Ends a COPY FROM STDIN whose data has all come: its rows become part of the transaction. Gives the command tag.
    pub async fn finish_copy(&mut self, copy: Box<CopyIn>) -> Result<String, Report> {
        self.not_after_definition()?;
        let batches = copy.finish()?;
        let mut count = 0;
        for rows in batches.rows {
            count += rows.num_rows();
            let context = self.context();
            let work = self.engine.append(batches.table, batches.columns.clone(), rows, context);
            let change = self.interrupt.guard(work).await?;
            self.work().changes.extend(change.changes);
        }
        Ok(format!("COPY {count}"))
    }
}

fn no_cursor(name: &str) -> Report {
    Report::error(SqlState::INVALID_CURSOR_NAME, format!("cursor \"{name}\" does not exist"))
}

/// `SELECT NULL`, to be given another select list.
fn bare_query() -> Result<Box<ast::Query>, Report> {
    let dialect = sqlparser::dialect::PostgreSqlDialect {};
    match sqlparser::parser::Parser::parse_sql(&dialect, "SELECT NULL").map_err(Report::internal)?.pop() {
        Some(ast::Statement::Query(query)) => Ok(query),
        _ => Err(Report::internal("SELECT NULL is not a query")),
    }
}

/// `SELECT columns FROM relation`, for COPY of a relation.
fn select_from(name: &crate::sql::statement::ObjectName, columns: &[String]) -> Result<Box<ast::Query>, Report> {
    let quoted = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
    let relation = name.schema.iter().chain([&name.name]).map(quoted).collect::<Vec<_>>().join(".");
    let columns = if columns.is_empty() { "*".to_string() } else { columns.iter().map(quoted).collect::<Vec<_>>().join(", ") };
    let dialect = sqlparser::dialect::PostgreSqlDialect {};
    let text = format!("SELECT {columns} FROM {relation}");
    match sqlparser::parser::Parser::parse_sql(&dialect, &text).map_err(Report::internal)?.pop() {
        Some(ast::Statement::Query(query)) => Ok(query),
        _ => Err(Report::internal("COPY's query did not parse")),
    }
}
