//! The Kafka reader: partitions, positions, and the walk from one to the other.
//!
//! 1. `resume` checks every position against what the broker has, and assigns.
//! 2. `poll` decodes messages as they come, each into its partition's batch.
//! 3. At the end of a partition the client's position, which has passed markers and gaps, becomes the batch's `next`.
//! 4. Every few seconds the topic's partitions are asked for again; a new one is read from its first record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::Offset;

use super::client::{ANSWER, Client};
use super::config::{KafkaConfig, Startup};
use crate::sources::error::SourceError;
use crate::sources::format::{Decoder, Record};
use crate::sources::gather::Gather;
use crate::sources::source::{Budget, Source, SourceBatch};
use crate::sources::spec::SourceSpec;
use crate::types::Offsets;

/// How often new partitions are looked for, and how long that may hold up reading.
const REFRESH: Duration = Duration::from_secs(5);
const REFRESH_WAIT: Duration = Duration::from_millis(500);

pub struct KafkaSource {
    config: KafkaConfig,
    client: Client,
    decoder: Decoder,
    partitions: BTreeMap<i32, Partition>,
    /// True while a bounded stretch is read again.
    replaying: bool,
    refreshed: Option<Instant>,
    /// An error that came behind records, for the next poll.
    pending: Option<SourceError>,
}

struct Partition {
    /// The next offset to read; `None` until the first record of a partition read from its beginning.
    next: Option<i64>,
    /// What was last given out as `next`.
    given: Option<i64>,
    until: Option<i64>,
    gather: Gather,
}

impl Partition {
    fn done(&self) -> bool {
        matches!((self.next, self.until), (Some(next), Some(until)) if next >= until)
    }

    /// Moves on to `next`, never past the stretch's end.
    fn advance(&mut self, next: i64) {
        let next = self.until.map_or(next, |until| next.min(until));
        self.next = Some(self.next.map_or(next, |at| at.max(next)));
    }
}

impl KafkaSource {
    pub fn new(spec: &SourceSpec) -> Result<KafkaSource, SourceError> {
        let config = KafkaConfig::of(spec)?;
        let (client, decoder) = (Client::new(&config)?, Decoder::new(spec)?);
        Ok(KafkaSource { config, client, decoder, partitions: BTreeMap::new(), replaying: false, refreshed: None, pending: None })
    }

    fn partition(&self, next: Option<i64>, until: Option<i64>, number: i32) -> Result<Partition, SourceError> {
        let gather = Gather::new(&self.decoder, &self.config.topic, &number.to_string(), self.config.max_record_bytes)?;
        Ok(Partition { next, given: next, until, gather })
    }

    fn assign(&self) -> Result<(), SourceError> {
        let reading = self.partitions.iter().filter(|(_, p)| !p.done());
        self.client.assign(reading.map(|(number, p)| (*number, p.next.map_or(Offset::Beginning, Offset::Offset))))
    }

    /// Adds partitions that were added to the topic. A broker that does not answer now is asked again later.
    fn refresh(&mut self) -> Result<(), SourceError> {
        if self.replaying || self.refreshed.is_some_and(|at| at.elapsed() < REFRESH) {
            return Ok(());
        }
        self.refreshed = Some(Instant::now());
        let Ok(found) = self.client.partitions(REFRESH_WAIT) else { return Ok(()) };
        let new: Vec<i32> = found.into_iter().filter(|number| !self.partitions.contains_key(number)).collect();
        if new.is_empty() {
            return Ok(());
        }
        tracing::info!("topic {} has new partitions: {new:?}", self.config.topic);
        for number in new {
            let partition = self.partition(None, None, number)?;
            self.partitions.insert(number, partition);
        }
        self.decoder.set_partitions(self.partitions.len());
        self.assign()
    }

    /// What the partitions gathered, and where those without records have moved.
    fn batches(&mut self) -> Result<Vec<SourceBatch>, SourceError> {
        let mut batches = Vec::new();
        for partition in self.partitions.values_mut() {
            if let Some(next) = partition.next
                && (partition.gather.records() > 0 || partition.given != Some(next))
            {
                partition.given = Some(next);
                batches.push(partition.gather.finish(next)?);
            }
        }
        Ok(batches)
    }
}

/// Decodes one message into its partition. False when it is past the stretch that is read.
fn take(message: &BorrowedMessage<'_>, partition: &mut Partition, decoder: &mut Decoder) -> bool {
    let offset = message.offset();
    if partition.done() || partition.until.is_some_and(|until| offset >= until) {
        partition.advance(offset);
        return false;
    }
    // After a new assignment the client may still bring what the former one had fetched.
    if partition.next.is_some_and(|next| offset < next) {
        return false;
    }
    let header = |name: &str| {
        let headers = message.headers()?;
        headers.iter().find(|h| h.key == name).and_then(|h| h.value)
    };
    let (key, value) = (message.key(), message.payload());
    let record = Record { key, value, old_key: header(Record::OLD_KEY), new_key: header(Record::NEW_KEY) };
    let size = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
    partition.gather.take(decoder, &record, offset, size);
    partition.advance(offset + 1);
    true
}

impl Source for KafkaSource {
    fn start(&mut self) -> Result<Offsets, SourceError> {
        let mut offsets = Offsets::default();
        for partition in self.client.partitions(ANSWER)? {
            let offset = match self.config.startup {
                Startup::Earliest => self.client.bounds(partition)?.0,
                Startup::Latest => self.client.bounds(partition)?.1,
                Startup::Timestamp(millis) => self.client.offset_at(partition, millis)?,
            };
            offsets.set(partition.to_string(), offset);
        }
        Ok(offsets)
    }

    fn resume(&mut self, from: &Offsets, until: Option<&Offsets>) -> Result<(), SourceError> {
        let found = self.client.partitions(ANSWER)?;
        if let Some(gone) = from.0.keys().find(|name| !found.iter().any(|number| number.to_string() == **name)) {
            return Err(self.client.asked().lost(format!("Partition {gone} of the topic is no longer there.")));
        }
        let mut partitions = BTreeMap::new();
        for number in &found {
            let name = number.to_string();
            let end = until.and_then(|until| until.get(&name));
            if until.is_some() && end.is_none() {
                continue;
            }
            let next = from.get(&name);
            let (low, high) = self.client.bounds(*number)?;
            // Nothing was ever read before offset 0, so a stretch that starts there is wanted whole.
            let first = next.unwrap_or(if end.is_some() { 0 } else { low });
            let needed = end.is_none_or(|end| end > first);
            if needed && first < low && (next.is_some() || low > 0) {
                let detail = format!("Partition {number} has to be read from offset {first}; the first one there is {low}.");
                return Err(self.client.asked().lost(detail));
            }
            if let Some(beyond) = [Some(first), end].into_iter().flatten().find(|offset| *offset > high) {
                let detail = format!("Partition {number} was read up to offset {beyond}; the topic now ends at {high}.");
                return Err(self.client.asked().lost(detail));
            }
            partitions.insert(*number, self.partition(next, end, *number)?);
        }
        self.decoder.set_partitions(found.len());
        self.partitions = partitions;
        self.replaying = until.is_some();
        self.refreshed = Some(Instant::now());
        self.pending = None;
        self.assign()
    }

    fn poll(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        self.refresh()?;
        let deadline = Instant::now() + budget.wait;
        let (mut records, mut bytes, mut moved) = (0, 0, false);
        while records < budget.records.max(1) && bytes < budget.bytes.max(1) {
            if self.replaying && self.partitions.values().all(Partition::done) {
                break;
            }
            let wait = if records > 0 || moved { Duration::ZERO } else { deadline.saturating_duration_since(Instant::now()) };
            match self.client.consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    let Some(partition) = self.partitions.get_mut(&message.partition()) else { continue };
                    if take(&message, partition, &mut self.decoder) {
                        records += 1;
                        bytes += message.payload_len() + message.key_len();
                    }
                }
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    let position = self.client.position(number);
                    if let (Some(partition), Some(position)) = (self.partitions.get_mut(&number), position)
                        && partition.next != Some(position)
                    {
                        partition.advance(position);
                        moved = true;
                    }
                }
                Some(Err(error)) => {
                    let failure = self.client.failure(&error);
                    if records == 0 && !moved {
                        return Err(failure);
                    }
                    self.pending = Some(failure);
                    break;
                }
            }
        }
        self.batches()
    }

    fn ends(&mut self) -> Result<Offsets, SourceError> {
        let mut ends = Offsets::default();
        for partition in self.client.partitions(ANSWER)? {
            ends.set(partition.to_string(), self.client.bounds(partition)?.1);
        }
        Ok(ends)
    }

    fn checkpointed(&mut self, offsets: &Offsets) {
        if self.config.group.is_some() {
            let numbered = offsets.0.iter().filter_map(|(name, next)| Some((name.parse::<i32>().ok()?, *next)));
            self.client.commit(numbered);
        }
    }

    fn finished(&self) -> bool {
        false
    }
}
