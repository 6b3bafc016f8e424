//! What the Kafka client complains of by itself, kept for error reports.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

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
