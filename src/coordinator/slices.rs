//! A very large epoch is taken in slices, one after the other, so that what circuits make of it on the way is never there all at
//! once. Readers see the sum. All circuits take one slice before any takes the next. Where what a circuit is given is very large
//! all the same, for others have made much of little, it takes that in pieces, if it keeps nothing together with others.
//!
//! Every slice leaves the rows of a relation: what a change takes away was there before it. So each step goes from one
//! state that could be to another.

use std::ops::Range;

use crate::types::{ObjectId, Report, Turn};
use crate::zset::Delta;

use super::relation::{Changes, ViewRelation};

/// Rows of a slice, and rows from which on there are slices at all.
const ROWS: usize = 1 << 18;
const MANY: usize = 4 * ROWS;

/// An epoch's changes as those of its turns.
pub fn turns(epoch: Turn, changes: Changes) -> Vec<(Turn, Changes)> {
    match slices_of(&changes, |_| true, ROWS, MANY) {
        Some(slices) => (0..).zip(slices).map(|(slice, changes)| (Turn { slice, ..epoch }, changes)).collect(),
        None => vec![(epoch, changes)],
    }
}

/// [`ViewRelation::step`], piece by piece where the changes are that large and the view is said to be free to.
pub fn step_in_pieces(
    view: &mut ViewRelation,
    turn: Turn,
    now: i64,
    changes: &Changes,
    is_free: impl FnOnce() -> bool,
) -> Result<(Vec<Delta>, bool), Report> {
    let pieces = slices_of(changes, |id| view.inputs.contains(&id), ROWS, MANY).filter(|_| is_free());
    let Some(pieces) = pieces else { return view.step(turn, now, changes) };
    (1..).zip(&pieces).try_fold((Vec::new(), false), |(mut sum, errors), (piece, changes)| {
        let (more, errors_changed) = view.step(Turn { piece, ..turn }, now, changes)?;
        sum.extend(more);
        Ok((sum, errors || errors_changed))
    })
}

/// The changes of some relations as slices of them; `None` when they have no more than `many` rows.
fn slices_of(changes: &Changes, wanted: impl Fn(ObjectId) -> bool, rows: usize, many: usize) -> Option<Vec<Changes>> {
    let read = || changes.iter().filter(|(id, _)| wanted(**id)).flat_map(|(id, deltas)| deltas.iter().map(|delta| (*id, delta)));
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
        let wanted = |id| id != other;
        assert!(slices_of(&changes, wanted, 4, 20).is_none());
        let slices = slices_of(&changes, wanted, 4, 19).unwrap();
        let rows = |id| slices.iter().flat_map(move |s| s.get(&id).into_iter().flatten()).map(|delta| delta.0.rows().column(0).clone());
        let values = |id| rows(id).flat_map(|column| column.as_primitive::<Int64Type>().values().to_vec()).collect::<Vec<_>>();
        assert_eq!((values(one), values(two), values(other)), ((0..6).collect(), (6..20).collect(), Vec::new()));
        assert!(slices.iter().all(|s| s.values().flatten().map(|delta| delta.0.len()).sum::<usize>() == 4));
    }
}
