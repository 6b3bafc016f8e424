//! Commits a prepared change exactly once.
//!
//! 1. Load the table: this is the base of the attempt, and everything below is decided on it alone.
//! 2. The marker in the base says whether the commit has landed. If so, done.
//! 3. The base must be the table that the commit was prepared for, right after the commit before; and the files that its
//!    deletes point into must be there.
//! 4. Build the snapshot over the base and swap, on the condition that the base is still current.
//! 5. Unless the swap is known to have landed, begin again at 1: whether it was refused, lost, or landed without an
//!    answer, the next base tells. A lost request that arrives later finds its base gone.
//!
//! Nothing that was written is ever deleted here: an attempt whose end nobody knows may have landed.

use std::time::{Duration, Instant};

use iceberg::spec::TableMetadata;

use crate::fail_points::FailPoint;
use crate::sinks::error::SinkError;
use crate::sinks::iceberg::catalog::{CatalogClient, LoadedTable, Swap};
use crate::sinks::iceberg::fault::{diverged, unavailable};
use crate::sinks::iceberg::marker;
use crate::sinks::iceberg::payload::Payload;
use crate::sinks::iceberg::snapshot::{self, Commit};

const ATTEMPTS: u32 = 10;
/// Who waits for the sink is told what is wrong with its target soon; the sink's worker comes again. An attempt that has begun
/// is not cut off: one on a full disk takes seven seconds, because the storage client tries for itself.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A table, and the sink that writes to it.
pub struct Target<'a> {
    pub catalog: &'a CatalogClient,
    pub table_name: &'a str,
    pub sink_id: &'a str,
}

enum State {
    Landed,
    Open,
}

impl Target<'_> {
    /// The table as it is now.
    ///
    /// # Errors
    /// [`SinkError::Diverged`] when it has been dropped.
    pub async fn load(&self) -> Result<LoadedTable, SinkError> {
        match self.catalog.load_table().await? {
            Some(table) => Ok(table),
            None => Err(self.dropped()),
        }
    }

    /// Makes the commit visible, if it is not already.
    pub async fn land(&self, payload: &Payload) -> Result<(), SinkError> {
        let mut commit: Option<Commit> = None;
        let mut pause = FIRST_PAUSE;
        let (mut last, begun, mut attempts) = (String::new(), Instant::now(), 0);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                if begun.elapsed() > PATIENCE {
                    break;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            attempts = attempt + 1;
            let base = self.load().await?;
            if let State::Landed = self.state(&base.metadata, payload)? {
                return Ok(());
            }
            self.check_deletes(&base, payload).await?;
            let commit = match &commit {
                Some(commit) => commit,
                None => commit.insert(self.begin(&base, payload).await?),
            };
            let updates = commit.over(&base.file_io, &base.metadata, self.sink_id, payload.epoch).await;
            let updates = updates.map_err(|e| self.storage_failed(&base, e))?;
            // An error here stands for a catalog that does not answer: before the swap, or after it.
            if let Err(report) = FailPoint::CommitReady.reach() {
                last = report.message;
                continue;
            }
            let mut swap = self.catalog.swap(&base, updates).await;
            if let (Swap::Landed, Err(report)) = (&swap, FailPoint::CommitLanded.reach()) {
                swap = Swap::Unknown(report.message);
            }
            match swap {
                Swap::Landed => return Ok(()),
                Swap::Denied(reason) => {
                    return Err(unavailable(format!("the catalog does not let floe commit to table \"{}\"", self.table_name), reason));
                }
                Swap::Gone(_) => return Err(self.dropped()),
                Swap::Conflict(reason) | Swap::Refused(reason) | Swap::Unknown(reason) => {
                    tracing::info!(table = self.table_name, epoch = payload.epoch, attempt, reason, "commit not confirmed, looking again");
                    last = reason;
                }
            }
        }
        // The last attempt may have landed too.
        match self.state(&self.load().await?.metadata, payload)? {
            State::Landed => Ok(()),
            State::Open => Err(unavailable(
                format!("could not commit epoch {} to table \"{}\" in {attempts} attempts", payload.epoch, self.table_name),
                last,
            )),
        }
    }

    fn state(&self, base: &TableMetadata, payload: &Payload) -> Result<State, SinkError> {
        if base.uuid() != payload.table {
            return Err(self.replaced());
        }
        match marker::newest(base, self.sink_id, self.table_name)? {
            Some(epoch) if epoch == payload.epoch => Ok(State::Landed),
            found if found == payload.previous => Ok(State::Open),
            Some(epoch) if epoch > payload.epoch && marker::has_landed(base, self.sink_id, payload.epoch) => Ok(State::Landed),
            found => Err(self.moved(found, payload.previous)),
        }
    }

    /// The table's marker must be what floe remembers.
    pub fn check_marker(&self, found: Option<u64>, remembered: Option<u64>) -> Result<(), SinkError> {
        if found == remembered { Ok(()) } else { Err(self.moved(found, remembered)) }
    }

    async fn begin(&self, base: &LoadedTable, payload: &Payload) -> Result<Commit, SinkError> {
        let schema = base.metadata.schema_by_id(payload.schema_id).unwrap_or_else(|| base.metadata.current_schema());
        let files = payload.files(schema)?;
        // Someone who cleans up what no snapshot refers to may have taken them.
        for file in files.data.iter().chain(&files.deletes) {
            if !base.file_io.exists(file.file_path()).await.map_err(|e| self.storage_failed(base, e))? {
                return Err(diverged(
                    format!("a file of the prepared commit of epoch {} is gone", payload.epoch),
                    format!("\"{}\" was written by floe and has been removed before it was committed.", file.file_path()),
                    "Do not remove files younger than a few hours from the table's location. Drop the sink and create it again.",
                ));
            }
        }
        Commit::begin(&base.file_io, &base.metadata, files).await.map_err(|e| self.storage_failed(base, e))
    }

    /// A position delete is a promise about a file: where others write to the table too, it is kept only while the file
    /// is still there. A compaction by others moves the rows, and the deletes would miss them.
    async fn check_deletes(&self, base: &LoadedTable, payload: &Payload) -> Result<(), SinkError> {
        if payload.referenced.is_empty() || marker::is_alone(&base.metadata, self.sink_id) {
            return Ok(());
        }
        let missing = snapshot::missing(&base.file_io, &base.metadata, &payload.referenced).await;
        match missing.map_err(|e| self.storage_failed(base, e))?.first() {
            None => Ok(()),
            Some(file) => Err(diverged(
                format!("data files of table \"{}\" were rewritten or removed by another writer", self.table_name),
                format!("Rows to delete are in \"{file}\", which is no longer in the table."),
                "Leave the files of an upsert sink's table to floe. Drop the sink and create it again with a new table.",
            )),
        }
    }

    fn storage_failed(&self, base: &LoadedTable, error: iceberg::Error) -> SinkError {
        let message = format!("could not read or write the metadata of table \"{}\"", self.table_name);
        unavailable(message, base.secrets.scrub(error))
    }

    fn dropped(&self) -> SinkError {
        diverged(
            format!("table \"{}\" has been dropped", self.table_name),
            "The catalog knows no table of that name.",
            "floe does not create it again by itself: drop the sink and create it again to write everything to a new table.",
        )
    }

    pub fn replaced(&self) -> SinkError {
        diverged(
            format!("table \"{}\" has been dropped and created again", self.table_name),
            "Its uuid is not that of the table that the sink wrote to.",
            "Drop the sink and create it again to write everything to the new table.",
        )
    }

    fn moved(&self, found: Option<u64>, expected: Option<u64>) -> SinkError {
        let show = |epoch: Option<u64>| epoch.map_or("no epoch".to_string(), |epoch| format!("epoch {epoch}"));
        let (message, hint) = if found < expected {
            (
                format!("table \"{}\" was rolled back below what floe has committed", self.table_name),
                "Roll the table forward again, or drop the sink and create it again with a new table.",
            )
        } else {
            (
                format!("table \"{}\" holds commits of this sink that floe does not know", self.table_name),
                "floe's state was put back to an earlier checkpoint or backup, or a copy of it is at work elsewhere. Drop the sink and create it again with a new table.",
            )
        };
        diverged(message, format!("The table holds {} of this sink; floe remembers {}.", show(found), show(expected)), hint)
    }
}
