//! What floe remembers: traces in memory, a store beneath them, a journal and checkpoints.
//!
//! The [`Store`] is a durable ordered map (RocksDB, or memory for tests) whose writes are atomic. Operators keep their
//! state in [`Trace`]s, [`Arrangement`]s, [`Appended`] rows, [`Records`] and [`Cells`], which live in memory; their [`TraceSet`] knows what changed since the last
//! checkpoint and puts it into the same atomic write as the [`CheckpointRecord`], the sinks' staged changes and the
//! trimming of the [`Journal`]. After a crash the last checkpoint and the journal behind it give back every published
//! epoch. A write that fails poisons the store: what the disk then holds is known only by opening it again.

pub mod appended;
pub mod arrangement;
mod backend;
mod blob;
mod blobs;
mod body;
mod budget;
pub mod cells;
pub mod checkpoint;
mod cold;
mod column;
mod dictionary;
mod directory;
pub mod error;
pub mod family;
mod fetched;
mod filter;
mod fixed_rows;
pub mod ipc;
pub mod journal;
pub mod kept;
mod kept_together;
pub mod key_layout;
mod memory;
mod ordered;
mod page;
mod page_cache;
mod part;
mod probe;
pub mod record;
pub mod records;
pub mod restore;
mod rocks;
mod row_at;
mod scratch;
mod shape;
mod shelf;
pub mod sink_index;
mod sorted_index;
pub mod staged;
mod state;
pub mod store;
mod switch;
pub mod trace;
pub mod trace_set;
mod usage;
mod weight;
pub mod writes;

pub use appended::{Appended, AppendedSnapshot};
pub use arrangement::{Arrangement, ArrangementSnapshot, Find};
pub use cells::Cells;
pub use checkpoint::CheckpointRecord;
pub use error::StateError;
pub use family::Family;
pub use ipc::{zset_from_ipc, zset_to_ipc};
pub use journal::{Journal, JournalEntry};
pub use kept::KeptCheckpoint;
pub use probe::{Extremes, Leading, Matches};
pub use records::{RecordTable, Records};
pub use restore::Restore;
pub use row_at::RowAt;
pub use sink_index::SinkIndex;
pub use staged::Staged;
pub use state::Leaving;
pub use store::Store;
pub use trace::Trace;
pub use trace_set::TraceSet;
pub use usage::{PageCounts, Usage};
pub use writes::Writes;
