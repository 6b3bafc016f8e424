//! Files of JSON lines: each file that the glob matches is a partition, an offset is the byte after the last whole line.
//!
//! Files that grow are followed, new ones are picked up. A line counts once its newline is written; with
//! `follow = 'false'` the end of the file ends its last line too, and the source finishes. Blank lines are passed over.
//! A file that became shorter than what was read of it, or was replaced, stops the source: its records are gone.
//!
//! With FORMAT DEBEZIUM a line is the message's value, with or without its schema, or an object
//! `{"key": ..., "value": ..., "headers": {"__debezium.oldkey": ..., "__debezium.newkey": ...}}` where tombstones
//! (`"value": null`) and key changes matter.

pub mod config;
pub mod lines;
pub mod source;
pub mod tail;
pub mod wrapped;

pub use source::FileSource;
