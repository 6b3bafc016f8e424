//! Z-sets as bytes: an Arrow IPC stream of the rows, with the weights as one more column at the end.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::zset::ZSet;

use super::error::StateError;

/// The weight's column. It is found by its place, so a user's column may have the name too.
const WEIGHT: &str = "$weight";

pub fn zset_to_ipc(zset: &ZSet) -> Result<Vec<u8>, StateError> {
    let schema = zset.schema();
    let mut fields = schema.fields().to_vec();
    fields.push(Arc::new(Field::new(WEIGHT, DataType::Int64, false)));
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let mut columns = zset.rows().columns().to_vec();
    columns.push(Arc::new(zset.weights().clone()));
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    writer.write(&batch)?;
    writer.finish()?;
    Ok(writer.into_inner()?)
}

/// # Errors
/// When the bytes are not what [`zset_to_ipc`] gives.
pub fn zset_from_ipc(bytes: &[u8]) -> Result<ZSet, StateError> {
    read(bytes).map_err(|error| StateError::corrupted(format!("rows cannot be read: {error}")))
}

fn read(bytes: &[u8]) -> Result<ZSet, ArrowError> {
    let reader = StreamReader::try_new(bytes, None)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let batch = concat_batches(&schema, &batches)?;
    let (weights, columns) = batch.columns().split_last().ok_or_else(|| ArrowError::IpcError("no weights".to_string()))?;
    let weights = weights.as_primitive_opt::<Int64Type>().filter(|weights| weights.null_count() == 0);
    let weights = weights.ok_or_else(|| ArrowError::IpcError("the last column is not weights".to_string()))?.clone();
    let fields = schema.fields()[..columns.len()].to_vec();
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let options = RecordBatchOptions::new().with_row_count(Some(weights.len()));
    Ok(ZSet::new(RecordBatch::try_new_with_options(schema, columns.to_vec(), &options)?, weights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Column, RelationSchema, SqlType};
    use crate::zset::text::{parse, print};

    #[test]
    fn rows_weights_and_types_come_back() {
        let zset = parse("k int8, v text, t timestamp, n numeric(12,2)", "1 a 2026-01-01T00:00:00 1.50 +2\nNULL NULL NULL NULL -1");
        let back = zset_from_ipc(&zset_to_ipc(&zset).unwrap()).unwrap();
        assert_eq!(print(&back), print(&zset));
        assert_eq!(back.schema(), zset.schema());
    }

    #[test]
    fn empty_sets_rows_without_columns_and_sql_types_come_back() {
        let schema = RelationSchema::new(vec![Column::new("$weight", SqlType::Uuid)]).arrow();
        let back = zset_from_ipc(&zset_to_ipc(&ZSet::empty(schema.clone())).unwrap()).unwrap();
        assert_eq!((back.len(), back.schema()), (0, schema), "the field's metadata says uuid");

        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        let back = zset_from_ipc(&zset_to_ipc(&ZSet::of_rows(rows)).unwrap()).unwrap();
        assert_eq!((back.len(), back.rows().num_rows(), back.rows().num_columns()), (3, 3, 0));
    }

    #[test]
    fn other_bytes_are_refused() {
        let whole = zset_to_ipc(&parse("k int8", "1 +1")).unwrap();
        for bytes in [&b""[..], b"nonsense", &whole[..whole.len() / 2]] {
            assert!(matches!(zset_from_ipc(bytes), Err(StateError::Corrupted { .. })), "{} bytes", bytes.len());
        }
    }
}
