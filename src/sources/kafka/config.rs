//! The options of the kafka connector, and which of librdkafka's properties a definition may set.
//!
//! The list says what may pass, not what may not: librdkafka has properties that load libraries and run programs
//! (`plugin.library.paths`, `sasl.kerberos.kinit.cmd`, `ssl.engine.location`), and who may write SQL may not do that.

use rdkafka::ClientConfig;

use crate::sources::error::SourceError;
use crate::sources::format::decoder::{DEBEZIUM_COLUMN_OPTION, DEBEZIUM_OPTIONS, PLAIN_OPTIONS};
use crate::sources::gather::Gather;
use crate::sources::options::Options;
use crate::sources::spec::{Format, SourceSpec};
use crate::types::{Report, SqlState};

const TOPIC: &str = "topic";
const SERVERS: &str = "properties.bootstrap.servers";
const SERVER: &str = "properties.bootstrap.server";
const GROUP: &str = "properties.group.id";
const STARTUP: &str = "scan.startup.mode";
const STARTUP_TIMESTAMP: &str = "scan.startup.timestamp.millis";

/// Handed to librdkafka as they are, under `properties.`.
pub const PASSED: &[&str] = &[
    "properties.broker.address.family",
    "properties.client.id",
    "properties.client.rack",
    "properties.fetch.max.bytes",
    "properties.fetch.message.max.bytes",
    "properties.fetch.min.bytes",
    "properties.fetch.queue.backoff.ms",
    "properties.fetch.wait.max.ms",
    "properties.max.partition.fetch.bytes",
    "properties.metadata.max.age.ms",
    "properties.queued.max.messages.kbytes",
    "properties.queued.min.messages",
    "properties.receive.message.max.bytes",
    "properties.sasl.mechanism",
    "properties.sasl.mechanisms",
    "properties.sasl.password",
    "properties.sasl.username",
    "properties.security.protocol",
    "properties.socket.connection.setup.timeout.ms",
    "properties.socket.keepalive.enable",
    "properties.socket.timeout.ms",
    "properties.ssl.ca.location",
    "properties.ssl.ca.pem",
    "properties.ssl.certificate.location",
    "properties.ssl.certificate.pem",
    "properties.ssl.endpoint.identification.algorithm",
    "properties.ssl.key.location",
    "properties.ssl.key.password",
    "properties.ssl.key.pem",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Startup {
    Earliest,
    Latest,
    /// The first record of this time or later, in milliseconds since 1970.
    Timestamp(i64),
}

#[derive(Clone, Debug)]
pub struct KafkaConfig {
    pub topic: String,
    pub servers: String,
    /// Where consumed offsets are committed for others to see.
    pub group: Option<String>,
    pub startup: Startup,
    pub max_record_bytes: usize,
    pub client: ClientConfig,
}

impl KafkaConfig {
    pub fn of(spec: &SourceSpec) -> Result<KafkaConfig, SourceError> {
        let options = Options::of(spec);
        let mut known = vec![TOPIC, SERVERS, SERVER, GROUP, STARTUP, STARTUP_TIMESTAMP, Gather::MAX_RECORD_BYTES];
        known.extend(PASSED);
        known.extend(if spec.format == Format::Debezium { DEBEZIUM_OPTIONS } else { PLAIN_OPTIONS });
        options.only(&known, if spec.format == Format::Debezium { &[DEBEZIUM_COLUMN_OPTION] } else { &[] })?;

        let topic = options.required(TOPIC, "orders")?.to_string();
        let servers = match options.get(SERVERS).filter(|s| !s.trim().is_empty()) {
            Some(servers) => servers,
            None => options.required(SERVER, "127.0.0.1:9092")?,
        };
        let group = options.get(GROUP).map(str::trim).filter(|g| !g.is_empty()).map(str::to_string);
        let mode = options.one_of(STARTUP, &["earliest", "earliest-offset", "latest", "latest-offset", "timestamp"])?;
        let millis = options.parsed::<i64>(STARTUP_TIMESTAMP, "milliseconds since 1970")?;
        let startup = match (mode, millis) {
            (Some("latest" | "latest-offset"), None) => Startup::Latest,
            (Some("timestamp"), None) => {
                options.required(STARTUP_TIMESTAMP, "1767225600000")?;
                Startup::Earliest
            }
            (Some("timestamp"), Some(millis)) => Startup::Timestamp(millis),
            (_, None) => Startup::Earliest,
            (_, Some(_)) => return Err(options.invalid(STARTUP_TIMESTAMP, "it needs scan.startup.mode = 'timestamp'")),
        };
        let max_record_bytes = options.parsed(Gather::MAX_RECORD_BYTES, "a number of bytes")?.unwrap_or(Gather::DEFAULT_MAX_RECORD_BYTES);
        let client = client(&options, servers, group.as_deref().unwrap_or("floe"))?;
        Ok(KafkaConfig { topic, servers: servers.to_string(), group, startup, max_record_bytes, client })
    }
}

/// What keeps floe's promises is set last and cannot be set otherwise.
fn client(options: &Options<'_>, servers: &str, group: &str) -> Result<ClientConfig, SourceError> {
    let mut client = ClientConfig::new();
    client.set("client.id", "floe").set("queued.max.messages.kbytes", "32768").set("fetch.wait.max.ms", "100");
    // A queue that was full is filled again at once: by itself the client waits for a second, and what takes a hundred thousand
    // messages in a tenth of that stands idle for the rest.
    client.set("fetch.queue.backoff.ms", "5");
    for (name, value) in options.under("properties.") {
        if PASSED.iter().any(|passed| passed.strip_prefix("properties.") == Some(name)) {
            client.set(name, value.trim());
        }
    }
    client
        .set("bootstrap.servers", servers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false");
    client.create_native_config().map_err(|error| {
        SourceError::from(
            Report::error(SqlState::INVALID_PARAMETER_VALUE, "the Kafka client refuses its properties")
                .detail(error.to_string())
                .hint("The properties and their values are those of librdkafka, each under the prefix properties."),
        )
    })?;
    Ok(client)
}

#[cfg(test)]
mod tests;
