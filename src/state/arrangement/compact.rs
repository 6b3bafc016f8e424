//! Chunks of an arrangement that have lost rows: what is left of one is written anew, or it is freed.

use crate::state::error::StateError;
use crate::zset::ZSet;

use super::chunk::{Chunk, RowAt};
use super::rows::{Find, Rows, SMALL};

impl Rows {
    pub(super) fn compact_all(&mut self, mut numbers: Vec<u32>) -> Result<(), StateError> {
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().try_for_each(|number| self.compact(number))
    }

    /// Frees a chunk without rows; writes the rows of one anew that has lost more than half of them.
    fn compact(&mut self, number: u32) -> Result<(), StateError> {
        let Some(chunk) = self.chunks.get(number as usize).and_then(Option::as_ref) else { return Ok(()) };
        if chunk.live() * 2 > chunk.len() {
            return Ok(());
        }
        let kept = chunk.view().all()?;
        if self.find == Find::ByKey && kept.len() >= SMALL {
            self.move_rows(number, &kept)?;
            self.free(number);
            return Ok(());
        }
        let hashes = match self.find {
            Find::ByRow => chunk.whole()?.hashes(),
            Find::ByKey => chunk.keys().hashes(),
        };
        for row in chunk.live_positions() {
            let at = RowAt { chunk: number, row: row as u32 };
            self.negative -= usize::from(self.chunk(at)?.weight(row) < 0);
            self.unlink(at, hashes[row])?;
        }
        self.free(number);
        self.append(&kept)
    }

    /// Moves the rows of a chunk that are there, which are `kept`, to a new one; each stays where it is in its chain.
    fn move_rows(&mut self, from: u32, kept: &ZSet) -> Result<(), StateError> {
        let to = self.place(Chunk::new(kept, &self.key)?);
        self.touch(to);
        let hashes = self.chunk(RowAt { chunk: to, row: 0 })?.keys().hashes();
        let rows = self.chunk(RowAt { chunk: from, row: 0 })?.live_positions();
        for ((row, hash), new_row) in rows.into_iter().zip(hashes).zip(0..) {
            let (old, new) = (RowAt { chunk: from, row: row as u32 }, RowAt { chunk: to, row: new_row });
            // A row after it may have moved already: what follows is what the chain says by now.
            let next = self.chunk(old)?.next(row);
            self.chunk_mut(to)?.set_next(new_row as usize, next);
            self.lead_past(old, hash, None, new)?;
            self.history.leave(hash, old);
        }
        Ok(())
    }

    fn free(&mut self, number: u32) {
        if self.chunks[number as usize].take().is_some_and(|chunk| chunk.is_stored()) {
            self.gone.push(number);
        }
        self.touch(number);
        self.last = self.last.filter(|last| *last != number);
    }
}
