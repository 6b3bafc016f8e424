//! The words everything else is written in: SQL types and their Arrow and PostgreSQL forms, relation schemas, ids,
//! the epoch, source offsets, and the report that every error becomes before a user sees it.
//!
//! This folder imports nothing of floe. Whoever needs to know "what is a NUMERIC(12,2) on the wire" or "what is the
//! SQLSTATE of a missing table" looks here.

pub mod eval_error;
pub mod exact_float;
pub mod exact_sum;
pub mod form;
pub mod ids;
pub mod offsets;
pub mod projection;
pub mod report;
pub mod schema;
pub mod server_version;
pub mod sql_type;

pub use exact_float::ExactFloat;
pub use exact_sum::ExactInteger;
pub use ids::{Epoch, ObjectId, TraceId, Turn};
pub use offsets::Offsets;
pub use projection::{Part, Projection};
pub use report::{Report, Severity, SqlState};
pub use schema::{Column, RelationSchema};
pub use sql_type::{SqlType, StructField};
