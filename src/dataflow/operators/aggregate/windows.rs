//! Windows from slides: a record is kept for the rows of a key whose first window is the same, and those of a window are the
//! records of as many slides as it has.
//!
//! 1. The change is added up by key and first window. Of each key, slides whose windows meet make a *stretch*.
//! 2. The records of a stretch and of the slides around it are found: all that its windows are made of, before the change and
//!    with it.
//! 3. Window by window they are added up. Blocks of as many slides as a window has are summed from their beginnings and from
//!    their ends; a window is the end of one block and the beginning of the next, whatever its size. Counts alone slide.
//! 4. The slides' records are written; the results of windows that changed go, and the new ones come.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{ErrorRow, StepContext};
use crate::dataflow::operators::aggregate::layout::Layout;
use crate::dataflow::operators::aggregate::layout::number;
use crate::dataflow::operators::aggregate::{Aggregate, Change, partial};
use crate::planner::circuit_plan::Windows;
use crate::state::RecordTable;
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, Groups, KeyColumns, ZSet};

/// The windows that a change touches: of each its key's number, its start, and its record before and after.
#[derive(Default)]
struct Touched {
    keys: Vec<u32>,
    starts: Vec<i64>,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// The slides of a key that windows are made of, one after the other.
#[derive(Default)]
struct Stretch {
    /// Where the slide's record is, if it has one.
    slots: Vec<Option<u32>>,
    before: Vec<u8>,
    after: Vec<u8>,
    sums: Sums,
    /// A record's key: the bytes of the group's other columns, and the start in 8 bytes.
    key: Vec<u8>,
}

impl Aggregate {
    /// Takes a change in by its first windows, and gives that of all windows' results. `group` are the columns of the change.
    pub(super) fn take_windows(
        &mut self,
        change: Change<'_>,
        group: &[usize],
        windows: Windows,
        context: &mut StepContext,
    ) -> Result<Delta, DataflowError> {
        // 1. By key and first window, in this order.
        let (Change::Rows(input) | Change::Records(input)) = change;
        let columns: Vec<ArrayRef> = group.iter().map(|c| canonical(input.column(*c))).collect();
        let slides = Groups::of(&columns, input.len())?;
        let width = self.layout.width;
        let mut added = vec![0u8; slides.len() * width];
        match change {
            Change::Rows(rows) => partial::add(rows, &slides, &self.layout, &mut added)?,
            Change::Records(records) => partial::merge(self.records_of(records)?, &slides.ids, &self.layout, &mut added)?,
        }
        let first = UInt32Array::from(slides.first.clone());
        let mut columns = columns.iter().map(|c| take(c, &first, None)).collect::<Result<Vec<_>, _>>()?;
        let starts = columns.pop().ok_or_else(|| DataflowError::Plan("windows without a start".into()))?;
        let keys = if columns.is_empty() { Groups::everything(slides.len()) } else { Groups::of(&columns, slides.len())? };
        let first = UInt32Array::from(keys.first.clone());
        let columns = columns.iter().map(|c| take(c, &first, None)).collect::<Result<Vec<_>, _>>()?;
        let encoded = self.codec.as_ref().map(|codec| codec.encode(&columns)).transpose()?;
        let values = instants(&starts)?;
        let of = |slide: u32| (keys.ids[slide as usize], values[slide as usize]);
        let mut order: Vec<u32> = (0..slides.len() as u32).filter(|slide| starts.is_valid(*slide as usize)).collect();
        order.sort_unstable_by_key(|slide| of(*slide));

        // 2. to 4. Stretch by stretch.
        let reach = windows.slide.saturating_mul(i64::try_from(windows.count).unwrap_or(i64::MAX));
        let meet = |a: &u32, b: &u32| of(*a).0 == of(*b).0 && of(*b).1.saturating_sub(of(*a).1) <= reach;
        let (mut touched, mut stretch) = (Touched::default(), Stretch::default());
        let prefix_of = |key: u32| encoded.as_ref().map_or(&[][..], |rows| rows.row(key as usize).data());
        let mut table = self.groups.lock();
        if !table.is_resident() {
            let stretches = order.chunk_by(meet).map(|slides| (of(slides[0]), of(slides[slides.len() - 1]).1));
            let keys: Vec<Vec<u8>> = stretches.flat_map(|((key, first), last)| keys_around(prefix_of(key), first, last, windows)).collect();
            table.fetch(keys.iter().map(Vec::as_slice))?;
        }
        for slides in order.chunk_by(meet) {
            let (key, start) = of(slides[0]);
            let prefix = prefix_of(key);
            let changes = slides.iter().map(|slide| (of(*slide).1, &added[*slide as usize * width..][..width]));
            let changes: Vec<(i64, &[u8])> = changes.collect();
            stretch.take(&changes, prefix, windows, &self.layout, &mut table)?;
            stretch.sums.push(&stretch.before, windows.count, &self.layout, &mut touched.before)?;
            stretch.sums.push(&stretch.after, windows.count, &self.layout, &mut touched.after)?;
            let from = touched.keys.len();
            touched.keys.resize(touched.after.len() / width, key);
            touched.starts.extend((from..touched.keys.len()).map(|window| start + (window - from) as i64 * windows.slide));
        }
        drop(table);
        self.results_of(touched, columns, starts.data_type(), context)
    }

    /// The change of the results.
    fn results_of(
        &self,
        touched: Touched,
        keys: Vec<ArrayRef>,
        instant: &DataType,
        context: &mut StepContext,
    ) -> Result<Delta, DataflowError> {
        let count = touched.keys.len();
        let (old, new) = (self.results(&touched.before, &[], &[], count)?, self.results(&touched.after, &[], &[], count)?);
        let (before, after) = (KeyColumns::new(&old.columns, count)?, KeyColumns::new(&new.columns, count)?);
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        let width = self.layout.width;
        let records = touched.before.chunks_exact(width).zip(touched.after.chunks_exact(width));
        for (window, (was, is)) in records.enumerate() {
            let (was, is) = (number(was) != 0, number(is) != 0);
            if was && is && old.failures[window] == new.failures[window] && before.equals(window, &after, window) {
                continue;
            }
            for (is, results, weight, rows) in [(was, &old, -1, &mut gone), (is, &new, 1, &mut come)] {
                match &results.failures[window] {
                    _ if !is => {}
                    Some(report) => context.errors.push(ErrorRow::new(report, weight)),
                    None => rows.push(window as u32),
                }
            }
        }
        let of_keys = UInt32Array::from(touched.keys);
        let mut columns = keys.iter().map(|c| take(c, &of_keys, None)).collect::<Result<Vec<_>, _>>()?;
        columns.push(of_instants(touched.starts, instant)?);
        let parts = [self.rows(&columns, &old, gone, -1)?, self.rows(&columns, &new, come, 1)?];
        Ok(Delta(ZSet::concat(&self.schema, &parts)?))
    }
}

impl Stretch {
    /// Takes the changes of a key's slides in, which are in order: fills in what its windows are made of, and writes the
    /// records.
    fn take(
        &mut self,
        changes: &[(i64, &[u8])],
        prefix: &[u8],
        windows: Windows,
        layout: &Layout,
        table: &mut RecordTable,
    ) -> Result<(), DataflowError> {
        let (Some((first, _)), Some((last, _))) = (changes.first(), changes.last()) else { return Ok(()) };
        let (around, width) = (windows.count - 1, layout.width);
        let starts = slides_around(*first, *last, windows);
        self.key.clear();
        self.key.extend_from_slice(prefix);
        self.key.extend_from_slice(&[0; 8]);
        self.slots.clear();
        self.before.clear();
        self.before.resize(starts.len() * width, 0);
        for (start, record) in starts.zip(self.before.chunks_exact_mut(width)) {
            let slot = match start {
                Some(start) => table.find(put_start(&mut self.key, start))?,
                None => None,
            };
            if let Some(slot) = slot {
                record.copy_from_slice(table.record(slot));
            }
            self.slots.push(slot);
        }
        self.after.clear();
        self.after.extend_from_slice(&self.before);
        for (start, change) in changes {
            let at = around + usize::try_from((start - first) / windows.slide).unwrap_or(0);
            if (start - first) % windows.slide != 0 {
                return Err(DataflowError::Plan("a window that starts between two slides".into()));
            }
            let record = &mut self.after[at * width..][..width];
            layout.merge(change, record)?;
            let weight = number(record);
            if weight < 0 {
                return Err(DataflowError::NegativeWeight { operator: "Aggregate", weight, key: format!("{prefix:02x?} {start}") });
            }
            match self.slots[at] {
                Some(slot) if weight == 0 => table.remove(slot),
                Some(slot) => table.record_mut(slot).copy_from_slice(record),
                None if weight != 0 => {
                    let slot = table.insert(put_start(&mut self.key, *start));
                    table.record_mut(slot).copy_from_slice(record);
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// The starts of the slides that the windows of slides from `first` to `last` are made of; no slide begins before time does, or
/// after it.
fn slides_around(first: i64, last: i64, windows: Windows) -> impl ExactSizeIterator<Item = Option<i64>> {
    let around = windows.count - 1;
    let length = usize::try_from((last - first) / windows.slide).unwrap_or(0) + 1 + 2 * around;
    (0..length).map(move |at| (at as i64 - around as i64).checked_mul(windows.slide).and_then(|from| first.checked_add(from)))
}

/// The keys of these slides' records.
fn keys_around(prefix: &[u8], first: i64, last: i64, windows: Windows) -> impl Iterator<Item = Vec<u8>> {
    slides_around(first, last, windows).flatten().map(move |start| [prefix, &start.to_be_bytes()].concat())
}

/// The key with that start.
fn put_start(key: &mut [u8], start: i64) -> &[u8] {
    let at = key.len() - 8;
    key[at..].copy_from_slice(&start.to_be_bytes());
    key
}

/// Sums of neighbouring records.
#[derive(Default)]
struct Sums {
    from_beginnings: Vec<u8>,
    from_ends: Vec<u8>,
}

impl Sums {
    /// Pushes the sum of each `count` neighbours.
    fn push(&mut self, records: &[u8], count: usize, layout: &Layout, out: &mut Vec<u8>) -> Result<(), DataflowError> {
        let width = layout.width;
        if width == Layout::WEIGHT {
            return slide(records, count, out);
        }
        let length = records.len() / width;
        for sums in [&mut self.from_beginnings, &mut self.from_ends] {
            sums.clear();
            sums.extend_from_slice(records);
        }
        for at in (1..length).filter(|at| at % count != 0) {
            let (before, record) = self.from_beginnings.split_at_mut(at * width);
            layout.merge(&before[(at - 1) * width..], &mut record[..width])?;
        }
        for at in (1..length).rev().filter(|at| at % count != 0) {
            let (record, after) = self.from_ends.split_at_mut(at * width);
            layout.merge(&after[..width], &mut record[(at - 1) * width..])?;
        }
        for window in 0..(length + 1).saturating_sub(count) {
            let from = out.len();
            out.extend_from_slice(&self.from_ends[window * width..][..width]);
            if window % count != 0 {
                layout.merge(&self.from_beginnings[(window + count - 1) * width..][..width], &mut out[from..])?;
            }
        }
        Ok(())
    }
}

/// Pushes the sum of each `count` neighbours of records that are a weight alone, which can be taken away again: what comes in at
/// one end of a window goes out at the other.
fn slide(records: &[u8], count: usize, out: &mut Vec<u8>) -> Result<(), DataflowError> {
    let weight = |at: usize| number(&records[at * Layout::WEIGHT..]);
    let mut sum = 0i64;
    for at in 0..records.len() / Layout::WEIGHT {
        sum = sum.checked_add(weight(at)).ok_or(DataflowError::WeightOutOfRange)?;
        if at + 1 >= count {
            out.extend_from_slice(&sum.to_le_bytes());
            sum -= weight(at + 1 - count);
        }
    }
    Ok(())
}

/// The instants of a column, those of null rows being anything.
fn instants(column: &ArrayRef) -> Result<&[i64], DataflowError> {
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => Ok(column.as_primitive::<TimestampMicrosecondType>().values()),
        DataType::Int64 => Ok(column.as_primitive::<Int64Type>().values()),
        other => Err(DataflowError::Plan(format!("windows that start at a {other}"))),
    }
}

/// A column of that type.
fn of_instants(values: Vec<i64>, data_type: &DataType) -> Result<ArrayRef, DataflowError> {
    Ok(match data_type {
        DataType::Timestamp(_, zone) => Arc::new(TimestampMicrosecondArray::from(values).with_timezone_opt(zone.clone())),
        _ => Arc::new(Int64Array::from(values)),
    })
}

#[cfg(test)]
mod tests;
