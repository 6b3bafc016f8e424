//! Which rows of a batch share a key.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use arrow_row::Rows;
use hashbrown::HashMap;

use crate::zset::RowCodec;

/// The distinct keys of a batch, numbered in the order of their first rows.
pub struct Groups {
    /// For each row the number of its key.
    pub ids: Vec<u32>,
    /// For each key the first row that has it.
    pub first: Vec<u32>,
    rows: Rows,
}

impl Groups {
    /// Groups rows by `columns`, of which there is at least one.
    pub fn of(codec: &RowCodec, columns: &[ArrayRef]) -> Result<Groups, ArrowError> {
        let rows = codec.encode(columns)?;
        let (mut ids, mut first) = (Vec::with_capacity(rows.num_rows()), Vec::new());
        let mut known: HashMap<&[u8], u32> = HashMap::new();
        for i in 0..rows.num_rows() {
            let next = first.len() as u32;
            let id = *known.entry(rows.row(i).data()).or_insert(next);
            if id == next {
                first.push(i as u32);
            }
            ids.push(id);
        }
        drop(known);
        Ok(Groups { ids, first, rows })
    }

    /// The number of distinct keys.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// The bytes of a key.
    pub fn key(&self, id: usize) -> &[u8] {
        self.rows.row(self.first[id] as usize).data()
    }
}
