//! Where rows come from: connectors read records, formats decode them into Arrow columns.
//!
//! A [`Source`] is read from positions that floe keeps itself, one record at most once past each offset, and gives the
//! same changes for the same stretch of offsets, so that a crash can be answered by reading the stretch again. It never
//! skips a record in silence: one that cannot be decoded becomes a [`DeadRecord`].
//!
//! A definition goes through [`SourceSpec::parse`] (clauses and schema), [`validate`] (options) and [`open`]; what the
//! outside has to say comes with [`Source::start`].

pub mod datagen;
pub mod error;
pub mod file;
pub mod format;
pub mod gather;
pub mod kafka;
pub mod open;
pub mod options;
pub mod side_by_side;
pub mod source;
pub mod spec;

#[cfg(test)]
mod testing;

pub use error::SourceError;
pub use open::{open, validate};
pub use side_by_side::Reading;
pub use source::{Budget, DeadRecord, Source, SourceBatch};
pub use spec::{Connector, Encode, Format, SourceSpec};
