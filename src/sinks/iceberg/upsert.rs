//! A net change, by the sink's key: which rows of earlier commits go, and which rows come.
//!
//! A key has at most one net change in a commit: its old row goes, its new row comes, or both. Rows go from files of
//! earlier commits only, since the delta is consolidated: a commit never deletes what it adds. Two rows that would live
//! on one key stop the sink; the last one never wins in silence.

use std::collections::HashMap;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::fault::{diverged, inconsistent};
use crate::sinks::iceberg::index::Place;
use crate::sinks::sink::KeyIndex;
use crate::types::{RelationSchema, Report};
use crate::zset::{RowCodec, ZSet};

/// The sink's key: its columns in the relation, and their bytes.
pub struct Key {
    columns: Vec<usize>,
    codec: RowCodec,
}

/// What a commit does to the table.
#[derive(Debug, Default)]
pub struct Plan {
    /// Rows of earlier commits that go, in order of file and position.
    pub gone: Vec<Place>,
    /// Positions in the delta of the rows that come, each with its key's bytes.
    pub come: Vec<(u32, Vec<u8>)>,
    /// Keys whose row goes and that get no new one.
    pub left: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Change {
    minus: bool,
    plus: Option<u32>,
    first: usize,
}

impl Key {
    pub fn new(relation: &RelationSchema, columns: &[usize]) -> Result<Key, Report> {
        let fields = columns.iter().filter_map(|p| relation.columns.get(*p)).map(|c| c.sql_type.field(&c.name)).collect::<Vec<_>>();
        Ok(Key { columns: columns.to_vec(), codec: RowCodec::new(Schema::new(fields).into()).map_err(Report::internal)? })
    }

    pub fn plan(&self, delta: &ZSet, index: &dyn KeyIndex) -> Result<Plan, SinkError> {
        let columns: Vec<ArrayRef> = self.columns.iter().map(|p| delta.column(*p).clone()).collect();
        let rows = self.codec.encode(&columns).map_err(Report::internal)?;
        let mut by_key: HashMap<&[u8], usize> = HashMap::new();
        let mut changes: Vec<Change> = Vec::new();
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for (row, weight) in delta.weights().values().iter().enumerate() {
            let bytes = rows.row(row).data();
            let slot = *by_key.entry(bytes).or_insert_with(|| {
                keys.push(bytes.to_vec());
                changes.push(Change { first: row, ..Change::default() });
                keys.len() - 1
            });
            let change = &mut changes[slot];
            match weight {
                1 if change.plus.is_none() => change.plus = Some(row as u32),
                -1 if !change.minus => change.minus = true,
                0 => {}
                n if *n > 0 => return Err(self.not_unique(delta.rows(), row)),
                // Two rows go from one key: it was not unique before, which no commit lets happen.
                _ => return Err(inconsistent(format!("Two rows go at once from the key {}.", self.show(delta.rows(), row)))),
            }
        }
        let places = index.get_many(&keys)?;
        if places.len() != keys.len() {
            return Err(inconsistent(format!("The key index gave {} values for {} keys.", places.len(), keys.len())));
        }
        let mut plan = Plan::default();
        for ((key, change), place) in keys.into_iter().zip(changes).zip(places) {
            match (change.minus, place) {
                (true, Some(place)) => plan.gone.push(Place::decode(&place)?),
                (true, None) => {
                    return Err(inconsistent(format!("A row goes whose key {} has none.", self.show(delta.rows(), change.first))));
                }
                (false, Some(_)) if change.plus.is_some() => return Err(self.not_unique(delta.rows(), change.first)),
                (false, _) => {}
            }
            match change.plus {
                Some(row) => plan.come.push((row, key)),
                None if change.minus => plan.left.push(key),
                None => {}
            }
        }
        plan.gone.sort_unstable();
        if plan.gone.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(inconsistent("Two keys have their row in one place."));
        }
        Ok(plan)
    }

    fn not_unique(&self, rows: &RecordBatch, row: usize) -> SinkError {
        diverged(
            format!("sink key is not unique: {}", self.show(rows, row)),
            "Two rows of the relation have this key at the same time; an upsert sink keeps one row a key.",
            "Make the key unique in the query that the sink reads, or drop the sink and create it with a longer primary_key.",
        )
    }

    /// `(id, tier)=(7, gold)`, as PostgreSQL names keys.
    fn show(&self, rows: &RecordBatch, row: usize) -> String {
        let options = FormatOptions::default().with_null("NULL");
        let schema = rows.schema();
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for position in &self.columns {
            names.push(schema.field(*position).name().clone());
            values.push(match ArrayFormatter::try_new(rows.column(*position), &options) {
                Ok(formatter) => formatter.value(row).to_string(),
                Err(_) => "?".to_string(),
            });
        }
        format!("({})=({})", names.join(", "), values.join(", "))
    }
}

#[cfg(test)]
mod tests;
