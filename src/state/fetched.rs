//! Single rows of chunks that are not in memory, read for one batch. Of the pages that they lie on no more is kept.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;

use super::column::gather;
use super::error::StateError;
use super::fixed_rows::FixedRows;
use super::page::PAGE;

/// Pages, by the chunk's number and the page's.
pub type Pages = HashMap<(u64, u32), Arc<FixedRows>>;

#[derive(Default)]
pub struct Fetched {
    parts: Vec<FixedRows>,
    /// By the chunk's number and the row: the part and the row in it.
    places: HashMap<(u64, u32), (u32, u32)>,
}

impl Fetched {
    /// Takes those rows, none twice, out of the pages that they lie on.
    ///
    /// # Errors
    /// When a page has too few rows.
    pub fn add(&mut self, pages: &Pages, wanted: &[(u64, u32)], (schema, key): (&SchemaRef, &[usize])) -> Result<(), StateError> {
        let mut used: Vec<&FixedRows> = Vec::with_capacity(pages.len());
        let mut latest = None;
        let mut picks = Vec::with_capacity(wanted.len());
        for (chunk, row) in wanted {
            let page = (*chunk, row / PAGE as u32);
            if latest != Some(page) {
                let missing = || StateError::Misuse("a page was not read before it was used".to_string());
                used.push(pages.get(&page).ok_or_else(missing)?);
                latest = Some(page);
            }
            let (place, at) = (used.len() - 1, *row as usize % PAGE);
            if at >= used[place].len() {
                return Err(StateError::corrupted(format!("a page of chunk {chunk} has too few rows")));
            }
            picks.push((place, at));
            self.places.insert((*chunk, *row), (self.parts.len() as u32, picks.len() as u32 - 1));
        }
        let column = |column: usize| -> Result<ArrayRef, StateError> {
            gather(&used.iter().map(|rows| rows.column(column)).collect::<Vec<_>>(), &picks)
        };
        let columns = (0..schema.fields().len()).map(column).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(picks.len()));
        let rows = RecordBatch::try_new_with_options(schema.clone(), columns, &options)?;
        self.parts.push(FixedRows::counted(rows, key, 0)?);
        Ok(())
    }

    /// Where the row of the chunk is, if it was fetched: the part, and the row in it.
    pub fn place(&self, chunk: u64, row: u32) -> Option<(u32, u32)> {
        self.places.get(&(chunk, row)).copied()
    }

    pub fn part(&self, part: u32) -> Option<&FixedRows> {
        self.parts.get(part as usize)
    }
}
