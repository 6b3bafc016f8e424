//! What a sink is: it takes staged changes, prepares a commit of them, and commits it exactly once.
//!
//! A sink sees staged changes: rows that a durable checkpoint already holds. It first prepares a commit (writes its
//! files, which nobody can see yet) and floe records the [`Prepared`] commit durably; only then does it commit. Commits
//! are marked with the sink's id and the epoch, so that committing twice is the same as once: an unknown outcome, or a
//! crash, is answered by committing again, and the marker tells what happened the first time.
//!
//! floe's state may be older than the target: it was put back to an earlier checkpoint, or to a backup. So a sink that goes
//! on asks first whether the target is what floe remembers, also when there is nothing to commit.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::sinks::error::SinkError;
use crate::types::{Epoch, Report};
use crate::zset::Delta;

/// The net change of a relation over the epochs `(after, epoch]`, consolidated.
#[derive(Clone, Debug)]
pub struct Staged {
    pub after: Epoch,
    pub epoch: Epoch,
    pub delta: Delta,
}

/// A commit that is ready: its files are written, nobody sees them. Kept in floe's store until it is known to have landed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    pub epoch: Epoch,
    /// The sink's own description of the commit; empty when there is nothing to commit.
    pub payload: Vec<u8>,
    /// What the sink's key index will say once the commit has landed: key to value, `None` for a key that goes.
    /// The sink may keep entries of its own there besides those of rows; the caller does not look inside.
    pub index: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A sink's own durable index, as of its last commit that landed.
pub trait KeyIndex: Send + Sync {
    /// The value of each key, in the order of the keys.
    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Report>;
}

/// A sink at work. Calls come one at a time, in epoch order.
#[async_trait]
pub trait Sink: Send {
    /// Whether the target is what floe left, by what the index remembers. Asked when floe goes on with it, once no prepared
    /// commit is open.
    ///
    /// # Errors
    /// [`SinkError::Diverged`] when it is not.
    async fn check(&mut self, index: &dyn KeyIndex) -> Result<(), SinkError>;

    /// Writes what `staged` needs and describes the commit. May be called again for the same epochs after a crash or an
    /// error; what an earlier call wrote is then garbage that nobody refers to.
    async fn prepare(&mut self, staged: &Staged, index: &dyn KeyIndex) -> Result<Prepared, SinkError>;

    /// Makes the prepared commit visible, if it is not already. Idempotent: returns `Ok` exactly when the commit of this
    /// epoch is in the target once.
    async fn commit(&mut self, prepared: &Prepared) -> Result<(), SinkError>;

    /// The newest epoch of this sink that the target holds, by the sink's own marker.
    async fn committed(&mut self) -> Result<Option<Epoch>, SinkError>;
}
