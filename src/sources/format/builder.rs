//! The change batch under construction: rows are put together column by column and then kept or taken back whole. Columns
//! that nobody reads are given their values too, which may refuse the row, and are absent from the batch.
//!
//! Rows that are only added need not stay in the order of their records. Of a stream of several kinds of events, each in a
//! struct of its own, the rows of each kind are put together apart: what the others have is then null in all of them, and
//! whoever asks for one kind gets or passes over whole batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use super::column::{Column, Misfit};
use super::leaf::Place;
use super::scalar::Scalar;
use super::sizes::{Room, Sizes};
use crate::types::{Part, Projection, RelationSchema, SqlType};
use crate::zset::{ChangeBatch, ChangeOp};

pub struct ChangeBuilder {
    schema: SchemaRef,
    key_schema: SchemaRef,
    /// Those of the kind that was turned to last.
    rows: Rows,
    kind: usize,
    /// Those of the other kinds; in the place of `kind` nothing.
    others: Vec<Rows>,
    room: Room,
    /// Per column the rows, ascending, whose value the record left out.
    unchanged: Vec<Vec<u32>>,
    moved: Vec<u32>,
    moved_keys: Vec<Column>,
}

/// Rows of one kind.
#[derive(Default)]
struct Rows {
    columns: Vec<Column>,
    ops: Vec<ChangeOp>,
    /// The columns that are null in all of them, and are filled up at the end.
    absent: Box<[usize]>,
}

/// Rows that have whatever they have, in the order of their records.
pub const ANY_KIND: usize = 0;

impl ChangeBuilder {
    /// A batch of what is read. `Err` names the first column whose type no record can hold.
    pub fn new(relation: &RelationSchema, read: &Projection) -> Result<ChangeBuilder, (String, SqlType)> {
        let schema = relation.arrow();
        let column = |at: usize, part: &Part| {
            let column = &relation.columns[at];
            Column::read_as(&column.sql_type, part).ok_or_else(|| (column.name.clone(), column.sql_type.clone()))
        };
        let columns = (0..relation.columns.len()).map(|at| column(at, read.part(at))).collect::<Result<Vec<_>, _>>()?;
        let moved_keys = relation.primary_key.iter().map(|at| column(*at, &Part::Whole)).collect::<Result<Vec<_>, _>>()?;
        let key_fields = relation.primary_key.iter().map(|at| schema.fields()[*at].clone()).collect::<Vec<_>>();
        let unchanged = vec![Vec::new(); columns.len()];
        let key_schema = Arc::new(Schema::new(key_fields));
        let schema = read.schema(&schema);
        let rows = Rows { columns, ..Rows::default() };
        let (kind, others, room) = (ANY_KIND, vec![Rows::default()], Room::default());
        Ok(ChangeBuilder { schema, key_schema, rows, kind, others, room, unchanged, moved: Vec::new(), moved_keys })
    }

    /// Makes room for what may well come.
    pub fn prepare(&mut self, room: Room) {
        room.make(self.kind, &mut self.rows.columns);
        self.room = room;
    }

    /// What is in the columns, and came of so many bytes of records.
    pub fn sizes(&self, bytes: usize) -> Sizes {
        let kinds = self.others.iter().enumerate().map(|(kind, rows)| if kind == self.kind { &self.rows } else { rows });
        Sizes::of(kinds.map(|rows| rows.columns.as_slice()), bytes)
    }

    pub fn len(&self) -> usize {
        self.rows.ops.len() + self.others.iter().map(|rows| rows.ops.len()).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next row is one of that kind, which is given no values for the columns `absent`.
    #[inline]
    pub fn turn_to(&mut self, kind: usize, absent: &[usize]) {
        if kind != self.kind {
            self.turn(kind, absent);
        }
    }

    #[cold]
    fn turn(&mut self, kind: usize, absent: &[usize]) {
        if self.others.len() <= kind {
            self.others.resize_with(kind + 1, Rows::default);
        }
        if self.others[kind].columns.is_empty() {
            let mut columns: Vec<Column> = self.rows.columns.iter().map(Column::like).collect();
            self.room.make(kind, &mut columns);
            self.others[kind] = Rows { columns, ops: Vec::new(), absent: absent.into() };
        }
        std::mem::swap(&mut self.rows, &mut self.others[self.kind]);
        std::mem::swap(&mut self.rows, &mut self.others[kind]);
        self.kind = kind;
    }

    /// Gives the row under construction its value of one column; each column gets one before the row is kept.
    pub fn push(&mut self, column: usize, value: Scalar<'_>) -> Result<(), Misfit> {
        self.rows.columns[column].push(value)
    }

    /// [`ChangeBuilder::push`] for a column or a field of it.
    pub fn push_at(&mut self, place: Place, value: Scalar<'_>) -> Result<(), Misfit> {
        self.at(place).push(value)
    }

    /// The column of that place.
    #[inline]
    pub fn at(&mut self, place: Place) -> &mut Column {
        let column = &mut self.rows.columns[place.column];
        match place.field {
            Some(field) => column.field(field),
            None => column,
        }
    }

    /// Says that the row's struct in that column is there; its fields that were given no value are null.
    #[inline]
    pub fn close_struct(&mut self, column: usize) {
        self.rows.columns[column].close_struct();
    }

    /// Says that the record left the column's value out because it did not change.
    pub fn push_unchanged(&mut self, column: usize) {
        self.unchanged[column].push(self.rows.ops.len() as u32);
        self.rows.columns[column].push_null();
    }

    /// Gives the other key of a row that moves, one value for each key column in key order.
    pub fn push_moved(&mut self, key_column: usize, value: Scalar<'_>) -> Result<(), Misfit> {
        self.moved_keys[key_column].push(value)
    }

    /// Keeps the row; columns that were given no value are null.
    pub fn keep(&mut self, op: ChangeOp) {
        let row = self.rows.ops.len();
        for column in self.rows.columns.iter_mut().filter(|c| c.is_kept() && c.len() == row) {
            column.push_null();
        }
        if self.moved_keys.first().is_some_and(|key| key.len() > self.moved.len()) {
            self.moved.push(row as u32);
        }
        self.rows.ops.push(op);
    }

    /// [`ChangeBuilder::keep`] of a row that was given a value for every column but `missing` and those that its kind lacks,
    /// and comes from no other key.
    #[inline]
    pub fn keep_but(&mut self, op: ChangeOp, missing: &[usize]) {
        missing.iter().for_each(|column| self.rows.columns[*column].push_null());
        self.rows.ops.push(op);
    }

    /// Forgets whatever the row under construction was given.
    pub fn take_back(&mut self) {
        let row = self.rows.ops.len();
        self.rows.columns.iter_mut().for_each(|c| c.truncate(row));
        for rows in &mut self.unchanged {
            while rows.pop_if(|r| *r as usize >= row).is_some() {}
        }
        self.moved_keys.iter_mut().for_each(|c| c.truncate(self.moved.len()));
    }

    /// The rows kept so far; the builder is empty again.
    pub fn finish(&mut self) -> Result<ChangeBatch, ArrowError> {
        self.turn_to(ANY_KIND, &[]);
        let (ops, rows) = self.rows.finish(&self.schema)?;
        let apart = self.others.iter_mut().filter(|rows| !rows.ops.is_empty()).map(|rows| rows.finish(&self.schema));
        let apart = apart.map(|rows| rows.map(|(_, rows)| rows)).collect::<Result<_, _>>()?;
        let unchanged = self.unchanged.iter_mut().map(|rows| bits(rows, ops.len())).collect();
        let moved = std::mem::take(&mut self.moved);
        let moved_keys = if moved.is_empty() {
            None
        } else {
            let arrays = self.moved_keys.iter_mut().map(|column| column.finish(moved.len())).collect::<Result<Vec<_>, _>>()?;
            Some(batch(&self.key_schema, arrays, moved.len())?)
        };
        Ok(ChangeBatch { ops, rows, apart, unchanged, moved, moved_keys })
    }
}

impl Rows {
    fn finish(&mut self, schema: &SchemaRef) -> Result<(Vec<ChangeOp>, RecordBatch), ArrowError> {
        let ops = std::mem::take(&mut self.ops);
        self.absent.iter().for_each(|column| self.columns[*column].fill(ops.len()));
        let arrays = self.columns.iter_mut().map(|column| column.finish(ops.len())).collect::<Result<Vec<_>, _>>()?;
        let rows = batch(schema, arrays, ops.len())?;
        Ok((ops, rows))
    }
}

fn batch(schema: &SchemaRef, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new_with_options(schema.clone(), arrays, &RecordBatchOptions::new().with_row_count(Some(rows)))
}

fn bits(rows: &mut Vec<u32>, len: usize) -> Option<BooleanBuffer> {
    if rows.is_empty() {
        return None;
    }
    let mut set = vec![false; len];
    for row in rows.drain(..) {
        set[row as usize] = true;
    }
    Some(BooleanBuffer::from(set))
}
