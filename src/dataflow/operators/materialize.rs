//! Materialize: the sum of a view's changes, kept to be read, and to give a later view its past.

use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::dataflow::keyed_trace::KeyedTrace;
use crate::state::TraceSet;
use crate::types::TraceId;
use crate::zset::Delta;

pub struct Materialize {
    trace: KeyedTrace,
}

impl Materialize {
    /// The result under `id`. With `key` columns rows are found by them; without, by the whole row.
    pub fn new(traces: &TraceSet, id: TraceId, schema: &SchemaRef, key: &[usize]) -> Result<Materialize, DataflowError> {
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let key = if key.is_empty() { &all } else { key };
        Ok(Materialize { trace: KeyedTrace::new(traces, id, schema, key)? })
    }

    /// Adds one epoch's change.
    pub fn step(&mut self, delta: &Delta) -> Result<(), DataflowError> {
        Ok(self.trace.insert(&delta.0)?)
    }

    pub fn trace(&self) -> &KeyedTrace {
        &self.trace
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
        Materialize::new(&traces, TraceId::new(ObjectId(1), 0), &parse(COLUMNS, "").schema(), key).unwrap()
    }

    fn whole(view: &Materialize) -> String {
        let chunks = view.trace().snapshot().chunks(1).map(|chunk| chunk.unwrap()).collect::<Vec<_>>();
        print(&ZSet::concat(view.trace().schema(), &chunks).unwrap())
    }

    #[test]
    fn rows_are_summed_and_nulls_are_rows() {
        let mut view = materialize(&[]);
        view.step(&Delta(parse(COLUMNS, "1 a +1\nNULL NULL +1\n2 b +1"))).unwrap();
        let before = view.trace().snapshot();
        view.step(&Delta(parse(COLUMNS, "1 a -1\nNULL NULL +1\n3 a +1"))).unwrap();
        assert_eq!(whole(&view), "2 b +1\n3 a +1\nNULL NULL +2\n");
        assert_eq!(before.len(), 3, "a snapshot does not follow");
        view.step(&Delta(parse(COLUMNS, "2 b -2"))).unwrap();
        assert!(view.trace().snapshot().chunks(9).any(|chunk| chunk.is_err()), "a row less than zero times is told");
    }

    #[test]
    fn rows_are_found_by_key_in_the_views_own_column_order() {
        let mut view = materialize(&[1]);
        view.step(&Delta(parse(COLUMNS, "2 b +1\n1 a +1\n3 a +2"))).unwrap();
        assert_eq!(whole(&view), "1 a +1\n3 a +2\n2 b +1\n");
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["b", "x", "a"]));
        let found = view.trace().snapshot().lookup(&[keys], 3).unwrap();
        assert_eq!(found.probe.values(), &[0, 2, 2]);
        assert_eq!(print(&found.rows), "2 b +1\n1 a +1\n3 a +2\n");
    }
}
