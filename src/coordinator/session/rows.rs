//! Answers that the session itself makes: a few rows of text.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::Schema;
use futures::StreamExt;
use futures::stream;

use crate::coordinator::api::{Response, RowStream, RowsTag};
use crate::types::{Column, Report, SqlType};

/// Columns of text with those names.
pub fn text_columns(names: &[&str]) -> Vec<Column> {
    names.iter().map(|name| Column::new(*name, SqlType::Text)).collect()
}

/// Rows of text; each row has as many values as there are columns.
pub fn text_response(columns: Vec<Column>, rows: Vec<Vec<Option<String>>>, tag: RowsTag) -> Result<Response, Report> {
    let arrays: Vec<ArrayRef> = (0..columns.len())
        .map(|at| Arc::new(rows.iter().map(|row| row.get(at).and_then(|v| v.as_deref())).collect::<StringArray>()) as ArrayRef)
        .collect();
    let schema = Arc::new(Schema::new(columns.iter().map(|c| c.sql_type.field(&c.name)).collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(schema, arrays, &options).map_err(Report::internal)?;
    Ok(Response::Rows { columns, rows: batches(vec![batch]), tag })
}

/// Batches that are already there, as a stream.
pub fn batches(batches: Vec<RecordBatch>) -> RowStream {
    stream::iter(batches.into_iter().map(Ok)).boxed()
}
