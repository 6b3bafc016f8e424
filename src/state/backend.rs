//! What a store stands on: an ordered map of bytes for each family, written atomically.

use std::ops::ControlFlow;

use super::error::StateError;
use super::family::Family;
use super::kept::{KeptCheckpoint, Unnamed};
use super::writes::Write;

/// Takes one key and its value, and says whether to go on.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StateError> + 'a;

/// The steps of a write, in their order.
pub(super) type Steps<'a> = dyn Iterator<Item = Result<Write, StateError>> + 'a;

/// Takes the next key and its value.
pub(super) type Put<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StateError> + 'a;

pub(super) trait Backend: Send + Sync {
    /// The value of each key, in the order of the keys.
    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StateError>;

    /// Visits the keys that begin with `prefix` in their order, as of one moment.
    fn scan(&self, family: Family, prefix: &[u8], visit: &mut Visit) -> Result<(), StateError>;

    /// The greatest key and its value.
    fn last(&self, family: Family) -> Result<Option<(Vec<u8>, Vec<u8>)>, StateError>;

    /// All steps or none, none when one of them is an error. With `sync` they outlive the machine's power when this returns,
    /// without it the process.
    fn write(&self, steps: &mut Steps, sync: bool) -> Result<(), StateError>;

    /// Puts what `fill` gives, in the order of the keys, which are none that the family has; durable when this returns. Some
    /// of it may stay when it fails.
    fn take_in(&self, family: Family, fill: &mut dyn FnMut(&mut Put) -> Result<(), StateError>) -> Result<(), StateError>;

    /// From so many bytes on [`Backend::take_in`] costs less than a write.
    fn takes_in_from(&self) -> usize;

    /// Makes a kept checkpoint of all that was written until now. Beside writes, and an error is none of theirs.
    fn keep(&self, about: &KeptCheckpoint) -> Result<Unnamed, StateError>;
}
