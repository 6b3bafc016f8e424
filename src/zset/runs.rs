//! Runs: neighbours that are alike. Which of many rows begin one, a bit a row, and how many began before each 64 of them: the
//! number of a row's run is found without walking.

use std::ops::Range;

/// Rows of one word.
const WORD: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    begins: Box<[u64]>,
    /// By word: how many runs began before it.
    before: Box<[u32]>,
    rows: usize,
    count: usize,
}

/// Keys or numbers have so many rows each, or a bit a row is not worth it.
pub const ROWS_OF_A_RUN: usize = 4;

impl Runs {
    /// The runs of equal values, if they are few.
    pub fn of_equal<T: PartialEq>(values: &[T]) -> Option<Runs> {
        let count = 1 + values.windows(2).filter(|pair| pair[0] != pair[1]).count();
        (count * ROWS_OF_A_RUN <= values.len()).then(|| Runs::of(values.len(), |row| values[row] != values[row - 1]))
    }

    /// Of so many rows; the first begins a run, and so does each for which `begins` says it.
    pub fn of(rows: usize, begins: impl Fn(usize) -> bool) -> Runs {
        let (mut words, mut before) = (Vec::with_capacity(rows.div_ceil(WORD)), Vec::with_capacity(rows.div_ceil(WORD)));
        let mut count = 0;
        for from in (0..rows).step_by(WORD) {
            let mut word = 0u64;
            for row in from..rows.min(from + WORD) {
                word |= u64::from(row == 0 || begins(row)) << (row - from);
            }
            before.push(count as u32);
            words.push(word);
            count += word.count_ones() as usize;
        }
        Runs { begins: words.into(), before: before.into(), rows, count }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The number of runs.
    pub fn count(&self) -> usize {
        self.count
    }

    #[inline]
    pub fn begins(&self, row: usize) -> bool {
        self.begins[row / WORD] >> (row % WORD) & 1 == 1
    }

    /// Whether the row is the last one of its run.
    #[inline]
    pub fn ends(&self, row: usize) -> bool {
        row + 1 == self.rows || self.begins(row + 1)
    }

    /// The number of the row's run.
    #[inline]
    pub fn number(&self, row: usize) -> usize {
        let to_here = self.begins[row / WORD] << (WORD - 1 - row % WORD);
        self.before[row / WORD] as usize + to_here.count_ones() as usize - 1
    }

    /// The rows of each run.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        let mut row = 0;
        std::iter::from_fn(move || {
            let from = row;
            while row < self.rows && (row == from || !self.begins(row)) {
                row += 1;
            }
            (row > from).then_some(from..row)
        })
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.begins.len() * size_of::<u64>() + self.before.len() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_by_row_and_in_order() {
        for (rows, length) in [(0, 1), (1, 1), (64, 3), (65, 64), (200, 1), (200, 7), (200, 200), (129, 65)] {
            let runs = Runs::of(rows, |row| row % length == 0);
            let expected: Vec<_> = (0..rows).step_by(length).map(|from| from..rows.min(from + length)).collect();
            assert_eq!(runs.iter().collect::<Vec<_>>(), expected, "{rows} rows, runs of {length}");
            assert_eq!((runs.len(), runs.count(), runs.is_empty()), (rows, expected.len(), rows == 0));
            for row in 0..rows {
                assert_eq!(runs.number(row), row / length, "row {row} of {rows}, runs of {length}");
                assert_eq!((runs.begins(row), runs.ends(row)), (row % length == 0, row % length == length - 1 || row == rows - 1));
            }
        }
        assert_eq!(Runs::of_equal(&[7, 7, 7, 7, 9, 9, 9, 9]).unwrap().iter().collect::<Vec<_>>(), [0..4, 4..8]);
        assert!(Runs::of_equal(&[7, 7, 7, 9, 9, 9, 9]).is_none() && Runs::of_equal::<u64>(&[]).is_none());
        // The first row begins a run, whoever says what.
        assert_eq!((Runs::of(3, |_| false).iter().next(), Runs::of(3, |_| false).count()), (Some(0..3), 1));
    }
}
