//! A catalog with one object of each kind, and a DataFusion session over its system relations.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::{MemTable, MemorySchemaProvider, SchemaProvider};
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as Parsed;
use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::super::functions::scalar_functions;
use super::super::rewrite::rewrite;
use super::super::table_functions::table_function;
use super::super::value::{Value, values};
use super::super::view::SystemView;
use super::super::{oids, registry};
use crate::catalog::{Definition, Entry, SinkInput};
use crate::types::{Column, Epoch, ObjectId, RelationSchema, SqlType};

pub const ORDERS: u32 = 16384;
pub const REVENUE: u32 = 16385;
pub const BIG: u32 = 16386;
pub const SINK: u32 = 16387;
pub const SETTINGS: u32 = 16388;

fn entry(id: u32, name: &str, definition: Definition, columns: Vec<Column>, key: Vec<usize>, sql: &str) -> Entry {
    Entry {
        id: ObjectId(id),
        schema_name: "public".to_string(),
        name: name.to_string(),
        definition,
        schema: RelationSchema { columns, primary_key: key, append_only: false },
        sql: sql.to_string(),
        depends_on: if id == ORDERS || id == SETTINGS { Vec::new() } else { vec![ObjectId(ORDERS)] },
        created: Epoch(1),
    }
}

pub fn view() -> Arc<SystemView> {
    let column = Column::new;
    let money = SqlType::Numeric { precision: 12, scale: 2 };
    let source = Definition::Source {
        connector: "kafka".into(),
        options: BTreeMap::new(),
        format: "DEBEZIUM".into(),
        encode: "JSON".into(),
        watermark: None,
        dead_letter: ObjectId(17000),
        start: Default::default(),
    };
    let sink = Definition::Sink {
        connector: "iceberg".into(),
        options: BTreeMap::from([("s3.secret-access-key".to_string(), "hush".to_string())]),
        sink_id: "one".into(),
        input: SinkInput::Relation(ObjectId(REVENUE)),
    };
    let query = "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer".to_string();
    let entries = vec![
        entry(
            ORDERS,
            "orders",
            source,
            vec![
                Column { nullable: false, ..column("id", SqlType::BigInt) },
                column("customer", SqlType::Varchar(Some(20))),
                column("amount", money.clone()),
                column("at", SqlType::TimestampTz),
                column("tags", SqlType::Array(Box::new(SqlType::Text))),
            ],
            vec![0],
            "CREATE SOURCE orders ...",
        ),
        entry(
            REVENUE,
            "revenue",
            Definition::MaterializedView { query, fingerprint: String::new() },
            vec![column("customer", SqlType::Varchar(Some(20))), column("total", SqlType::Numeric { precision: 38, scale: 2 })],
            Vec::new(),
            "CREATE MATERIALIZED VIEW revenue AS ...",
        ),
        entry(
            BIG,
            "big",
            Definition::View { query: "SELECT id, amount FROM orders WHERE amount > 100;".into() },
            vec![column("id", SqlType::BigInt), column("amount", money.clone())],
            Vec::new(),
            "CREATE VIEW big AS ...",
        ),
        entry(SINK, "lake", sink, vec![column("customer", SqlType::Text), column("total", money)], Vec::new(), "CREATE SINK lake ..."),
        entry(
            SETTINGS,
            "settings",
            Definition::Table { defaults: vec![None, Some("'none'".into())], overwrite: false },
            vec![column("Key", SqlType::Text), column("value", SqlType::Text), column("n", SqlType::Integer)],
            vec![2, 0],
            "CREATE TABLE settings ...",
        ),
    ];
    let settings = [
        ("search_path", "\"$user\", public"),
        ("server_version", crate::types::server_version::SERVER_VERSION),
        ("server_version_num", crate::types::server_version::SERVER_VERSION_NUM),
        ("bytea_output", "hex"),
    ];
    Arc::new(SystemView {
        entries: Arc::new(entries.into_iter().map(Arc::new).collect()),
        database: "floe".into(),
        user: "ann".into(),
        process_id: 7,
        settings: Arc::new(settings.map(|(name, value)| (name.to_string(), value.to_string())).into()),
        ..SystemView::default()
    })
}

/// `{orders}` and its like, filled in.
pub fn numbered(sql: &str, view: &SystemView) -> String {
    let key = view.entry(ORDERS).map_or(0, oids::key_index);
    sql.replace("{orders}", &ORDERS.to_string())
        .replace("{revenue}", &REVENUE.to_string())
        .replace("{big}", &BIG.to_string())
        .replace("{orders_pkey}", &key.to_string())
}

fn session(view: &Arc<SystemView>) -> Result<SessionContext> {
    let mut config = SessionConfig::new().with_default_catalog_and_schema("floe", "pg_catalog");
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    config.options_mut().execution.time_zone = Some("+00:00".into());
    let context = SessionContext::new_with_state(SessionStateBuilder::new().with_config(config).with_default_features().build());
    let catalog = context.catalog("floe").ok_or_else(|| datafusion::error::DataFusionError::Internal("no catalog".into()))?;
    for schema in ["pg_catalog", "information_schema"] {
        let provider = MemorySchemaProvider::new();
        for (owner, name) in registry::relation_names(view) {
            if owner == schema
                && let Some(batch) = registry::relation(schema, &name, view)
            {
                let batch = batch?;
                provider.register_table(name, Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))?;
            }
        }
        catalog.register_schema(schema, Arc::new(provider))?;
    }
    for function in scalar_functions(view) {
        context.register_udf(function.as_ref().clone());
    }
    context.register_udtf("pg_show_all_settings", Arc::new(Constant(Arc::clone(view), "pg_show_all_settings")));
    context.register_udtf("pg_get_keywords", Arc::new(Constant(Arc::clone(view), "pg_get_keywords")));
    Ok(context)
}

#[derive(Debug)]
struct Constant(Arc<SystemView>, &'static str);

impl datafusion::catalog::TableFunctionImpl for Constant {
    fn call(&self, _: &[datafusion::logical_expr::Expr]) -> Result<Arc<dyn datafusion::catalog::TableProvider>> {
        let rows = table_function(self.1, &[], &self.0);
        let missing = || datafusion::error::DataFusionError::Internal(format!("no function {}", self.1));
        let batch = rows.ok_or_else(missing)?.map_err(|report| datafusion::error::DataFusionError::External(Box::new(report)))?;
        Ok(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))
    }
}

/// Rewrites, plans and runs one statement.
pub fn run(sql: &str, view: &Arc<SystemView>) -> Result<Vec<RecordBatch>> {
    let external = |error: sqlparser::parser::ParserError| datafusion::error::DataFusionError::External(Box::new(error));
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, &numbered(sql, view)).map_err(external)?;
    let Some(Statement::Query(mut query)) = statements.pop() else {
        return Err(datafusion::error::DataFusionError::Plan("not a query".into()));
    };
    rewrite(&mut query, view);
    distinct_names(&mut query);
    let context = session(view)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let plan = context.state().statement_to_plan(Parsed::Statement(Box::new(Statement::Query(query)))).await?;
        context.execute_logical_plan(plan).await?.collect().await
    })
}

/// DataFusion refuses equal output names; the planner gives them numbers, as is done here for the first SELECT.
fn distinct_names(query: &mut sqlparser::ast::Query) {
    use sqlparser::ast::{SelectItem, SetExpr};
    fn change(body: &mut SetExpr) {
        match body {
            SetExpr::Select(select) => {
                let mut seen = Vec::new();
                for (at, item) in select.projection.iter_mut().enumerate() {
                    if let SelectItem::ExprWithAlias { alias, .. } = item {
                        if seen.contains(&alias.value) {
                            alias.value = format!("{}_{at}", alias.value);
                        }
                        seen.push(alias.value.clone());
                    }
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                change(left);
                change(right);
            }
            _ => {}
        }
    }
    change(&mut query.body);
}

/// The result as psql -At prints it: values joined by `|`, NULL as nothing, booleans as t and f.
pub fn text(sql: &str) -> String {
    let view = view();
    let batches = match run(sql, &view) {
        Ok(batches) => batches,
        Err(error) => return format!("ERROR: {error}"),
    };
    let mut lines = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch.columns().iter().map(|column| values(column).unwrap_or_default()).collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| column.get(row).and_then(Value::text).unwrap_or_default());
            lines.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    lines.join("\n")
}
