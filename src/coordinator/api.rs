//! What the server sees of the coordinator: statements in, rows and tags out.
//!
//! A session is one client's: its variables, its transaction, its prepared statements and cursors. Everything here is
//! independent of the wire; the server turns it into PostgreSQL's messages.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::session::copy_in::CopyIn;
pub use crate::sql::ParsedStatement;
use crate::types::{Column, Report, SqlType};

/// Who connects, as the start-up message says.
#[derive(Clone, Debug, Default)]
pub struct Login {
    pub user: String,
    pub database: String,
    /// The other start-up parameters, `options` included.
    pub parameters: BTreeMap<String, String>,
    /// What `pg_backend_pid()` answers.
    pub process_id: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    InTransaction,
    /// A statement failed inside a transaction: only ROLLBACK helps.
    Failed,
}

/// What Describe answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    pub parameters: Vec<SqlType>,
    /// `None` for a statement that returns no rows.
    pub columns: Option<Vec<Column>>,
}

/// Batches of one statement's result. The columns' Arrow types are those of [`SqlType::arrow`].
pub type RowStream = BoxStream<'static, Result<RecordBatch, Report>>;

/// What a statement answers.
pub enum Response {
    Rows {
        columns: Vec<Column>,
        rows: RowStream,
        /// The first word of the command tag; the number of rows follows it: `SELECT 3`, `FETCH 3`, `INSERT 0 3`, `SHOW`.
        tag: RowsTag,
    },
    /// A statement without rows, and its whole command tag: `CREATE TABLE`, `INSERT 0 1`.
    Done {
        tag: String,
    },
    /// An empty statement.
    Empty,
    /// The client sends data now: `copy.write` takes it, and `Session::finish_copy` ends it. A copy that is dropped
    /// unfinished stores nothing.
    CopyIn {
        columns: usize,
        copy: Box<CopyIn>,
    },
    CopyOut {
        columns: usize,
        data: BoxStream<'static, Result<CopyRows, Report>>,
    },
}

/// Some rows of COPY TO STDOUT. The header is a line and no row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyRows {
    pub lines: Vec<Bytes>,
    pub rows: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsTag {
    /// `<word> <rows>`
    Counted(&'static str),
    /// The word alone.
    Plain(&'static str),
}
