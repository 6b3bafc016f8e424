//! One connection as the sqllogictest runner wants it, and the doubling of each query as a view.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};

use super::support::client::{Answer, Sql, SqlError};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Floe,
    FloeWithViews,
    /// Views stand for materialized views: PostgreSQL computes them anew, which is what floe's have to equal.
    Postgres,
}

pub struct Engine {
    sql: Sql,
    kind: Kind,
    /// By the text of a query: its view, or why there is none.
    views: BTreeMap<String, Result<String, SqlError>>,
    doubling: bool,
}

impl Engine {
    pub async fn open(address: &str, kind: Kind) -> Result<Engine, SqlError> {
        let sql = Sql::open(address).await?;
        if kind == Kind::Postgres {
            sql.send("SET client_min_messages = warning; SET timezone = 'UTC'").await?;
        }
        Ok(Engine { sql, kind, views: BTreeMap::new(), doubling: kind == Kind::FloeWithViews })
    }

    /// Reads the query's view and compares it with what the query itself answered.
    async fn check_view(&mut self, query: &str, direct: &Result<Answer, SqlError>) -> Result<(), SqlError> {
        if !self.views.contains_key(query) {
            let name = format!("slt_view_{}", self.views.len());
            let made = self.sql.send(&format!("CREATE MATERIALIZED VIEW {name} AS {query}")).await;
            self.views.insert(query.into(), made.map(|_| name));
        }
        let through_view = match &self.views[query] {
            Ok(name) => self.sql.send(&format!("SELECT * FROM {name}")).await,
            Err(e) => Err(e.clone()),
        };
        let differ = |text: String| SqlError { sqlstate: "SLT01".into(), message: text, ..SqlError::default() };
        match (direct, through_view) {
            (Ok(direct), Ok(view)) => {
                let sorted = |answer: &Answer| {
                    let mut rows = answer.rows.clone();
                    rows.sort();
                    rows
                };
                let (direct, view) = (sorted(direct), sorted(&view));
                if direct == view {
                    Ok(())
                } else {
                    Err(differ(format!("the view differs from the query:\n  query: {direct:?}\n  view:  {view:?}")))
                }
            }
            (Err(direct), Err(view)) if direct.sqlstate == view.sqlstate => Ok(()),
            (Err(direct), Err(view)) => {
                Err(differ(format!("the view fails otherwise than the query:\n  query: {direct}\n  view:  {view}")))
            }
            (Ok(_), Err(view)) => Err(differ(format!("the query answers, its view fails: {view}"))),
            (Err(direct), Ok(_)) => Err(differ(format!("the query fails, its view answers: {direct}"))),
        }
    }
}

/// Queries that make a view: those over relations, without an order, a limit or a parameter of the session.
fn doubles(sql: &str) -> bool {
    let lower = sql.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    words.first() == Some(&"select") && has("from") && !(has("order") && has("by")) && !has("limit") && !lower.contains("pg_catalog")
}

#[async_trait]
impl AsyncDB for Engine {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        let text = sql.trim().trim_end_matches(';');
        // The file's own switch, for statements about which a view has nothing to say.
        if let Some(word) = text.to_lowercase().strip_prefix("set slt.views = ") {
            self.doubling = word == "on" && self.kind == Kind::FloeWithViews;
            return Ok(DBOutput::StatementComplete(0));
        }
        let text = match self.kind {
            Kind::Postgres if text.eq_ignore_ascii_case("flush") => return Ok(DBOutput::StatementComplete(0)),
            Kind::Postgres => text.replace("MATERIALIZED VIEW", "VIEW"),
            _ => text.to_string(),
        };
        let answer = self.sql.send(&text).await;
        if self.doubling && doubles(&text) {
            self.check_view(&text, &answer).await?;
        }
        let answer = answer?;
        if answer.columns.is_empty() {
            return Ok(DBOutput::StatementComplete(answer.count));
        }
        let shown = |value: &Option<String>| match value.as_deref() {
            None => "NULL".to_string(),
            Some("") => "(empty)".to_string(),
            Some(text) => text.to_string(),
        };
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Any; answer.columns.len()],
            rows: answer.rows.iter().map(|row| row.iter().map(shown).collect()).collect(),
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        if self.kind == Kind::Postgres { "postgres" } else { "floe" }
    }

    fn error_sql_state(error: &SqlError) -> Option<String> {
        Some(error.sqlstate.clone())
    }
}
