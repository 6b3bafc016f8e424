//! The database as the server and the command line see it.

use futures::future::BoxFuture;

use super::api::Login;
use super::session::session::Session;
use super::statement_times::StatementTimes;
use crate::types::Report;

pub trait Database: Send + Sync + 'static {
    /// A session for a client whose name and password have been checked.
    fn session(&self, login: Login) -> Result<Session, Report>;

    /// Whether queries can be answered now; if not, why.
    fn ready(&self) -> Result<(), String>;

    /// All metrics, in Prometheus' text form.
    fn metrics(&self) -> String;

    /// Where whoever answers statements notes how long they took.
    fn statement_times(&self) -> StatementTimes;

    /// Stops everything and returns when what is published is durable.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}
