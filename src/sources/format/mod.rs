//! Formats: from a record's bytes to rows in Arrow columns, or to the reason why not.
//!
//! A [`Decoder`] takes records one by one into a [`ChangeBuilder`]. A record is kept whole or leaves nothing behind; what
//! it says is never bent to fit. Between the bytes and the columns stand three steps, each in its own file: `json` finds
//! the stretches of text that the columns want (`fields`), `scalar` and `wire` say what such a text means, `column` says
//! which values each SQL type takes. In front of them, `guide` takes the records that look as the ones before did.

pub mod builder;
pub mod bytea;
pub mod column;
pub mod connect_schema;
pub mod debezium;
pub mod decimal;
pub mod decoder;
pub mod end;
pub mod fields;
pub mod glue;
pub mod guide;
pub mod interval;
pub mod json;
pub mod leaf;
pub mod leaves;
pub mod path;
pub mod placeholder;
pub mod plain;
pub mod record;
pub mod scalar;
pub mod sizes;
pub mod step;
pub mod temporal;
pub mod usual;
pub mod walk;
pub mod wire;

pub use builder::ChangeBuilder;
pub use decoder::Decoder;
pub use record::Record;

#[cfg(test)]
mod tests;
