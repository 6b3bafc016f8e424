//! How far a source has been read: for each partition the offset of the next record to read.
//!
//! What an offset counts is the source's own affair (a Kafka offset, a byte position in a file, a row number of a
//! generator); everyone else only stores, compares and hands them back. A partition that is not named has not been
//! started: reading it begins at the source's start position.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Partition name (a Kafka partition number, a file path) to the next offset. Ordered, so that whoever walks it
/// does so in the same order in every run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offsets(pub BTreeMap<String, i64>);

impl Offsets {
    pub fn get(&self, partition: &str) -> Option<i64> {
        self.0.get(partition).copied()
    }

    pub fn set(&mut self, partition: impl Into<String>, next: i64) {
        self.0.insert(partition.into(), next);
    }

    /// Takes over every position of `later`; partitions that it does not name stay.
    pub fn advance(&mut self, later: &Offsets) {
        for (partition, next) in &later.0 {
            self.0.insert(partition.clone(), *next);
        }
    }

    /// True when each partition of `target` has been read at least that far.
    pub fn reached(&self, target: &Offsets) -> bool {
        target.0.iter().all(|(partition, end)| *end <= 0 || self.get(partition).is_some_and(|next| next >= *end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(pairs: &[(&str, i64)]) -> Offsets {
        Offsets(pairs.iter().map(|(p, o)| (p.to_string(), *o)).collect())
    }

    #[test]
    fn reached_asks_every_partition() {
        let at = offsets(&[("0", 5), ("1", 7)]);
        assert!(at.reached(&offsets(&[("0", 5)])));
        assert!(!at.reached(&offsets(&[("0", 5), ("1", 8)])));
        assert!(!at.reached(&offsets(&[("2", 1)])), "a partition never started has not been read");
        assert!(at.reached(&offsets(&[("2", 0)])), "an empty partition has nothing to read");
    }

    #[test]
    fn advance_keeps_what_is_not_named() {
        let mut at = offsets(&[("0", 5), ("1", 7)]);
        at.advance(&offsets(&[("1", 9)]));
        assert_eq!(at, offsets(&[("0", 5), ("1", 9)]));
    }
}
