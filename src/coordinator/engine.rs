//! The engine behind every session: plans against a published epoch, runs one-shot queries on it, and turns statements
//! that change something into commands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use datafusion::catalog::TableProvider;
use datafusion::scalar::ScalarValue;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use sqlparser::ast;

use crate::catalog::{Catalog, Definition, Entry};
use crate::planner::system::SystemView;
use crate::planner::{self, BoundQuery, Kept, PlanContext, Tables};
use crate::sql::Statement;
use crate::sql::statement::{CreateSink, Explain, Insert, ObjectName, OnConflict, SinkFrom};
use crate::types::{Column, ObjectId, Report, SqlState, SqlType};
use crate::zset::{Delta, ZSet};

use super::api::{Description, Login, RowStream};
use super::clock;
use super::database::Database;
use super::profile;
use super::published::Published;
use super::recovery::source_spec;
use super::rows::{self, Rows};
use super::runtime_relations;
use super::session::engine::{Change, Context, Engine, Pin, TableChange};
use super::session::remembered::Remembered;
use super::session::session::Session;
use super::start::Coordinator;
use super::statement_times::StatementTimes;
use super::system_settings::SettingChange;
use super::table::{self, RowChange};

#[derive(Clone)]
pub struct OpenDatabase(pub Arc<Coordinator>);

/// The relations of one published epoch, with a transaction's own changes on top.
struct Pinned {
    published: Arc<Published>,
    overlay: BTreeMap<ObjectId, Delta>,
}

impl Tables for Pinned {
    fn provider(&self, entry: &Entry) -> Result<Arc<dyn TableProvider>, Report> {
        if let Some(report) = self.published.error_of(entry.id) {
            return Err(report);
        }
        let missing = || {
            Report::error(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is a {}: it has no rows to read", entry.name, entry.kind().noun()))
        };
        let relation = self.published.relations.get(&entry.id).ok_or_else(missing)?;
        let rows = match (&relation.rows, self.overlay.get(&entry.id), &entry.definition) {
            (Some(snapshot), Some(delta), _) => Rows::Changed(snapshot.clone(), delta.clone()),
            (Some(snapshot), None, _) => Rows::Kept(snapshot.clone()),
            (None, _, Definition::Source { connector, options, format, encode, start, .. }) => Rows::ReadAgain {
                spec: Box::new(source_spec(entry, connector, options, format, encode)?),
                from: start.clone(),
                until: self.published.offsets.get(&entry.id).cloned().unwrap_or_default(),
            },
            _ => return Err(missing()),
        };
        Ok(rows::table(entry.schema.arrow(), rows))
    }
}

impl OpenDatabase {
    fn published(pin: &Pin) -> Result<Arc<Published>, Report> {
        pin.clone().downcast::<Published>().map_err(|_| Report::internal("a pin of another engine"))
    }

    fn plan_context(&self, context: &Context) -> Result<PlanContext, Report> {
        let published = OpenDatabase::published(&context.pin)?;
        let mut overlay: BTreeMap<ObjectId, Vec<ZSet>> = BTreeMap::new();
        for change in &context.overlay {
            overlay.entry(change.table).or_default().push(change.delta.0.clone());
        }
        let sum = |parts: Vec<ZSet>| {
            let schema = parts.first().map(ZSet::schema).ok_or_else(|| Report::internal("an empty change"))?;
            Ok::<_, Report>(Delta(ZSet::concat(&schema, &parts).and_then(|z| z.consolidate()).map_err(Report::internal)?))
        };
        let overlay = overlay.into_iter().map(|(id, parts)| Ok((id, sum(parts)?))).collect::<Result<_, Report>>()?;
        let system = SystemView {
            entries: Arc::new(published.catalog.entries().cloned().collect()),
            database: context.database.clone(),
            user: context.user.clone(),
            process_id: context.process_id,
            settings: context.variables.clone(),
            runtime: runtime_relations::of(&published, &self.0.metrics, &self.0.traces),
            now: clock::now_micros(),
            epoch: published.epoch.0,
            started: self.0.started,
            ..SystemView::default()
        };
        let memory = self.0.query_memory.clone();
        Ok(PlanContext { catalog: published.catalog.clone(), system, tables: Arc::new(Pinned { published, overlay }), memory })
    }

    fn table(published: &Published, id: ObjectId) -> Result<Arc<Entry>, Report> {
        published.catalog.get(id).cloned().ok_or_else(|| Report::error(SqlState::UNDEFINED_TABLE, "the table does not exist any more"))
    }
}

/// All rows of a bound query in one batch of its columns' types.
async fn collect(bound: &BoundQuery, parameters: Vec<ScalarValue>, context: &PlanContext) -> Result<RecordBatch, Report> {
    let batches: Vec<RecordBatch> = planner::execute(bound, parameters, context).await.map_err(|e| e.report())?.try_collect().await?;
    let schema = crate::types::RelationSchema::new(bound.columns.clone()).arrow();
    let batches: Vec<RecordBatch> = batches
        .iter()
        .map(|b| RecordBatch::try_new(schema.clone(), b.columns().to_vec()))
        .collect::<Result<_, _>>()
        .map_err(Report::internal)?;
    concat_batches(&schema, &batches).map_err(Report::internal)
}

/// The rows under the table's own schema.
fn as_table(entry: &Entry, rows: &RecordBatch, columns: std::ops::Range<usize>) -> Result<RecordBatch, Report> {
    let arrays = rows.columns().get(columns).map(<[_]>::to_vec).unwrap_or_default();
    RecordBatch::try_new(entry.schema.arrow(), arrays).map_err(Report::internal)
}

fn writable<'a>(catalog: &'a Catalog, name: &crate::sql::statement::ObjectName) -> Result<&'a Arc<Entry>, Report> {
    let entry = catalog.resolve(name.schema.as_deref(), &name.name).map_err(|e| e.report())?;
    if matches!(entry.definition, Definition::Table { .. }) {
        return Ok(entry);
    }
    Err(Report::error(SqlState::WRONG_OBJECT_TYPE, format!("cannot change {} \"{}\"", entry.kind().noun(), entry.name))
        .detail("Only tables can be changed by statements.")
        .hint("create a table, or change the data where the source reads it"))
}

impl OpenDatabase {
    async fn change_rows(&self, statement: Statement, parameters: Vec<ScalarValue>, context: Context) -> Result<Change, Report> {
        let plan_context = self.plan_context(&context)?;
        let catalog = plan_context.catalog.clone();
        let (bound, entry, change, returning) = match &statement {
            Statement::Insert(insert) => {
                let entry = writable(&catalog, &insert.table)?;
                let bound = planner::plan_insert(insert, &plan_context, &[]).map_err(|e| e.report())?;
                let rows = as_table(entry, &collect(&bound, parameters, &plan_context).await?, 0..entry.schema.columns.len())?;
                let overwrites = matches!(entry.definition, Definition::Table { overwrite: true, .. });
                let on_conflict = match insert.on_conflict {
                    OnConflict::Error if overwrites => OnConflict::Overwrite,
                    other => other,
                };
                (bound, entry, RowChange::Insert { rows, on_conflict }, insert.returning.is_some())
            }
            Statement::Update(update) => {
                let entry = writable(&catalog, &update.table)?;
                let bound = planner::plan_update(update, &plan_context, &[]).map_err(|e| e.report())?;
                let both = collect(&bound, parameters, &plan_context).await?;
                let width = entry.schema.columns.len();
                let (old, new) = (as_table(entry, &both, 0..width)?, as_table(entry, &both, width..2 * width)?);
                (bound, entry, RowChange::Update { old, new }, update.returning.is_some())
            }
            Statement::Delete(delete) => {
                let entry = writable(&catalog, &delete.table)?;
                let bound = planner::plan_delete(delete, &plan_context, &[]).map_err(|e| e.report())?;
                let rows = as_table(entry, &collect(&bound, parameters, &plan_context).await?, 0..entry.schema.columns.len())?;
                (bound, entry, RowChange::Delete { rows }, delete.returning.is_some())
            }
            _ => return Err(Report::internal("not a change of a table")),
        };
        drop(bound);
        if returning {
            return Err(Report::unsupported("RETURNING is not supported").hint("read the rows with a SELECT afterwards"));
        }
        self.edit(entry, change, &context)
    }

    fn edit(&self, entry: &Entry, change: RowChange, context: &Context) -> Result<Change, Report> {
        let published = OpenDatabase::published(&context.pin)?;
        let snapshot = published.relations.get(&entry.id).and_then(|r| r.rows.clone());
        let snapshot = snapshot.ok_or_else(|| Report::internal("a table without rows"))?;
        let before: Vec<ZSet> = context.overlay.iter().filter(|c| c.table == entry.id).map(|c| c.delta.0.clone()).collect();
        let before = Delta(ZSet::concat(&entry.schema.arrow(), &before).and_then(|z| z.consolidate()).map_err(Report::internal)?);
        let edit = table::edit(entry, &snapshot, &before, &change)?;
        Ok(Change { changes: vec![TableChange { table: entry.id, delta: edit.delta }], affected: edit.touched as u64, returning: None })
    }

    async fn append_rows(&self, id: ObjectId, columns: Vec<String>, rows: RecordBatch, context: Context) -> Result<Change, Report> {
        let published = OpenDatabase::published(&context.pin)?;
        let entry = OpenDatabase::table(&published, id)?;
        let defaults = Insert {
            table: ObjectName { schema: Some(entry.schema_name.clone()), name: entry.name.clone() },
            columns: Vec::new(),
            source: None,
            on_conflict: OnConflict::Error,
            returning: None,
        };
        let plan_context = self.plan_context(&context)?;
        let bound = planner::plan_insert(&defaults, &plan_context, &[]).map_err(|e| e.report())?;
        let defaults = collect(&bound, Vec::new(), &plan_context).await?;
        let first = UInt32Array::from(vec![0; rows.num_rows()]);
        let arrays =
            entry.schema.columns.iter().enumerate().map(|(index, column)| match columns.iter().position(|name| *name == column.name) {
                Some(given) => Ok(rows.column(given).clone()),
                None => take(defaults.column(index), &first, None).map_err(Report::internal),
            });
        let rows = RecordBatch::try_new(entry.schema.arrow(), arrays.collect::<Result<_, Report>>()?).map_err(Report::internal)?;
        let overwrites = matches!(entry.definition, Definition::Table { overwrite: true, .. });
        let on_conflict = if overwrites { OnConflict::Overwrite } else { OnConflict::Error };
        self.edit(&entry, RowChange::Insert { rows, on_conflict }, &context)
    }
}

impl Database for OpenDatabase {
    fn session(&self, login: Login) -> Result<Session, Report> {
        let database = &self.0.config.database;
        if login.database != *database {
            return Err(Report::error(SqlState::INVALID_CATALOG_NAME, format!("database \"{}\" does not exist", login.database))
                .hint(format!("connect to the database \"{database}\"")));
        }
        Session::new(Arc::new(self.clone()), login)
    }

    fn ready(&self) -> Result<(), String> {
        self.0.ready()
    }

    fn metrics(&self) -> String {
        self.0.metrics()
    }

    fn statement_times(&self) -> StatementTimes {
        self.0.metrics.statements.clone()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.shutdown())
    }
}

impl Engine for OpenDatabase {
    fn pin(&self) -> Pin {
        self.0.published()
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        self.0.published().catalog.entries().cloned().collect()
    }

    fn describe(
        &self,
        statement: &Statement,
        parameter_types: &[Option<SqlType>],
        context: Context,
    ) -> BoxFuture<'static, Result<Description, Report>> {
        let described = (|| {
            let cx = self.plan_context(&context)?;
            let (bound, rows) = match statement {
                Statement::Query(query) => (planner::plan_query(query, &cx, parameter_types), true),
                Statement::Insert(insert) => (planner::plan_insert(insert, &cx, parameter_types), insert.returning.is_some()),
                Statement::Update(update) => (planner::plan_update(update, &cx, parameter_types), update.returning.is_some()),
                Statement::Delete(delete) => (planner::plan_delete(delete, &cx, parameter_types), delete.returning.is_some()),
                _ => return Ok(Description { parameters: Vec::new(), columns: None }),
            };
            let bound = bound.map_err(|e| e.report())?;
            Ok(Description { parameters: bound.parameters.clone(), columns: rows.then(|| bound.columns.clone()) })
        })();
        futures::future::ready(described).boxed()
    }

    fn query(
        &self,
        query: Arc<ast::Query>,
        parameters: Vec<ScalarValue>,
        context: Context,
        remembered: Remembered,
    ) -> BoxFuture<'static, Result<(Vec<Column>, RowStream), Report>> {
        let engine = self.clone();
        async move {
            let cx = engine.plan_context(&context)?;
            if let Some(kept) = remembered.get::<Kept>().filter(|kept| kept.fits(&parameters, &cx)) {
                let rows = planner::execute_kept(&kept, parameters, &cx).await.map_err(|e| e.report())?;
                return Ok((kept.columns().to_vec(), rows.boxed()));
            }
            let types: Vec<Option<SqlType>> = parameters.iter().map(|p| Some(SqlType::of_arrow(&p.data_type()))).collect();
            let bound = planner::plan_query(&query, &cx, &types).map_err(|e| e.report())?;
            if remembered.keeps() {
                remembered.set(Kept::new(&bound, &parameters, &cx).map_err(|e| e.report())?);
            }
            let rows = planner::execute(&bound, parameters, &cx).await.map_err(|e| e.report())?;
            Ok((bound.columns, rows.boxed()))
        }
        .boxed()
    }

    fn change(&self, statement: Statement, parameters: Vec<ScalarValue>, context: Context) -> BoxFuture<'static, Result<Change, Report>> {
        let engine = self.clone();
        async move { engine.change_rows(statement, parameters, context).await }.boxed()
    }

    fn append(
        &self,
        table: ObjectId,
        columns: Vec<String>,
        rows: RecordBatch,
        context: Context,
    ) -> BoxFuture<'static, Result<Change, Report>> {
        let engine = self.clone();
        async move { engine.append_rows(table, columns, rows, context).await }.boxed()
    }

    fn commit(&self, changes: Vec<TableChange>) -> BoxFuture<'static, Result<(), Report>> {
        let engine = self.clone();
        async move {
            let mut by_table: BTreeMap<ObjectId, Vec<ZSet>> = BTreeMap::new();
            for change in changes {
                by_table.entry(change.table).or_default().push(change.delta.0);
            }
            let mut net = Vec::new();
            for (table, parts) in by_table {
                let Some(schema) = parts.first().map(ZSet::schema) else { continue };
                let sum = ZSet::concat(&schema, &parts).and_then(|z| z.consolidate()).map_err(Report::internal)?;
                if !sum.is_empty() {
                    net.push((table, Delta(sum)));
                }
            }
            if net.is_empty() { Ok(()) } else { engine.0.change(net).await }
        }
        .boxed()
    }

    fn define(&self, statement: Statement, context: Context) -> BoxFuture<'static, Result<(String, Vec<Report>), Report>> {
        let engine = self.clone();
        async move {
            // Definitions are planned against what is there now, not against a pinned past.
            let context = Context { pin: engine.0.published(), ..context };
            let cx = engine.plan_context(&context)?;
            engine.0.define(&statement, &cx, context.interrupt).await
        }
        .boxed()
    }

    fn explain(&self, explain: Explain, parameters: Vec<ScalarValue>, context: Context) -> BoxFuture<'static, Result<Vec<String>, Report>> {
        let engine = self.clone();
        async move {
            let cx = engine.plan_context(&context)?;
            let types: Vec<Option<SqlType>> = parameters.iter().map(|p| Some(SqlType::of_arrow(&p.data_type()))).collect();
            let query = match &explain.statement {
                Statement::Query(query) => &**query,
                _ if explain.analyze => {
                    return Err(Report::unsupported("EXPLAIN ANALYZE of this statement is not supported")
                        .hint("EXPLAIN ANALYZE takes a query, or the name of what is kept up to date"));
                }
                Statement::CreateView(create) => &create.query,
                Statement::CreateSink(CreateSink { from: SinkFrom::Query { query, .. }, .. }) => query,
                _ => return Err(Report::unsupported("EXPLAIN of this statement is not supported").hint("explain a query")),
            };
            let bound = planner::plan_query(query, &cx, &types).map_err(|e| e.report())?;
            let mut lines = vec!["Logical plan".to_string()];
            lines.extend(planner::explain_logical(&bound, &cx).map_err(|e| e.report())?.lines().map(|l| format!("  {l}")));
            if let Ok((circuit, _)) = planner::lower(&bound, &cx) {
                lines.push("Circuit, as a materialized view".to_string());
                lines.extend(circuit.to_string().lines().map(|l| format!("  {l}")));
            }
            if explain.analyze {
                let began = clock::nanos();
                let rows = collect(&bound, parameters, &cx).await?.num_rows();
                let micros = (clock::nanos() - began) / 1000;
                lines.push(format!("Run once: {rows} rows in {}.{:03} ms", micros / 1000, micros % 1000));
            }
            Ok(lines)
        }
        .boxed()
    }

    fn profile(&self, entry: &Entry) -> Result<Vec<String>, Report> {
        profile::explain(entry, &self.0.published(), &self.0.traces)
    }

    fn alter_system(&self, name: Option<String>, value: Option<String>) -> BoxFuture<'static, Result<(), Report>> {
        let engine = self.clone();
        async move { engine.0.alter_system(SettingChange::new(name.as_deref(), value.as_deref())?).await }.boxed()
    }

    fn workers(&self) -> usize {
        self.0.workers.count()
    }

    fn keeping(&self) -> (usize, Duration) {
        (self.0.config.keep_checkpoints, self.0.config.keep_every)
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), Report>> {
        let engine = self.clone();
        async move { engine.0.flush().await }.boxed()
    }

    fn checkpoint(&self) -> BoxFuture<'static, Result<(), Report>> {
        let engine = self.clone();
        async move { engine.0.checkpoint().await }.boxed()
    }
}
