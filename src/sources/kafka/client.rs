//! The Kafka client: questions to the broker with a bounded wait, and the partitions that it reads.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::complaints::Complaints;
use super::config::KafkaConfig;
use super::failure::Asked;
use super::inbox::Inbox;
use crate::sources::error::SourceError;
use crate::types::{Report, SqlState};

/// How long one question to the broker may take: a CREATE SOURCE waits for it.
const ANSWER: Duration = Duration::from_secs(4);

pub struct Client {
    consumer: Arc<BaseConsumer<Complaints>>,
    /// Where records come in.
    pub inbox: Inbox,
    complaints: Complaints,
    topic: String,
    servers: String,
}

impl Client {
    /// Does not connect yet.
    pub fn new(config: &KafkaConfig) -> Result<Client, SourceError> {
        let complaints = Complaints::default();
        let refused = |what: String| {
            SourceError::from(Report::error(SqlState::INVALID_PARAMETER_VALUE, "the Kafka client refuses its properties").detail(what))
        };
        let consumer = BaseConsumer::from_config_and_context(&config.client, complaints.clone()).map_err(|e| refused(e.to_string()))?;
        let consumer = Arc::new(consumer);
        let inbox = Inbox::new(consumer.clone()).ok_or_else(|| refused("it gives no queue".into()))?;
        Ok(Client { consumer, inbox, complaints, topic: config.topic.clone(), servers: config.servers.clone() })
    }

    pub fn asked(&self) -> Asked<'_> {
        Asked { topic: &self.topic, servers: &self.servers, complaint: self.complaints.last() }
    }

    pub fn failure(&self, error: &KafkaError) -> SourceError {
        self.asked().of(error)
    }

    /// The topic's partitions, ascending.
    pub fn partitions(&self) -> Result<Vec<i32>, SourceError> {
        let partitions = self.partitions_now(ANSWER)?;
        if partitions.is_empty() { Err(self.asked().no_such_topic()) } else { Ok(partitions) }
    }

    /// [`Client::partitions`] that the broker knows now: none when it knows no such topic.
    pub fn partitions_now(&self, wait: Duration) -> Result<Vec<i32>, SourceError> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), wait).map_err(|e| self.asked().unavailable(e))?;
        let Some(topic) = metadata.topics().iter().find(|t| t.name() == self.topic) else { return Ok(Vec::new()) };
        if let Some(error) = topic.error() {
            let code = RDKafkaErrorCode::from(error);
            return match code {
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::InvalidTopic => {
                    Ok(Vec::new())
                }
                code => Err(self.failure(&KafkaError::MetadataFetch(code))),
            };
        }
        let mut partitions: Vec<i32> = topic.partitions().iter().map(|p| p.id()).collect();
        partitions.sort_unstable();
        Ok(partitions)
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

    /// Reads these partitions too, from these offsets on.
    pub fn assign(&self, offsets: impl Iterator<Item = (i32, Offset)>) -> Result<(), SourceError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            self.inbox.forward(&self.topic, partition).map_err(|e| self.failure(&e))?;
            list.add_partition_offset(&self.topic, partition, offset).map_err(|e| self.failure(&e))?;
        }
        self.consumer.incremental_assign(&list).map_err(|e| self.failure(&e))
    }

    /// Lets the client do what has to be done beside reading.
    ///
    /// # Errors
    /// What the client complains of since the last time, one at a time.
    pub fn serve(&self) -> Result<(), SourceError> {
        match self.consumer.poll(Duration::ZERO) {
            None => Ok(()),
            Some(Err(error)) => Err(self.failure(&error)),
            // A record that is not read where it comes would be missing.
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                Err(Report::internal(format!("offset {offset} of partition {partition} came past the inbox")).into())
            }
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
