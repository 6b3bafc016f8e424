//! A place for each row of a chunk: the one that follows in its chain, or the one before it. As long as all of them are in the
//! first chunks, which nearly every arrangement has no more of, a place is four bytes. Where the rows of a key lie one behind the
//! other, a run has one.

use crate::state::row_at::{NONE, RowAt};
use crate::zset::Runs;

pub struct Places(Held);

enum Held {
    /// The chunk in the upper half.
    Short(Vec<u32>),
    Long(Vec<RowAt>),
    /// A row is followed by the next one of its run, in the chunk of that number; the last one by the place of the run.
    Runs {
        own: u32,
        runs: Runs,
        ends: Box<Places>,
    },
}

const NO_PLACE: u32 = u32::MAX;
const HALF: u32 = 1 << 16;

/// A place in four bytes, if it is near enough.
pub fn short(at: RowAt) -> Option<u32> {
    match at {
        NONE => Some(NO_PLACE),
        RowAt { chunk, row } if chunk < HALF - 1 && row < HALF => Some(chunk * HALF + row),
        RowAt { .. } => None,
    }
}

/// The place that [`short`] gave four bytes.
pub fn long(short: u32) -> RowAt {
    match short {
        NO_PLACE => NONE,
        place => RowAt { chunk: place / HALF, row: place % HALF },
    }
}

impl Default for Places {
    fn default() -> Places {
        Places::none(0)
    }
}

impl Places {
    /// No place for each of so many rows.
    pub fn none(rows: usize) -> Places {
        Places(Held::Short(vec![NO_PLACE; rows]))
    }

    /// For the rows of the chunk of that number: each is followed by the next one of its run, the last one by none.
    pub fn of_runs(own: u32, runs: Runs) -> Places {
        let ends = Box::new(Places::none(runs.count()));
        Places(Held::Runs { own, runs, ends })
    }

    /// How many rows there is a place or none for.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Short(places) => places.len(),
            Held::Long(places) => places.len(),
            Held::Runs { runs, .. } => runs.len(),
        }
    }

    #[inline]
    pub fn get(&self, row: usize) -> RowAt {
        match &self.0 {
            Held::Short(places) => long(places[row]),
            Held::Long(places) => places[row],
            Held::Runs { runs, ends, .. } if runs.ends(row) => ends.get(runs.number(row)),
            Held::Runs { own, .. } => RowAt { chunk: *own, row: row as u32 + 1 },
        }
    }

    #[inline]
    pub fn set(&mut self, row: usize, at: RowAt) {
        match (&mut self.0, short(at)) {
            (Held::Short(places), Some(short)) => places[row] = short,
            (Held::Long(places), _) => places[row] = at,
            (Held::Runs { runs, ends, .. }, _) if runs.ends(row) => ends.set(runs.number(row), at),
            _ => self.set_otherwise(row, at),
        }
    }

    #[cold]
    fn set_otherwise(&mut self, row: usize, at: RowAt) {
        if self.get(row) != at {
            self.0 = Held::Long((0..self.len()).map(|row| self.get(row)).collect());
            self.set(row, at);
        }
    }

    /// For so many rows; those that come have none.
    pub fn resize(&mut self, rows: usize) {
        match &mut self.0 {
            Held::Short(places) => places.resize(rows, NO_PLACE),
            Held::Long(places) => places.resize(rows, NONE),
            Held::Runs { .. } => {
                let mut places: Vec<RowAt> = (0..self.len()).map(|row| self.get(row)).collect();
                places.resize(rows, NONE);
                self.0 = Held::Long(places);
            }
        }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Held::Short(places) => places.capacity() * size_of::<u32>(),
            Held::Long(places) => places.capacity() * size_of::<RowAt>(),
            Held::Runs { runs, ends, .. } => size_of::<Places>() + runs.bytes() + ends.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_near_and_far() {
        let mut places = Places::none(4);
        let at = |chunk, row| RowAt { chunk, row };
        places.set(0, at(0, 0));
        places.set(1, at(HALF - 2, HALF - 1));
        assert_eq!((places.get(0), places.get(1), places.get(2), places.bytes()), (at(0, 0), at(HALF - 2, HALF - 1), NONE, 16));
        places.set(0, NONE);
        for far in [at(HALF - 1, 0), at(HALF, 1), at(1, HALF), at(HALF - 1, HALF - 1)] {
            let mut places = Places(Held::Short(vec![NO_PLACE, 7, NO_PLACE]));
            places.set(2, far);
            assert_eq!((places.get(0), places.get(1), places.get(2)), (NONE, at(0, 7), far));
            places.resize(4);
            places.set(2, NONE);
            assert_eq!((places.get(2), places.get(3), places.len()), (NONE, NONE, 4));
        }
    }

    #[test]
    fn a_run_has_one_place() {
        let at = |chunk, row| RowAt { chunk, row };
        let runs = || Places::of_runs(3, Runs::of(100, |row| row % 10 == 0));
        let mut places = runs();
        assert_eq!((places.get(0), places.get(8), places.get(9), places.get(99)), (at(3, 1), at(3, 9), NONE, NONE));
        for run in 0..10 {
            places.set(run * 10 + 9, at(1, run as u32));
        }
        // What is so already changes nothing.
        places.set(4, at(3, 5));
        assert_eq!((places.get(9), places.get(99), places.len(), places.get(4)), (at(1, 0), at(1, 9), 100, at(3, 5)));
        assert!(places.bytes() < 200, "{} bytes", places.bytes());
        places.set(99, at(HALF, 7));
        assert_eq!((places.get(99), places.get(9)), (at(HALF, 7), at(1, 0)));
        // A row that is taken out of the midst of a run.
        places.set(4, at(3, 6));
        assert_eq!((places.get(4), places.get(3), places.get(5), places.get(9)), (at(3, 6), at(3, 4), at(3, 6), at(1, 0)));
        assert_eq!((places.get(99), places.len()), (at(HALF, 7), 100));
        let mut longer = runs();
        longer.resize(102);
        assert_eq!((longer.get(0), longer.get(9), longer.get(99), longer.get(101), longer.len()), (at(3, 1), NONE, NONE, NONE, 102));
    }
}
