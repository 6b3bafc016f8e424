//! What PostgreSQL's clients ask a server about itself: the relations of `pg_catalog` and `information_schema`, and
//! the functions that go with them, answered from floe's own catalog.
//!
//! The relations are small and made anew for each statement from a [`SystemView`]. Statements over nothing but these
//! relations are tidied on their syntax tree by [`rewrite`] before they are bound, because the clients' look-ups use
//! corners of PostgreSQL's SQL (`OPERATOR(pg_catalog.~)`, `::regclass`, `ARRAY(SELECT ...)`) that the binder lacks.
//! A relation of which floe has nothing (policies, publications, triggers) is there and is empty.

mod cluster;
mod columns;
pub mod functions;
mod information_schema;
mod keys;
mod listing;
mod naming;
pub mod oids;
pub mod registry;
mod relations;
pub mod rewrite;
mod routines;
mod rows;
mod runtime;
mod shape;
pub mod table_functions;
mod types;
mod value;
pub mod view;

#[cfg(test)]
mod tests;

pub use functions::{aggregate_functions, scalar_functions};
pub use registry::{relation, relation_names, relation_oid, relation_schema, resolve};
pub use rewrite::rewrite;
pub use runtime::Runtime;
pub use table_functions::table_function;
pub use view::{Effect, SessionActivity, SystemView};
