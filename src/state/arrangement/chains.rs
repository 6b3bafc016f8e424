//! The chains of an arrangement: how rows come into them, and leave them again.

use hashbrown::HashTable;

use crate::state::error::StateError;
use crate::state::row_at::{NONE, RowAt};
use crate::zset::Runs;

use super::rows::{Find, Rows};

impl Rows {
    /// Makes the rows of a chunk from `start` on findable; those of weight zero are not there. The hashes of the keys of all
    /// its rows are `stored`, or there are none and the rows are in memory.
    pub(super) fn link(&mut self, number: u32, start: usize, stored: &[u64]) -> Result<(), StateError> {
        if let Some(chunk) = self.chunks.get(number as usize).and_then(Option::as_ref) {
            let (live, negative) = chunk.there_from(start);
            self.live += live;
            self.negative += negative;
        }
        self.touch(number);
        self.link_rows(number, start, stored)
    }

    /// Makes the rows of a chunk findable again that were in a segment.
    pub(super) fn link_again(&mut self, number: u32, stored: &[u64]) -> Result<(), StateError> {
        self.link_rows(number, 0, stored)
    }

    fn link_rows(&mut self, number: u32, start: usize, stored: &[u64]) -> Result<(), StateError> {
        let Some(mut chunk) = self.chunks.get_mut(number as usize).and_then(Option::take) else { return Ok(()) };
        let (mut hashes, mut whole_hashes) = (Vec::new(), Vec::new());
        if let Some(rows) = chunk.resident().filter(|_| stored.is_empty()) {
            hashes = rows.keys.hashes();
            if self.whole.is_some() {
                whole_hashes = rows.whole()?.hashes();
            }
        }
        let hashes = if stored.is_empty() { &hashes[..] } else { stored };
        if hashes.len() != chunk.len() || (self.whole.is_some() && whole_hashes.len() != chunk.len()) {
            return Err(StateError::Misuse("rows without hashes cannot be found".to_string()));
        }
        let whole_chunk = start == 0 && chunk.live() == chunk.len() && self.whole.is_none();
        if let Some(runs) = Some(hashes).filter(|_| whole_chunk).and_then(Runs::of_equal) {
            let rows: Vec<(u32, u32)> = runs.iter().map(|rows| (rows.start as u32, rows.end as u32 - 1)).collect();
            chunk.follow_in(runs, number);
            for (first, last) in rows {
                let before = self.heads.replace(hashes[first as usize], RowAt { chunk: number, row: first });
                chunk.set_next(last as usize, before);
            }
            self.chunks[number as usize] = Some(chunk);
            return Ok(());
        }
        for row in start..chunk.len() {
            if !chunk.view().is_live(row) {
                continue;
            }
            let at = RowAt { chunk: number, row: row as u32 };
            let before = self.heads.replace(hashes[row], at);
            chunk.set_next(row, before);
            if let Some(whole) = &mut self.whole {
                chunk.set_previous(row, NONE);
                if before.chunk == number {
                    chunk.set_previous(before.row as usize, at);
                } else if let Some(other) = self.chunks.get_mut(before.chunk as usize).and_then(Option::as_mut) {
                    other.set_previous(before.row as usize, at);
                }
                whole.insert_unique(whole_hashes[row], (whole_hashes[row], at), |(hash, _)| *hash);
            }
        }
        self.chunks[number as usize] = Some(chunk);
        Ok(())
    }

    /// With [`Find::ByRow`]: makes rows findable by all their columns, each distinct row once, and chains walkable both
    /// ways.
    ///
    /// # Errors
    /// With [`Find::Never`].
    pub(super) fn index_whole_rows(&mut self) -> Result<(), StateError> {
        match self.find {
            Find::ByRow if self.whole.is_none() => {}
            Find::ByRow | Find::ByKey => return Ok(()),
            Find::Never => return Err(StateError::Misuse("a row was taken back where rows only come".to_string())),
        }
        self.thaw_all()?;
        let mut links = Vec::with_capacity(self.live);
        for (number, chunk) in self.chunks.iter_mut().enumerate().filter_map(|(n, chunk)| Some((n as u32, chunk.as_mut()?))) {
            let rows = chunk.live_positions().into_iter();
            links.extend(rows.map(|row| (chunk.next(row), RowAt { chunk: number, row: row as u32 })));
            chunk.forget_previous();
        }
        for (next, at) in links.iter().filter(|(next, _)| *next != NONE) {
            self.chunk_mut(next.chunk)?.set_previous(next.row as usize, *at);
        }
        self.whole = Some(HashTable::with_capacity(self.live));
        let mut touched = Vec::new();
        for places in links.chunk_by(|(_, a), (_, b)| a.chunk == b.chunk) {
            let number = places[0].1.chunk;
            let rows = self.rows_of(self.chunk(places[0].1)?)?;
            let hashes = rows.whole()?.hashes();
            let those: Vec<u64> = places.iter().map(|(_, at)| hashes[at.row as usize]).collect();
            let reach = self.reach_equals(&those, Some((number, rows.clone())))?;
            for (_, at) in places {
                let (row, hash) = (at.row as usize, hashes[at.row as usize]);
                let Some(equal) = self.find_whole(hash, rows.whole()?, row, &reach)? else {
                    if let Some(table) = &mut self.whole {
                        table.insert_unique(hash, (hash, *at), |(hash, _)| *hash);
                    }
                    continue;
                };
                let weight = self.chunk(*at)?.weight(row);
                self.change_weight(*at, weight.checked_neg().ok_or(StateError::WeightOutOfRange)?)?;
                self.unlink(*at, hash, rows.keys.hash_of(row))?;
                self.change_weight(equal, weight)?;
                touched.push(at.chunk);
            }
        }
        self.compact_all(touched)
    }

    /// Takes a row out of its chain and out of the tables. `hash` is the one that [`Rows::find_whole`] takes, `key_hash` that
    /// of the row's key.
    pub(super) fn unlink(&mut self, at: RowAt, hash: u64, key_hash: u64) -> Result<(), StateError> {
        self.history.leave(key_hash, at);
        self.live -= 1;
        let chunk = self.chunk(at)?;
        if chunk.cold_in().is_some() {
            // Its bit says that it is not there.
            return Ok(());
        }
        let next = chunk.next(at.row as usize);
        let previous = self.whole.as_ref().map(|_| chunk.previous(at.row as usize));
        if next != NONE && self.whole.is_some() {
            self.chunk_mut(next.chunk)?.set_previous(next.row as usize, previous.unwrap_or(NONE));
        }
        self.lead_past(at, key_hash, previous, next)?;
        if let Some(whole) = &mut self.whole
            && let Ok(entry) = whole.find_entry(hash, |(_, other)| *other == at)
        {
            entry.remove();
        }
        Ok(())
    }

    /// What led to the row leads to `to`. `previous` is the row before it in its chain, if that is known.
    pub(super) fn lead_past(&mut self, at: RowAt, key_hash: u64, previous: Option<RowAt>, to: RowAt) -> Result<(), StateError> {
        if previous.is_none_or(|previous| previous == NONE) && self.heads.lead_past(key_hash, at, to) {
            return Ok(());
        }
        let previous = match previous {
            Some(previous) => previous,
            None => self.previous_of(at, key_hash)?,
        };
        match previous == NONE {
            true => Ok(()),
            false => {
                self.chunk_mut(previous.chunk)?.set_next(previous.row as usize, to);
                Ok(())
            }
        }
    }

    /// The row before that one in the chain of its hash.
    fn previous_of(&self, row: RowAt, hash: u64) -> Result<RowAt, StateError> {
        let mut at = self.heads.get(hash);
        while at != NONE && at != row {
            let next = self.chunk(at)?.next(at.row as usize);
            if next == row {
                return Ok(at);
            }
            at = next;
        }
        Ok(NONE)
    }
}
