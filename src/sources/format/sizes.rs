//! How long columns become: as long as those of the batch before, in proportion to the records' bytes. A column that has its
//! room from the beginning is not moved while it grows, and has little left over when it is done.

use super::column::{Column, ColumnSize};

#[derive(Clone, Default)]
pub struct Sizes {
    /// Of records; zero before there was a batch.
    bytes: usize,
    /// Of the rows of each kind, what is in their columns.
    kinds: Vec<Vec<ColumnSize>>,
}

/// Fewer bytes of records need no preparation.
const FEW: usize = 4096;

impl Sizes {
    /// What so many bytes of records came to, kind by kind.
    pub fn of<'a>(kinds: impl Iterator<Item = &'a [Column]>, bytes: usize) -> Sizes {
        Sizes { bytes, kinds: kinds.map(|columns| columns.iter().map(Column::size).collect()).collect() }
    }

    /// The same of so many bytes.
    pub fn scaled_to(&self, bytes: usize) -> Room {
        // A little more than that, lest a column move for its last values.
        let share = if self.bytes < FEW || bytes < FEW { 0.0 } else { bytes as f64 / self.bytes as f64 * 1.05 };
        Room { share, kinds: if share > 0.0 { self.kinds.clone() } else { Vec::new() } }
    }
}

/// What may well come.
#[derive(Default)]
pub struct Room {
    share: f64,
    kinds: Vec<Vec<ColumnSize>>,
}

impl Room {
    /// Makes room in the columns of a kind.
    pub fn make(&self, kind: usize, columns: &mut [Column]) {
        let Some(sizes) = self.kinds.get(kind) else { return };
        columns.iter_mut().zip(sizes).for_each(|(column, size)| column.reserve(size, self.share));
    }
}
