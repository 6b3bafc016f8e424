//! How an arrangement changes: in steps, between which readers may look rows up ([`super::shared`]).
//!
//! First the rows that go leave their chains, then those that come are linked in, then chunks that have lost many rows are
//! written anew. What need not be done under the lock is done before it.

use arrow::array::UInt32Array;

use crate::state::error::StateError;
use crate::state::row_at::RowAt;
use crate::zset::{KeyColumns, ZSet};

use super::Arrangement;
use super::rows::Find;

/// Rows that one step takes away.
const STEP: usize = 128;

impl Arrangement {
    /// Adds the delta's weights.
    ///
    /// # Errors
    /// When a weight leaves the range of `i64`.
    pub fn insert(&self, delta: &ZSet) -> Result<(), StateError> {
        if self.lock().only_grows_by(delta) {
            return self.add(delta);
        }
        self.insert_distinct(&delta.combined()?)
    }

    /// [`Arrangement::insert`] of a delta that has no row twice: rows that meet what is there change a weight, the others are
    /// added.
    pub fn insert_distinct(&self, delta: &ZSet) -> Result<(), StateError> {
        let (find, key) = {
            let mut rows = self.lock();
            rows.index_whole_rows()?;
            (rows.find, rows.key.clone())
        };
        let whole = KeyColumns::new(delta.rows().columns(), delta.len())?;
        let hashes = match find {
            Find::ByRow | Find::Never => whole.hashes(),
            Find::ByKey => {
                let key: Vec<_> = key.iter().map(|column| delta.column(*column).clone()).collect();
                KeyColumns::new(&key, delta.len())?.hashes()
            }
        };
        let reach = self.lock().reach_equals(&hashes, None)?;
        let (mut added, mut touched) = (Vec::new(), Vec::new());
        for from in (0..delta.len()).step_by(STEP) {
            let rows = from..delta.len().min(from + STEP);
            self.lock().meet(rows, delta, &hashes, &whole, &reach, (&mut added, &mut touched))?;
            self.rows.give_way();
        }
        match added.len() == delta.len() {
            true => self.add(delta)?,
            false => self.add(&delta.take(&UInt32Array::from(added))?)?,
        }
        self.compact(touched)
    }

    /// Takes the rows at those places away, each named once, whatever their weights, and adds rows of weight 1 that are not
    /// there, none twice.
    pub fn exchange(&self, gone: &[RowAt], come: &ZSet) -> Result<(), StateError> {
        let reach = self.lock().reach(gone.iter().copied())?;
        for part in gone.chunks(STEP) {
            self.lock().take_away(part, &reach)?;
            self.rows.give_way();
        }
        self.add(come)?;
        self.compact(gone.iter().map(|at| at.chunk).collect())
    }

    /// Takes every row away; what was taken, with negative weights.
    pub fn clear(&self) -> Result<ZSet, StateError> {
        let gone = self.lock().all()?.negate();
        self.insert_distinct(&gone)?;
        Ok(gone)
    }

    /// Adds rows without looking for their equals.
    fn add(&self, delta: &ZSet) -> Result<(), StateError> {
        let mut from = 0;
        while from < delta.len() {
            from += self.lock().append_some(delta, from)?;
            self.rows.give_way();
        }
        Ok(())
    }

    fn compact(&self, mut numbers: Vec<u32>) -> Result<(), StateError> {
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            self.lock().compact(number)?;
            self.rows.give_way();
        }
        Ok(())
    }
}
