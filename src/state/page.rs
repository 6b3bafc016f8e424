//! A page: some hundred rows of a chunk, as the store has them. What a look-up of one row reads.
//!
//! ```text
//! values of the columns | Arrow's description of where each lies | length of the description, 4 bytes little endian
//! ```
//!
//! Arrow's IPC without its schema: a page is read under the schema of its trace. The values come first, so that they are
//! used where they were read to.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::root_as_message;
use arrow::ipc::writer::{CompressionContext, DictionaryTracker, IpcDataGenerator, IpcWriteOptions};

use super::error::StateError;

/// Rows of a page. Part of the format.
pub const PAGE: usize = 512;

pub fn to_bytes(rows: &RecordBatch) -> Result<Vec<u8>, StateError> {
    let (generator, mut dictionaries) = (IpcDataGenerator::default(), DictionaryTracker::new(false));
    let (_, encoded) = generator.encode(rows, &mut dictionaries, &IpcWriteOptions::default(), &mut CompressionContext::default())?;
    let mut bytes = encoded.arrow_data;
    bytes.extend_from_slice(&encoded.ipc_message);
    bytes.extend_from_slice(&(encoded.ipc_message.len() as u32).to_le_bytes());
    Ok(bytes)
}

/// # Errors
/// When the bytes are not what [`to_bytes`] gives for rows of that schema.
pub fn from_bytes(schema: &SchemaRef, bytes: Vec<u8>) -> Result<RecordBatch, StateError> {
    read(schema, bytes).map_err(|error| StateError::corrupted(format!("a page of rows cannot be read: {error}")))
}

fn read(schema: &SchemaRef, bytes: Vec<u8>) -> Result<RecordBatch, ArrowError> {
    let broken = || ArrowError::IpcError("not a page".to_string());
    let (rest, length) = bytes.split_last_chunk::<4>().ok_or_else(broken)?;
    let values = rest.len().checked_sub(u32::from_le_bytes(*length) as usize).ok_or_else(broken)?;
    let message = root_as_message(&rest[values..]).map_err(|error| ArrowError::IpcError(error.to_string()))?;
    let (batch, version) = (message.header_as_record_batch().ok_or_else(broken)?, message.version());
    // Arrow takes for granted that what is described is there.
    let lies_there = |place: &arrow::ipc::Buffer| {
        let end = place.offset().checked_add(place.length());
        place.offset() >= 0 && place.length() >= 0 && end.is_some_and(|end| end as u64 <= values as u64)
    };
    if batch.length() < 0 || !batch.buffers().is_some_and(|places| places.iter().all(lies_there)) {
        return Err(broken());
    }
    // The description lies in the same bytes, which go on as the values' buffer.
    let described = rest[values..].to_vec();
    let message = root_as_message(&described).map_err(|error| ArrowError::IpcError(error.to_string()))?;
    let batch = message.header_as_record_batch().ok_or_else(broken)?;
    let mut bytes = bytes;
    bytes.truncate(values);
    read_record_batch(&Buffer::from_vec(bytes), batch, schema.clone(), &HashMap::new(), None, &version)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::RecordBatchOptions;
    use arrow::datatypes::Schema;

    use super::*;
    use crate::zset::ZSet;
    use crate::zset::text::{parse, print};

    const COLUMNS: &str = "k int8, v text, t timestamp, n numeric(12,2), b bool";
    const ROWS: &str = "1 a 2026-01-01T00:00:00 1.50 true +1\nNULL NULL NULL NULL NULL +1\n3 ccc 2026-01-01T00:00:00 2.50 false +1";

    #[test]
    fn rows_and_parts_of_them_come_back() {
        let rows = parse(COLUMNS, ROWS);
        for (from, length) in [(0, 3), (1, 2), (2, 1), (0, 0)] {
            let part = rows.rows().slice(from, length);
            let back = from_bytes(&rows.schema(), to_bytes(&part).unwrap()).unwrap();
            assert_eq!(print(&ZSet::of_rows(back)), print(&ZSet::of_rows(part)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let none = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        assert_eq!(from_bytes(&none.schema(), to_bytes(&none).unwrap()).unwrap().num_rows(), 3);
    }

    #[test]
    fn other_bytes_are_refused() {
        let rows = parse(COLUMNS, ROWS);
        let whole = to_bytes(rows.rows()).unwrap();
        for bytes in [vec![], b"nonsense".to_vec(), whole[1..].to_vec(), whole[64..].to_vec(), whole[..whole.len() / 2].to_vec()] {
            assert!(matches!(from_bytes(&rows.schema(), bytes.clone()), Err(StateError::Corrupted { .. })), "{} bytes", bytes.len());
        }
        let other = parse("k text, v text, t timestamp, n numeric(12,2), b bool, c int8", "");
        assert!(from_bytes(&other.schema(), whole).is_err());
    }
}
