//! Values of min and max that have no fixed size, or may be taken back: a trace of them, kept by group, whose first and last entry
//! are the results.
//!
//! Where rows only come, a group has no other entries: one that is beyond the first or the last comes for it, and the others are
//! not looked at again. The same value may be both, and is there twice then.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow_row::Rows;

use crate::dataflow::error::DataflowError;
use crate::dataflow::keyed_trace::KeyedTrace;
use crate::dataflow::operators::slots::Slots;
use crate::state::Extremes;
use crate::zset::{Groups, RowCodec, ZSet, take_rows};

use super::layout::ValueTrace;
use super::streams;

pub struct Values {
    wanted: ValueTrace,
    group: Vec<usize>,
    trace: KeyedTrace,
}

/// The first and the last values of groups at one moment, as far as they are wanted.
#[derive(Clone)]
pub struct Bounds {
    first: Option<Extremes>,
    last: Option<Extremes>,
    /// The value's column.
    column: usize,
}

impl Bounds {
    /// A value a group, null where it has none.
    pub fn first(&self) -> Option<ArrayRef> {
        self.first.as_ref().map(|first| first.rows.column(self.column).clone())
    }

    pub fn last(&self) -> Option<ArrayRef> {
        self.last.as_ref().map(|last| last.rows.column(self.column).clone())
    }
}

impl Values {
    pub fn new(wanted: ValueTrace, group: &[usize], input: &SchemaRef, slots: &mut Slots) -> Result<Values, DataflowError> {
        let fields: Vec<Field> = group.iter().chain([&wanted.column]).map(|column| input.field(*column).clone()).collect();
        let keys: Vec<usize> = (0..group.len()).collect();
        Ok(Values { wanted, group: group.to_vec(), trace: slots.trace(&Arc::new(Schema::new(fields)), &keys)? })
    }

    /// Of `count` groups with those keys.
    pub fn bounds(&self, keys: &[ArrayRef], count: usize) -> Result<Bounds, DataflowError> {
        let first = if self.wanted.first { Some(self.trace.first(keys, count)?) } else { None };
        let last = if self.wanted.last { Some(self.trace.last(keys, count)?) } else { None };
        Ok(Bounds { first, last, column: self.group.len() })
    }

    /// Takes the values of a change in; `before` are those of its groups until now. What they are then.
    pub fn insert(&self, input: &ZSet, groups: &Groups, keys: &[ArrayRef], before: &Bounds) -> Result<Bounds, DataflowError> {
        let weights = match self.wanted.filter {
            Some(filter) => Cow::Owned(streams::filtered(input, filter)?),
            None => Cow::Borrowed(&input.weights().values()[..]),
        };
        let nulls = input.column(self.wanted.column).logical_nulls();
        let counts = |row: &u32| weights[*row as usize] != 0 && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row as usize));
        let counting: Vec<u32> = (0..input.len() as u32).filter(counts).collect();
        let change = match self.wanted.outermost {
            true => self.beyond(input, groups, &counting, before)?,
            false => {
                let weights: Vec<i64> = counting.iter().map(|row| weights[*row as usize]).collect();
                ZSet::new(self.taken(input, &counting)?, weights.into())
            }
        };
        if change.is_empty() {
            return Ok(before.clone());
        }
        // Equal values enter as one, and neighbours one after the other: much cheaper for the trace.
        self.trace.insert(&change.consolidate()?)?;
        self.bounds(keys, groups.len())
    }

    /// Those rows as the trace has them.
    fn taken(&self, input: &ZSet, rows: &[u32]) -> Result<RecordBatch, DataflowError> {
        let columns: Vec<ArrayRef> = self.group.iter().chain([&self.wanted.column]).map(|c| input.column(*c).clone()).collect();
        let all = RecordBatch::try_new(self.trace.schema().clone(), columns)?;
        Ok(if rows.len() == all.num_rows() { all } else { take_rows(&all, &UInt32Array::from(rows.to_vec()))? })
    }

    /// Of a change whose rows only come: the values that are beyond the first or the last of their groups, and those in whose
    /// place they come.
    fn beyond(&self, input: &ZSet, groups: &Groups, counting: &[u32], before: &Bounds) -> Result<ZSet, DataflowError> {
        let values = Ordered::of(input.column(self.wanted.column))?;
        let mut parts = Vec::new();
        for (is, known) in [(Ordering::Less, &before.first), (Ordering::Greater, &before.last)] {
            let Some(known) = known else { continue };
            let mut best: Vec<Option<u32>> = vec![None; groups.len()];
            for row in counting {
                let best = &mut best[groups.ids[*row as usize] as usize];
                if best.is_none_or(|best| values.compare(*row as usize, &values, best as usize) == is) {
                    *best = Some(*row);
                }
            }
            let there = Ordered::of(known.rows.column(self.group.len()))?;
            let (mut come, mut gone) = (Vec::new(), Vec::new());
            for (group, row) in best.iter().enumerate().filter_map(|(group, best)| Some((group, (*best)?))) {
                match known.found[group] {
                    true if values.compare(row as usize, &there, group) != is => continue,
                    true => gone.push(group as u32),
                    false => {}
                }
                come.push(row);
            }
            parts.push(ZSet::of_rows(self.taken(input, &come)?));
            parts.push(ZSet::of_rows(known.rows.clone()).take(&gone.into())?.negate());
        }
        Ok(ZSet::concat(self.trace.schema(), &parts)?)
    }
}

/// Values in the order in which the trace has them.
enum Ordered {
    Text(StringArray),
    Bytes(Rows),
}

impl Ordered {
    fn of(column: &ArrayRef) -> Result<Ordered, DataflowError> {
        if let Some(text) = column.as_string_opt::<i32>() {
            return Ok(Ordered::Text(text.clone()));
        }
        let field = Field::new("value", column.data_type().clone(), true);
        Ok(Ordered::Bytes(RowCodec::new(Arc::new(Schema::new(vec![field])))?.encode(std::slice::from_ref(column))?))
    }

    fn compare(&self, at: usize, other: &Ordered, place: usize) -> Ordering {
        match (self, other) {
            (Ordered::Text(a), Ordered::Text(b)) => a.value(at).cmp(b.value(place)),
            (Ordered::Bytes(a), Ordered::Bytes(b)) => a.row(at).cmp(&b.row(place)),
            // Both are of one type.
            (Ordered::Text(_), Ordered::Bytes(_)) | (Ordered::Bytes(_), Ordered::Text(_)) => Ordering::Equal,
        }
    }
}
