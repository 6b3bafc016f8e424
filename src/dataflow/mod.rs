//! Circuits: a query kept right by passing on changes instead of computing it again.
//!
//! A plan is rendered into a [`Circuit`] of operators. Each epoch the circuit takes the changes of the relations that it
//! reads, one consistent set, and gives the change of its result: what it would give over the whole inputs after the
//! epoch, minus what it gave before it. Filter, project, unnest and union are linear and need no state. A join is
//! bilinear and keeps both sides; an aggregate is neither and keeps its accumulators. All state is in traces and cells
//! of `state`, numbered by their place in the plan: operators have nothing else to save and nothing to restore.
//!
//! An expression that fails for a row fails neither the epoch nor the view: the row yields an error with the row's
//! weight, which goes away when the row does.
//!
//! Results do not depend on the order of rows inside an epoch or on a hash seed. Floats are in canonical form on every
//! edge (one NaN, one zero), so that a row taken back is the row that was given.

pub mod circuit;
mod common;
mod deal;
mod distribution;
pub mod error;
mod evaluate;
pub mod exchange;
mod identity;
pub mod keyed_trace;
mod node;
pub mod operator;
pub mod operators;
pub mod parts;
pub mod profile;
mod render;
pub mod side;
mod staged;
mod weave;
pub mod workers;

pub use circuit::{Circuit, Output};
pub use error::DataflowError;
pub use keyed_trace::KeyedTrace;
pub use operator::{ErrorRow, Operator, StepContext};
pub use operators::materialize::{Materialize, Materialized};
pub use operators::upsert::Upsert;
pub use operators::upsert::keyed::UpsertOutput;
pub use side::Side;
pub use workers::Workers;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;
