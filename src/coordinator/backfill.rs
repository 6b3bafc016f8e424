//! The past of a relation, in chunks: what a new view or sink reads before it follows the present.
//!
//! Relations that floe keeps are read from their traces. An append-only source keeps no rows: its records are read
//! again, from where it started up to the epoch's own offsets, by a second reader.

use std::time::{Duration, Instant};

use crate::sources::{Budget, Reading, Source, SourceSpec};
use crate::types::{Offsets, Report, SqlState};
use crate::zset::{Delta, ZSet};

use super::relation::{Relation, RelationKind};

pub const CHUNK_ROWS: usize = 65_536;
const POLL: Budget = Budget { records: CHUNK_ROWS, bytes: 16 << 20, wait: Duration::from_millis(50) };
/// How long a second reader may bring nothing before the backfill gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hands every row that `relation` has at `offsets` to `take`, chunk by chunk; of rows that have to be read again what
/// `reading` says, or more.
pub fn past(
    relation: &Relation,
    reading: &Reading,
    offsets: &Offsets,
    take: &mut dyn FnMut(Delta) -> Result<(), Report>,
) -> Result<(), Report> {
    if let Some(failed) = &relation.failed {
        return Err(failed.clone());
    }
    match (relation.rows(), &relation.kind) {
        (Some(rows), _) => {
            for chunk in rows.snapshot().chunks(CHUNK_ROWS, None) {
                take(Delta(chunk.map_err(|e| e.report())?))?;
            }
            Ok(())
        }
        (None, RelationKind::Source(source)) => read_again(&source.spec, reading, &source.start, offsets, take),
        (None, _) => Ok(()),
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
        batches.into_iter().filter(|b| !b.changes.is_empty()).try_for_each(|b| take(Delta(ZSet::of_rows(b.changes.rows))))
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
            if last.elapsed() > PATIENCE {
                return Err(Report::error(SqlState::CONNECTION_FAILURE, "the source does not give its past records again")
                    .detail(format!("Nothing came for {} s, at {:?} of {:?}.", PATIENCE.as_secs(), at.0, until.0))
                    .hint("check that the records are still there, and try again"));
            }
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
