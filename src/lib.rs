//! floe: a streaming SQL database. ARCHITECTURE.md is the map of this code.

pub mod catalog;
pub mod cli;
pub mod config;
pub mod coordinator;
pub mod dataflow;
pub mod fail_points;
pub mod planner;
pub mod server;
pub mod sinks;
pub mod sources;
pub mod sql;
pub mod state;
pub mod types;
pub mod zset;
