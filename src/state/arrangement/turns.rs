//! An arrangement that several circuits keep, or one circuit in several places.
//!
//! In one turn all of them come to the same change of it. Whoever is first takes it in, the others find that done; what was there
//! before the turn is there for them as a snapshot. An arrangement that one alone keeps has nothing of that.

use crate::types::Turn;

use super::snapshot::ArrangementSnapshot;

#[derive(Default)]
pub struct Turns {
    /// The last turn whose change is there.
    pub taken: Option<Turn>,
    /// What was there before it, if it changed anything.
    pub before: Option<ArrangementSnapshot>,
    /// Whether a change has begun and has not come to its end: what is there is then of no turn.
    pub broken: bool,
}
