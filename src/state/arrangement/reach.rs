//! Rows that are not in memory, read for one batch: all pages that the batch needs, at once.

use std::sync::Arc;

use crate::state::body::Body;
use crate::state::error::StateError;
use crate::state::fixed_rows::FixedRows;
use crate::state::page::PAGE;
use crate::state::shelf::Pages;

#[derive(Default)]
pub struct Reach {
    pages: Pages,
    /// A whole chunk that was read.
    pub whole: Option<(u32, Arc<FixedRows>)>,
}

impl Reach {
    pub fn of(pages: Pages) -> Reach {
        Reach { pages, whole: None }
    }

    /// With a chunk that was read as a whole.
    pub fn with(self, whole: Option<(u32, Arc<FixedRows>)>) -> Reach {
        Reach { whole, ..self }
    }

    /// Where a row of an evicted chunk lies.
    pub fn row(&self, body: &Body, row: usize) -> Result<(&FixedRows, usize), StateError> {
        let page = body.page(row).and_then(|page| self.pages.get(&page));
        let page = page.ok_or_else(|| StateError::Misuse("a row was not read before it was used".to_string()))?;
        match row % PAGE < page.len() {
            true => Ok((page, row % PAGE)),
            false => Err(StateError::corrupted(format!("a page of trace {} has too few rows", body.shelf().id()))),
        }
    }
}
