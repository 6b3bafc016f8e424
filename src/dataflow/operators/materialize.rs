//! Materialize: the sum of a relation's changes, kept to be read, and to give a later view its past.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::state::{Appended, AppendedSnapshot, Arrangement, ArrangementSnapshot, Find, Matches, StateError, TraceSet};
use crate::types::TraceId;
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, ZSet};

/// A handle; clones are the same rows.
#[derive(Clone)]
pub enum Materialize {
    Arranged(Arrangement),
    /// Rows without a key that only come.
    Growing(Appended, SchemaRef),
}

/// What a relation held at one moment.
#[derive(Clone, Debug)]
pub enum Materialized {
    Arranged(ArrangementSnapshot),
    Growing(AppendedSnapshot, SchemaRef),
}

impl Materialize {
    /// The result under `id`. With `key` columns rows are found by them; without, by the whole row. `append_only`: rows
    /// only come.
    pub fn new(traces: &TraceSet, id: TraceId, schema: &SchemaRef, key: &[usize], append_only: bool) -> Result<Materialize, DataflowError> {
        if append_only && key.is_empty() {
            return Ok(Materialize::Growing(traces.appended(id, schema.clone())?, schema.clone()));
        }
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let key = if key.is_empty() { &all } else { key };
        Ok(Materialize::Arranged(traces.arrangement(id, schema.clone(), key, Find::ByKey)?))
    }

    /// Adds one epoch's change.
    pub fn step(&self, delta: &Delta) -> Result<(), DataflowError> {
        match self {
            Materialize::Arranged(rows) => rows.insert(&fitted(&rows.schema(), &delta.0)?)?,
            Materialize::Growing(rows, _) => rows.insert(&delta.0)?,
        }
        Ok(())
    }

    /// [`Materialize::step`] for a change that has no row twice.
    pub fn step_distinct(&self, delta: &Delta) -> Result<(), DataflowError> {
        match self {
            Materialize::Arranged(rows) => rows.insert_distinct(&fitted(&rows.schema(), &delta.0)?)?,
            Materialize::Growing(rows, _) => rows.insert(&delta.0)?,
        }
        Ok(())
    }

    pub fn snapshot(&self) -> Materialized {
        match self {
            Materialize::Arranged(rows) => Materialized::Arranged(rows.snapshot()),
            Materialize::Growing(rows, schema) => Materialized::Growing(rows.snapshot(), schema.clone()),
        }
    }
}

/// The rows in canonical form under the relation's own schema.
fn fitted(schema: &SchemaRef, zset: &ZSet) -> Result<ZSet, DataflowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(zset.len()));
    let columns = zset.rows().columns().iter().map(canonical).collect();
    Ok(zset.with_rows(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?))
}

impl Materialized {
    pub fn schema(&self) -> &SchemaRef {
        match self {
            Materialized::Arranged(snapshot) => snapshot.schema(),
            Materialized::Growing(_, schema) => schema,
        }
    }

    /// Entries, not weights.
    pub fn len(&self) -> usize {
        match self {
            Materialized::Arranged(snapshot) => snapshot.len(),
            Materialized::Growing(snapshot, _) => snapshot.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns that rows are found by; none where they are not.
    pub fn key(&self) -> &[usize] {
        match self {
            Materialized::Arranged(snapshot) => snapshot.key(),
            Materialized::Growing(..) => &[],
        }
    }

    /// All entries, at most `rows` at a time, of those columns or of all. The iterator holds the snapshot itself.
    pub fn chunks(&self, rows: usize, columns: Option<&[usize]>) -> Box<dyn Iterator<Item = Result<ZSet, StateError>> + Send> {
        match self {
            Materialized::Arranged(snapshot) => Box::new(snapshot.chunks(rows, columns)),
            Materialized::Growing(snapshot, _) => Box::new(snapshot.chunks(rows, columns)),
        }
    }

    /// All entries under each of `count` probes of the relation's key.
    ///
    /// # Errors
    /// `Misuse` for a relation without one.
    pub fn lookup(&self, keys: &[ArrayRef], count: usize) -> Result<Matches, StateError> {
        match self {
            Materialized::Arranged(snapshot) => snapshot.lookup(keys, count),
            Materialized::Growing(..) => Err(StateError::Misuse("a relation without a key was asked for one".to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringArray};

    use super::*;
    use crate::state::Store;
    use crate::types::ObjectId;
    use crate::zset::ZSet;
    use crate::zset::text::{parse, print};

    const COLUMNS: &str = "v int8, k text";

    fn materialize(key: &[usize]) -> Materialize {
        let traces = TraceSet::new(Arc::new(Store::memory()));
        Materialize::new(&traces, TraceId::new(ObjectId(1), 0), &parse(COLUMNS, "").schema(), key, false).unwrap()
    }

    fn whole(view: &Materialize) -> String {
        let chunks = view.snapshot().chunks(1, None).map(|chunk| chunk.unwrap()).collect::<Vec<_>>();
        print(&ZSet::concat(view.snapshot().schema(), &chunks).unwrap().consolidate().unwrap())
    }

    #[test]
    fn rows_are_summed_and_nulls_are_rows() {
        let view = materialize(&[]);
        view.step(&Delta(parse(COLUMNS, "1 a +1\nNULL NULL +1\n2 b +1"))).unwrap();
        let before = view.snapshot();
        view.step(&Delta(parse(COLUMNS, "1 a -1\nNULL NULL +1\n3 a +1"))).unwrap();
        assert_eq!(whole(&view), "2 b +1\n3 a +1\nNULL NULL +2\n");
        assert_eq!(before.len(), 3, "a snapshot does not follow");
        view.step(&Delta(parse(COLUMNS, "2 b -2"))).unwrap();
        assert!(view.snapshot().chunks(9, None).any(|chunk| chunk.is_err()), "a row less than zero times is told");
    }

    #[test]
    fn rows_are_found_by_key_in_the_views_own_column_order() {
        let view = materialize(&[1]);
        view.step(&Delta(parse(COLUMNS, "2 b +1\n1 a +1\n3 a +2"))).unwrap();
        assert_eq!(whole(&view), "1 a +1\n2 b +1\n3 a +2\n");
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["b", "x", "a"]));
        let found = view.snapshot().lookup(&[keys], 3).unwrap();
        assert_eq!(found.probe.values(), &[0, 2, 2]);
        assert_eq!(print(&found.rows), "2 b +1\n3 a +2\n1 a +1\n");
    }
}
