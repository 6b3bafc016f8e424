//! The Kafka client: questions to the broker with a bounded wait, and the client's own complaints kept for error reports.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::failure::Asked;
use crate::sources::error::SourceError;
use crate::types::{Report, SqlState};

/// How long one question to the broker may take: a CREATE SOURCE waits for it.
pub const ANSWER: Duration = Duration::from_secs(4);

/// Keeps the last complaint. A broker that is down is complained of every few hundred milliseconds, so each text is
/// logged once until another one comes.
#[derive(Clone, Default)]
pub struct Complaints(Arc<Mutex<Option<String>>>);

impl Complaints {
    pub fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, text: String) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(&text) {
            tracing::debug!("kafka: {text}");
            *last = Some(text);
        }
    }
}

impl ClientContext for Complaints {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => tracing::trace!("kafka: {facility}: {message}"),
            _ => self.note(message.to_string()),
        }
    }

    fn error(&self, _: KafkaError, reason: &str) {
        self.note(reason.to_string());
    }
}

impl ConsumerContext for Complaints {}

pub struct Client {
    pub consumer: BaseConsumer<Complaints>,
    complaints: Complaints,
    topic: String,
    servers: String,
}

impl Client {
    /// Does not connect yet.
    pub fn new(config: &KafkaConfig) -> Result<Client, SourceError> {
        let complaints = Complaints::default();
        let consumer = BaseConsumer::from_config_and_context(&config.client, complaints.clone()).map_err(|error| {
            SourceError::from(
                Report::error(SqlState::INVALID_PARAMETER_VALUE, "the Kafka client refuses its properties").detail(error.to_string()),
            )
        })?;
        Ok(Client { consumer, complaints, topic: config.topic.clone(), servers: config.servers.clone() })
    }

    pub fn asked(&self) -> Asked<'_> {
        Asked { topic: &self.topic, servers: &self.servers, complaint: self.complaints.last() }
    }

    pub fn failure(&self, error: &KafkaError) -> SourceError {
        self.asked().of(error)
    }

    /// The topic's partitions, ascending.
    pub fn partitions(&self, wait: Duration) -> Result<Vec<i32>, SourceError> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), wait).map_err(|e| self.asked().unavailable(e))?;
        let Some(topic) = metadata.topics().iter().find(|t| t.name() == self.topic) else { return Err(self.asked().no_such_topic()) };
        if let Some(error) = topic.error() {
            let code = RDKafkaErrorCode::from(error);
            return Err(match code {
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::InvalidTopic => {
                    self.asked().no_such_topic()
                }
                code => self.failure(&KafkaError::MetadataFetch(code)),
            });
        }
        let mut partitions: Vec<i32> = topic.partitions().iter().map(|p| p.id()).collect();
        partitions.sort_unstable();
        if partitions.is_empty() { Err(self.asked().no_such_topic()) } else { Ok(partitions) }
    }

    /// The first offset that is there, and the one after the last committed one.
    pub fn bounds(&self, partition: i32) -> Result<(i64, i64), SourceError> {
        self.consumer.fetch_watermarks(&self.topic, partition, ANSWER).map_err(|e| self.failure(&e))
    }

    /// The first offset whose record is of that time or later; the end where there is none.
    pub fn offset_at(&self, partition: i32, millis: i64) -> Result<i64, SourceError> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset(&self.topic, partition, Offset::Offset(millis)).map_err(|e| self.failure(&e))?;
        let answer = self.consumer.offsets_for_times(asked, ANSWER).map_err(|e| self.failure(&e))?;
        match answer.find_partition(&self.topic, partition).map(|p| p.offset()) {
            Some(Offset::Offset(offset)) => Ok(offset),
            _ => self.bounds(partition).map(|(_, end)| end),
        }
    }

    /// Reads these partitions from these offsets from now on, and no others.
    pub fn assign(&self, offsets: impl Iterator<Item = (i32, Offset)>) -> Result<(), SourceError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, partition, offset).map_err(|e| self.failure(&e))?;
        }
        self.consumer.assign(&list).map_err(|e| self.failure(&e))
    }

    /// Where the client stands in a partition: past the markers and gaps that it has read over.
    pub fn position(&self, partition: i32) -> Option<i64> {
        match self.consumer.position().ok()?.find_partition(&self.topic, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// Tells the group's coordinator, without waiting for its answer.
    pub fn commit(&self, offsets: impl Iterator<Item = (i32, i64)>) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            if list.add_partition_offset(&self.topic, partition, Offset::Offset(offset)).is_err() {
                return;
            }
        }
        if let Err(error) = self.consumer.commit(&list, rdkafka::consumer::CommitMode::Async) {
            tracing::debug!("kafka: group offsets of topic {} were not committed: {error}", self.topic);
        }
    }
}
