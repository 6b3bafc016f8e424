//! The statements that floe knows: what the parser hands to everyone else.
//!
//! Queries stay sqlparser's syntax trees (they are never printed and parsed again); definitions are resolved as far as
//! their text alone allows: types are SQL types, options are a map, names are names.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlparser::ast;

use crate::types::Column;

/// A name as written: an optional schema, and the object. Folded to lower case unless it was quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    pub schema: Option<String>,
    pub name: String,
}

#[derive(Clone, Debug)]
pub enum Statement {
    /// SELECT, VALUES, WITH ..., TABLE t.
    Query(Arc<ast::Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Copy(Copy),
    CreateSource(CreateSource),
    CreateTable(CreateTable),
    CreateView(CreateView),
    CreateSink(CreateSink),
    Drop(Drop),
    Show(Show),
    /// DESCRIBE x, SHOW COLUMNS FROM x.
    Describe(ObjectName),
    Explain(Box<Explain>),
    /// EXPLAIN ANALYZE of what is kept up to date, by its name.
    ExplainRunning {
        kind: Option<ObjectKind>,
        name: ObjectName,
    },
    /// Waits until all that the sources hold now is visible.
    Flush,
    /// Writes a checkpoint now, and waits until the sinks have committed it.
    Checkpoint,
    /// Without a name, all settings; without a value, back to what the server was started with.
    AlterSystem {
        name: Option<String>,
        value: Option<String>,
    },
    SetVariable {
        name: String,
        value: Option<String>,
        local: bool,
    },
    ResetVariable(Option<String>),
    Begin {
        read_only: bool,
    },
    Commit,
    Rollback,
    Savepoint(String),
    ReleaseSavepoint(String),
    RollbackTo(String),
    Prepare {
        name: String,
        types: Vec<crate::types::SqlType>,
        statement: Box<Statement>,
        text: String,
    },
    Execute {
        name: String,
        arguments: Vec<ast::Expr>,
    },
    Deallocate(Option<String>),
    Declare {
        name: String,
        query: Box<Statement>,
    },
    Fetch {
        name: String,
        count: FetchCount,
    },
    Close(Option<String>),
    /// DISCARD ALL and its parts.
    Discard(String),
    /// Accepted for tools that send it; nothing is done: LISTEN, UNLISTEN, NOTIFY, ANALYZE, VACUUM, LOCK, COMMENT ON,
    /// REFRESH MATERIALIZED VIEW. The tag is what PostgreSQL answers.
    NoOperation {
        tag: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchCount {
    Rows(usize),
    All,
}

#[derive(Clone, Debug)]
pub struct Insert {
    pub table: ObjectName,
    /// Empty: all columns in order.
    pub columns: Vec<String>,
    /// `None` for DEFAULT VALUES.
    pub source: Option<Box<ast::Query>>,
    pub on_conflict: OnConflict,
    pub returning: Option<Vec<ast::SelectItem>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    Error,
    DoNothing,
    /// `DO UPDATE SET c = excluded.c` for every column, or a table's OVERWRITE.
    Overwrite,
}

#[derive(Clone, Debug)]
pub struct Update {
    pub table: ObjectName,
    pub alias: Option<String>,
    pub assignments: Vec<(String, ast::Expr)>,
    pub selection: Option<ast::Expr>,
    pub returning: Option<Vec<ast::SelectItem>>,
}

#[derive(Clone, Debug)]
pub struct Delete {
    pub table: ObjectName,
    pub alias: Option<String>,
    pub selection: Option<ast::Expr>,
    pub returning: Option<Vec<ast::SelectItem>>,
}

#[derive(Clone, Debug)]
pub struct Copy {
    pub from: CopySource,
    pub to_stdout: bool,
    pub format: CopyFormat,
    pub delimiter: char,
    pub null: String,
    pub header: bool,
    pub quote: char,
}

#[derive(Clone, Debug)]
pub enum CopySource {
    Relation { name: ObjectName, columns: Vec<String> },
    Query(Box<ast::Query>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
}

/// `WATERMARK FOR column AS column - delay`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct WatermarkClause {
    pub column: String,
    pub delay_micros: i64,
}

#[derive(Clone, Debug)]
pub struct CreateSource {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    pub watermark: Option<WatermarkClause>,
    /// Keys in lower case.
    pub options: BTreeMap<String, String>,
    /// `PLAIN` or `DEBEZIUM`, and `JSON`, in upper case as written; empty when the clause is absent.
    pub format: String,
    pub encode: String,
    /// The statement's own text, without the final semicolon.
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct CreateTable {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub columns: Vec<Column>,
    /// By column: the DEFAULT expression.
    pub defaults: Vec<Option<ast::Expr>>,
    pub primary_key: Vec<String>,
    pub on_conflict: OnConflict,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct CreateView {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub materialized: bool,
    /// New names of the columns; empty to keep the query's.
    pub columns: Vec<String>,
    pub query: Box<ast::Query>,
    /// The query as written: what is stored, and parsed again at the next start.
    pub query_text: String,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct CreateSink {
    pub name: ObjectName,
    pub if_not_exists: bool,
    pub from: SinkFrom,
    pub options: BTreeMap<String, String>,
    pub text: String,
}

#[derive(Clone, Debug)]
pub enum SinkFrom {
    Relation(ObjectName),
    /// `AS query`, and the query as written: what is stored, and parsed again at the next start.
    Query {
        query: Box<ast::Query>,
        text: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    Source,
    Table,
    View,
    MaterializedView,
    Sink,
}

#[derive(Clone, Debug)]
pub struct Drop {
    pub kind: ObjectKind,
    pub if_exists: bool,
    pub names: Vec<ObjectName>,
    pub cascade: bool,
}

#[derive(Clone, Debug)]
pub enum Show {
    /// SHOW SOURCES, TABLES, VIEWS, MATERIALIZED VIEWS, SINKS.
    Objects {
        kind: ObjectKind,
        like: Option<String>,
    },
    Create {
        kind: Option<ObjectKind>,
        name: ObjectName,
    },
    Variable(String),
    AllVariables,
}

#[derive(Clone, Debug)]
pub struct Explain {
    pub analyze: bool,
    pub statement: Statement,
}
