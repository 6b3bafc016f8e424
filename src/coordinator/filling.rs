//! A new view or sink on its way into the database: it is given the past of what it reads, a slice at a time between the
//! epochs, so that the rest of the database goes on meanwhile.
//!
//! The past is that of one epoch. What its inputs change afterwards waits, in order, until the past is through; when
//! nothing waits any more it is where the database is, and takes effect in an epoch of its own. Until then nobody sees it.
//! Checkpoints that come meanwhile write its state too, so that it may be larger than memory, under a mark: a start
//! forgets what an unfinished one has left.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::fail_points::FailPoint;
use crate::sinks::Sink;
use crate::types::{Epoch, ObjectId, Projection, Report};
use crate::zset::{Delta, ZSet};

use super::backfill::{Came, Coming};
use super::command::{NewObject, Reply};
use super::panicked::panicked;
use super::relation::{Changes, Relation, ViewRelation};
use super::session::Interrupt;
use super::slices::step_in_pieces;

/// Rows that may wait for the past: with more, sources do.
const MUCH: usize = 1 << 20;
/// How often the log says how far a long one is.
const TOLD: Duration = Duration::from_secs(10);

/// What is filled.
pub enum Target {
    View(Box<ViewRelation>),
    Sink {
        /// The circuit of its own query; `None` when it follows `input`.
        query: Option<Box<ViewRelation>>,
        input: ObjectId,
        sink: Box<dyn Sink>,
        interval: Duration,
        /// Nothing of what comes out is wanted.
        discards: bool,
    },
}

/// The definition that waits for it, and who does.
pub struct Wanted {
    pub id: ObjectId,
    pub object: NewObject,
    pub reply: Reply<ObjectId>,
    pub interrupt: Interrupt,
}

pub struct Filling {
    pub wanted: Wanted,
    pub target: Target,
    /// The pasts of its inputs that are not through.
    pub pasts: VecDeque<(ObjectId, Coming)>,
    /// What the inputs have changed since, and how many rows those are.
    since: VecDeque<Since>,
    behind: usize,
    /// The epoch and time of the past.
    pub began: (Epoch, i64),
    /// What a sink is to be given, and has not been staged.
    pub pending: Vec<ZSet>,
    /// Whether a checkpoint holds some of its state.
    pub stored: bool,
    /// Whether it waits for the past to come.
    pub waits: bool,
    rows: usize,
    told: Instant,
}

/// What one epoch changed of its inputs.
struct Since {
    epoch: Epoch,
    now: i64,
    changes: Changes,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    More,
    /// The past does not come fast enough.
    NotYet,
    Done,
}

impl Filling {
    pub fn new(wanted: Wanted, target: Target, pasts: VecDeque<(ObjectId, Coming)>, (epoch, now): (Epoch, i64)) -> Filling {
        Filling {
            wanted,
            target,
            pasts,
            // What its circuit makes of nothing comes too.
            since: VecDeque::from([Since { epoch, now, changes: Changes::new() }]),
            behind: 0,
            began: (epoch, now),
            pending: Vec::new(),
            stored: false,
            waits: false,
            rows: 0,
            told: Instant::now(),
        }
    }

    /// What it reads of the changes of a relation with so many columns; `None` when it does not read it.
    pub fn reads(&self, id: ObjectId, columns: usize) -> Option<Projection> {
        match &self.target {
            Target::View(view) | Target::Sink { query: Some(view), .. } => view.reads.get(&id).cloned(),
            Target::Sink { input, discards, .. } => (*input == id && !discards).then(|| Projection::everything(columns)),
        }
    }

    /// An epoch has changed its inputs like this, or other relations.
    pub fn note(&mut self, epoch: Epoch, now: i64, changes: &Changes) {
        let read: Changes =
            changes.iter().filter(|(id, _)| self.reads(**id, 0).is_some()).map(|(id, deltas)| (*id, deltas.clone())).collect();
        if !read.is_empty() {
            self.behind += rows_of(&read);
            self.since.push_back(Since { epoch, now, changes: read });
        }
    }

    /// Whether so much waits that sources should.
    pub fn is_far_behind(&self) -> bool {
        self.behind > MUCH
    }

    /// One step: a chunk of the past, or what an epoch has changed since. A past that has not come is waited for no longer
    /// than `wait`.
    pub fn step(&mut self, wait: Duration) -> Result<Progress, Report> {
        self.tell();
        while let Some((input, past)) = self.pasts.front() {
            match past.next(wait)? {
                Came::All => drop(self.pasts.pop_front()),
                Came::NotYet => return Ok(Progress::NotYet),
                Came::Chunk(delta) => {
                    FailPoint::BackfillChunk.reach()?;
                    let changes = Changes::from([(*input, vec![delta])]);
                    self.take(self.began, changes)?;
                    return Ok(Progress::More);
                }
            }
        }
        let Some(Since { epoch, now, changes }) = self.since.pop_front() else { return Ok(Progress::Done) };
        self.behind -= rows_of(&changes);
        self.take((epoch, now), changes)?;
        Ok(Progress::More)
    }

    fn take(&mut self, (epoch, now): (Epoch, i64), mut changes: Changes) -> Result<(), Report> {
        self.rows += rows_of(&changes);
        let (view, keeps) = match &mut self.target {
            Target::View(view) => (view, false),
            Target::Sink { query: Some(query), discards, .. } => (query, !*discards),
            Target::Sink { query: None, input, .. } => {
                self.pending.extend(changes.remove(input).into_iter().flatten().map(|delta| delta.0));
                return Ok(());
            }
        };
        let stepped = catch_unwind(AssertUnwindSafe(|| step_in_pieces(view, epoch.into(), now, &changes, || true)));
        let (deltas, _) = stepped.unwrap_or_else(|panic| Err(panicked("the upkeep of a view", panic.as_ref())))?;
        if keeps {
            self.pending.extend(deltas.into_iter().filter(|delta| !delta.is_empty()).map(|delta| delta.0));
        }
        Ok(())
    }

    /// The error of the first input that has stopped meanwhile.
    pub fn failed_input<'a>(&self, relation: impl Fn(ObjectId) -> Option<&'a Relation>) -> Option<Report> {
        self.wanted.object.depends_on.iter().filter_map(|id| relation(*id)).find_map(|relation| relation.failed.clone())
    }

    fn tell(&mut self) {
        if self.told.elapsed() > TOLD {
            self.told = Instant::now();
            tracing::info!(object = %self.wanted.object.name, rows = self.rows, waiting = self.behind, "is being filled");
        }
    }
}

fn rows_of(changes: &Changes) -> usize {
    changes.values().flatten().map(|Delta(rows)| rows.len()).sum()
}
