//! The Kafka reader: partitions, positions, and the walk from one to the other.
//!
//! 1. `resume` checks every position against what the broker has, and assigns.
//! 2. `poll` takes messages as they come, each to its partition, and decodes what has come.
//! 3. The end of a partition comes with an offset that has passed markers and gaps: it becomes the batch's `next`.
//! 4. Every few seconds the topic's partitions are asked for again; a new one is read from its first record.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::topic_partition_list::Offset;

use super::client::Client;
use super::config::{KafkaConfig, Startup};
use super::inbox::{Arrival, Message};
use crate::sources::error::SourceError;
use crate::sources::format::{Decoder, Record};
use crate::sources::gather::Gather;
use crate::sources::side_by_side::{Decoders, Reading};
use crate::sources::source::{Budget, Source, SourceBatch};
use crate::sources::spec::SourceSpec;
use crate::types::Offsets;

/// How often new partitions are looked for, and how long that may hold up reading.
const REFRESH: Duration = Duration::from_secs(5);
const REFRESH_WAIT: Duration = Duration::from_millis(500);
/// So many messages are taken at once at most. What they come to is known only then.
const AT_ONCE: usize = 4096;
/// Where so many records are known to be in the topic and have not come, the reading goes on for as long: the more records an
/// epoch has, the less each costs, and none of them is new to anybody.
const BEHIND: i64 = 1024;
const GATHERING: Duration = Duration::from_millis(20);
/// Bytes of a record, before there was any.
const MEAN: usize = 4096;

pub struct KafkaSource {
    config: KafkaConfig,
    client: Client,
    decoders: Decoders,
    partitions: BTreeMap<i32, Partition>,
    /// True while a bounded stretch is read again.
    replaying: bool,
    /// Offsets of each partition that no batch goes past, ascending.
    cuts: BTreeMap<i32, Vec<i64>>,
    refreshed: Option<Instant>,
    /// An error that came with records, for the next poll.
    pending: Option<SourceError>,
    /// Bytes of a record, by those that came last.
    mean: usize,
}

struct Partition {
    /// The next offset to read; `None` until the first record of a partition read from its beginning.
    next: Option<i64>,
    /// What was last given out as `next`.
    given: Option<i64>,
    until: Option<i64>,
}

/// Messages of one partition that are decoded at once.
struct Piece<'a, 'i> {
    partition: &'a str,
    messages: &'a mut [Message<'i>],
    bytes: usize,
    next: i64,
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
    pub fn new(spec: &SourceSpec, reading: &Reading) -> Result<KafkaSource, SourceError> {
        let config = KafkaConfig::of(spec)?;
        let (client, decoders) = (Client::new(&config)?, Decoders::new(spec, reading)?);
        let partitions = BTreeMap::new();
        Ok(KafkaSource {
            config,
            client,
            decoders,
            partitions,
            replaying: false,
            cuts: BTreeMap::new(),
            refreshed: None,
            pending: None,
            mean: MEAN,
        })
    }

    /// Adds partitions that were added to the topic. A broker that does not answer now is asked again later.
    ///
    /// # Errors
    /// When partitions that are read are there no more, until they are there again.
    fn refresh(&mut self) -> Result<(), SourceError> {
        if self.replaying || self.refreshed.is_some_and(|at| at.elapsed() < REFRESH) {
            return Ok(());
        }
        self.refreshed = Some(Instant::now());
        let Ok(found) = self.client.partitions_now(REFRESH_WAIT) else { return Ok(()) };
        if let Some(gone) = self.partitions.keys().find(|number| !found.contains(number)) {
            self.refreshed = None;
            return Err(self.client.asked().gone(format!("it has no partition {gone} of this topic")));
        }
        let new: Vec<i32> = found.into_iter().filter(|number| !self.partitions.contains_key(number)).collect();
        if new.is_empty() {
            return Ok(());
        }
        tracing::info!("topic {} has new partitions: {new:?}", self.config.topic);
        self.client.assign(new.iter().map(|number| (*number, Offset::Beginning)))?;
        for number in new {
            self.partitions.insert(number, Partition { next: None, given: None, until: None });
        }
        self.decoders.set_partitions(self.partitions.len());
        Ok(())
    }
}

/// The messages of each partition that are in memory at once.
type Came<'i> = BTreeMap<i32, Vec<Message<'i>>>;

/// The batches of the messages that have come, and of partitions without any that have moved.
fn batches(
    config: &KafkaConfig,
    decoders: &mut Decoders,
    partitions: &mut BTreeMap<i32, Partition>,
    cuts: &BTreeMap<i32, Vec<i64>>,
    (messages, bytes): (&mut Came<'_>, usize),
) -> Result<Vec<SourceBatch>, SourceError> {
    let names: BTreeMap<i32, String> = partitions.keys().map(|number| (*number, number.to_string())).collect();
    let share = usize::div_ceil(bytes, decoders.pieces_of(bytes)).max(1);
    let mut pieces = Vec::new();
    for (number, came) in messages.iter_mut() {
        let (Some(next), Some(partition)) = (partitions.get(number).and_then(|p| p.next), names.get(number)) else { continue };
        let (mut rest, cuts) = (came.as_mut_slice(), cuts.get(number).map_or(&[] as &[i64], Vec::as_slice));
        while let Some(first) = rest.first().map(Message::offset) {
            let cut = cuts.get(cuts.partition_point(|cut| *cut <= first)).copied().unwrap_or(i64::MAX);
            let within = rest.partition_point(|message| message.offset() < cut);
            let mut bytes = 0;
            let end = rest[..within].iter().position(|message| {
                bytes += message.size();
                bytes >= share
            });
            let (messages, others) = rest.split_at_mut(end.map_or(within, |end| end + 1));
            let next = others.first().map_or(next, Message::offset).min(cut);
            pieces.push(Piece { partition, messages, bytes, next });
            rest = others;
        }
    }
    for (number, partition) in partitions.iter() {
        let (Some(next), Some(name)) = (partition.next, names.get(number)) else { continue };
        let told = pieces.iter().rev().find(|piece| piece.partition == name).map(|piece| piece.next).or(partition.given);
        if told != Some(next) {
            pieces.push(Piece { partition: name, messages: &mut [], bytes: 0, next });
        }
    }
    let batches = decoders.decode(pieces, |decoder, piece| piece.decode(decoder, config));
    let batches = batches.into_iter().collect::<Result<Vec<_>, _>>()?;
    partitions.values_mut().for_each(|partition| partition.given = partition.next);
    Ok(batches)
}

impl Piece<'_, '_> {
    fn decode(self, decoder: &mut Decoder, config: &KafkaConfig) -> Result<SourceBatch, SourceError> {
        let mut gather = Gather::of_bytes(self.bytes, decoder, &config.topic, self.partition, config.max_record_bytes)?;
        let wants_headers = decoder.wants_headers();
        for message in self.messages {
            let (offset, size) = (message.offset(), message.size());
            let record = if wants_headers {
                let parsed = message.parsed();
                let (key, value) = (parsed.message.key(), parsed.message.payload());
                Record { key, value, old_key: parsed.header(Record::OLD_KEY), new_key: parsed.header(Record::NEW_KEY) }
            } else {
                Record { key: message.key(), value: message.payload(), ..Record::default() }
            };
            gather.take(decoder, &record, offset, size);
        }
        gather.finish_noted(self.next, decoder)
    }
}

/// Whether a message is wanted; its partition has then passed it.
fn is_wanted(message: &Message<'_>, partition: &mut Partition) -> bool {
    let offset = message.offset();
    if partition.done() || partition.until.is_some_and(|until| offset >= until) {
        partition.advance(offset);
        return false;
    }
    // Never the case with what was assigned once; a record that came twice would count twice.
    if partition.next.is_some_and(|next| offset < next) {
        return false;
    }
    partition.advance(offset + 1);
    true
}

/// Whether much of the topic is still to come.
fn is_behind(client: &Client, config: &KafkaConfig, partitions: &BTreeMap<i32, Partition>) -> bool {
    let left = |(number, partition): (&i32, &Partition)| {
        let end = client.inbox.known_end(&config.topic, *number)?;
        Some(partition.until.map_or(end, |until| until.min(end)).saturating_sub(partition.next?).max(0))
    };
    partitions.iter().filter_map(left).fold(0, i64::saturating_add) >= BEHIND
}

impl Source for KafkaSource {
    fn start(&mut self) -> Result<Offsets, SourceError> {
        let mut offsets = Offsets::default();
        for partition in self.client.partitions()? {
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
        if !self.partitions.is_empty() {
            // A client's partitions are assigned once, so that nothing of a former position comes.
            self.client = Client::new(&self.config)?;
        }
        let found = self.client.partitions()?;
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
            partitions.insert(*number, Partition { next, given: next, until: end });
        }
        self.decoders.set_partitions(found.len());
        self.partitions = partitions;
        self.replaying = until.is_some();
        self.refreshed = Some(Instant::now());
        self.pending = None;
        let reading = self.partitions.iter().filter(|(_, p)| !p.done());
        self.client.assign(reading.map(|(number, p)| (*number, p.next.map_or(Offset::Beginning, Offset::Offset))))
    }

    fn cut_at(&mut self, ends: &[Offsets]) -> bool {
        self.cuts.clear();
        for (name, end) in ends.iter().flat_map(|end| &end.0) {
            // A name that is no number is told of by `resume`.
            if let Ok(number) = name.parse() {
                self.cuts.entry(number).or_default().push(*end);
            }
        }
        self.cuts.values_mut().for_each(|cuts| cuts.sort_unstable());
        true
    }

    fn poll(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError> {
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        self.refresh()?;
        self.client.serve()?;
        let deadline = Instant::now() + budget.wait;
        let (mut records, mut bytes, mut moved) = (0, 0, false);
        let KafkaSource { config, client, decoders, partitions, replaying, cuts, pending, mean, .. } = self;
        let mut messages = Came::new();
        // Until when more is waited for, where much is known to be coming.
        let mut enough = None;
        while records < budget.records.max(1) && bytes < budget.bytes.max(1) {
            if *replaying && partitions.values().all(Partition::done) {
                break;
            }
            let most = (budget.records - records).min(1 + (budget.bytes - bytes) / *mean).clamp(1, AT_ONCE);
            let wait = if records > 0 || moved { Duration::ZERO } else { deadline.saturating_duration_since(Instant::now()) };
            let mut came = client.inbox.take(most, wait);
            if came.is_empty() && records > 0 && is_behind(client, config, partitions) {
                let until = *enough.get_or_insert_with(|| Instant::now() + GATHERING);
                came = client.inbox.take(most, until.saturating_duration_since(Instant::now()));
            }
            if came.is_empty() {
                break;
            }
            for message in came {
                let number = message.partition();
                match (message.arrival(), partitions.get_mut(&number)) {
                    (Arrival::Record, Some(partition)) => {
                        if is_wanted(&message, partition) {
                            records += 1;
                            bytes += message.size();
                            messages.entry(number).or_default().push(message);
                        }
                    }
                    (Arrival::End(offset), Some(partition)) => {
                        let before = partition.next;
                        partition.advance(offset);
                        moved |= partition.next != before;
                    }
                    (Arrival::Failed(error), _) => {
                        pending.get_or_insert(client.failure(&error));
                    }
                    (Arrival::Record | Arrival::End(_), None) => {}
                }
            }
            *mean = bytes.checked_div(records).unwrap_or(*mean).max(1);
            if pending.is_some() {
                break;
            }
        }
        if records == 0
            && !moved
            && let Some(failure) = pending.take()
        {
            return Err(failure);
        }
        batches(config, decoders, partitions, cuts, (&mut messages, bytes))
    }

    fn ends(&mut self) -> Result<Offsets, SourceError> {
        let mut ends = Offsets::default();
        for partition in self.client.partitions()? {
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
