//! Kafka's errors in floe's words: what may pass, and what only the user can decide.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::sources::error::SourceError;
use crate::types::{Report, SqlState};

/// Who was asked, for the messages.
pub struct Asked<'a> {
    pub topic: &'a str,
    pub servers: &'a str,
    /// What the client last complained of: the reason behind a bare transport failure.
    pub complaint: Option<String>,
}

impl Asked<'_> {
    pub fn unavailable(&self, what: impl std::fmt::Display) -> SourceError {
        let complaint = self.complaint.as_ref().map(|c| format!("; {c}")).unwrap_or_default();
        SourceError::Unavailable {
            message: format!("could not reach the Kafka broker at \"{}\"", self.servers),
            detail: format!("{what}{complaint}"),
            hint: "Check that the broker runs, that properties.bootstrap.server names it, and that the address it advertises is reachable from here."
                .into(),
        }
    }

    pub fn no_such_topic(&self) -> SourceError {
        Report::error(SqlState::UNDEFINED_OBJECT, format!("topic \"{}\" does not exist", self.topic))
            .detail(format!("The broker at \"{}\" answers and has no topic of this name.", self.servers))
            .hint("Create the topic, or check the name: Debezium's topics are called <topic.prefix>.<schema>.<table>.")
            .into()
    }

    pub fn lost(&self, detail: String) -> SourceError {
        SourceError::Lost {
            message: format!("records of topic \"{}\" that are needed are gone", self.topic),
            detail,
            hint: "The topic was truncated, re-created, or its retention passed while floe was away. Drop the source and create it again to start from what is there."
                .into(),
        }
    }

    /// What was read is not in the topic now.
    pub fn gone(&self, what: impl std::fmt::Display) -> SourceError {
        SourceError::Unavailable {
            message: format!("topic \"{}\" is not there", self.topic),
            detail: format!("The broker at \"{}\" says: {what}", self.servers),
            hint: "If the topic was deleted, drop the source; if the broker is starting, this passes.".into(),
        }
    }

    pub fn of(&self, error: &KafkaError) -> SourceError {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset) => {
                self.lost("The broker no longer has the offset from which reading has to go on.".into())
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition) => {
                self.gone(error)
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed) => {
                Report::error(SqlState::INSUFFICIENT_PRIVILEGE, format!("permission denied for topic \"{}\"", self.topic))
                    .detail(error.to_string())
                    .hint("Grant the user of properties.sasl.username the right to read the topic.")
                    .into()
            }
            _ => self.unavailable(error),
        }
    }
}
