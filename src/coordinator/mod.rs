//! The one place where everything meets: sessions, DDL, the epoch driver, backfill, recovery, peeks, the only clock.
//!
//! [`Coordinator`] is the handle that the server holds. Behind it one thread drives the epochs ([`driver`]), each source
//! has a thread that reads and decodes ([`source_worker`]), each sink a task that commits ([`sink_worker`]). Sessions read
//! published epochs ([`published`]) and send the driver commands ([`command`]).

mod alter_system;
pub mod api;
mod backfill;
mod checkpoint;
mod checkpoint_writer;
mod checkpoints_relation;
mod clock;
mod command;
mod config;
pub mod database;
mod define;
mod driver;
mod engine;
pub mod entropy;
mod failures;
mod fill;
mod filling;
mod flush;
mod helper;
mod install;
mod journal_writer;
mod journalled;
mod keep_together;
mod keeping;
mod key_filter;
mod make_room;
mod memory_parts;
mod memory_relation;
mod memory_watch;
mod metrics;
mod operator_gauges;
mod panicked;
mod process_memory;
mod profile;
mod program_pages;
mod published;
mod queues;
mod readers;
mod recovery;
mod relation;
mod replan;
pub mod restore;
mod rows;
mod runtime_relations;
pub mod session;
mod sink_status;
mod sink_worker;
mod slices;
mod source_worker;
mod start;
pub mod statement_times;
mod stop;
mod system_settings;
mod table;
mod take_changes;
#[cfg(test)]
mod tests;
mod unfinished;

pub use config::CoordinatorConfig;
pub use database::Database;
pub use engine::OpenDatabase;
pub use start::Coordinator;
