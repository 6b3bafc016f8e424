//! A very large change is taken in slices, one after the other within the epoch, so that what a circuit makes of it on the
//! way is never there all at once. Readers see the sum.
//!
//! Every slice leaves the rows of a relation: what a change takes away was there before it. So each step goes from one
//! state that could be to another.

use std::ops::Range;

use crate::types::{Epoch, ObjectId, Report};
use crate::zset::Delta;

use super::relation::{Changes, ViewRelation};

/// Rows of a slice, and rows from which on there are slices at all.
const ROWS: usize = 1 << 18;
const MANY: usize = 4 * ROWS;

/// [`ViewRelation::step`], slice by slice where the changes are that large.
pub fn step(view: &mut ViewRelation, epoch: Epoch, now: i64, changes: &Changes) -> Result<(Vec<Delta>, bool), Report> {
    let Some(slices) = slices_of(changes, &view.inputs, ROWS, MANY) else { return view.step(epoch, now, changes) };
    slices.iter().try_fold((Vec::new(), false), |(mut sum, errors), slice| {
        let (more, errors_changed) = view.step(epoch, now, slice)?;
        sum.extend(more);
        Ok((sum, errors || errors_changed))
    })
}

/// The changes of some relations as slices of them; `None` when they have no more than `many` rows.
fn slices_of(changes: &Changes, inputs: &[ObjectId], rows: usize, many: usize) -> Option<Vec<Changes>> {
    let read = || changes.iter().filter(|(id, _)| inputs.contains(id)).flat_map(|(id, deltas)| deltas.iter().map(|delta| (*id, delta)));
    if read().map(|(_, delta)| delta.0.len()).sum::<usize>() <= many {
        return None;
    }
    let (mut slices, mut room) = (vec![Changes::new()], rows);
    for (id, delta) in read() {
        let mut from = 0;
        while from < delta.0.len() {
            if room == 0 {
                slices.push(Changes::new());
                room = rows;
            }
            let some = room.min(delta.0.len() - from);
            if let Some(slice) = slices.last_mut() {
                slice.entry(id).or_default().push(part(delta, from..from + some));
            }
            (from, room) = (from + some, room - some);
        }
    }
    Some(slices)
}

fn part(delta: &Delta, rows: Range<usize>) -> Delta {
    Delta(delta.0.slice(rows.start, rows.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    fn numbers(range: Range<i64>) -> Delta {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        Delta::inserts(RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(range))]).unwrap())
    }

    #[test]
    fn slices_are_the_whole_in_its_order() {
        let (one, two, other) = (ObjectId(1), ObjectId(2), ObjectId(3));
        let changes =
            Changes::from([(one, vec![numbers(0..5), numbers(5..6)]), (two, vec![numbers(6..20)]), (other, vec![numbers(90..99)])]);
        assert!(slices_of(&changes, &[one, two], 4, 20).is_none());
        let slices = slices_of(&changes, &[one, two], 4, 19).unwrap();
        let rows = |id| slices.iter().flat_map(move |s| s.get(&id).into_iter().flatten()).map(|delta| delta.0.rows().column(0).clone());
        let values = |id| rows(id).flat_map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect::<Vec<_>>();
        assert_eq!((values(one), values(two), values(other)), ((0..6).collect(), (6..20).collect(), Vec::new()));
        assert!(slices.iter().all(|s| s.values().flatten().map(|delta| delta.0.len()).sum::<usize>() == 4));
    }
}
