//! The store in memory: what tests run on. It forgets everything when it is dropped.

use std::ops::{Bound, ControlFlow};
use std::sync::{Mutex, MutexGuard};

use imbl::OrdMap;

use super::backend::{Backend, Put, Steps, Visit};
use super::error::StateError;
use super::family::Family;
use super::kept::{KeptCheckpoint, Unnamed};
use super::writes::Write;

type Space = OrdMap<Vec<u8>, Vec<u8>>;

#[derive(Default)]
pub(super) struct Memory {
    spaces: Mutex<[Space; Family::ALL.len()]>,
    /// For tests of what happens when a write fails: the number of writes that still succeed.
    writes_left: Option<Mutex<usize>>,
}

impl Memory {
    #[cfg(test)]
    pub(super) fn failing_after(writes: usize) -> Memory {
        Memory { writes_left: Some(Mutex::new(writes)), ..Memory::default() }
    }

    fn spaces(&self) -> MutexGuard<'_, [Space; Family::ALL.len()]> {
        self.spaces.lock().expect("no thread panics while it holds the memory store")
    }

    fn count(&self) -> Result<(), StateError> {
        let Some(left) = &self.writes_left else { return Ok(()) };
        let mut left = left.lock().expect("no thread panics while it counts writes");
        *left = left.checked_sub(1).ok_or_else(|| StateError::DiskFull { detail: "the test says so".to_string() })?;
        Ok(())
    }

    /// The family as it is now; later writes do not change the copy.
    fn space(&self, family: Family) -> Space {
        self.spaces()[family as usize].clone()
    }
}

impl Backend for Memory {
    fn get_many(&self, family: Family, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StateError> {
        let space = self.space(family);
        Ok(keys.iter().map(|key| space.get(*key).cloned()).collect())
    }

    fn scan(&self, family: Family, prefix: &[u8], visit: &mut Visit) -> Result<(), StateError> {
        let space = self.space(family);
        let from = (Bound::Included(prefix), Bound::Unbounded);
        for (key, value) in space.range::<_, [u8]>(from).take_while(|(key, _)| key.starts_with(prefix)) {
            if let ControlFlow::Break(()) = visit(key, value)? {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, family: Family) -> Result<Option<(Vec<u8>, Vec<u8>)>, StateError> {
        Ok(self.space(family).get_max().cloned())
    }

    fn write(&self, steps: &mut Steps, _sync: bool) -> Result<(), StateError> {
        let steps = steps.collect::<Result<Vec<Write>, _>>()?;
        self.count()?;
        let mut spaces = self.spaces();
        for step in steps {
            match step {
                Write::Put { family, key, value } => {
                    spaces[family as usize].insert(key, value);
                }
                Write::Delete { family, key } => {
                    spaces[family as usize].remove(&key);
                }
                Write::DeleteRange { family, from, to } => {
                    let space = &mut spaces[family as usize];
                    let until = to.map_or(Bound::Unbounded, Bound::Excluded);
                    let gone: Vec<Vec<u8>> = match &until {
                        Bound::Excluded(to) if *to <= from => Vec::new(),
                        _ => space.range((Bound::Included(from), until)).map(|(key, _)| key.clone()).collect(),
                    };
                    gone.iter().for_each(|key| {
                        space.remove(key);
                    });
                }
            }
        }
        Ok(())
    }

    fn take_in(&self, family: Family, fill: &mut dyn FnMut(&mut Put) -> Result<(), StateError>) -> Result<(), StateError> {
        self.count()?;
        fill(&mut |key, value| {
            self.spaces()[family as usize].insert(key.to_vec(), value.to_vec());
            Ok(())
        })
    }

    /// Everything is: tests see blobs lie there before they are named.
    fn takes_in_from(&self) -> usize {
        1
    }

    fn keep(&self, _about: &KeptCheckpoint) -> Result<Unnamed, StateError> {
        Err(StateError::Misuse("a store in memory keeps no checkpoints".to_string()))
    }
}
