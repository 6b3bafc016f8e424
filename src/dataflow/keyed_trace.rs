//! A trace keyed by any columns of its relation, with rows in the relation's own column order.
//!
//! A [`Trace`] is keyed by its leading columns. This puts the key's columns in front on the way in and back to their
//! places on the way out. A trace without a key has every row under one constant, so that a cross join is a lookup too.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_row::Rows;

use crate::planner::circuit_plan::SortKey;
use crate::state::{Extremes, Leading, Matches, StateError, Trace, TraceSet};
use crate::types::TraceId;
use crate::zset::ZSet;

#[derive(Clone, Debug)]
struct Layout {
    relation: SchemaRef,
    stored: SchemaRef,
    /// The relation's column in each stored place; `None` is the constant.
    order: Arc<[Option<usize>]>,
    /// The stored place of each of the relation's columns.
    places: Arc<[usize]>,
    key: usize,
}

impl Layout {
    /// The columns behind the key begin with those of `by`, each of which is named once and is none of the key's.
    fn new(relation: &SchemaRef, key: &[usize], by: &[usize]) -> Layout {
        let mut order: Vec<Option<usize>> = key.iter().map(|c| Some(*c)).collect();
        if order.is_empty() {
            order.push(None);
        }
        let keys = order.len();
        order.extend(by.iter().map(|c| Some(*c)));
        order.extend((0..relation.fields().len()).filter(|c| !key.contains(c) && !by.contains(c)).map(Some));
        let places = (0..relation.fields().len()).filter_map(|c| order.iter().position(|o| *o == Some(c))).collect();
        let fields: Vec<Field> = order
            .iter()
            .map(|column| match column {
                Some(c) => relation.field(*c).clone(),
                None => Field::new("", DataType::Boolean, true),
            })
            .collect();
        Layout { relation: relation.clone(), stored: Arc::new(Schema::new(fields)), order: order.into(), places, key: keys }
    }

    fn to_stored(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.order.iter().map(|column| match column {
            Some(c) => rows.column(*c).clone(),
            None => constant(rows.num_rows()),
        });
        RecordBatch::try_new(self.stored.clone(), columns.collect())
    }

    fn to_relation(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.places.iter().map(|place| rows.column(*place).clone()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.relation.clone(), columns, &options)
    }

    fn zset(&self, stored: &ZSet) -> Result<ZSet, ArrowError> {
        Ok(stored.with_rows(self.to_relation(stored.rows())?))
    }

    fn probes(&self, keys: &[ArrayRef], count: usize) -> Vec<ArrayRef> {
        if self.order.first() == Some(&None) { vec![constant(count)] } else { keys.to_vec() }
    }
}

fn constant(rows: usize) -> ArrayRef {
    Arc::new(BooleanArray::from(vec![true; rows]))
}

/// A handle; clones are the same trace.
#[derive(Clone)]
pub struct KeyedTrace {
    trace: Trace,
    layout: Layout,
}

impl KeyedTrace {
    /// The trace of that id, with what the store holds of it. `key` are columns of `relation`; it may be empty.
    pub fn new(traces: &TraceSet, id: TraceId, relation: &SchemaRef, key: &[usize]) -> Result<KeyedTrace, StateError> {
        KeyedTrace::in_order(traces, id, relation, key, &[])
    }

    /// The same with the rows of a key in the order of those columns, and then of all others.
    pub fn in_order(
        traces: &TraceSet,
        id: TraceId,
        relation: &SchemaRef,
        key: &[usize],
        order: &[SortKey],
    ) -> Result<KeyedTrace, StateError> {
        // Within a key its columns are the same, and so is one that rows were in the order of before.
        let says = |place: usize, by: &SortKey| !key.contains(&by.column) && order[..place].iter().all(|before| before.column != by.column);
        let order: Vec<&SortKey> = order.iter().enumerate().filter(|(place, by)| says(*place, by)).map(|(_, by)| by).collect();
        let layout = Layout::new(relation, key, &order.iter().map(|by| by.column).collect::<Vec<_>>());
        let order: Vec<SortOptions> =
            order.iter().map(|by| SortOptions { descending: by.descending, nulls_first: by.nulls_first }).collect();
        Ok(KeyedTrace { trace: traces.trace_in_order(id, layout.stored.clone(), layout.key, &order)?, layout })
    }

    /// The relation's schema: that of every row given and taken here.
    pub fn schema(&self) -> &SchemaRef {
        &self.layout.relation
    }

    pub fn insert(&self, delta: &ZSet) -> Result<(), StateError> {
        if delta.is_empty() {
            return Ok(());
        }
        self.trace.insert(&delta.with_rows(self.layout.to_stored(delta.rows())?))
    }

    /// Rows as bytes, which compare as rows of a key lie here. Those of a key are next to each other.
    pub fn encode(&self, rows: &ZSet) -> Result<Rows, StateError> {
        self.trace.encode(&rows.with_rows(self.layout.to_stored(rows.rows())?))
    }

    /// Rows that were bytes.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<RecordBatch, StateError> {
        Ok(self.layout.to_relation(&self.trace.decode(rows)?)?)
    }

    /// Adds weights of rows that are bytes; the first of them that is there less than zero times then, with its weight.
    pub fn add<'a>(&self, delta: impl Iterator<Item = (&'a [u8], i64)> + Clone) -> Result<Option<(&'a [u8], i64)>, StateError> {
        self.trace.add(delta)
    }

    /// The first rows of each of `count` probes, as many as it takes for their weights to come to `limit`.
    pub fn leading(&self, keys: &[ArrayRef], count: usize, limit: i64) -> Result<Leading, StateError> {
        self.trace.leading(&self.layout.probes(keys, count), limit)
    }

    /// All entries under each of `count` probes, which are columns of the key's types in the key's order.
    pub fn lookup(&self, keys: &[ArrayRef], count: usize) -> Result<Matches, StateError> {
        let matches = self.trace.lookup(&self.layout.probes(keys, count))?;
        Ok(Matches { rows: self.layout.zset(&matches.rows)?, probe: matches.probe })
    }

    /// The smallest row of each probe, by the columns behind the key in the relation's order.
    pub fn first(&self, keys: &[ArrayRef], count: usize) -> Result<Extremes, StateError> {
        let extremes = self.trace.first(&self.layout.probes(keys, count))?;
        Ok(Extremes { rows: self.layout.to_relation(&extremes.rows)?, found: extremes.found })
    }

    /// The largest row of each probe.
    pub fn last(&self, keys: &[ArrayRef], count: usize) -> Result<Extremes, StateError> {
        let extremes = self.trace.last(&self.layout.probes(keys, count))?;
        Ok(Extremes { rows: self.layout.to_relation(&extremes.rows)?, found: extremes.found })
    }

    /// Takes every row away; what was taken, with negative weights.
    pub fn clear(&self) -> Result<ZSet, StateError> {
        Ok(self.layout.zset(&self.trace.clear()?)?)
    }

    /// Entries, not weights.
    pub fn len(&self) -> usize {
        self.trace.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn bytes(&self) -> usize {
        self.trace.bytes()
    }
}
