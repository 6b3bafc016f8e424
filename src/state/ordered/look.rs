//! Finding entries: that of a key, the first and the last ones of those whose keys begin with some bytes. The leaves that these are
//! on are read before, all at once.

use std::ops::Bound;

use crate::state::error::StateError;
use crate::state::key_layout::after_prefix;

use super::away::{Away, Entry};
use super::entries::Entries;
use super::leaf::Leaf;
use super::{Ordered, up_to};

impl Ordered {
    /// The value of the key's entry.
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, Away<'_>> {
        let Some((low, leaf)) = self.leaves.range::<[u8], _>(up_to(key)).next_back() else { return Ok(None) };
        let entries = entries_of(low, leaf)?;
        Ok(entries.find(key).ok().and_then(|at| entries.get(at)).map(|(_, value)| value))
    }

    /// The entry of the least key that begins with the prefix.
    pub fn first<'a>(&'a self, prefix: &[u8]) -> Result<Option<Entry<'a>>, Away<'a>> {
        let mut first = None;
        self.visit(prefix, &mut |entry| {
            first = Some(entry);
            false
        })?;
        Ok(first)
    }

    /// The entry of the greatest key that begins with the prefix.
    pub fn last<'a>(&'a self, prefix: &[u8]) -> Result<Option<Entry<'a>>, Away<'a>> {
        let after = after_prefix(prefix);
        let end = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        for (low, leaf) in self.leaves.range::<[u8], _>((Bound::Unbounded, end)).rev() {
            let entries = entries_of(low, leaf)?;
            let end = after.as_deref().map_or(entries.len(), |after| entries.from(after));
            if let Some(entry) = end.checked_sub(1).and_then(|at| entries.get(at)) {
                return Ok(Some(entry).filter(|(key, _)| key.starts_with(prefix)));
            }
            if **low <= *prefix {
                break;
            }
        }
        Ok(None)
    }

    /// The entries whose keys begin with the prefix, one after the other, as long as more are wanted.
    pub fn visit<'a>(&'a self, prefix: &[u8], more: &mut dyn FnMut(Entry<'a>) -> bool) -> Result<(), Away<'a>> {
        let low = self.leaves.range::<[u8], _>(up_to(prefix)).next_back().map_or(&[][..], |(low, _)| low);
        for (low, leaf) in self.leaves.range::<[u8], _>((Bound::Included(low), Bound::Unbounded)) {
            if low.as_ref() > prefix && !low.starts_with(prefix) {
                break;
            }
            let entries = entries_of(low, leaf)?;
            for at in entries.from(prefix)..entries.len() {
                let Some(entry) = entries.get(at).filter(|(key, _)| key.starts_with(prefix)) else { return Ok(()) };
                if !more(entry) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The leaves that have to be read to visit all entries whose keys begin with the prefix.
    pub fn away_under(&self, prefix: &[u8], wanted: &mut Vec<Box<[u8]>>) {
        let mut before = self.leaves.range::<[u8], _>(up_to(prefix));
        let after = after_prefix(prefix);
        let end = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let within = self.leaves.range::<[u8], _>((Bound::Excluded(prefix), end));
        let away = before.next_back().into_iter().chain(within).filter(|(_, leaf)| leaf.away.is_some());
        wanted.extend(away.map(|(low, _)| low.clone()));
    }

    /// Reads what is not in memory of what some look-ups need: each of `count` is asked which leaves it found away, until none does.
    pub fn read_for(&mut self, count: usize, look: impl Fn(&Ordered, usize, &mut Vec<Box<[u8]>>)) -> Result<(), StateError> {
        if self.away == 0 {
            return Ok(());
        }
        let mut left: Vec<usize> = (0..count).collect();
        loop {
            let mut wanted: Vec<Box<[u8]>> = Vec::new();
            left.retain(|at| {
                let before = wanted.len();
                look(self, *at, &mut wanted);
                wanted.len() > before
            });
            if wanted.is_empty() {
                return Ok(());
            }
            wanted.sort_unstable();
            wanted.dedup();
            self.read(&wanted)?;
        }
    }

    /// The leaf that the key is on, if it is not in memory.
    pub fn away_at(&self, key: &[u8]) -> Option<Box<[u8]>> {
        if self.away == 0 {
            return None;
        }
        let (low, leaf) = self.leaves.range::<[u8], _>(up_to(key)).next_back()?;
        leaf.away.map(|_| low.clone())
    }

    /// Reads the leaves that those keys are on, if they are not in memory.
    pub fn read_of<'a>(&mut self, keys: impl Iterator<Item = &'a [u8]>) -> Result<(), StateError> {
        if self.away == 0 {
            return Ok(());
        }
        let mut wanted: Vec<Box<[u8]>> = Vec::new();
        for key in keys {
            match self.away_at(key) {
                Some(low) => wanted.push(low),
                None => self.counts.found += 1,
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        self.read(&wanted)
    }
}

/// The leaf's entries, if it is in memory.
fn entries_of<'a>(low: &'a [u8], leaf: &'a Leaf) -> Result<&'a Entries, Away<'a>> {
    if leaf.away.is_some() { Err(Away(low)) } else { Ok(leaf.entries()) }
}
