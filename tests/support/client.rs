//! A blocking client over the simple protocol: rows as text, errors with all their fields.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime"))
}

/// One row; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// What a statement answered.
#[derive(Debug, Default)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// The number in the command tag.
    pub count: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlError {
    /// Empty when the connection failed rather than the statement.
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub position: Option<u32>,
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.sqlstate)?;
        for (label, text) in [("detail", &self.detail), ("hint", &self.hint)] {
            if let Some(text) = text {
                write!(f, "; {label}: {text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for SqlError {}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> SqlError {
        match error.as_db_error() {
            None => SqlError { message: format!("connection: {error}"), ..SqlError::default() },
            Some(db) => SqlError {
                sqlstate: db.code().code().into(),
                message: db.message().into(),
                detail: db.detail().map(Into::into),
                hint: db.hint().map(Into::into),
                position: match db.position() {
                    Some(tokio_postgres::error::ErrorPosition::Original(at)) => Some(*at),
                    _ => None,
                },
            },
        }
    }
}

/// A session.
pub struct Sql {
    client: Client,
}

impl Sql {
    /// `to` as libpq takes it: `host=127.0.0.1 port=4566 user=floe dbname=floe`.
    pub async fn open(to: &str) -> Result<Sql, SqlError> {
        let (client, connection) = tokio::time::timeout(Duration::from_secs(10), tokio_postgres::connect(to, NoTls))
            .await
            .map_err(|_| SqlError { message: "no answer within 10 s".into(), ..SqlError::default() })??;
        tokio::spawn(connection);
        Ok(Sql { client })
    }

    pub fn connect(to: &str) -> Result<Sql, SqlError> {
        runtime().block_on(Sql::open(to))
    }

    pub async fn send(&self, sql: &str) -> Result<Answer, SqlError> {
        let mut answer = Answer::default();
        for message in self.client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::Row(row) => answer.rows.push((0..row.len()).map(|i| row.get(i).map(String::from)).collect()),
                SimpleQueryMessage::CommandComplete(count) => answer.count = count,
                SimpleQueryMessage::RowDescription(columns) => answer.columns = columns.iter().map(|c| c.name().to_string()).collect(),
                _ => {}
            }
        }
        Ok(answer)
    }

    pub fn try_run(&self, sql: &str) -> Result<Answer, SqlError> {
        runtime().block_on(self.send(sql))
    }

    /// # Panics
    /// When the statement fails.
    #[track_caller]
    pub fn run(&self, sql: &str) -> Answer {
        match self.try_run(sql) {
            Ok(answer) => answer,
            Err(e) => panic!("{e}\n  in: {sql}"),
        }
    }

    /// Rows as lines: columns by `|`, NULL as `NULL`.
    ///
    /// # Panics
    /// When the statement fails.
    #[track_caller]
    pub fn lines(&self, sql: &str) -> Vec<String> {
        self.run(sql).rows.iter().map(line).collect()
    }

    /// The error of a statement that has to fail.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn error(&self, sql: &str) -> SqlError {
        match self.try_run(sql) {
            Ok(_) => panic!("this should have failed: {sql}"),
            Err(e) => e,
        }
    }

    /// The client below, for the extended protocol.
    pub fn raw(&self) -> &Client {
        &self.client
    }
}

pub fn line(row: &Row) -> String {
    row.iter().map(|v| v.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join("|")
}
