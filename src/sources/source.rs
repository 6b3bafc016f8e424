//! What every connector is to the rest of floe: a reader that floe itself positions.

use std::time::Duration;

use arrow::array::RecordBatch;

use super::error::SourceError;
use crate::types::Offsets;
use crate::zset::ChangeBatch;

/// How much one [`Source::poll`] may bring and how long it may wait for the first record.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub records: usize,
    /// Of memory, about.
    pub bytes: usize,
    pub wait: Duration,
}

/// Consecutive records of one partition, decoded.
#[derive(Clone, Debug)]
pub struct SourceBatch {
    pub partition: String,
    /// The offset after the last record of this batch, gaps included: where reading goes on.
    pub next: i64,
    pub changes: ChangeBatch,
    pub dead: Vec<DeadRecord>,
    /// Records read, whatever became of them: changes, dead letters, tombstones, markers.
    pub records: usize,
    pub bytes: usize,
}

impl SourceBatch {
    /// Bytes of memory, about, that its changes take until an epoch has passed: where records are long, less than they had.
    pub fn held(&self) -> usize {
        /// However little of it is read, a record is worth as much as a short row on its way.
        const RECORD: usize = 256;
        let rows = std::iter::once(&self.changes.rows).chain(&self.changes.apart);
        let dead = self.dead.iter().map(|dead| dead.raw.len()).sum::<usize>();
        rows.map(RecordBatch::get_array_memory_size).sum::<usize>().max(self.records * RECORD) + dead
    }
}

/// A record that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRecord {
    /// The Kafka topic, or the path of the file.
    pub topic: String,
    pub partition: String,
    pub offset: i64,
    /// The record's bytes as they came: the value, or the key where the value is absent.
    pub raw: Vec<u8>,
    pub reason: String,
}

/// A connector at work. All methods may block; each source has a thread of its own.
pub trait Source: Send {
    /// The offsets at which a new source starts (its `scan.startup.mode`), for the partitions that are there now.
    fn start(&mut self) -> Result<Offsets, SourceError>;

    /// Goes on at `from`; partitions that it does not name are read from their first record. With `until`, no record at
    /// or past those offsets is given, and partitions that it does not name are not read: the way to read a stretch again.
    ///
    /// # Errors
    /// When the records at `from` are gone: nothing is skipped.
    fn resume(&mut self, from: &Offsets, until: Option<&Offsets>) -> Result<(), SourceError>;

    /// Stretches that were read one after the other are to be read again as one: no batch with records goes past any of
    /// these offsets. False for a source that is as well resumed at each.
    fn cut_at(&mut self, _ends: &[Offsets]) -> bool {
        false
    }

    /// What has come, at most `budget`, batches of one partition in offset order. Empty when nothing came within
    /// `budget.wait`. After an error the source is still at its last position, and polling again tries again.
    fn poll(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError>;

    /// After how long it is worth while to poll again when a poll brought nothing; `None` where a poll waits by itself, and
    /// ends as soon as something comes.
    fn pause(&self) -> Option<Duration> {
        None
    }

    /// The ends of all partitions at this moment: what a reader has to reach to have seen all that is there now.
    fn ends(&mut self) -> Result<Offsets, SourceError>;

    /// Told after a checkpoint that everything before `offsets` is durable. For tools that watch lag, never for resuming.
    fn checkpointed(&mut self, offsets: &Offsets);

    /// True when no record will ever come again (`follow = 'false'`, a datagen with an end) and all have been given.
    fn finished(&self) -> bool;
}
