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
#[derive(Clone)]
pub struct Made {
    /// `None` when nobody reads them: all who have the node have the nodes behind it too.
    pub parts: Option<Parts>,
    pub errors: Vec<ErrorRow>,
    /// Rows that it was given, and gave.
    pub rows: (usize, usize),
}

#[derive(Default)]
struct Last {
    /// Whether any of those who have it reads it where it has not the reading node in common.
    is_read: bool,
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
        let mut last = self.last();
        let parts = if last.is_read { made.parts.clone() } else { None };
        let made = (left > 0).then(|| Made { parts, errors: made.errors.clone(), rows: made.rows });
        *last = Last { is_read: last.is_read, turn: Some(turn), made, left, broken: false };
    }

    /// What is made is read by one of those who have the node.
    pub fn is_read(&self) {
        self.last().is_read = true;
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
        let made = Made { parts: Some(vec![None]), errors: Vec::new(), rows: (7, 0) };
        one.put(first, &made);
        for other in &others {
            let taken = other.take(first).unwrap().unwrap();
            assert_eq!((taken.parts.is_none(), taken.rows), (true, (7, 0)), "nobody reads it");
        }
        assert!(one.take(first).is_err(), "and no more than that");
        assert!(one.last().made.is_none(), "nobody else will ask");
        others[1].is_read();
        one.put(second, &made);
        assert_eq!(others[0].take(second).unwrap().and_then(|made| made.parts).map(|parts| parts.len()), Some(1));
        let second = Turn { slice: 1, ..second };
        assert!(others[0].take(second).unwrap().is_none());
        others[0].begin(true);
        assert!(one.take(second).is_err(), "the step had no end");
    }
}
