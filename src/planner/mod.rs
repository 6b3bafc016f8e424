//! From a bound statement to a plan: logical plans by DataFusion, circuits by floe.
//!
//! A query's syntax tree is rewritten ([`rewrite`]), bound against the catalog ([`bind`], [`names`], [`operators`]) and
//! typed into a [`BoundQuery`]. That runs at once as a peek ([`execute`]) or becomes the [`CircuitPlan`] that maintains a
//! view ([`lower`]). Everything PostgreSQL means otherwise than DataFusion is decided on this way.

mod bind;
pub mod circuit_plan;
pub mod context;
mod distinct_on;
pub mod dml;
pub mod error;
pub mod execute;
pub mod explain;
pub mod functions;
mod kept;
mod literals;
pub mod lower;
mod names;
mod operators;
mod optimize;
mod options;
pub mod properties;
pub mod query;
mod query_memory;
mod rewrite;
mod single_row;
mod stack;
mod straight;
pub mod system;

#[cfg(test)]
mod tests;

pub use circuit_plan::{AggregateCall, AggregateFunction, CircuitPlan, JoinKind, ScalarExpr, SortKey};
pub use context::{NoTables, PlanContext, Tables};
pub use dml::{plan_copy, plan_copy_in, plan_delete, plan_insert, plan_update};
pub use error::{PlanError, PlanResult};
pub use execute::{Rows, execute, execute_kept};
pub use explain::{explain_logical, fingerprint};
pub use kept::Kept;
pub use lower::lower;
pub use query::{BoundQuery, plan_query};
pub use query_memory::{QueryMemory, query_memory};
