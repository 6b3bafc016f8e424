//! The sink as a whole, over an SQLite catalog and a warehouse in a folder of the test's own; tables are read back with
//! the `iceberg` crate's scan, which applies position deletes by itself.

mod exactly_once;
mod histories;
mod lake;
mod refusals;
mod rest;
mod types;
