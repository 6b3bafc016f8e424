//! Rows gathered from chunks, column by column.

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;

use crate::state::column;
use crate::state::error::StateError;
use crate::state::fixed_rows::FixedRows;
use crate::state::row_at::{NONE, RowAt};
use crate::zset::ZSet;

use super::chunk::View;
use super::reach::Reach;

/// A chunk as rows are gathered from it: with its rows, when they are in memory.
pub type Held<'a> = (&'a View, Option<&'a FixedRows>);

/// Where rows are: their chunks and what was read of others, numbered anew, and for each row one of these and its place in there.
struct Picks<'a> {
    used: Vec<&'a FixedRows>,
    picks: Vec<(usize, usize)>,
    weights: Vec<i64>,
}

impl<'a> Picks<'a> {
    fn new(found: &[RowAt], reach: &'a Reach, view: impl Fn(u32) -> Option<Held<'a>>) -> Result<Picks<'a>, StateError> {
        // Only what is needed. Parts that were read are told from chunks by a number that no chunk has.
        let mut used: Vec<&FixedRows> = Vec::new();
        let mut places: HashMap<(u32, u32), usize> = HashMap::new();
        let mut held: Option<(u32, Held)> = None;
        let mut latest = ((NONE.chunk, u32::MAX), 0);
        let mut picks = Vec::with_capacity(found.len());
        let mut weights = Vec::with_capacity(found.len());
        for at in found {
            let (chunk, rows) = match held {
                Some((number, held)) if number == at.chunk => held,
                _ => {
                    let missing = || StateError::Misuse(format!("an arrangement has no chunk {}", at.chunk));
                    let found = view(at.chunk).ok_or_else(missing)?;
                    found.0.body().use_now();
                    held = Some((at.chunk, found));
                    found
                }
            };
            let row = at.row as usize;
            let (key, lies) = match rows {
                Some(_) => ((at.chunk, 0), row),
                None => {
                    let (part, lies) = reach.place(chunk.body(), row)?;
                    ((NONE.chunk, part), lies)
                }
            };
            if latest.0 != key {
                let place = match places.get(&key) {
                    Some(place) => *place,
                    None => {
                        used.push(match rows {
                            Some(rows) => rows,
                            None => reach.part(key.1)?,
                        });
                        places.insert(key, used.len() - 1);
                        used.len() - 1
                    }
                };
                latest = (key, place);
            }
            picks.push((latest.1, lies));
            weights.push(chunk.weight(row));
        }
        Ok(Picks { used, picks, weights })
    }

    fn column(&self, place: usize) -> Result<ArrayRef, StateError> {
        column::gather(&self.used.iter().map(|rows| rows.column(place)).collect::<Vec<_>>(), &self.picks)
    }
}

/// The rows at those places, with their weights. `view` gives the chunk of a number; what is not in memory is in `reach`.
pub fn gather<'a>(
    schema: &SchemaRef,
    found: &[RowAt],
    reach: &'a Reach,
    view: impl Fn(u32) -> Option<Held<'a>>,
) -> Result<ZSet, StateError> {
    if found.is_empty() {
        return Ok(ZSet::empty(schema.clone()));
    }
    let picked = Picks::new(found, reach, view)?;
    let columns = (0..schema.fields().len()).map(|column| picked.column(column)).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(found.len()));
    let rows = RecordBatch::try_new_with_options(schema.clone(), columns, &options)?;
    Ok(ZSet::new(rows, Int64Array::from(picked.weights)))
}

/// Those columns of the rows at those places, likewise.
pub fn gather_columns<'a>(
    schema: &SchemaRef,
    found: &[RowAt],
    columns: &[usize],
    reach: &'a Reach,
    view: impl Fn(u32) -> Option<Held<'a>>,
) -> Result<Vec<ArrayRef>, StateError> {
    if found.is_empty() {
        return Ok(columns.iter().map(|column| new_empty_array(schema.field(*column).data_type())).collect());
    }
    let picked = Picks::new(found, reach, view)?;
    columns.iter().map(|column| picked.column(*column)).collect()
}
