//! What the epoch driver is told: by sessions (commands) and by source threads (records, ends, failures).

use std::time::Duration;

use tokio::sync::oneshot;

use crate::catalog::{Definition, Entry};
use crate::planner::CircuitPlan;
use crate::sinks::Sink;
use crate::sources::{SourceBatch, SourceSpec};
use crate::types::{Epoch, ObjectId, Offsets, RelationSchema, Report};
use crate::zset::Delta;

use super::session::Interrupt;
use super::system_settings::SettingChange;

pub type Reply<T> = oneshot::Sender<Result<T, Report>>;

pub enum Event {
    /// `run` is the reader's own number: what an earlier reader of the source sent is not wanted any more.
    Records {
        source: ObjectId,
        run: u64,
        batches: Vec<SourceBatch>,
    },
    /// The source works again (`None`), cannot be read for now, or has stopped for good.
    SourceState {
        source: ObjectId,
        run: u64,
        error: Option<Report>,
        stopped: bool,
    },
    Ends {
        source: ObjectId,
        token: u64,
        ends: Result<Offsets, Report>,
    },
    /// The checkpoint that was being written is there, or has failed.
    CheckpointWritten,
    /// A sink could not write to the store.
    StoreFailed,
    Command(Command),
}

pub enum Command {
    /// Applies a transaction's net changes of tables in one epoch, all or none, and answers when it is published.
    Change {
        changes: Vec<(ObjectId, Delta)>,
        reply: Reply<()>,
    },
    Install {
        install: Box<Install>,
        reply: Reply<ObjectId>,
    },
    /// The objects in the order in which they go: dependents first.
    Drop {
        ids: Vec<ObjectId>,
        reply: Reply<()>,
    },
    AlterSystem {
        change: SettingChange,
        reply: Reply<()>,
    },
    /// Answers when all that the sources held when it was asked is published.
    Flush {
        reply: Reply<Epoch>,
    },
    /// Writes a checkpoint and answers with its epoch when it is durable, or kept if it is to be.
    Checkpoint {
        keep: bool,
        reply: Reply<Epoch>,
    },
    /// A last checkpoint, and the end of the driver.
    Shutdown {
        reply: Reply<()>,
    },
}

/// A new object, checked and planned as far as can be done outside the driver.
pub struct Install {
    pub object: NewObject,
    pub what: InstallWhat,
    /// Says when nobody wants it any more.
    pub interrupt: Interrupt,
}

/// What will stand in the catalog of it.
pub struct NewObject {
    pub schema_name: String,
    pub name: String,
    pub sql: String,
    pub schema: RelationSchema,
    pub depends_on: Vec<ObjectId>,
    pub definition: Definition,
    /// An object of the same name that this one replaces (`CREATE OR REPLACE VIEW`).
    pub replaces: Option<ObjectId>,
}

impl NewObject {
    pub fn entry(&self, id: ObjectId, created: Epoch) -> Entry {
        Entry {
            id,
            schema_name: self.schema_name.clone(),
            name: self.name.clone(),
            definition: self.definition.clone(),
            schema: self.schema.clone(),
            sql: self.sql.clone(),
            depends_on: self.depends_on.clone(),
            created,
        }
    }
}

pub enum InstallWhat {
    Source {
        spec: SourceSpec,
    },
    Table,
    View,
    MaterializedView {
        plan: CircuitPlan,
    },
    /// The connected sink, and how often it commits at most.
    Sink {
        sink: Box<dyn Sink>,
        interval: Duration,
        /// The circuit of its own query; `None` when it follows a relation.
        plan: Option<CircuitPlan>,
    },
}
