//! What a batch needs of rows that are not in memory: found out first, then read at once.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::state::cold::By;
use crate::state::error::StateError;
use crate::state::fixed_rows::FixedRows;
use crate::state::row_at::RowAt;

use super::chunk::Chunk;
use super::reach::Reach;
use super::rows::{Find, Rows};

impl Rows {
    /// Reads what is not in memory of those places.
    pub(super) fn reach(&self, places: impl IntoIterator<Item = RowAt>) -> Result<Reach, StateError> {
        if self.evicted == 0 {
            return Ok(Reach::default());
        }
        let mut wanted = Vec::new();
        for at in places {
            let chunk = self.chunk(at)?;
            if chunk.resident().is_none() {
                wanted.extend(chunk.body().place(at.row as usize));
            }
        }
        Ok(Reach::of(self.shelf.fetch(wanted)?))
    }

    /// [`Rows::reach`] of all rows that may equal one with such a hash, as [`Rows::find_whole`] takes it. What is not in
    /// memory of the chunk `whole` is read already.
    pub(super) fn reach_equals(&self, hashes: &[u64], whole: Option<(u32, Arc<FixedRows>)>) -> Result<Reach, StateError> {
        if self.evicted == 0 {
            return Ok(Reach::default());
        }
        let mut places = Vec::new();
        for hash in hashes {
            self.each_candidate(*hash, |at| {
                places.push(at);
                Ok(false)
            })?;
        }
        let by = match self.find {
            Find::ByKey => By::Key,
            Find::ByRow | Find::Never => By::Row,
        };
        let mut cold: HashMap<u64, Vec<RowAt>> = HashMap::new();
        for (position, at) in self.find_cold(by, hashes)? {
            let of_hash = cold.entry(hashes[position as usize]).or_default();
            if !of_hash.contains(&at) {
                of_hash.push(at);
                places.push(at);
            }
        }
        places.retain(|at| whole.as_ref().is_none_or(|(number, _)| *number != at.chunk));
        let mut reach = self.reach(places)?;
        (reach.whole, reach.cold) = (whole, cold);
        Ok(reach)
    }

    /// Where the row lies, which is in memory or was read.
    pub(super) fn row<'a>(&'a self, reach: &'a Reach, at: RowAt) -> Result<(&'a FixedRows, usize), StateError> {
        let (chunk, row) = (self.chunk(at)?, at.row as usize);
        match (chunk.resident(), &reach.whole) {
            (Some(rows), _) => Ok((rows, row)),
            (None, Some((number, rows))) if *number == at.chunk => Ok((rows, row)),
            (None, _) => reach.row(chunk.body(), row),
        }
    }

    /// The rows of a whole chunk, in memory or read for the moment.
    pub(super) fn rows_of(&self, chunk: &Chunk) -> Result<Arc<FixedRows>, StateError> {
        match chunk.resident() {
            Some(rows) => Ok(rows.clone()),
            None => chunk.body().read(),
        }
    }
}
