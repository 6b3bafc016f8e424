//! A place for each row of a chunk: the one that follows in its chain, or the one before it. As long as all of them are in the
//! first chunks, which nearly every arrangement has no more of, a place is four bytes.

use crate::state::row_at::{NONE, RowAt};

pub struct Places(Held);

enum Held {
    /// The chunk in the upper half.
    Short(Vec<u32>),
    Long(Vec<RowAt>),
}

const NO_PLACE: u32 = u32::MAX;
const HALF: u32 = 1 << 16;

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

    /// How many rows there is a place or none for.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Short(places) => places.len(),
            Held::Long(places) => places.len(),
        }
    }

    #[inline]
    pub fn get(&self, row: usize) -> RowAt {
        match &self.0 {
            Held::Short(places) if places[row] == NO_PLACE => NONE,
            Held::Short(places) => RowAt { chunk: places[row] / HALF, row: places[row] % HALF },
            Held::Long(places) => places[row],
        }
    }

    #[inline]
    pub fn set(&mut self, row: usize, at: RowAt) {
        match &mut self.0 {
            Held::Short(places) if at == NONE => places[row] = NO_PLACE,
            Held::Short(places) if at.chunk < HALF - 1 && at.row < HALF => places[row] = at.chunk * HALF + at.row,
            Held::Long(places) => places[row] = at,
            Held::Short(_) => {
                self.lengthen();
                self.set(row, at);
            }
        }
    }

    /// For so many rows; those that come have none.
    pub fn resize(&mut self, rows: usize) {
        match &mut self.0 {
            Held::Short(places) => places.resize(rows, NO_PLACE),
            Held::Long(places) => places.resize(rows, NONE),
        }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Held::Short(places) => places.capacity() * size_of::<u32>(),
            Held::Long(places) => places.capacity() * size_of::<RowAt>(),
        }
    }

    #[cold]
    fn lengthen(&mut self) {
        self.0 = Held::Long((0..self.len()).map(|row| self.get(row)).collect());
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
}
