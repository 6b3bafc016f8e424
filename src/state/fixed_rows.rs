//! Rows that never change, with their key: a chunk of an arrangement, or a page of one that was read again.

use std::sync::OnceLock;

use arrow::array::{Array, RecordBatch, UInt32Array};

use crate::zset::{KeyColumns, take_rows};

use super::error::StateError;

pub struct FixedRows {
    pub rows: RecordBatch,
    pub keys: KeyColumns,
    /// All columns as a key, once they were asked for.
    whole: OnceLock<KeyColumns>,
    bytes: usize,
}

/// Less than this is not worth a copy.
const SMALL: usize = 1 << 16;

impl FixedRows {
    /// Rows that stay in memory by themselves: those that are a small part of what they lie in are copied out of it, so that
    /// letting go of them frees what they are counted as.
    pub fn new(rows: &RecordBatch, key: &[usize]) -> Result<FixedRows, StateError> {
        let held = rows.get_array_memory_size();
        let needed: usize = rows.columns().iter().filter_map(|column| column.to_data().get_slice_memory_size().ok()).sum();
        match held > 2 * needed + SMALL {
            true => {
                let all = UInt32Array::from_iter_values(0..rows.num_rows() as u32);
                let copy = take_rows(rows, &all)?;
                let held = copy.get_array_memory_size();
                FixedRows::counted(copy, key, held)
            }
            false => FixedRows::counted(rows.clone(), key, held),
        }
    }

    /// Rows that take so many bytes.
    pub fn counted(rows: RecordBatch, key: &[usize], bytes: usize) -> Result<FixedRows, StateError> {
        let columns: Vec<_> = key.iter().map(|column| rows.column(*column).clone()).collect();
        let keys = KeyColumns::new(&columns, rows.num_rows())?;
        let bytes = bytes + keys.own_bytes();
        Ok(FixedRows { rows, keys, whole: OnceLock::new(), bytes })
    }

    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    pub fn whole(&self) -> Result<&KeyColumns, StateError> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let whole = KeyColumns::new(self.rows.columns(), self.len())?;
        Ok(self.whole.get_or_init(|| whole))
    }

    /// Memory in bytes, an estimate: what is kept by the rows and their key.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zset::text::parse;

    #[test]
    fn a_small_part_does_not_keep_the_whole() {
        let many: String = (0..20_000).map(|n| format!("{n} text{n} +1\n")).collect();
        let all = parse("k int8, v text", &many);
        let (whole, part) = (FixedRows::new(all.rows(), &[0]).unwrap(), FixedRows::new(&all.rows().slice(5, 100), &[0]).unwrap());
        assert!(whole.bytes() >= all.rows().get_array_memory_size());
        assert!(part.bytes() < 8000, "{} bytes", part.bytes());
        assert!(part.keys.equals(7, &whole.keys, 12));
    }
}
