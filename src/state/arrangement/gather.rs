//! Rows gathered from chunks, column by column.

use arrow::array::{Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;

use crate::state::error::StateError;
use crate::zset::ZSet;

use super::chunk::{RowAt, View};

/// The rows at those places, with their weights. `view` gives the chunk of a number.
pub fn gather<'a>(schema: &SchemaRef, found: &[RowAt], view: impl Fn(u32) -> Option<&'a View>) -> Result<ZSet, StateError> {
    // Only the chunks that are needed, numbered anew.
    let mut used: Vec<&View> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    let mut latest = (u32::MAX, 0);
    let mut picks = Vec::with_capacity(found.len());
    let mut weights = Vec::with_capacity(found.len());
    for at in found {
        if latest.0 != at.chunk {
            let place = match places.get(&at.chunk) {
                Some(place) => *place,
                None => {
                    let missing = || StateError::Misuse(format!("an arrangement has no chunk {}", at.chunk));
                    used.push(view(at.chunk).ok_or_else(missing)?);
                    places.insert(at.chunk, used.len() - 1);
                    used.len() - 1
                }
            };
            latest = (at.chunk, place);
        }
        picks.push((latest.1, at.row as usize));
        weights.push(used[latest.1].weight(at.row as usize));
    }
    if used.is_empty() {
        return Ok(ZSet::empty(schema.clone()));
    }
    let columns = (0..schema.fields().len()).map(|column| {
        let arrays: Vec<_> = used.iter().map(|view| view.fixed.rows.column(column).as_ref()).collect();
        interleave(&arrays, &picks)
    });
    let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
    let rows = RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &options)?;
    Ok(ZSet::new(rows, Int64Array::from(weights)))
}
