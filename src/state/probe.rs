//! Finding the entries of keys: all of them, the first, or the last.
//!
//! A key's bytes are the first bytes of all its rows and of no others, so the rows of a key are one stretch of entries,
//! in the order of the rows. Equal means equal bytes: a null key finds the rows whose key is null.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};

use crate::zset::{ZSet, take_rows};

use super::error::StateError;
use super::ordered::{Away, Entry, Ordered};
use super::shape::Shape;
use super::weight::Weight;

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

/// The first entries of keys, as bytes.
#[derive(Clone, Debug, Default)]
pub struct Leading {
    bytes: Vec<u8>,
    /// By entry: the probe key, where its bytes end, its weight.
    entries: Vec<(u32, usize, i64)>,
}

impl Leading {
    /// The entries one after the other: the probe key, the row's bytes, its weight. Probe keys ascend, and so do the rows of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8], i64)> {
        let starts = std::iter::once(0).chain(self.entries.iter().map(|(_, end, _)| *end));
        starts.zip(&self.entries).map(|(start, (probe, end, weight))| (*probe, &self.bytes[start..*end], *weight))
    }
}

pub(super) fn leading(shape: &Shape, entries: &mut Ordered, keys: &[ArrayRef], limit: i64) -> Result<Leading, StateError> {
    /// Visits no more than what is asked for.
    fn visit<'a>(
        entries: &'a Ordered,
        key: &[u8],
        limit: i64,
        see: &mut dyn FnMut(&'a [u8], i64),
    ) -> Result<Result<(), StateError>, Away<'a>> {
        let (mut left, mut broken) = (limit, Ok(()));
        if left <= 0 {
            return Ok(Ok(()));
        }
        entries.visit(key, &mut |(row, weight)| match Weight::read(weight) {
            Ok(weight) => {
                see(row, weight);
                left = left.saturating_sub(weight);
                left > 0
            }
            Err(error) => {
                broken = Err(error);
                false
            }
        })?;
        Ok(broken)
    }
    let keys = shape.encode_keys(keys)?;
    entries.read_for(keys.num_rows(), |entries, at, wanted| {
        let visited = visit(entries, keys.row(at).data(), limit, &mut |_, _| ());
        wanted.extend(visited.err().map(|away| away.0.into()));
    })?;
    let mut found = Leading::default();
    for (probe, key) in (0u32..).zip(keys.iter()) {
        let visited = visit(entries, key.data(), limit, &mut |row, weight| {
            found.bytes.extend_from_slice(row);
            found.entries.push((probe, found.bytes.len(), weight));
        });
        visited.map_err(Away::defect)??;
    }
    Ok(found)
}

/// All entries of keys. Without key columns all are those of one key.
pub(super) fn lookup(shape: &Shape, entries: &mut Ordered, keys: &[ArrayRef]) -> Result<Matches, StateError> {
    let keys = shape.encode_keys(keys)?;
    entries.read_for(keys.num_rows(), |entries, at, wanted| entries.away_under(keys.row(at).data(), wanted))?;
    let (mut probe, mut rows, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for (position, key) in (0u32..).zip(keys.iter()) {
        let all = entries.visit(key.data(), &mut |(row, weight)| {
            probe.push(position);
            rows.push(row);
            weights.push(Weight::read(weight));
            true
        });
        all.map_err(Away::defect)?;
    }
    let weights: Vec<i64> = weights.into_iter().collect::<Result<_, _>>()?;
    Ok(Matches { probe: UInt32Array::from(probe), rows: ZSet::new(shape.decode(rows)?, Int64Array::from(weights)) })
}

pub(super) fn first(shape: &Shape, entries: &mut Ordered, keys: &[ArrayRef]) -> Result<Extremes, StateError> {
    extremes(shape, entries, keys, Ordered::first)
}

pub(super) fn last(shape: &Shape, entries: &mut Ordered, keys: &[ArrayRef]) -> Result<Extremes, StateError> {
    extremes(shape, entries, keys, Ordered::last)
}

type Found<'a> = Result<Option<Entry<'a>>, Away<'a>>;

fn extremes(
    shape: &Shape,
    entries: &mut Ordered,
    keys: &[ArrayRef],
    look: impl for<'a> Fn(&'a Ordered, &[u8]) -> Found<'a>,
) -> Result<Extremes, StateError> {
    let keys = shape.encode_keys(keys)?;
    entries.read_for(keys.num_rows(), |entries, at, wanted| {
        wanted.extend(look(entries, keys.row(at).data()).err().map(|away| away.0.into()));
    })?;
    let (mut rows, mut positions, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys.iter() {
        let row = look(entries, key.data()).map_err(Away::defect)?.map(|(row, _)| row);
        positions.push(row.map(|_| rows.len() as u32));
        found.push(row.is_some());
        rows.extend(row);
    }
    Ok(Extremes { found, rows: take_rows(&shape.decode(rows)?, &UInt32Array::from(positions))? })
}
