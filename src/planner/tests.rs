//! Queries by their text: what they come to.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use futures::TryStreamExt;

use crate::catalog::{Catalog, Definition, Entry};
use crate::sql::Statement;
use crate::types::{Column, Epoch, ObjectId, RelationSchema, Report, SqlType, StructField};

use super::system::SystemView;
use super::*;

mod clients;
mod dml;
mod errors;
mod kept;
mod lowering;
mod names;
mod nexmark;
mod peeks;

/// 2026-01-02 03:04:05 UTC.
const NOW: i64 = 1_767_323_045_000_000;

struct Memory(Vec<(ObjectId, RecordBatch)>);

impl Tables for Memory {
    fn provider(&self, entry: &Entry) -> Result<Arc<dyn TableProvider>, Report> {
        let rows = self.0.iter().filter(|(id, _)| *id == entry.id).map(|(_, rows)| rows.clone()).collect();
        Ok(Arc::new(MemTable::try_new(entry.schema.arrow(), vec![rows]).map_err(Report::internal)?))
    }
}

fn relation(id: u32, name: &str, columns: &[(&str, SqlType)], key: &[usize], definition: Definition) -> Entry {
    let columns = columns.iter().map(|(name, sql_type)| Column::new(*name, sql_type.clone())).collect();
    let append_only = key.is_empty() && matches!(definition, Definition::Source { .. });
    Entry {
        id: ObjectId(id),
        schema_name: "public".to_string(),
        name: name.to_string(),
        definition,
        schema: RelationSchema { columns, primary_key: key.to_vec(), append_only },
        sql: String::new(),
        depends_on: Vec::new(),
        created: Epoch(1),
    }
}

fn table(defaults: &[Option<&str>]) -> Definition {
    Definition::Table { defaults: defaults.iter().map(|d| d.map(str::to_string)).collect(), overwrite: false }
}

/// A price, and who and where.
fn bid() -> SqlType {
    let field = |name: &str, sql_type| StructField { name: name.to_string(), sql_type };
    let place = SqlType::Struct(vec![field("x", SqlType::Double), field("label", SqlType::Varchar(None))]);
    SqlType::Struct(vec![field("price", SqlType::BigInt), field("who", SqlType::Varchar(None)), field("place", place)])
}

fn view(query: &str) -> Definition {
    Definition::View { query: query.to_string() }
}

/// The orders, customers and clicks, a table of every number, and views over them.
fn catalog() -> Catalog {
    let numeric = SqlType::Numeric { precision: 12, scale: 2 };
    use SqlType::*;
    let entries = [
        relation(
            1,
            "orders",
            &[("id", BigInt), ("customer_id", BigInt), ("amount", numeric.clone()), ("created_at", Timestamp)],
            &[0],
            table(&[None, None, None, None]),
        ),
        relation(2, "customers", &[("id", BigInt), ("name", Varchar(None)), ("tier", Varchar(None))], &[0], table(&[None, None, None])),
        relation(3, "clicks", &[("user_id", BigInt), ("url", Varchar(None)), ("ts", Timestamp)], &[], source()),
        relation(
            4,
            "n",
            &[("a", Integer), ("b", Integer), ("d", Double), ("t", Text), ("v", Varchar(Some(3))), ("day", Date), ("flag", Boolean)],
            &[0],
            table(&[None, Some("7"), Some("1.5"), Some("'x' || 'y'"), None, Some("now()"), None]),
        ),
        relation(5, "big", &[("id", BigInt), ("total", SqlType::NUMERIC)], &[], view("SELECT id, amount FROM orders WHERE amount > 100")),
        relation(7, "events", &[("id", BigInt), ("bid", bid())], &[0], table(&[None, None])),
        relation(6, "bigger", &[("id", BigInt)], &[], view("SELECT id FROM big WHERE total > 200")),
    ];
    entries.into_iter().fold(Catalog::new(), |catalog, entry| catalog.add(entry).unwrap())
}

fn source() -> Definition {
    let json = serde_json::json!({"Source": {
        "connector": "file", "options": {}, "format": "PLAIN", "encode": "JSON", "watermark": null, "dead_letter": 99, "start": {}
    }});
    serde_json::from_value(json).unwrap()
}

fn context(rows: Vec<(ObjectId, RecordBatch)>) -> PlanContext {
    let system = SystemView { now: NOW, user: "floe".into(), database: "floe".into(), ..SystemView::default() };
    PlanContext { catalog: Arc::new(catalog()), system, tables: Arc::new(Memory(rows)), memory: QueryMemory::default() }
}

fn statement(text: &str) -> Statement {
    crate::sql::parse(text).map_err(|e| e.report()).unwrap().pop().unwrap().statement
}

/// The statement bound, whatever kind it is.
fn bound_with(text: &str, context: &PlanContext, parameters: &[Option<SqlType>]) -> Result<BoundQuery, Report> {
    let statement = crate::sql::parse(text).map_err(|e| e.report())?.pop().unwrap().statement;
    match &statement {
        Statement::Query(query) => plan_query(query, context, parameters),
        Statement::Insert(insert) => plan_insert(insert, context, parameters),
        Statement::Update(update) => plan_update(update, context, parameters),
        Statement::Delete(delete) => plan_delete(delete, context, parameters),
        Statement::Copy(copy) => plan_copy(copy, context),
        other => panic!("{other:?}"),
    }
    .map_err(|error| error.report())
}

fn bound(text: &str) -> Result<BoundQuery, Report> {
    bound_with(text, &context(vec![]), &[])
}

fn run_with(text: &str, context: &PlanContext, parameters: Vec<ScalarValue>) -> Result<Vec<RecordBatch>, Report> {
    let bound = bound_with(text, context, &[])?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let collected = async |rows: PlanResult<Rows>| rows.map_err(|e| e.report())?.try_collect::<Vec<_>>().await;
        let kept = Kept::new(&bound, &parameters, context).map_err(|e| e.report())?;
        let found = collected(execute(&bound, parameters.clone(), context).await).await;
        // A prepared query answers the same each time.
        if let Some(kept) = kept.filter(|kept| kept.fits(&parameters, context)) {
            for _ in 0..2 {
                let again = collected(execute_kept(&kept, parameters.clone(), context).await).await;
                assert_eq!(again.and_then(|again| lines(&again)), found.clone().and_then(|found| lines(&found)), "{text}");
            }
        }
        found
    })
}

/// The rows of one statement, each as its values with bars between.
fn rows(text: &str) -> Result<Vec<String>, Report> {
    lines(&run_with(text, &filled(), vec![])?)
}

fn lines(batches: &[RecordBatch]) -> Result<Vec<String>, Report> {
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Result<Vec<_>, Report> = batch
            .columns()
            .iter()
            .zip(batch.schema().fields())
            .map(|(column, field)| functions::cast_text::text_of(column, &SqlType::of_field(field)))
            .collect();
        let columns = columns?;
        for row in 0..batch.num_rows() {
            let values = columns.iter().map(|c| if arrow::array::Array::is_null(c, row) { "NULL" } else { c.value(row) });
            lines.push(values.collect::<Vec<_>>().join("|"));
        }
    }
    Ok(lines)
}

/// Rows for the relations, made by VALUES.
fn filled() -> PlanContext {
    let nothing = context(vec![]);
    let made = |id: u32, text: &str| {
        let entry = nothing.catalog.get(ObjectId(id)).unwrap().clone();
        let batches = run_with(text, &nothing, vec![]).unwrap_or_else(|report| panic!("{report}"));
        let batch = batches.first().unwrap().clone();
        (ObjectId(id), RecordBatch::try_new(entry.schema.arrow(), batch.columns().to_vec()).unwrap())
    };
    context(vec![
        made(
            1,
            "INSERT INTO orders VALUES (1, 10, 5.00, '2026-01-01 00:00:10'), (2, 10, 7.50, '2026-01-01 00:00:50'), \
             (3, 20, 300, '2026-01-01 00:01:00'), (4, 99, 150.25, '1969-12-31 23:59:59'), (5, NULL, NULL, NULL)",
        ),
        made(2, "INSERT INTO customers VALUES (10, 'ann', 'gold'), (20, 'bob', 'silver'), (30, 'eve', 'gold')"),
        made(7, "INSERT INTO events VALUES (1, '(10,\"a b\",\"(1.5,\"\"x,y\"\")\")'), (2, '(20,,)'), (3, NULL), (4, '(,\"\",\"(,)\")')"),
        made(
            4,
            "INSERT INTO n VALUES (1, 0, 0.5, 'x', 'abc', '2026-03-01', true), (2, 2, -1, 'Y', NULL, NULL, false), (3, NULL, NULL, NULL, 'z', '2025-01-31', NULL)",
        ),
    ])
}

/// Fails with all that went wrong at once.
fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
