//! What a session needs of the engine behind it.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::scalar::ScalarValue;
use futures::future::BoxFuture;
use sqlparser::ast;

use crate::catalog::Entry;
use crate::coordinator::api::{Description, RowStream};
use crate::sql::Statement;
use crate::sql::statement::Explain;
use crate::types::{Column, ObjectId, Report, SqlType};
use crate::zset::Delta;

use super::interrupt::Interrupt;
use super::remembered::Remembered;

/// One published epoch, held: whatever is read with it is read at that epoch. The engine's own type inside.
pub type Pin = Arc<dyn Any + Send + Sync>;

/// In what surroundings a statement is planned and run.
#[derive(Clone)]
pub struct Context {
    pub pin: Pin,
    /// What the session's transaction has changed and not committed, oldest first: its own reads see it on top of `pin`.
    pub overlay: Vec<TableChange>,
    pub user: String,
    pub database: String,
    pub process_id: i32,
    /// The session's variables by lower-case name: `timezone`, `search_path`, what `current_setting` answers.
    pub variables: Arc<BTreeMap<String, String>>,
    /// Says when the statement is to stop: who cannot be dropped half way looks for himself.
    pub interrupt: Interrupt,
}

/// A change of one table that waits for its transaction.
#[derive(Clone, Debug)]
pub struct TableChange {
    pub table: ObjectId,
    pub delta: Delta,
}

/// What an INSERT, UPDATE or DELETE comes to, evaluated and checked but not committed.
pub struct Change {
    pub changes: Vec<TableChange>,
    /// Rows inserted, updated or deleted: the number in the command tag.
    pub affected: u64,
    /// RETURNING's columns and rows.
    pub returning: Option<(Vec<Column>, Vec<RecordBatch>)>,
}

/// The database as one session sees it. Every future may be dropped when its client cancels or leaves, except those of
/// [`Engine::define`] and [`Engine::commit`], which a session waits out; when a client has gone even these are dropped,
/// and what was asked then happens wholly or not at all.
pub trait Engine: Send + Sync + 'static {
    /// The newest published epoch.
    fn pin(&self) -> Pin;

    /// Everything in the catalog now.
    fn entries(&self) -> Vec<Arc<Entry>>;

    /// Types of a query's or a DML statement's parameters, and its columns. `None` in `parameter_types` is a parameter
    /// whose type the statement must tell; there may be more parameters than entries.
    fn describe(
        &self,
        statement: &Statement,
        parameter_types: &[Option<SqlType>],
        context: Context,
    ) -> BoxFuture<'static, Result<Description, Report>>;

    /// Runs a query. `parameters[0]` is `$1`. The same query comes with the same `remembered`.
    fn query(
        &self,
        query: Arc<ast::Query>,
        parameters: Vec<ScalarValue>,
        context: Context,
        remembered: Remembered,
    ) -> BoxFuture<'static, Result<(Vec<Column>, RowStream), Report>>;

    /// Evaluates an INSERT, UPDATE or DELETE.
    fn change(&self, statement: Statement, parameters: Vec<ScalarValue>, context: Context) -> BoxFuture<'static, Result<Change, Report>>;

    /// Evaluates the insertion of rows that COPY read: `rows` has the named columns of the table, the others get their
    /// defaults.
    fn append(
        &self,
        table: ObjectId,
        columns: Vec<String>,
        rows: RecordBatch,
        context: Context,
    ) -> BoxFuture<'static, Result<Change, Report>>;

    /// Commits changes in one epoch, and returns when that epoch is published. All of them or none.
    fn commit(&self, changes: Vec<TableChange>) -> BoxFuture<'static, Result<(), Report>>;

    /// CREATE and DROP. Gives the command tag, and notices such as `relation "x" already exists, skipping`.
    fn define(&self, statement: Statement, context: Context) -> BoxFuture<'static, Result<(String, Vec<Report>), Report>>;

    /// The lines of EXPLAIN's answer.
    fn explain(&self, explain: Explain, parameters: Vec<ScalarValue>, context: Context) -> BoxFuture<'static, Result<Vec<String>, Report>>;

    /// What the operators that keep the object up to date have done, line by line.
    fn profile(&self, entry: &Entry) -> Result<Vec<String>, Report>;

    /// ALTER SYSTEM. `None` for the name is all settings, for the value what the server was started with.
    fn alter_system(&self, name: Option<String>, value: Option<String>) -> BoxFuture<'static, Result<(), Report>>;

    /// How many workers there are now.
    fn workers(&self) -> usize;

    /// How many checkpoints are kept, and how far apart at least.
    fn keeping(&self) -> (usize, Duration);

    /// FLUSH.
    fn flush(&self) -> BoxFuture<'static, Result<(), Report>>;

    /// CHECKPOINT.
    fn checkpoint(&self) -> BoxFuture<'static, Result<(), Report>>;
}
