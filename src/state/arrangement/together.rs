//! The rows of a key one behind the other: a run has one key and one place in its chain. Rows of words alone are put in that order, as
//! each is hardly larger than its key and its place; to move texts would cost more than it saves.

use arrow::array::UInt32Array;

use crate::state::error::StateError;
use crate::zset::runs::ROWS_OF_A_RUN;
use crate::zset::{Groups, KeyColumns, ZSet};

/// So many rows show how many keys there are.
const SAMPLE: usize = 1024;

/// The rows, those of a key together: each key where its first row is, the rows of one in their order.
pub fn together(rows: ZSet, key: &[usize]) -> Result<ZSet, StateError> {
    let narrow = rows.schema().fields().iter().all(|field| field.data_type().primitive_width().is_some());
    if key.is_empty() || !narrow || rows.len() < SAMPLE || !keys_are_few(&rows, key)? {
        return Ok(rows);
    }
    let columns: Vec<_> = key.iter().map(|column| rows.column(*column).clone()).collect();
    let groups = Groups::of(&columns, rows.len())?;
    if groups.len() * ROWS_OF_A_RUN > rows.len() {
        return Ok(rows);
    }
    let mut places = vec![0u32; groups.len()];
    groups.ids.iter().for_each(|id| places[*id as usize] += 1);
    let mut from = 0;
    for place in &mut places {
        from += std::mem::replace(place, from);
    }
    let mut order = vec![0u32; rows.len()];
    for (row, id) in (0u32..).zip(&groups.ids) {
        let place = &mut places[*id as usize];
        order[*place as usize] = row;
        *place += 1;
    }
    Ok(rows.take(&UInt32Array::from(order))?)
}

/// Whether the first rows have half as many keys at most: more of them have fewer still.
fn keys_are_few(rows: &ZSet, key: &[usize]) -> Result<bool, StateError> {
    let columns: Vec<_> = key.iter().map(|column| rows.column(*column).slice(0, SAMPLE)).collect();
    let mut hashes = KeyColumns::new(&columns, SAMPLE)?.hashes();
    hashes.sort_unstable();
    hashes.dedup();
    Ok(hashes.len() * 2 <= SAMPLE)
}
