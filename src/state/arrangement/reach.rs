//! What a batch needs of rows that are not in memory: the rows, read at once, and where those are whose index is not there
//! either.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::state::body::Body;
use crate::state::error::StateError;
use crate::state::fetched::Fetched;
use crate::state::fixed_rows::FixedRows;
use crate::state::row_at::RowAt;

#[derive(Default)]
pub struct Reach {
    rows: Fetched,
    /// A whole chunk that was read.
    pub whole: Option<(u32, Arc<FixedRows>)>,
    /// By hash the rows of cold chunks.
    pub cold: HashMap<u64, Vec<RowAt>>,
}

impl Reach {
    pub fn of(rows: Fetched) -> Reach {
        Reach { rows, ..Reach::default() }
    }

    /// Where a row of an evicted chunk is: the part of what was read, and the row in it.
    pub fn place(&self, body: &Body, row: usize) -> Result<(u32, usize), StateError> {
        let place = body.place(row).and_then(|(chunk, row)| self.rows.place(chunk, row));
        let (part, row) = place.ok_or_else(|| StateError::Misuse("a row was not read before it was used".to_string()))?;
        Ok((part, row as usize))
    }

    pub fn part(&self, part: u32) -> Result<&FixedRows, StateError> {
        self.rows.part(part).ok_or_else(|| StateError::Misuse("rows were not read before they were used".to_string()))
    }

    /// A row of an evicted chunk.
    pub fn row(&self, body: &Body, row: usize) -> Result<(&FixedRows, usize), StateError> {
        let (part, row) = self.place(body, row)?;
        Ok((self.part(part)?, row))
    }
}
