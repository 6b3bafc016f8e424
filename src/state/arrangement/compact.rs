//! Chunks of an arrangement that have lost rows: what is left of one is written anew, or it is freed.

use crate::state::error::StateError;
use crate::state::row_at::RowAt;
use crate::zset::ZSet;

use super::chunk::Chunk;
use super::rows::{Find, Rows, SMALL};

impl Rows {
    pub(super) fn compact_all(&mut self, mut numbers: Vec<u32>) -> Result<(), StateError> {
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().try_for_each(|number| self.compact(number))
    }

    /// Frees a chunk without rows; writes the rows of one anew that has lost more than half of them.
    pub(super) fn compact(&mut self, number: u32) -> Result<(), StateError> {
        let Some(chunk) = self.chunks.get(number as usize).and_then(Option::as_ref) else { return Ok(()) };
        if chunk.live() * 2 > chunk.len() {
            return Ok(());
        }
        if chunk.live() == 0 {
            self.free(number);
            return Ok(());
        }
        let rows = self.rows_of(chunk)?;
        let kept = chunk.view().all(&rows)?;
        if self.find == Find::ByKey && kept.len() >= SMALL && chunk.cold_in().is_none() {
            self.move_rows(number, &kept)?;
            self.free(number);
            return Ok(());
        }
        let key_hashes = rows.keys.hashes();
        let whole_hashes = if self.whole.is_some() { rows.whole()?.hashes() } else { Vec::new() };
        for row in chunk.live_positions() {
            let at = RowAt { chunk: number, row: row as u32 };
            self.negative -= usize::from(self.chunk(at)?.weight(row) < 0);
            self.unlink(at, *whole_hashes.get(row).unwrap_or(&key_hashes[row]), key_hashes[row])?;
        }
        self.free(number);
        self.append(&kept)
    }

    /// Moves the rows of a chunk that are there, which are `kept`, to a new one; each stays where it is in its chain.
    fn move_rows(&mut self, from: u32, kept: &ZSet) -> Result<(), StateError> {
        let chunk = Chunk::new(kept, &self.shelf)?;
        let hashes = self.rows_of(&chunk)?.keys.hashes();
        let to = self.place(chunk);
        self.touch(to);
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
        if let Some(chunk) = self.chunks[number as usize].take() {
            self.evicted -= usize::from(chunk.resident().is_none());
            self.gone.extend(chunk.body().number().map(|number| (number, chunk.len())));
            chunk.cold_in().into_iter().for_each(|segment| self.cold.leave(segment));
        }
        self.touch(number);
        self.last = self.last.filter(|last| *last != number);
    }
}
