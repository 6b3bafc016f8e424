//! The catalog that says which metadata file is a table's current one, and lets one writer at a time change it.
//!
//! The `iceberg` crate keeps the making of a commit to itself, so floe speaks to the two kinds of catalog directly: the
//! REST catalog over HTTP, and the JDBC catalog's tables in an SQLite file.

pub mod client;
pub mod rest;
pub mod sql;
pub mod table;

pub use client::CatalogClient;
pub use table::{LoadedTable, Swap};
