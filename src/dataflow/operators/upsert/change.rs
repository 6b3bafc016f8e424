//! The change of a keyed relation: old rows with weight -1 and new ones with weight 1, as far as they are read.
//!
//! A row that is replaced by one that is the same in all that is read makes no change for who reads it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::types::{Part, Projection};
use crate::zset::{Delta, KeyColumns, ZSet};

/// Which rows go and which come.
pub struct Paired {
    /// For each row that goes the number of its key, ascending, and its place in the stored rows.
    pub gone: Vec<(usize, usize)>,
    /// For each row that comes the number of its key, ascending.
    pub come: Vec<usize>,
}

/// What becomes of a relation.
pub struct Change {
    /// The stored rows that go.
    pub gone: Vec<usize>,
    /// The rows that come, whole.
    pub come: ZSet,
    /// What is read of both.
    pub delta: Delta,
}

impl Change {
    /// `stored` are the columns of the stored rows; those that are read are there. `come` are the rows that come, whole.
    pub fn new(schema: &SchemaRef, read: &Projection, paired: &Paired, stored: &[ArrayRef], come: ZSet) -> Result<Change, DataflowError> {
        let old = UInt32Array::from_iter_values(paired.gone.iter().map(|(_, row)| *row as u32));
        let columns: Vec<usize> = (0..stored.len()).filter(|column| *read.part(*column) != Part::Nothing).collect();
        let before = columns.iter().map(|column| taken(&stored[*column], &old)).collect::<Result<Vec<_>, _>>()?;
        let after: Vec<ArrayRef> = columns.iter().map(|column| come.column(*column).clone()).collect();
        let (goes, comes) = differing(paired, &before, &after)?;
        // What is replaced by its equal stays where it is, if all of it is known to be equal.
        let (gone, whole) = match read.is_everything() {
            true => (
                goes.values().iter().map(|at| paired.gone[*at as usize].1).collect(),
                if comes.len() == come.len() { come } else { come.take(&comes)? },
            ),
            false => (paired.gone.iter().map(|(_, row)| *row).collect(), come),
        };
        let mut made = Vec::with_capacity(columns.len());
        for (before, after) in before.iter().zip(&after) {
            made.push(concat(&[taken(before, &goes)?.as_ref(), taken(after, &comes)?.as_ref()])?);
        }
        let weights = [vec![-1; goes.len()], vec![1; comes.len()]].concat();
        let rows = spread(schema, &columns, made, weights.len())?;
        let delta = ZSet::new(read.apply(&rows, &read.schema(schema))?, Int64Array::from(weights));
        Ok(Change { gone, come: whole, delta: Delta(delta) })
    }
}

/// The positions of what goes and of what comes, without pairs of equals.
fn differing(paired: &Paired, before: &[ArrayRef], after: &[ArrayRef]) -> Result<(UInt32Array, UInt32Array), DataflowError> {
    let (mut goes, mut comes) = (Vec::with_capacity(paired.gone.len()), Vec::with_capacity(paired.come.len()));
    let (old, new) = (KeyColumns::new(before, paired.gone.len())?, KeyColumns::new(after, paired.come.len())?);
    let mut come = paired.come.iter().enumerate().peekable();
    for (gone, (key, _)) in paired.gone.iter().enumerate() {
        while let Some((at, _)) = come.next_if(|(_, other)| *other < key) {
            comes.push(at as u32);
        }
        match come.next_if(|(_, other)| *other == key) {
            Some((at, _)) if old.equals(gone, &new, at) => {}
            Some((at, _)) => {
                goes.push(gone as u32);
                comes.push(at as u32);
            }
            None => goes.push(gone as u32),
        }
    }
    comes.extend(come.map(|(at, _)| at as u32));
    Ok((UInt32Array::from(goes), UInt32Array::from(comes)))
}

/// The values at those positions, which ascend and name none twice.
fn taken(values: &ArrayRef, positions: &UInt32Array) -> Result<ArrayRef, DataflowError> {
    match positions.len() == values.len() {
        true => Ok(values.clone()),
        false => Ok(take(values, positions, None)?),
    }
}

/// Rows of the schema with those columns; the others are there by name only.
fn spread(schema: &SchemaRef, columns: &[usize], values: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, DataflowError> {
    let mut all: Vec<ArrayRef> = vec![new_null_array(&DataType::Null, rows); schema.fields().len()];
    let mut fields: Vec<_> = schema.fields().iter().map(|field| Arc::new(Field::new(field.name(), DataType::Null, true))).collect();
    for (column, values) in columns.iter().zip(values) {
        (all[*column], fields[*column]) = (values, schema.fields()[*column].clone());
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), all, &options)?)
}
