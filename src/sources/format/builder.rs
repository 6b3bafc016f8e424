//! The change batch under construction: rows are put together column by column and then kept or taken back whole. Columns
//! that nobody reads are given their values too, which may refuse the row, and are absent from the batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;

use super::column::{Column, Misfit};
use super::leaf::Place;
use super::scalar::Scalar;
use super::sizes::Sizes;
use crate::types::{Part, Projection, RelationSchema, SqlType};
use crate::zset::{ChangeBatch, ChangeOp};

pub struct ChangeBuilder {
    schema: SchemaRef,
    key_schema: SchemaRef,
    columns: Vec<Column>,
    ops: Vec<ChangeOp>,
    /// Per column the rows, ascending, whose value the record left out.
    unchanged: Vec<Vec<u32>>,
    moved: Vec<u32>,
    moved_keys: Vec<Column>,
}

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
        Ok(ChangeBuilder { schema, key_schema, columns, ops: Vec::new(), unchanged, moved: Vec::new(), moved_keys })
    }

    /// Makes room for what so many bytes of records may come to, by what others came to.
    pub fn prepare(&mut self, sizes: &Sizes, bytes: usize) {
        let Some((rows, texts)) = sizes.expected(bytes) else { return };
        self.ops.reserve(rows);
        self.columns.iter_mut().zip(texts).for_each(|(column, bytes)| column.reserve(rows, bytes));
    }

    pub fn len(&self) -> usize {
        self.ops.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Gives the row under construction its value of one column; each column gets one before the row is kept.
    pub fn push(&mut self, column: usize, value: Scalar<'_>) -> Result<(), Misfit> {
        self.columns[column].push(value)
    }

    /// [`ChangeBuilder::push`] for a column or a field of it.
    pub fn push_at(&mut self, place: Place, value: Scalar<'_>) -> Result<(), Misfit> {
        self.at(place).push(value)
    }

    pub fn push_null(&mut self, place: Place) {
        self.at(place).push_null();
    }

    /// Says that the row's struct in that column is there; its fields that were given no value are null.
    pub fn close_struct(&mut self, column: usize) {
        self.columns[column].close_struct();
    }

    #[inline]
    fn at(&mut self, place: Place) -> &mut Column {
        let column = &mut self.columns[place.column];
        match place.field {
            Some(field) => column.field(field),
            None => column,
        }
    }

    /// [`Column::push_number`] in that place.
    #[inline]
    pub fn push_number(&mut self, place: Place, number: i64) -> Result<(), Misfit> {
        self.at(place).push_number(number)
    }

    /// [`Column::push_text`] in that place.
    #[inline]
    pub fn push_text(&mut self, place: Place, text: &str) -> Result<(), Misfit> {
        self.at(place).push_text(text)
    }

    /// Says that the record left the column's value out because it did not change.
    pub fn push_unchanged(&mut self, column: usize) {
        self.unchanged[column].push(self.ops.len() as u32);
        self.columns[column].push_null();
    }

    /// Gives the other key of a row that moves, one value for each key column in key order.
    pub fn push_moved(&mut self, key_column: usize, value: Scalar<'_>) -> Result<(), Misfit> {
        self.moved_keys[key_column].push(value)
    }

    /// Keeps the row; columns that were given no value are null.
    pub fn keep(&mut self, op: ChangeOp) {
        let row = self.ops.len();
        for column in self.columns.iter_mut().filter(|c| c.is_kept() && c.len() == row) {
            column.push_null();
        }
        if self.moved_keys.first().is_some_and(|key| key.len() > self.moved.len()) {
            self.moved.push(row as u32);
        }
        self.ops.push(op);
    }

    /// [`ChangeBuilder::keep`] of a row that was given a value for every column but `missing`, and comes from no other key.
    #[inline]
    pub fn keep_but(&mut self, op: ChangeOp, missing: &[usize]) {
        missing.iter().for_each(|column| self.columns[*column].push_null());
        self.ops.push(op);
    }

    /// Forgets whatever the row under construction was given.
    pub fn take_back(&mut self) {
        let row = self.ops.len();
        self.columns.iter_mut().for_each(|c| c.truncate(row));
        for rows in &mut self.unchanged {
            while rows.pop_if(|r| *r as usize >= row).is_some() {}
        }
        self.moved_keys.iter_mut().for_each(|c| c.truncate(self.moved.len()));
    }

    /// The rows kept so far; the builder is empty again.
    pub fn finish(&mut self) -> Result<ChangeBatch, ArrowError> {
        let ops = std::mem::take(&mut self.ops);
        let arrays = self.columns.iter_mut().map(|column| column.finish(ops.len())).collect::<Result<Vec<_>, _>>()?;
        let rows = batch(&self.schema, arrays, ops.len())?;
        let unchanged = self.unchanged.iter_mut().map(|rows| bits(rows, ops.len())).collect();
        let moved = std::mem::take(&mut self.moved);
        let moved_keys = if moved.is_empty() {
            None
        } else {
            let arrays = self.moved_keys.iter_mut().map(|column| column.finish(moved.len())).collect::<Result<Vec<_>, _>>()?;
            Some(batch(&self.key_schema, arrays, moved.len())?)
        };
        Ok(ChangeBatch { ops, rows, unchanged, moved, moved_keys })
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
