//! Rows that never change, with their key: a chunk of an arrangement, or a page of one that was read again.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::SchemaRef;

use crate::zset::{KeyColumns, take_rows};

use super::column::Column;
use super::dictionary::Dictionary;
use super::error::StateError;

pub struct FixedRows {
    schema: SchemaRef,
    columns: Vec<Column>,
    len: usize,
    pub keys: KeyColumns,
    /// All columns as a key, once they were asked for.
    whole: OnceLock<KeyColumns>,
    bytes: usize,
}

/// Less than this is not worth a copy.
const SMALL: usize = 1 << 16;

impl FixedRows {
    /// Rows that stay in memory by themselves: those that are a small part of what they lie in are copied out of it, so that
    /// letting go of them frees what they are counted as. Where there may be `dictionaries`, one or none a column, rows are seldom wanted
    /// whole, and lie in few bytes.
    pub fn new(rows: &RecordBatch, key: &[usize], dictionaries: &[Option<Arc<Dictionary>>]) -> Result<FixedRows, StateError> {
        let short = |(place, values): (usize, &ArrayRef)| match dictionaries.is_empty() {
            true => Column::Values(values.clone()),
            false => Column::short(values, dictionaries.get(place).and_then(Option::as_ref)),
        };
        let columns: Vec<Column> = rows.columns().iter().enumerate().map(short).collect();
        let values: Vec<usize> = (0..columns.len()).filter(|place| matches!(columns[*place], Column::Values(_))).collect();
        let lying = rows.project(&values)?;
        let held = lying.get_array_memory_size();
        let needed: usize = lying.columns().iter().filter_map(|column| column.to_data().get_slice_memory_size().ok()).sum();
        let bytes: usize = columns.iter().map(Column::number_bytes).sum();
        match held > 2 * needed + SMALL {
            true => {
                let all = UInt32Array::from_iter_values(0..rows.num_rows() as u32);
                let copy = take_rows(&lying, &all)?;
                let mut copied = copy.columns().iter().cloned().map(Column::Values);
                let columns = columns.into_iter().map(|column| match column {
                    Column::Values(values) => copied.next().unwrap_or(Column::Values(values)),
                    numbers => numbers,
                });
                FixedRows::of(rows, columns.collect(), key, bytes + copy.get_array_memory_size())
            }
            false => FixedRows::of(rows, columns, key, bytes + held),
        }
    }

    /// Rows that take so many bytes, and keep what they have.
    pub fn counted(rows: RecordBatch, key: &[usize], bytes: usize) -> Result<FixedRows, StateError> {
        let columns = rows.columns().iter().cloned().map(Column::Values).collect();
        FixedRows::of(&rows, columns, key, bytes)
    }

    fn of(rows: &RecordBatch, columns: Vec<Column>, key: &[usize], bytes: usize) -> Result<FixedRows, StateError> {
        let values = |place: &usize| match &columns[*place] {
            Column::Values(values) => values,
            // What they hold is of use without values.
            Column::Near { .. } | Column::Numbers { .. } => rows.column(*place),
        };
        let keys = KeyColumns::of(key.iter().map(|place| columns[*place].held(values(place))), rows.num_rows())?;
        let bytes = bytes + keys.own_bytes();
        Ok(FixedRows { schema: rows.schema(), columns, len: rows.num_rows(), keys, whole: OnceLock::new(), bytes })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn column(&self, column: usize) -> &Column {
        &self.columns[column]
    }

    /// Rows `from..from + length`.
    pub fn part(&self, from: usize, length: usize) -> Result<RecordBatch, StateError> {
        let columns = self.columns.iter().map(|column| column.values(from, length)).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(length));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }

    pub fn all(&self) -> Result<RecordBatch, StateError> {
        self.part(0, self.len)
    }

    pub fn whole(&self) -> Result<&KeyColumns, StateError> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let whole = KeyColumns::new(self.all()?.columns(), self.len())?;
        Ok(self.whole.get_or_init(|| whole))
    }

    /// Memory in bytes, an estimate: what is kept by the rows and their key. Dictionaries are others' too.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zset::text::parse;

    #[test]
    fn a_small_part_does_not_keep_the_whole() {
        let many: String = (0..20_000).map(|n| format!("{n} text{n} +1\n")).collect();
        let all = parse("k int8, v text", &many);
        let (whole, part) = (FixedRows::new(all.rows(), &[0], &[]).unwrap(), FixedRows::new(&all.rows().slice(5, 100), &[0], &[]).unwrap());
        assert!(whole.bytes() >= all.rows().get_array_memory_size());
        assert!(part.bytes() < 8000, "{} bytes", part.bytes());
        assert!(part.keys.equals(7, &whole.keys, 12));
    }

    #[test]
    fn texts_of_a_dictionary_are_not_kept_again() {
        let lines: String = (0..20_000).map(|n| format!("{n} {} text{n} +1\n", "x".repeat(100 + n % 10))).collect();
        let all = parse("k int8, few text, many text", &lines);
        let dictionaries = [None, Some(Arc::new(Dictionary::default())), Some(Arc::new(Dictionary::default()))];
        let rows = FixedRows::new(all.rows(), &[0], &dictionaries).unwrap();
        assert!(matches!(rows.column(1), Column::Numbers { .. }) && matches!(rows.column(2), Column::Values(_)));
        assert_eq!(&rows.all().unwrap(), all.rows());
        assert_eq!(rows.part(11, 7).unwrap(), all.rows().slice(11, 7));
        assert!(rows.bytes() < all.rows().get_array_memory_size() / 2, "{} bytes", rows.bytes());
        assert_eq!(rows.whole().unwrap().hashes(), FixedRows::new(all.rows(), &[0], &[]).unwrap().whole().unwrap().hashes());
    }
}
