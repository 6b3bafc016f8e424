//! Rows as bytes: an order-preserving encoding in which equal rows have equal bytes.
//!
//! Traces, group keys and join keys compare rows by these bytes, so the encoding decides what "the same row" means.
//! PostgreSQL's rules hold: NULL is one value (last in order), all NaN are equal, -0.0 equals 0.0. Floats are made
//! canonical before they are encoded; the bytes decode to the canonical value, so two histories that end in equal rows
//! end in equal bytes.
//!
//! The encoding of a row is the concatenation of its columns' encodings and each is self-delimiting, so the encoding of
//! the first `n` columns is a prefix of the whole: a trace keyed by its leading columns finds a key by prefix.
//!
//! The bytes are also kept on disk. They are those of the `arrow-row` crate, which does not promise to keep them;
//! [`FORMAT`] goes into the store's version and the golden bytes in the tests fail when the crate changes them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Float64Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow_row::{RowConverter, Rows, SortField};

/// The version of the bytes below.
pub const FORMAT: u8 = 1;

/// The order of a column of which nothing is said.
pub const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: false };

/// Encodes batches of one schema into rows of bytes, and back.
pub struct RowCodec {
    schema: SchemaRef,
    converter: RowConverter,
}

impl std::fmt::Debug for RowCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowCodec({} columns)", self.schema.fields().len())
    }
}

impl RowCodec {
    /// # Errors
    /// When the schema has a type without an order (a map, a union).
    pub fn new(schema: SchemaRef) -> Result<RowCodec, ArrowError> {
        RowCodec::in_order(schema, &[])
    }

    /// A codec whose bytes compare as rows do in that order of its columns; of those that it has none for, as with
    /// [`RowCodec::new`].
    ///
    /// # Errors
    /// When the schema has a type without an order (a map, a union).
    pub fn in_order(schema: SchemaRef, order: &[SortOptions]) -> Result<RowCodec, ArrowError> {
        let orders = order.iter().copied().chain(std::iter::repeat(ASCENDING));
        let fields = schema.fields().iter().zip(orders).map(|(f, order)| SortField::new_with_options(f.data_type().clone(), order));
        Ok(RowCodec { converter: RowConverter::new(fields.collect())?, schema })
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// One encoded row for each row of the columns, which have this codec's types.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Rows, ArrowError> {
        let canonical: Vec<ArrayRef> = columns.iter().map(canonical).collect();
        self.converter.convert_columns(&canonical)
    }

    /// [`RowCodec::encode`] for the columns of a batch, which may have rows and no columns.
    pub fn encode_batch(&self, batch: &RecordBatch) -> Result<Rows, ArrowError> {
        match batch.columns() {
            [] if self.schema.fields().is_empty() => Ok(self.encode_count(batch.num_rows())),
            columns => self.encode(columns),
        }
    }

    /// That many rows of no columns, each no bytes: what [`RowCodec::encode`] cannot know the number of. For a codec
    /// without columns.
    pub fn encode_count(&self, rows: usize) -> Rows {
        let parser = self.converter.parser();
        let mut empty = self.converter.empty_rows(rows, 0);
        (0..rows).for_each(|_| empty.push(parser.parse(&[])));
        empty
    }

    /// The rows that were encoded, as a batch of this codec's schema.
    ///
    /// # Errors
    /// When the bytes were not written by a codec of this schema.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<RecordBatch, ArrowError> {
        let parser = self.converter.parser();
        let mut count = 0;
        let columns = self.converter.convert_rows(rows.into_iter().map(|bytes| {
            count += 1;
            parser.parse(bytes)
        }))?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }
}

/// The array with every NaN the same NaN and every zero positive.
pub fn canonical(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => {
            let fixed: Float64Array = array.as_primitive::<Float64Type>().unary(|v| if v.is_nan() { f64::NAN } else { v + 0.0 });
            Arc::new(fixed)
        }
        DataType::Float32 => {
            let fixed: Float32Array = array.as_primitive::<Float32Type>().unary(|v| if v.is_nan() { f32::NAN } else { v + 0.0 });
            Arc::new(fixed)
        }
        DataType::Struct(_) => {
            let (fields, columns, nulls) = array.as_struct().clone().into_parts();
            let columns = columns.iter().map(canonical).collect();
            match StructArray::try_new_with_length(fields, columns, nulls, array.len()) {
                Ok(fixed) => Arc::new(fixed),
                Err(_) => array.clone(),
            }
        }
        _ => array.clone(),
    }
}

#[cfg(test)]
mod tests;
