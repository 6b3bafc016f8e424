//! From a definition to a connector at work.

use super::datagen::DatagenSource;
use super::error::SourceError;
use super::file::FileSource;
use super::format::Decoder;
use super::kafka::KafkaSource;
use super::side_by_side::Reading;
use super::source::Source;
use super::spec::{Connector, SourceSpec};

/// Checks all that can be checked without the outside: options, their values, column types.
pub fn validate(spec: &SourceSpec) -> Result<(), SourceError> {
    Decoder::new(spec)?;
    match spec.connector {
        Connector::Kafka => super::kafka::config::KafkaConfig::of(spec).map(|_| ()),
        Connector::File => super::file::config::FileConfig::of(spec).map(|_| ()),
        Connector::Datagen => super::datagen::config::DatagenConfig::of(spec).map(|_| ()),
    }
}

/// Makes the connector. Nothing is read before its `start` or `resume`, which are also where an outside that does not
/// answer shows itself.
///
/// # Errors
/// Those of [`validate`].
pub fn open(spec: &SourceSpec, reading: &Reading) -> Result<Box<dyn Source>, SourceError> {
    Ok(match spec.connector {
        Connector::Kafka => Box::new(KafkaSource::new(spec, reading)?),
        Connector::File => Box::new(FileSource::new(spec, reading)?),
        Connector::Datagen => Box::new(DatagenSource::new(spec, reading)?),
    })
}
