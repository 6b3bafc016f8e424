//! A node that several circuits have: it is stepped by the first of them that comes to it in a turn, and the others take what it
//! has made of the change.
//!
//! Its state is one too. What nobody will ask for any more is let go at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::state::StateError;
use crate::types::Turn;

use super::error::DataflowError;
use super::operator::ErrorRow;
use super::parts::Parts;

/// What a node has made of a change.
#[derive(Clone, Default)]
pub struct Made {
    pub parts: Parts,
    pub errors: Vec<ErrorRow>,
    /// Rows that it was given.
    pub taken: usize,
}

#[derive(Default)]
struct Last {
    turn: Option<Turn>,
    made: Option<Made>,
    /// How many have not taken it yet.
    left: usize,
    /// Whether a step has begun and has not come to its end: of its state nobody knows what it is then.
    broken: bool,
}

/// A handle of one of those who have the node.
#[derive(Clone, Default)]
pub struct Common(Arc<Mutex<Last>>);

impl Common {
    /// What was made in that turn, if another has come before.
    ///
    /// # Errors
    /// When another has failed in the midst of it.
    pub fn take(&self, turn: Turn) -> Result<Option<Made>, DataflowError> {
        let mut last = self.last();
        if last.broken {
            return Err(StateError::HalfChanged.into());
        }
        if last.turn != Some(turn) {
            return Ok(None);
        }
        last.left = last.left.saturating_sub(1);
        let made = if last.left == 0 { last.made.take() } else { last.made.clone() };
        made.map(Some).ok_or_else(|| DataflowError::Plan("what a node has made was taken by more than have it".into()))
    }

    /// Whether anybody else has the node.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The node is about to be stepped, and has state if it is said so.
    pub fn begin(&self, has_state: bool) {
        self.last().broken = has_state;
    }

    /// What was made, for the others.
    pub fn put(&self, turn: Turn, made: &Made) {
        let left = Arc::strong_count(&self.0) - 1;
        let made = (left > 0).then(|| made.clone());
        *self.last() = Last { turn: Some(turn), made, left, broken: false };
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // Whoever panicked in a step has left the mark of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Epoch;

    #[test]
    fn what_one_has_made_the_others_take_once() {
        let one = Common::default();
        let others = [one.clone(), one.clone()];
        let (first, second) = (Turn::from(Epoch(1)), Turn::from(Epoch(2)));
        assert!(one.take(first).unwrap().is_none());
        one.begin(true);
        one.put(first, &Made { parts: vec![None], errors: Vec::new(), taken: 7 });
        for other in &others {
            assert_eq!(other.take(first).unwrap().map(|made| made.taken), Some(7));
        }
        assert!(one.take(first).is_err(), "and no more than that");
        assert!(one.last().made.is_none(), "nobody else will ask");
        assert!(others[0].take(second).unwrap().is_none());
        others[0].begin(true);
        assert!(one.take(second).is_err(), "the step had no end");
    }
}
