//! Taking a turn's change in, where several keep an arrangement ([`super::turns`]).

use std::sync::{Arc, MutexGuard, PoisonError};

use arrow::array::ArrayRef;

use crate::state::error::StateError;
use crate::state::probe::Matches;
use crate::types::Turn;
use crate::zset::ZSet;

use super::Arrangement;
use super::turns::Turns;

/// The set of traces holds a handle, and whoever asks.
const ALONE: usize = 2;

impl Arrangement {
    /// Takes the turn's change in, unless another has. Every keeper gives the same.
    ///
    /// # Errors
    /// When a weight leaves the range of `i64`, or when the change of another has failed halfway.
    pub fn take_in(&self, turn: Turn, delta: &ZSet) -> Result<(), StateError> {
        let mut turns = self.turns();
        if turns.broken {
            return Err(StateError::HalfChanged);
        }
        if Arc::strong_count(&self.turns) <= ALONE {
            *turns = Turns::default();
            return self.insert(delta);
        }
        if turns.taken == Some(turn) {
            return Ok(());
        }
        turns.broken = true;
        turns.before = if delta.is_empty() { None } else { Some(self.snapshot()) };
        self.insert(delta)?;
        turns.taken = Some(turn);
        turns.broken = false;
        Ok(())
    }

    /// [`Arrangement::lookup`] among the rows before the turn, whether its change was taken in or not.
    pub fn lookup_before(&self, turn: Turn, keys: &[ArrayRef], count: usize) -> Result<Matches, StateError> {
        let before = {
            let turns = self.turns();
            if turns.taken == Some(turn) { turns.before.clone() } else { None }
        };
        match before {
            Some(before) => before.lookup(keys, count),
            None => self.lookup(keys, count),
        }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        // Whoever panicked in a change has left the mark of it.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
