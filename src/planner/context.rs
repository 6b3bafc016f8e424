//! What a statement is planned against: the catalog of one epoch, the session, and how a peek reaches the rows.

use std::sync::Arc;

use datafusion::catalog::TableProvider;

use crate::catalog::{Catalog, Entry};
use crate::types::Report;

use super::query_memory::QueryMemory;
use super::system::SystemView;

/// Everything that planning and running one statement may ask. Cheap to clone. A plan made with one context can be
/// run with another of the same catalog; time is taken from the one it was made with.
#[derive(Clone)]
pub struct PlanContext {
    pub catalog: Arc<Catalog>,
    /// The session and the server: `now`, user, database, variables.
    pub system: SystemView,
    pub tables: Arc<dyn Tables>,
    /// The memory that one-shot queries share.
    pub memory: QueryMemory,
}

/// Where the rows of a relation come from when a query runs at once.
pub trait Tables: Send + Sync {
    /// The rows of a source, table or materialized view at the epoch that the statement reads. Its schema is
    /// [`RelationSchema::arrow`](crate::types::RelationSchema::arrow) of the entry's. Asked for when the query starts.
    fn provider(&self, entry: &Entry) -> Result<Arc<dyn TableProvider>, Report>;
}

/// For statements that are planned and not run.
pub struct NoTables;

impl Tables for NoTables {
    fn provider(&self, entry: &Entry) -> Result<Arc<dyn TableProvider>, Report> {
        Err(Report::internal(format!("\"{}\" is planned over and not read here", entry.name)))
    }
}

impl PlanContext {
    /// A variable of the session by its lower-case name.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.system.settings.get(name).map(String::as_str)
    }
}
