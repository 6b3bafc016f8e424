//! What the entries of a trace look like: columns, how many of the leading ones are its key, and their bytes.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_row::Rows;

use crate::zset::row_codec::ASCENDING;
use crate::zset::{RowCodec, ZSet};

use super::error::StateError;

#[derive(Debug)]
pub(super) struct Shape {
    schema: SchemaRef,
    key: usize,
    order: Vec<SortOptions>,
    rows: RowCodec,
    keys: RowCodec,
}

impl Shape {
    /// `order` is that of the columns behind the key, from the first one on.
    pub(super) fn new(schema: SchemaRef, key: usize, order: &[SortOptions]) -> Result<Shape, StateError> {
        let keys = leading(&schema, key)?;
        let order: Vec<SortOptions> = std::iter::repeat_n(ASCENDING, key).chain(order.iter().copied()).collect();
        Ok(Shape { rows: RowCodec::in_order(schema.clone(), &order)?, order, schema, key, keys })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(super) fn key(&self) -> usize {
        self.key
    }

    /// What is stored beside a trace, to know that it is read with the same columns it was written with. Names do not
    /// count: they do not change the bytes.
    pub(super) fn fingerprint(&self) -> String {
        let orders = self.order.iter().copied().chain(std::iter::repeat(ASCENDING));
        let types = self.schema.fields().iter().zip(orders).map(|(field, order)| match order {
            ASCENDING => field.data_type().to_string(),
            SortOptions { descending, nulls_first } => format!(
                "{}{}{}",
                field.data_type(),
                if descending { " descending" } else { "" },
                if nulls_first { " nulls first" } else { "" }
            ),
        });
        let types: Vec<String> = types.collect();
        format!("rows of ({}) by {}", types.join(", "), self.key)
    }

    /// Rows as bytes; the first of them are the key's.
    pub(super) fn encode(&self, delta: &ZSet) -> Result<Rows, StateError> {
        Ok(self.rows.encode_batch(delta.rows())?)
    }

    /// Probe keys as bytes. No columns are one probe with the empty key, which every row has.
    pub(super) fn encode_keys(&self, keys: &[ArrayRef]) -> Result<Rows, StateError> {
        match keys.len() {
            0 => Ok(leading(&self.schema, 0)?.encode_count(1)),
            columns if columns == self.key => Ok(self.keys.encode(keys)?),
            columns => Ok(leading(&self.schema, columns)?.encode(keys)?),
        }
    }

    pub(super) fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<RecordBatch, StateError> {
        Ok(self.rows.decode(rows)?)
    }
}

/// The codec of the first `columns` columns.
fn leading(schema: &Schema, columns: usize) -> Result<RowCodec, StateError> {
    match schema.fields().get(..columns) {
        Some(fields) => Ok(RowCodec::new(Schema::new(fields.to_vec()).into())?),
        None => Err(StateError::Misuse(format!("a key of {columns} columns in a row of {}", schema.fields().len()))),
    }
}
