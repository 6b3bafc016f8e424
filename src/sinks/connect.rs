//! From a definition to a sink: the one place that knows which connectors there are.

use crate::sinks::blackhole::Blackhole;
use crate::sinks::error::SinkError;
use crate::sinks::iceberg::sink::IcebergSink;
use crate::sinks::sink::Sink;
use crate::sinks::spec::SinkSpec;
use crate::types::{Report, SqlState};

/// A new sink, at CREATE SINK: checks the options, connects, creates the target if asked and checks that it fits.
///
/// # Errors
/// [`SinkError::Definition`] when the definition is wrong or does not fit the target, [`SinkError::Unavailable`] when the
/// target does not answer.
pub async fn create(spec: &SinkSpec) -> Result<Box<dyn Sink>, SinkError> {
    spec.commit_interval()?;
    match spec.connector.as_str() {
        "iceberg" => Ok(Box::new(IcebergSink::create(spec).await?)),
        "blackhole" => Ok(Box::new(Blackhole::new(spec)?)),
        other => Err(unknown(other).into()),
    }
}

/// A sink that exists, at a restart. Does not connect: a target that is down shows itself as [`SinkError::Unavailable`]
/// when the sink is used.
pub async fn open(spec: &SinkSpec) -> Result<Box<dyn Sink>, SinkError> {
    match spec.connector.as_str() {
        "iceberg" => Ok(Box::new(IcebergSink::open(spec)?)),
        "blackhole" => Ok(Box::new(Blackhole::new(spec)?)),
        other => Err(unknown(other).into()),
    }
}

/// Whether nothing of what such a sink is given is ever used: then nothing has to be kept for it.
pub fn discards(connector: &str) -> bool {
    connector == "blackhole"
}

fn unknown(connector: &str) -> Report {
    Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("unrecognized connector \"{connector}\" for a sink"))
        .hint("Sinks have the connectors 'iceberg' and 'blackhole'.")
}
