//! Keyed changes: what a source decoded before floe's own state turns it into a Z-set.
//!
//! A change log such as Debezium's names rows by key and often does not say what they were before: PostgreSQL's default
//! replica identity ships no `before`, and an update leaves out large columns that it did not touch. So a decoder
//! gives operations in order, and the upsert operator, which keeps the current row of each key, makes them a delta.

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

/// What one record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOp {
    /// The row is added, whatever is there: sources without a key.
    Insert,
    /// The row replaces the one with its key, or is new.
    Upsert,
    /// The row with this key goes; only the key columns of the change's row count.
    Delete,
    /// Every row of the relation goes; the change's row is all null.
    Truncate,
}

/// Decoded records of one partition: `ops.len() == rows.num_rows()`, in their order.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    pub ops: Vec<ChangeOp>,
    /// The source's schema.
    pub rows: RecordBatch,
    /// More rows that are only added, of kinds that were put together apart: their order among the others does not matter.
    pub apart: Vec<RecordBatch>,
    /// Per column: the rows whose record left the value out because it did not change (a TOAST placeholder); the row
    /// holds null there and the value is that of the row's current state. `None` when no row of the batch does.
    pub unchanged: Vec<Option<BooleanBuffer>>,
    /// Key changes, as positions in `rows`, ascending: an upsert that came from another key, or a delete that goes to one.
    pub moved: Vec<u32>,
    /// For each entry of `moved` that other key: the key columns of the source's schema, in key order.
    pub moved_keys: Option<RecordBatch>,
}

impl ChangeBatch {
    /// Rows that are only added.
    pub fn inserts(rows: RecordBatch) -> ChangeBatch {
        ChangeBatch::new(vec![ChangeOp::Insert; rows.num_rows()], rows)
    }

    /// Changes without placeholders or key changes.
    pub fn new(ops: Vec<ChangeOp>, rows: RecordBatch) -> ChangeBatch {
        assert_eq!(ops.len(), rows.num_rows(), "one operation a row");
        let unchanged = vec![None; rows.num_columns()];
        ChangeBatch { ops, rows, apart: Vec::new(), unchanged, moved: Vec::new(), moved_keys: None }
    }

    pub fn len(&self) -> usize {
        self.ops.len() + self.apart.iter().map(RecordBatch::num_rows).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rows, of changes that only add some.
    pub fn into_added(self) -> impl Iterator<Item = RecordBatch> {
        std::iter::once(self.rows).chain(self.apart).filter(|rows| rows.num_rows() > 0)
    }
}
