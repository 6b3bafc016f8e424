//! One partition's records on their way into a [`SourceBatch`]: decoded, or dead with the reason.

use super::error::SourceError;
use super::format::{ChangeBuilder, Decoder, Record};
use super::source::{DeadRecord, SourceBatch};
use crate::types::Report;

pub struct Gather {
    topic: String,
    partition: String,
    builder: ChangeBuilder,
    dead: Vec<DeadRecord>,
    records: usize,
    bytes: usize,
    max_record_bytes: usize,
}

impl Gather {
    /// The part of an oversized record that its dead letter keeps.
    pub const RAW_KEPT: usize = 64 * 1024;
    pub const MAX_RECORD_BYTES: &'static str = "max.record.bytes";
    pub const DEFAULT_MAX_RECORD_BYTES: usize = 16 << 20;

    pub fn new(decoder: &Decoder, topic: &str, partition: &str, max_record_bytes: usize) -> Result<Gather, SourceError> {
        Gather::of_bytes(0, decoder, topic, partition, max_record_bytes)
    }

    /// [`Gather::new`] for about so many bytes of records.
    pub fn of_bytes(bytes: usize, decoder: &Decoder, topic: &str, partition: &str, max_record_bytes: usize) -> Result<Gather, SourceError> {
        Ok(Gather {
            topic: topic.to_string(),
            partition: partition.to_string(),
            builder: decoder.builder_for(bytes)?,
            dead: Vec::new(),
            records: 0,
            bytes: 0,
            max_record_bytes,
        })
    }

    /// Takes one record at `offset`; `size` is what it counts in the budget.
    pub fn take(&mut self, decoder: &mut Decoder, record: &Record<'_>, offset: i64, size: usize) {
        self.records += 1;
        self.bytes += size;
        let raw = record.value.or(record.key).unwrap_or_default();
        if raw.len() > self.max_record_bytes {
            return self.oversized(raw, offset);
        }
        if let Err(reason) = decoder.decode(record, &mut self.builder) {
            self.bury(raw, offset, reason);
        }
    }

    /// Takes the line that begins at `from`, if it looks as one did before; its end. Not for lines that may be over the limit.
    #[inline]
    pub fn follow_line(&mut self, decoder: &mut Decoder, lines: &[u8], from: usize) -> Option<usize> {
        let end = decoder.follow_line(lines, from, &mut self.builder)?;
        self.records += 1;
        self.bytes += end + 1 - from;
        Some(end)
    }

    /// Takes a record that is over the limit, given its beginning or all of it.
    pub fn take_oversized(&mut self, raw: &[u8], offset: i64, size: usize) {
        self.records += 1;
        self.bytes += size;
        self.oversized(raw, offset);
    }

    /// Takes a record that the connector itself could not read.
    pub fn take_dead(&mut self, raw: &[u8], offset: i64, reason: String) {
        self.records += 1;
        self.bytes += raw.len();
        self.bury(raw, offset, reason);
    }

    fn oversized(&mut self, raw: &[u8], offset: i64) {
        let reason = format!("larger than {} bytes (option {}); its beginning is kept", self.max_record_bytes, Self::MAX_RECORD_BYTES);
        self.bury(&raw[..raw.len().min(Self::RAW_KEPT)], offset, reason);
    }

    fn bury(&mut self, raw: &[u8], offset: i64, reason: String) {
        let (topic, partition) = (self.topic.clone(), self.partition.clone());
        self.dead.push(DeadRecord { topic, partition, offset, raw: raw.to_vec(), reason });
    }

    pub fn builder(&mut self) -> &mut ChangeBuilder {
        &mut self.builder
    }

    #[inline]
    pub fn records(&self) -> usize {
        self.records
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts records that were made rather than read.
    pub fn count(&mut self, records: usize, bytes: usize) {
        self.records += records;
        self.bytes += bytes;
    }

    /// [`Gather::finish`] of what the decoder has made, which remembers how much it was.
    pub fn finish_noted(&mut self, next: i64, decoder: &mut Decoder) -> Result<SourceBatch, SourceError> {
        decoder.note(self.builder.sizes(self.bytes));
        self.finish(next)
    }

    /// All that was taken, with the offset after it; empty again.
    pub fn finish(&mut self, next: i64) -> Result<SourceBatch, SourceError> {
        let changes = self.builder.finish().map_err(Report::internal)?;
        Ok(SourceBatch {
            partition: self.partition.clone(),
            next,
            changes,
            dead: std::mem::take(&mut self.dead),
            records: std::mem::take(&mut self.records),
            bytes: std::mem::take(&mut self.bytes),
        })
    }
}
