//! Where views go: sinks write a relation's changes outside, exactly once.
//!
//! [`sink`] says what a sink is and why committing twice is the same as once; [`connect`] is the one place that knows
//! which connectors there are. `iceberg` commits to Apache Iceberg tables, `blackhole` keeps nothing.

pub mod blackhole;
pub mod connect;
pub mod error;
pub mod iceberg;
pub mod sink;
pub mod spec;

pub use connect::{create, discards, open};
pub use error::SinkError;
pub use sink::{KeyIndex, Prepared, Sink, Staged};
pub use spec::{SinkMode, SinkSpec};
