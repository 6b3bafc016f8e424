//! Rows of an arrangement that leave memory, and come back.

use crate::state::error::StateError;

use super::chunk::Chunk;
use super::rows::Rows;

/// A chunk that may be evicted, or come back.
pub struct Clean {
    /// When its rows were used last, in the budget's time.
    pub used: u64,
    pub bytes: usize,
    pub number: u32,
}

impl Rows {
    /// The chunks in memory that the store has too. Only right while no checkpoint is on its way.
    pub fn clean(&self) -> Vec<Clean> {
        self.chunks_that(|chunk| chunk.is_stored() && chunk.resident().is_some())
    }

    fn chunks_that(&self, are: impl Fn(&Chunk) -> bool) -> Vec<Clean> {
        let chunks = (0u32..).zip(&self.chunks).filter_map(|(number, chunk)| Some((number, chunk.as_ref()?)));
        let chunks = chunks.filter(|(_, chunk)| are(chunk));
        chunks.map(|(number, chunk)| Clean { used: chunk.body().used(), bytes: chunk.body().bytes(), number }).collect()
    }

    /// Drops the rows of a clean chunk. How they are found stays.
    pub fn evict(&mut self, number: u32) {
        if let Some(chunk) = self.chunks.get_mut(number as usize).and_then(Option::as_mut)
            && chunk.is_stored()
            && chunk.resident().is_some()
        {
            chunk.evict();
            self.evicted += 1;
        }
    }

    /// Reads the rows of a chunk again, if they are not in memory.
    pub fn hold(&mut self, number: u32) -> Result<(), StateError> {
        let chunk = self.chunk_mut(number)?;
        if chunk.resident().is_none() {
            let rows = chunk.body().read()?;
            chunk.hold(rows);
            self.evicted -= 1;
        }
        Ok(())
    }

    /// The chunks whose rows are not in memory.
    pub fn away(&self) -> Vec<Clean> {
        if self.evicted == 0 {
            return Vec::new();
        }
        self.chunks_that(|chunk| chunk.resident().is_none())
    }

    /// What a start reads: little enough that nobody waits for it.
    pub fn hold_at_start(&mut self) -> Result<(), StateError> {
        for Clean { bytes, number, .. } in self.away() {
            if !self.shelf.budget().has_room_at_start(bytes) {
                break;
            }
            self.hold(number)?;
        }
        Ok(())
    }
}
