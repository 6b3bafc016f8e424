//! Finding the entries of keys: all of them, the first, the last, or whether there is one.
//!
//! A key's bytes are the first bytes of all its rows and of no others, so the rows of a key are one stretch of the map,
//! in the order of the rows. Equal means equal bytes: a null key finds the rows whose key is null.

use std::ops::Bound;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use imbl::OrdMap;

use crate::zset::{ZSet, take_rows};

use super::error::StateError;
use super::key_layout::after_prefix;
use super::resident::Key;
use super::shape::Shape;

/// The entries that keys have: entry `i` belongs to probe key `probe[i]`.
#[derive(Clone, Debug)]
pub struct Matches {
    /// Positions in the probe keys, ascending; as long as `rows`.
    pub probe: UInt32Array,
    /// The trace's schema; the entries of one probe in the order of rows.
    pub rows: ZSet,
}

/// One entry of each key, without its weight.
#[derive(Clone, Debug)]
pub struct Extremes {
    /// By probe key: whether it has an entry.
    pub found: Vec<bool>,
    /// The trace's schema, one row a probe key; all null where nothing was found.
    pub rows: RecordBatch,
}

pub(super) fn lookup(shape: &Shape, entries: &OrdMap<Key, i64>, keys: &[ArrayRef]) -> Result<Matches, StateError> {
    let keys = shape.encode_keys(keys)?;
    let (mut probe, mut rows, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for (position, key) in (0u32..).zip(keys.iter()) {
        let key = key.data();
        for (row, weight) in entries.range::<_, [u8]>(from(key)).take_while(|(row, _)| row.starts_with(key)) {
            probe.push(position);
            rows.push(&**row);
            weights.push(*weight);
        }
    }
    Ok(Matches { probe: UInt32Array::from(probe), rows: ZSet::new(shape.decode(rows)?, Int64Array::from(weights)) })
}

pub(super) fn first(shape: &Shape, entries: &OrdMap<Key, i64>, keys: &[ArrayRef]) -> Result<Extremes, StateError> {
    let keys = shape.encode_keys(keys)?;
    extremes(shape, keys.iter().map(|key| first_of(entries, key.data())))
}

pub(super) fn last(shape: &Shape, entries: &OrdMap<Key, i64>, keys: &[ArrayRef]) -> Result<Extremes, StateError> {
    let keys = shape.encode_keys(keys)?;
    extremes(shape, keys.iter().map(|key| last_of(entries, key.data())))
}

fn from(key: &[u8]) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (Bound::Included(key), Bound::Unbounded)
}

fn first_of<'a>(entries: &'a OrdMap<Key, i64>, key: &[u8]) -> Option<&'a [u8]> {
    let (row, _) = entries.range::<_, [u8]>(from(key)).next()?;
    row.starts_with(key).then_some(&**row)
}

fn last_of<'a>(entries: &'a OrdMap<Key, i64>, key: &[u8]) -> Option<&'a [u8]> {
    let after = after_prefix(key);
    let until = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let (row, _) = entries.range::<_, [u8]>((Bound::Included(key), until)).next_back()?;
    row.starts_with(key).then_some(&**row)
}

fn extremes<'a>(shape: &Shape, rows: impl Iterator<Item = Option<&'a [u8]>>) -> Result<Extremes, StateError> {
    let rows: Vec<Option<&[u8]>> = rows.collect();
    let mut found_before = 0u32;
    let positions: UInt32Array = rows
        .iter()
        .map(|row| {
            let position = row.map(|_| found_before);
            found_before += u32::from(row.is_some());
            position
        })
        .collect();
    let found = shape.decode(rows.iter().copied().flatten())?;
    Ok(Extremes { found: rows.iter().map(Option::is_some).collect(), rows: take_rows(&found, &positions)? })
}
