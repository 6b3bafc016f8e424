//! Values in PostgreSQL's own forms: the text that `psql` shows and COPY writes, and the binary that drivers ask for.
//!
//! Writing goes from Arrow arrays ([`Values`]); reading gives a DataFusion scalar ([`read_text`], [`read_binary`]).
//! Whatever floe shows or takes as text anywhere (the wire, COPY, casts) has this one form.

pub mod binary;
pub mod calendar;
pub mod error;
pub mod float;
pub mod interval;
pub mod read_array;
pub mod read_binary;
pub mod read_datetime;
pub mod read_interval;
pub mod read_record;
pub mod read_text;
pub mod text;
pub mod values;
pub mod zone;

pub use error::FormError;
pub use read_binary::read_binary;
pub use read_text::read_text;
pub use values::Values;
pub use zone::Zone;
