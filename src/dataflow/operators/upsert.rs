//! Upsert: from a source's keyed operations to the change of its relation.
//!
//! A change log says what became of a key and often not what was there before. The current row of each key is kept here,
//! so an upsert takes the old row away and a delete knows what to take. Operations apply in the order given; the
//! operations on one key inside an epoch give one net change.
//!
//! A record may leave out a large column that it did not change. Its value is that of the current row. When the key
//! changed in the same update, the row is under the old key, and the two records, a delete of the old key and an upsert
//! of the new one, may come in either order:
//!
//! 1. delete first: the row goes to *limbo*, under the old and the new key, and the upsert takes it from there;
//! 2. upsert first: it takes the values from the old key's current row, and leaves a *mark*, so that the delete
//!    when it comes does not put into limbo what nobody will fetch.
//!
//! When no row is known the values are not either: the change is not applied and is reported as unresolved.
//! A relation without a key takes inserts only and keeps nothing.
//!
//! Rows are kept whole. The change that goes on has the columns that somebody reads: of the rows that it takes back no
//! others are looked at, unless a change leaves a value out.

pub mod change;
pub mod keyed;
pub mod step;

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::slots::Slots;
use crate::dataflow::operators::upsert::keyed::{Keyed, UpsertOutput};
use crate::dataflow::operators::upsert::step::Step;
use crate::state::{Arrangement, Find, TraceSet};
use crate::types::{ObjectId, Projection, RelationSchema, TraceId};
use crate::zset::row_codec::canonical;
use crate::zset::{ChangeBatch, ChangeOp, Delta, RowCodec, ZSet};

pub struct Upsert {
    schema: SchemaRef,
    keyed: Option<Keyed>,
}

impl Upsert {
    /// How many trace slots an upsert takes, whatever its schema.
    pub const SLOTS: u16 = 3;

    pub fn new(schema: &RelationSchema, object: ObjectId, traces: &TraceSet, first_slot: u16) -> Result<Upsert, DataflowError> {
        let (arrow, key) = (schema.arrow(), schema.primary_key.clone());
        if key.is_empty() {
            return Ok(Upsert { schema: arrow, keyed: None });
        }
        let key_fields: Vec<Field> = key.iter().map(|c| arrow.field(*c).clone()).collect();
        let row_fields = arrow.fields().iter().map(|f| f.as_ref().clone());
        let limbo_fields: Vec<Field> = key_fields.iter().chain(&key_fields).cloned().chain(row_fields).collect();
        let limbo_key: Vec<usize> = (0..2 * key.len()).collect();
        let mut slots = Slots::new(traces, TraceId::new(object, first_slot));
        let keyed = Keyed {
            codec: RowCodec::new(Arc::new(Schema::new(key_fields)))?,
            rows: slots.arrangement(&arrow, &key, Find::ByKey)?,
            limbo: slots.trace(&Arc::new(Schema::new(limbo_fields)), &limbo_key)?,
            marks: slots.cells()?,
            key,
        };
        Ok(Upsert { schema: arrow, keyed: Some(keyed) })
    }

    /// The relation's current rows; `None` when it has no key and they are not kept here.
    pub fn rows(&self) -> Option<&Arrangement> {
        self.keyed.as_ref().map(|keyed| &keyed.rows)
    }

    /// Applies one epoch's operations, batch after batch.
    pub fn step(&mut self, changes: &[ChangeBatch]) -> Result<UpsertOutput, DataflowError> {
        self.step_for(changes, &Projection::everything(self.schema.fields().len()))
    }

    /// [`Upsert::step`] for those who read no more than that of the rows; without a key the change is whole.
    pub fn step_for(&mut self, changes: &[ChangeBatch], read: &Projection) -> Result<UpsertOutput, DataflowError> {
        let batches = changes.iter().map(|batch| self.fitted(&batch.rows)).collect::<Result<Vec<_>, _>>()?;
        match &self.keyed {
            _ if batches.is_empty() => {
                let delta = Delta::empty(self.schema.clone());
                Ok(UpsertOutput { delta, changed: false, unresolved: Vec::new(), ignored_deletes: 0 })
            }
            Some(keyed) => Step::new(keyed, changes, &batches)?.run(&self.schema, read),
            None => self.append(changes, &batches),
        }
    }

    /// The rows in canonical form under this relation's schema.
    fn fitted(&self, rows: &RecordBatch) -> Result<RecordBatch, DataflowError> {
        let columns = rows.columns().iter().map(canonical).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }

    fn append(&self, changes: &[ChangeBatch], batches: &[RecordBatch]) -> Result<UpsertOutput, DataflowError> {
        let (mut parts, mut unresolved) = (Vec::new(), Vec::new());
        for (b, (batch, rows)) in changes.iter().zip(batches).enumerate() {
            let rows = ZSet::of_rows(rows.clone());
            if batch.ops.iter().all(|op| *op == ChangeOp::Insert) {
                parts.push(rows);
                continue;
            }
            let inserts: Vec<bool> = batch.ops.iter().map(|op| *op == ChangeOp::Insert).collect();
            unresolved.extend((0..inserts.len()).filter(|r| !inserts[*r]).map(|r| (b, r)));
            parts.push(rows.filter(&inserts.into())?);
        }
        let delta = Delta(ZSet::concat(&self.schema, &parts)?);
        Ok(UpsertOutput { changed: !delta.is_empty(), delta, unresolved, ignored_deletes: 0 })
    }
}

#[cfg(test)]
mod tests;
