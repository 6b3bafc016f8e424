//! Apache Iceberg: each staged change becomes one snapshot of a table, exactly once.
//!
//! ```text
//! prepare   options, schema  ->  upsert (what goes, what comes)  ->  write (data and position delete files)  ->  Payload
//! commit    load table  ->  marker (has it landed?)  ->  snapshot (manifests, list)  ->  catalog swap  ->  or again
//! ```
//!
//! 1. The marker, sink id and epoch, is in the snapshot's summary and in the table's properties, in the same commit as
//!    the rows: whoever loads the table sees both or neither. The properties' copy outlives the expiry of snapshots.
//! 2. A commit is one compare-and-swap on the very table metadata in which the marker was looked for.
//! 3. An answer that is not a sure refusal means that nobody knows: floe loads the table again and looks for the marker.
//! 4. Rows are deleted by position, from floe's own index of key to file and position. Equality deletes are never
//!    written: they cost every reader of the table, and do not reach rows of their own commit.
//! 5. floe's own store remembers the table's uuid and the last epoch that landed, so a table that was re-created or
//!    rolled back is noticed; it is never repaired behind the user's back.

pub mod catalog;
pub mod commit;
pub mod fault;
pub mod index;
pub mod marker;
pub mod options;
pub mod payload;
pub mod schema;
pub mod sink;
pub mod snapshot;
pub mod storage;
pub mod upsert;
pub mod write;

#[cfg(test)]
mod tests;
