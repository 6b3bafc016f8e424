//! Kafka topics, read from floe's own offsets.
//!
//! Partitions are assigned, never subscribed: no group decides what is read. Only committed transactions are read, and
//! the offsets that they leave out (markers, aborted records, compacted ones) are passed over as they come. Offsets that
//! the broker no longer has stop the source with an error; nothing is skipped. The group's offsets are committed for the
//! tools that watch lag, when a group is named, and are never read.

pub mod client;
pub mod complaints;
pub mod config;
pub mod failure;
pub mod inbox;
pub mod source;

pub use source::KafkaSource;
