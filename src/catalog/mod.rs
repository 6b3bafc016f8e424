//! What exists: each object's SQL text and resolved schema, never a plan.
//!
//! A [`Catalog`] is a value: changing it makes another one, and whoever holds the old one sees no change. On disk an
//! object is one versioned record.

pub mod dependents;
pub mod entry;
pub mod error;
pub mod names;
pub mod relations;
pub mod stored;
#[cfg(test)]
mod testing;

pub use entry::{Definition, Entry, Kind, SinkInput};
pub use error::CatalogError;
pub use names::DEFAULT_SCHEMA;
pub use relations::Catalog;
