//! Which checkpoints are kept: those that are asked for, and others at a distance.
//!
//! The driver says which; the thread that writes checkpoints makes it, after the write that it is of and beside the epochs.
//! That thread writes no other checkpoint meanwhile: what is kept is the state right after its own. One that cannot be kept
//! is told and counted, and nothing else comes of it: it is durable all the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::fail_points::FailPoint;
use crate::state::{KeptCheckpoint, Store, kept};
use crate::types::{Epoch, Offsets, Report};

/// What is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// So many; with none nothing is kept.
    most: usize,
    /// How far they are apart at least, microseconds.
    distance: i64,
    /// The epoch of the last one that was to be kept, and when that was.
    last: Option<(Epoch, i64)>,
}

impl Keeping {
    /// `kept` are those that are there.
    pub fn new(most: usize, distance: Duration, kept: &[KeptCheckpoint]) -> Keeping {
        let distance = i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
        Keeping { most, distance, last: kept.last().map(|kept| (kept.epoch, kept.at)) }
    }

    /// Whether a checkpoint of that epoch is to be kept that nobody has asked for. When the clock was put back nobody knows
    /// how long ago the last one was.
    fn is_due(&self, epoch: Epoch, now: i64) -> bool {
        let far = |at: i64| now < at || now - at >= self.distance;
        self.most > 0 && !self.has(epoch) && self.last.is_none_or(|(_, at)| far(at))
    }

    /// What is to be kept of the checkpoint of that epoch which is written now, if it is.
    pub fn next(
        &mut self,
        epoch: Epoch,
        now: i64,
        asked: Option<Asked>,
        offsets: impl FnOnce() -> BTreeMap<String, Offsets>,
    ) -> Option<Keep> {
        if asked.is_none() && !self.is_due(epoch, now) {
            return None;
        }
        self.last = Some((epoch, now));
        Some(Keep { about: KeptCheckpoint { epoch, at: now, offsets: offsets() }, most: self.most, asked })
    }

    /// Whether one of that epoch is there or on its way.
    pub fn has(&self, epoch: Epoch) -> bool {
        self.last.is_some_and(|(last, _)| epoch <= last)
    }
}

/// What is kept of a checkpoint once it is durable.
pub struct Keep {
    pub about: KeptCheckpoint,
    /// How many are kept, this one included.
    pub most: usize,
    /// Who waits until it is.
    pub asked: Option<Asked>,
}

/// Is told what became of it.
pub type Asked = oneshot::Sender<Result<(), Report>>;

/// Keeps what the store holds now, and deletes those that are too many.
pub fn keep(store: &Store, dir: &Path, about: &KeptCheckpoint, most: usize) -> Result<(), Report> {
    let told = |report: Report| not_kept(about.epoch, &report);
    FailPoint::KeepBegun.reach().map_err(told)?;
    let unnamed = store.keep(about).map_err(|e| told(e.report()))?;
    FailPoint::KeepLinked.reach().map_err(told)?;
    unnamed.name().map_err(|e| told(e.report()))?;
    FailPoint::KeepNamed.reach().map_err(told)?;
    kept::forget_beyond(dir, most).map_err(|e| told(e.report()))
}

pub fn not_kept(epoch: Epoch, reason: &Report) -> Report {
    let detail = reason.detail.as_ref().map_or_else(|| reason.message.clone(), |detail| format!("{}: {detail}", reason.message));
    Report::error(reason.sqlstate, format!("the checkpoint of epoch {epoch} could not be kept"))
        .detail(detail)
        .hint("the checkpoint itself is durable, and floe goes on; see that the state directory has room, and say CHECKPOINT again")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeping(most: usize, last: Option<(u64, i64)>) -> Keeping {
        let kept: Vec<_> = last.iter().map(|(epoch, at)| KeptCheckpoint { epoch: Epoch(*epoch), at: *at, ..Default::default() }).collect();
        Keeping::new(most, Duration::from_micros(100), &kept)
    }

    #[test]
    fn one_is_due_at_its_distance_and_once() {
        for (most, last, epoch, now, due) in [
            (0, None, 1, 1000, false),
            (2, None, 1, 1000, true),
            (2, Some((1, 1000)), 2, 1099, false),
            (2, Some((1, 1000)), 2, 1100, true),
            (2, Some((1, 1000)), 1, 1100, false),
            (2, Some((1, 1000)), 2, 999, true),
        ] {
            assert_eq!(keeping(most, last).is_due(Epoch(epoch), now), due, "{most} {last:?} {epoch} {now}");
        }
        assert!(keeping(1, Some((5, 0))).has(Epoch(5)) && !keeping(1, Some((5, 0))).has(Epoch(6)));
    }
}
