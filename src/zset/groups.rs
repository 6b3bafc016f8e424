//! Which rows of a batch share a key.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;

use super::key_columns::KeyColumns;

/// The distinct keys of a batch, numbered in the order of their first rows.
pub struct Groups {
    /// For each row the number of its key.
    pub ids: Vec<u32>,
    /// For each key the first row that has it.
    pub first: Vec<u32>,
}

impl Groups {
    /// Groups the rows by columns, which are in canonical form.
    pub fn of(columns: &[ArrayRef], rows: usize) -> Result<Groups, ArrowError> {
        let keys = KeyColumns::new(columns, rows)?;
        let hashes = keys.hashes();
        // Open addressing: a place holds the number of a group plus one.
        let places = (rows * 2).next_power_of_two().max(16);
        let mut table = vec![0u32; places];
        let (mut ids, mut first): (Vec<u32>, Vec<u32>) = (Vec::with_capacity(rows), Vec::new());
        for (row, hash) in hashes.iter().enumerate() {
            let mut place = (*hash >> 20) as usize & (places - 1);
            let id = loop {
                match table[place] {
                    0 => {
                        first.push(row as u32);
                        table[place] = first.len() as u32;
                        break first.len() as u32 - 1;
                    }
                    known => {
                        let earlier = first[known as usize - 1] as usize;
                        if hashes[earlier] == *hash && keys.equal(earlier, row) {
                            break known - 1;
                        }
                        place = (place + 1) & (places - 1);
                    }
                }
            };
            ids.push(id);
        }
        Ok(Groups { ids, first })
    }

    /// All rows in one group, which is there even when they are none.
    pub fn everything(rows: usize) -> Groups {
        Groups { ids: vec![0; rows], first: vec![0] }
    }

    /// The number of distinct keys.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}
