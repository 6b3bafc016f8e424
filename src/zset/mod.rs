//! Z-sets: rows with signed weights, and what floe means by a change and by a table.
//!
//! A [`ZSet`] is a batch of rows beside a column of weights. Two newtypes say what one stands for: a [`Delta`] is a
//! change (weights of either sign), a [`Snapshot`] is a whole relation (each row once, positive weights). A sum of
//! deltas is a delta; a snapshot plus its next delta is the next snapshot. The laws that operators rely on are tested
//! here: consolidation is idempotent, `x + -x` is empty, the order of rows does not matter.
//!
//! [`changes`] holds what comes before a Z-set: keyed changes as a source decoded them, whose old rows only floe's own
//! state knows.

pub mod changes;
pub mod consolidate;
pub mod groups;
pub mod key_columns;
pub mod near;
pub mod row_codec;
pub mod runs;
pub mod shards;
pub mod text;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

pub use changes::{ChangeBatch, ChangeOp};
pub use groups::Groups;
pub use key_columns::KeyColumns;
pub use near::Near;
pub use row_codec::RowCodec;
pub use runs::Runs;

/// Rows with weights; `rows.num_rows() == weights.len()`, and no weight is null. Not necessarily consolidated.
#[derive(Clone, Debug)]
pub struct ZSet {
    rows: RecordBatch,
    weights: Int64Array,
}

/// A change: what is added (positive weights) and what is taken away (negative ones).
#[derive(Clone, Debug)]
pub struct Delta(pub ZSet);

/// A whole relation at one epoch: consolidated, every weight positive.
#[derive(Clone, Debug)]
pub struct Snapshot(pub ZSet);

impl ZSet {
    /// # Panics
    /// When the two lengths differ: a defect of the caller.
    pub fn new(rows: RecordBatch, weights: Int64Array) -> ZSet {
        assert_eq!(rows.num_rows(), weights.len(), "one weight a row");
        debug_assert_eq!(weights.null_count(), 0);
        ZSet { rows, weights }
    }

    pub fn empty(schema: SchemaRef) -> ZSet {
        ZSet { rows: RecordBatch::new_empty(schema), weights: Int64Array::from(Vec::<i64>::new()) }
    }

    /// Each row once.
    pub fn of_rows(rows: RecordBatch) -> ZSet {
        let weights = Int64Array::from_value(1, rows.num_rows());
        ZSet { rows, weights }
    }

    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// The number of entries, not the sum of the weights.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    pub fn weights(&self) -> &Int64Array {
        &self.weights
    }

    pub fn column(&self, index: usize) -> &ArrayRef {
        self.rows.column(index)
    }

    pub fn into_parts(self) -> (RecordBatch, Int64Array) {
        (self.rows, self.weights)
    }

    pub fn negate(&self) -> ZSet {
        ZSet { rows: self.rows.clone(), weights: self.weights.unary(|w| -w) }
    }

    /// The entries where the mask is true; a null in the mask counts as false.
    pub fn filter(&self, mask: &BooleanArray) -> Result<ZSet, ArrowError> {
        let weights = arrow::compute::filter(&self.weights, mask)?;
        Ok(ZSet { rows: filter_record_batch(&self.rows, mask)?, weights: as_weights(&weights) })
    }

    /// The entries at those positions, in that order.
    pub fn take(&self, positions: &UInt32Array) -> Result<ZSet, ArrowError> {
        let weights = arrow::compute::take(&self.weights, positions, None)?;
        Ok(ZSet { rows: take_rows(&self.rows, positions)?, weights: as_weights(&weights) })
    }

    pub fn slice(&self, offset: usize, length: usize) -> ZSet {
        ZSet { rows: self.rows.slice(offset, length), weights: self.weights.slice(offset, length) }
    }

    /// The same weights beside other columns of the same length.
    pub fn with_rows(&self, rows: RecordBatch) -> ZSet {
        ZSet::new(rows, self.weights.clone())
    }

    /// The sum of Z-sets of one schema, not consolidated.
    pub fn concat<'a>(schema: &SchemaRef, parts: impl IntoIterator<Item = &'a ZSet>) -> Result<ZSet, ArrowError> {
        let parts: Vec<&ZSet> = parts.into_iter().filter(|p| !p.is_empty()).collect();
        match parts.as_slice() {
            [] => Ok(ZSet::empty(schema.clone())),
            [one] => Ok((*one).clone()),
            many => {
                let rows = concat_batches(schema, many.iter().map(|p| &p.rows))?;
                let weights: Vec<&dyn Array> = many.iter().map(|p| &p.weights as &dyn Array).collect();
                Ok(ZSet { rows, weights: as_weights(&arrow::compute::concat(&weights)?) })
            }
        }
    }
}

/// The rows at those positions, in that order; all null for a null position. Arrow's own does not take rows without columns.
pub fn take_rows(rows: &RecordBatch, positions: &UInt32Array) -> Result<RecordBatch, ArrowError> {
    if rows.num_columns() > 0 {
        return take_record_batch(rows, positions);
    }
    RecordBatch::try_new_with_options(rows.schema(), vec![], &RecordBatchOptions::new().with_row_count(Some(positions.len())))
}

fn as_weights(array: &dyn Array) -> Int64Array {
    arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(array).clone()
}

impl Delta {
    pub fn empty(schema: SchemaRef) -> Delta {
        Delta(ZSet::empty(schema))
    }

    /// Rows that are only added.
    pub fn inserts(rows: RecordBatch) -> Delta {
        Delta(ZSet::of_rows(rows))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn schema(&self) -> SchemaRef {
        self.0.schema()
    }
}

/// A change as a list of changes whose sum it is: one.
impl AsRef<[Delta]> for Delta {
    fn as_ref(&self) -> &[Delta] {
        std::slice::from_ref(self)
    }
}
