//! The past of a relation, in chunks: what a new view or sink reads before it follows the present.
//!
//! Relations that floe keeps are read from their traces. An append-only source keeps no rows: its records are read
//! again, from where it started up to the epoch's own offsets, by a second reader. Either is done beside the epochs, by a
//! thread of its own that is a few chunks ahead of who takes them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::dataflow::Materialized;
use crate::sources::{Budget, Reading, Source, SourceSpec};
use crate::types::{Offsets, Report, SqlState};
use crate::zset::Delta;

use super::relation::{Relation, RelationKind};

pub const CHUNK_ROWS: usize = 65_536;
pub const POLL: Budget = Budget { records: CHUNK_ROWS, bytes: 16 << 20, wait: Duration::from_millis(50) };
/// How long a second reader may bring nothing before the backfill gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Chunks that may be there before they are wanted.
const AHEAD: usize = 2;

/// Where the rows that a relation had at one moment are.
pub enum Past {
    Nothing,
    Kept(Materialized),
    ReadAgain { spec: Box<SourceSpec>, reading: Reading, from: Offsets, until: Offsets },
}

/// A past on its way. Whoever drops it wants no more of it.
pub struct Coming(Receiver<Result<Option<Delta>, Report>>);

/// What has come of a past.
pub enum Came {
    Chunk(Delta),
    NotYet,
    All,
}

impl Past {
    /// The rows that `relation` has now, being at `offsets`; of rows that have to be read again what `reading` says, or
    /// more.
    pub fn of(relation: &Relation, reading: Reading, offsets: &Offsets) -> Result<Past, Report> {
        if let Some(failed) = &relation.failed {
            return Err(failed.clone());
        }
        Ok(match (relation.rows(), &relation.kind) {
            (Some(rows), _) => Past::Kept(rows.snapshot()),
            (None, RelationKind::Source(source)) => {
                Past::ReadAgain { spec: Box::new(source.spec.clone()), reading, from: source.start.clone(), until: offsets.clone() }
            }
            (None, _) => Past::Nothing,
        })
    }

    /// Hands every row to `take`, chunk by chunk.
    pub fn read(&self, take: &mut dyn FnMut(Delta) -> Result<(), Report>) -> Result<(), Report> {
        match self {
            Past::Nothing => Ok(()),
            Past::Kept(rows) => rows.chunks(CHUNK_ROWS, None).try_for_each(|chunk| take(Delta(chunk.map_err(|e| e.report())?))),
            Past::ReadAgain { spec, reading, from, until } => read_again(spec, reading, from, until, take),
        }
    }

    /// Starts to read it.
    pub fn start(self) -> Result<Coming, Report> {
        let (chunks, coming) = sync_channel(AHEAD);
        let work = move || {
            // Who does not listen any more wants nothing any more.
            let read = self.read(&mut |delta| chunks.send(Ok(Some(delta))).map_err(|_| Report::internal("nobody reads any more")));
            let _ = chunks.send(read.map(|()| None));
        };
        std::thread::Builder::new().name("past".to_string()).spawn(work).map_err(Report::internal)?;
        Ok(Coming(coming))
    }
}

impl Coming {
    /// The next chunk, waited for no longer than this.
    pub fn next(&self, wait: Duration) -> Result<Came, Report> {
        match self.0.recv_timeout(wait) {
            Ok(chunk) => Ok(chunk?.map_or(Came::All, Came::Chunk)),
            Err(RecvTimeoutError::Timeout) => Ok(Came::NotYet),
            Err(RecvTimeoutError::Disconnected) => Err(Report::internal("the thread that reads past rows has failed")),
        }
    }
}

/// The rows of an append-only source in `[from, until)`.
pub fn read_again(
    spec: &SourceSpec,
    reading: &Reading,
    from: &Offsets,
    until: &Offsets,
    take: &mut dyn FnMut(Delta) -> Result<(), Report>,
) -> Result<(), Report> {
    if until.0.is_empty() {
        return Ok(());
    }
    let mut source = crate::sources::open(spec, reading).map_err(|e| e.report())?;
    read_stretch(source.as_mut(), from, until, &mut |batches| {
        batches.into_iter().flat_map(|batch| batch.changes.into_added()).try_for_each(|rows| take(Delta::inserts(rows)))
    })
}

/// Reads exactly the stretch `[from, until)` of `source`.
pub fn read_stretch(
    source: &mut dyn Source,
    from: &Offsets,
    until: &Offsets,
    take: &mut dyn FnMut(Vec<crate::sources::SourceBatch>) -> Result<(), Report>,
) -> Result<(), Report> {
    let mut at = from.clone();
    source.resume(from, Some(until)).map_err(|e| e.report())?;
    let mut last = Instant::now();
    while !at.reached(until) {
        let batches = source.poll(POLL).map_err(|e| e.report())?;
        if batches.is_empty() {
            waited_enough(last, &at, until)?;
            continue;
        }
        last = Instant::now();
        for batch in &batches {
            at.set(batch.partition.clone(), batch.next);
        }
        take(batches)?;
    }
    Ok(())
}

/// # Errors
/// When nothing has come for so long that nothing will.
pub fn waited_enough(last: Instant, at: &Offsets, until: &Offsets) -> Result<(), Report> {
    if last.elapsed() <= PATIENCE {
        return Ok(());
    }
    Err(Report::error(SqlState::CONNECTION_FAILURE, "the source does not give its past records again")
        .detail(format!("Nothing came for {} s, at {:?} of {:?}.", PATIENCE.as_secs(), at.0, until.0))
        .hint("check that the records are still there, and try again"))
}
