//! The generator as a source: one partition, an offset is a row number.

use std::thread;
use std::time::{Duration, Instant};

use super::config::DatagenConfig;
use super::rows;
use crate::sources::error::SourceError;
use crate::sources::format::{ChangeBuilder, Decoder};
use crate::sources::gather::Gather;
use crate::sources::side_by_side::Reading;
use crate::sources::source::{Budget, Source, SourceBatch};
use crate::sources::spec::SourceSpec;
use crate::types::{Offsets, RelationSchema};
use crate::zset::ChangeOp;

const PARTITION: &str = "0";

pub struct DatagenSource {
    config: DatagenConfig,
    relation: RelationSchema,
    decoder: Decoder,
    next: i64,
    until: Option<i64>,
    /// When reading went on, and at which row: what is due follows from both and the rate.
    resumed: Option<(Instant, i64)>,
}

impl DatagenSource {
    pub fn new(spec: &SourceSpec, reading: &Reading) -> Result<DatagenSource, SourceError> {
        let config = DatagenConfig::of(spec)?;
        let decoder = Decoder::reading(spec, &reading.columns)?;
        Ok(DatagenSource { config, relation: spec.schema.clone(), decoder, next: 0, until: None, resumed: None })
    }

    /// The first row that there is not, or not yet.
    fn due(&self) -> i64 {
        let end = self.config.rows.unwrap_or(i64::MAX);
        let due = match (self.until, self.resumed) {
            (Some(until), _) => until,
            (None, Some((since, first))) => {
                let rows = since.elapsed().as_secs_f64() * self.config.rows_per_second;
                first.saturating_add(rows as i64)
            }
            (None, None) => 0,
        };
        due.min(end)
    }

    /// Appends one row; `Err` when a made-up value does not fit its column, which its settings can bring about.
    fn make(&self, row: i64, builder: &mut ChangeBuilder) -> Result<(), String> {
        let (op, key) = rows::change(&self.config, row);
        let mut rng = rows::rng(self.config.seed, row as u64, 0);
        // Key columns beyond the first depend on the key alone, or a change would miss its row.
        let mut key_rng = rows::rng(self.config.seed, key as u64, 2);
        for (at, column) in self.relation.columns.iter().enumerate() {
            let is_key = self.relation.primary_key.contains(&at);
            let rng = if is_key && self.config.debezium { &mut key_rng } else { &mut rng };
            let value = rows::value(&self.config.fields[at], &column.sql_type, row, key, rng);
            if is_key || op != ChangeOp::Delete {
                builder.push(at, value).map_err(|what| format!("column \"{}\" ({}): {what}", column.name, column.sql_type))?;
            }
        }
        let keyed = !self.relation.primary_key.is_empty();
        builder.keep(if keyed && op == ChangeOp::Insert { ChangeOp::Upsert } else { op });
        Ok(())
    }
}

impl Source for DatagenSource {
    fn start(&mut self) -> Result<Offsets, SourceError> {
        let mut offsets = Offsets::default();
        offsets.set(PARTITION, 0);
        Ok(offsets)
    }

    fn resume(&mut self, from: &Offsets, until: Option<&Offsets>) -> Result<(), SourceError> {
        self.next = from.get(PARTITION).unwrap_or(0).max(0);
        self.until = until.map(|until| until.get(PARTITION).unwrap_or(self.next));
        self.resumed = Some((Instant::now(), self.next));
        Ok(())
    }

    fn poll(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError> {
        let deadline = Instant::now() + budget.wait;
        while self.due() <= self.next {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.until.is_some() || self.finished() {
                return Ok(Vec::new());
            }
            let next_row = Duration::from_secs_f64((1.0 / self.config.rows_per_second).clamp(0.001, 1.0));
            thread::sleep(left.min(next_row));
        }
        let most = i64::try_from(budget.records.max(1)).unwrap_or(i64::MAX);
        let end = self.due().min(self.next.saturating_add(most));
        let mut gather = Gather::new(&self.decoder, "datagen", PARTITION, usize::MAX)?;
        /// What a row counts in a budget of bytes: rows are made, not read, and their size does not matter much.
        const ROW_BYTES: usize = 64;
        while self.next < end && gather.bytes() < budget.bytes.max(1) {
            match self.make(self.next, gather.builder()) {
                Ok(()) => gather.count(1, ROW_BYTES),
                Err(reason) => {
                    gather.builder().take_back();
                    gather.take_dead(&[], self.next, reason);
                }
            }
            self.next += 1;
        }
        Ok(vec![gather.finish(self.next)?])
    }

    fn ends(&mut self) -> Result<Offsets, SourceError> {
        let mut ends = Offsets::default();
        ends.set(PARTITION, self.due().max(self.next));
        Ok(ends)
    }

    fn checkpointed(&mut self, _: &Offsets) {}

    fn finished(&self) -> bool {
        self.until.is_none() && self.config.rows.is_some_and(|rows| self.next >= rows)
    }
}

#[cfg(test)]
mod tests;
