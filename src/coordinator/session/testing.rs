//! An engine for tests of sessions and of the wire: one table `t (id integer primary key, name text)` in memory, queries by
//! DataFusion, and a few relations that behave badly on purpose:
//!
//! `forever` never gives a row, `ticks` gives one every 20 ms without end, `flood` gives rows as fast as they are taken
//! without end, `breaks` gives a row and then fails.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;
use futures::future::BoxFuture;
use futures::stream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use sqlparser::ast;

use super::engine::{Change, Context, Engine, Pin, TableChange};
use super::remembered::Remembered;
use super::session::Session;
use crate::catalog::{Definition, Entry};
use crate::coordinator::api::{Description, Login, RowStream};
use crate::coordinator::database::Database;
use crate::coordinator::statement_times::StatementTimes;
use crate::sql::Statement;
use crate::sql::statement::Explain;
use crate::types::{Column, Epoch, ObjectId, RelationSchema, Report, SqlState, SqlType};
use crate::zset::{Delta, ZSet};

type Row = (i32, Option<String>);

#[derive(Default)]
pub struct FakeEngine {
    pub rows: Mutex<Vec<Row>>,
    /// Streams that somebody still holds.
    pub live: Arc<AtomicUsize>,
    /// Commits fail.
    pub refuse: AtomicBool,
    pub defined: Mutex<Vec<String>>,
}

pub struct FakeDatabase(pub Arc<FakeEngine>);

impl Database for FakeDatabase {
    fn session(&self, login: Login) -> Result<Session, Report> {
        Session::new(self.0.clone(), login)
    }

    fn ready(&self) -> Result<(), String> {
        if self.0.refuse.load(Ordering::Relaxed) { Err("it refuses".to_string()) } else { Ok(()) }
    }

    fn metrics(&self) -> String {
        "floe_test 1\n".to_string()
    }

    fn statement_times(&self) -> StatementTimes {
        StatementTimes::default()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

fn schema() -> RelationSchema {
    let columns = vec![Column::new("id", SqlType::Integer), Column::new("name", SqlType::Text)];
    RelationSchema { primary_key: vec![0], ..RelationSchema::new(columns) }
}

fn batch(rows: &[Row]) -> RecordBatch {
    let ids: Int32Array = rows.iter().map(|r| Some(r.0)).collect();
    let names: StringArray = rows.iter().map(|r| r.1.as_deref()).collect();
    RecordBatch::try_new(schema().arrow(), vec![Arc::new(ids), Arc::new(names)]).expect("two columns")
}

fn rows_of(batch: &RecordBatch) -> Result<Vec<Row>, Report> {
    let ids = cast(batch.column(0), &DataType::Int32).map_err(Report::internal)?;
    let names = cast(batch.column(1), &DataType::Utf8).map_err(Report::internal)?;
    let (ids, names) = (ids.as_primitive::<Int32Type>(), names.as_string::<i32>());
    let name = |at: usize| names.is_valid(at).then(|| names.value(at).to_string());
    Ok((0..batch.num_rows()).map(|at| (ids.value(at), name(at))).collect())
}

fn apply(rows: &mut Vec<Row>, changes: &[TableChange]) -> Result<(), Report> {
    for change in changes {
        rows.extend(rows_of(change.delta.0.rows())?);
    }
    rows.sort();
    Ok(())
}

fn visible(context: &Context) -> Result<Vec<Row>, Report> {
    let pin = context.pin.clone().downcast::<Vec<Row>>().map_err(|_| Report::internal("another engine's pin"))?;
    let mut rows = (*pin).clone();
    apply(&mut rows, &context.overlay)?;
    Ok(rows)
}

fn report(error: DataFusionError) -> Report {
    let text = error.to_string();
    if text.contains("Divide by zero") {
        Report::error(SqlState::DIVISION_BY_ZERO, "division by zero")
    } else if text.contains("not found") {
        Report::error(SqlState::UNDEFINED_TABLE, text).at(15)
    } else {
        Report::error(SqlState::INTERNAL_ERROR, text)
    }
}

fn datafusion(context: &Context) -> Result<SessionContext, Report> {
    let df = SessionContext::new_with_config(SessionConfig::new().set_str("datafusion.execution.time_zone", "+00:00"));
    let table = MemTable::try_new(schema().arrow(), vec![vec![batch(&visible(context)?)]]).map_err(report)?;
    df.register_table("t", Arc::new(table)).map_err(report)?;
    Ok(df)
}

/// Counts itself among the living.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(live: &Arc<AtomicUsize>) -> Alive {
        live.fetch_add(1, Ordering::SeqCst);
        Alive(live.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One column `n` of integers.
fn odd_relation(text: &str, live: &Arc<AtomicUsize>) -> Option<RowStream> {
    let of = |rows: Vec<i32>| {
        let schema = RelationSchema::new(vec![Column::new("n", SqlType::Integer)]).arrow();
        RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from(rows)) as ArrayRef]).map_err(Report::internal)
    };
    let name = text.rsplit("FROM ").next()?.trim();
    let alive = Alive::new(live);
    Some(match name {
        "forever" => stream::unfold(alive, |alive| async move {
            std::future::pending::<()>().await;
            Some((Ok(RecordBatch::new_empty(schema().arrow())), alive))
        })
        .boxed(),
        "ticks" => stream::unfold((0, alive), move |(n, alive)| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((of(vec![n]), (n + 1, alive)))
        })
        .boxed(),
        "flood" => stream::unfold((0, alive), move |(n, alive)| async move {
            Some((of((n * 1000..(n + 1) * 1000).collect()), ((n + 1) % 1000, alive)))
        })
        .boxed(),
        "breaks" => stream::iter([of(vec![1]), Err(Report::error(SqlState::DIVISION_BY_ZERO, "division by zero"))]).boxed(),
        _ => return None,
    })
}

impl Engine for FakeEngine {
    fn pin(&self) -> Pin {
        let rows = self.rows.lock().expect("unpoisoned").clone();
        Arc::new(rows) as Arc<dyn Any + Send + Sync>
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        vec![Arc::new(Entry {
            id: ObjectId::FIRST_USER,
            schema_name: "public".to_string(),
            name: "t".to_string(),
            definition: Definition::Table { defaults: vec![None, None], overwrite: false },
            schema: schema(),
            sql: "CREATE TABLE t (id INT PRIMARY KEY, name TEXT)".to_string(),
            depends_on: Vec::new(),
            created: Epoch(1),
        })]
    }

    fn describe(
        &self,
        statement: &Statement,
        parameter_types: &[Option<SqlType>],
        context: Context,
    ) -> BoxFuture<'static, Result<Description, Report>> {
        let (statement, declared, live) = (statement.clone(), parameter_types.to_vec(), self.live.clone());
        async move {
            let query = match &statement {
                Statement::Query(query) => query,
                Statement::Insert(insert) => {
                    let parameters = if format!("{insert:?}").contains("$2") { vec![SqlType::Integer, SqlType::Text] } else { Vec::new() };
                    let columns = insert.returning.as_ref().map(|_| schema().columns);
                    return Ok(Description { parameters, columns });
                }
                _ => return Ok(Description { parameters: Vec::new(), columns: None }),
            };
            let text = query.to_string();
            if odd_relation(&text, &live).is_some() {
                return Ok(Description { parameters: Vec::new(), columns: Some(vec![Column::new("n", SqlType::Integer)]) });
            }
            let plan = datafusion(&context)?.state().create_logical_plan(&text).await.map_err(report)?;
            let found = plan.get_parameter_types().map_err(report)?;
            let parameters = (1..=found.len()).map(|at| {
                let inferred = found.get(&format!("${at}")).cloned().flatten();
                let declared = declared.get(at - 1).cloned().flatten();
                declared.or(inferred.map(|t| SqlType::of_arrow(&t))).unwrap_or(SqlType::Text)
            });
            let columns = plan.schema().fields().iter().map(|f| Column::new(f.name(), SqlType::of_field(f)));
            Ok(Description { parameters: parameters.collect(), columns: Some(columns.collect()) })
        }
        .boxed()
    }

    fn query(
        &self,
        query: Arc<ast::Query>,
        parameters: Vec<ScalarValue>,
        context: Context,
        _: Remembered,
    ) -> BoxFuture<'static, Result<(Vec<Column>, RowStream), Report>> {
        let live = self.live.clone();
        async move {
            let text = query.to_string();
            if let Some(rows) = odd_relation(&text, &live) {
                return Ok((vec![Column::new("n", SqlType::Integer)], rows));
            }
            let frame = datafusion(&context)?.sql(&text).await.map_err(report)?;
            let frame = if parameters.is_empty() { frame } else { frame.with_param_values(parameters).map_err(report)? };
            let rows = frame.execute_stream().await.map_err(report)?;
            let columns = rows.schema().fields().iter().map(|f| Column::new(f.name(), SqlType::of_field(f))).collect();
            let rows: RowStream = rows.map_err(report).boxed();
            Ok((columns, rows))
        }
        .boxed()
    }

    fn change(&self, statement: Statement, parameters: Vec<ScalarValue>, context: Context) -> BoxFuture<'static, Result<Change, Report>> {
        async move {
            let Statement::Insert(insert) = statement else { return Err(Report::unsupported("only INSERT")) };
            let Some(source) = insert.source else { return Err(Report::unsupported("DEFAULT VALUES")) };
            let frame = datafusion(&context)?.sql(&source.to_string()).await.map_err(report)?;
            let frame = if parameters.is_empty() { frame } else { frame.with_param_values(parameters).map_err(report)? };
            let mut rows = Vec::new();
            for part in frame.collect().await.map_err(report)? {
                rows.extend(rows_of(&part)?);
            }
            inserted(rows, &context, insert.returning.is_some())
        }
        .boxed()
    }

    fn append(&self, _: ObjectId, columns: Vec<String>, rows: RecordBatch, context: Context) -> BoxFuture<'static, Result<Change, Report>> {
        async move {
            assert_eq!(columns, ["id", "name"]);
            inserted(rows_of(&rows)?, &context, false)
        }
        .boxed()
    }

    fn commit(&self, changes: Vec<TableChange>) -> BoxFuture<'static, Result<(), Report>> {
        let result = if self.refuse.load(Ordering::Relaxed) {
            Err(Report::error(SqlState::SERIALIZATION_FAILURE, "could not serialize access"))
        } else {
            apply(&mut self.rows.lock().expect("unpoisoned"), &changes)
        };
        async { result }.boxed()
    }

    fn define(&self, statement: Statement, _: Context) -> BoxFuture<'static, Result<(String, Vec<Report>), Report>> {
        let Statement::Drop(drop) = statement else { return async { Err(Report::unsupported("only DROP")) }.boxed() };
        let name = drop.names.first().map(|n| n.name.clone()).unwrap_or_default();
        self.defined.lock().expect("unpoisoned").push(name);
        async { Ok(("DROP TABLE".to_string(), vec![Report::notice("it is gone")])) }.boxed()
    }

    fn explain(&self, _: Explain, _: Vec<ScalarValue>, _: Context) -> BoxFuture<'static, Result<Vec<String>, Report>> {
        async { Ok(vec!["a plan".to_string()]) }.boxed()
    }

    fn profile(&self, entry: &Entry) -> Result<Vec<String>, Report> {
        Ok(vec![format!("the operators of {}", entry.name)])
    }

    fn alter_system(&self, _: Option<String>, _: Option<String>) -> BoxFuture<'static, Result<(), Report>> {
        async { Ok(()) }.boxed()
    }

    fn workers(&self) -> usize {
        1
    }

    fn keeping(&self) -> (usize, Duration) {
        (0, Duration::from_secs(300))
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), Report>> {
        async { Ok(()) }.boxed()
    }

    fn checkpoint(&self) -> BoxFuture<'static, Result<(), Report>> {
        async { Ok(()) }.boxed()
    }
}

fn inserted(rows: Vec<Row>, context: &Context, returning: bool) -> Result<Change, Report> {
    let before = visible(context)?;
    if let Some((id, _)) = rows.iter().find(|(id, _)| before.iter().any(|(there, _)| there == id)) {
        let report = Report::error(SqlState::UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"t_pkey\"");
        return Err(report.detail(format!("Key (id)=({id}) already exists.")));
    }
    let batch = batch(&rows);
    let change = TableChange { table: ObjectId::FIRST_USER, delta: Delta(ZSet::of_rows(batch.clone())) };
    let returning = returning.then(|| (schema().columns, vec![batch]));
    Ok(Change { changes: vec![change], affected: rows.len() as u64, returning })
}
