//! How long columns become: as long as those of the batch before, in proportion to the records' bytes. A column that has its
//! room from the beginning is not moved while it grows, and has little left over when it is done.

use arrow::array::AsArray;

use crate::zset::ChangeBatch;

#[derive(Default)]
pub struct Sizes {
    /// Of records; zero before there was a batch.
    bytes: usize,
    rows: usize,
    /// Of the texts in each column.
    texts: Vec<usize>,
}

/// Fewer bytes of records need no preparation.
const FEW: usize = 4096;

impl Sizes {
    pub fn of(batch: &ChangeBatch, bytes: usize) -> Sizes {
        let texts = |column: &arrow::array::ArrayRef| column.as_string_opt::<i32>().map_or(0, |texts| texts.value_data().len());
        Sizes { bytes, rows: batch.rows.num_rows(), texts: batch.rows.columns().iter().map(texts).collect() }
    }

    /// How many rows so many bytes of records may well be, and in each column how many bytes of text.
    pub fn expected(&self, bytes: usize) -> Option<(usize, impl Iterator<Item = usize>)> {
        if self.bytes < FEW || bytes < FEW {
            return None;
        }
        // A little more than that, lest a column move for its last values.
        let share = bytes as f64 / self.bytes as f64 * 1.05;
        let scaled = move |size: &usize| (*size as f64 * share) as usize;
        Some((scaled(&self.rows) + 16, self.texts.iter().map(scaled)))
    }
}
