//! Which options reach the client library, and which never do.

use super::{KafkaConfig, Startup};
use crate::sources::testing::{parse, schema};
use crate::types::Report;

fn config(options: &[(&str, &str)]) -> Result<KafkaConfig, Report> {
    let mut with = vec![("connector", "kafka")];
    with.extend(options);
    let spec = parse(&with, "plain", schema("id int4", &[])).unwrap();
    KafkaConfig::of(&spec).map_err(|e| e.report())
}

/// With a topic and a server.
fn config_and(options: &[(&str, &str)]) -> Result<KafkaConfig, Report> {
    let mut with = vec![("topic", "t"), ("properties.bootstrap.server", "a:9092")];
    with.extend(options);
    config(&with)
}

#[test]
fn both_spellings_and_what_cannot_be_changed() {
    for server in ["properties.bootstrap.server", "properties.bootstrap.servers"] {
        let config = config(&[("topic", "t"), (server, "a:9092,b:9092")]).unwrap();
        assert_eq!(config.client.get("bootstrap.servers"), Some("a:9092,b:9092"));
        for (name, value) in [
            ("enable.auto.commit", "false"),
            ("isolation.level", "read_committed"),
            ("auto.offset.reset", "error"),
            ("enable.partition.eof", "true"),
        ] {
            assert_eq!(config.client.get(name), Some(value));
        }
        assert_eq!((config.group, config.startup), (None, Startup::Earliest));
    }
}

#[test]
fn what_passes() {
    let config = config_and(&[
        ("properties.security.protocol", "SASL_PLAINTEXT"),
        ("properties.sasl.mechanism", "SCRAM-SHA-256"),
        ("properties.sasl.username", "u"),
        ("properties.sasl.password", "p"),
        ("properties.group.id", "g"),
    ])
    .unwrap();
    assert_eq!(config.client.get("sasl.username"), Some("u"));
    assert_eq!(config.client.get("group.id"), Some("g"));
    assert_eq!(config.group.as_deref(), Some("g"));
}

#[test]
fn what_is_refused() {
    for name in [
        "properties.plugin.library.paths",
        "properties.ssl.engine.location",
        "properties.sasl.kerberos.kinit.cmd",
        "properties.sasl.oauthbearer.config",
        "properties.enable.ssl.certificate.verification",
        "properties.debug",
        "properties.auto.offset.reset",
        "properties.isolation.level",
        "properties.enable.auto.commit",
        "properties.",
        "plugin.library.paths",
        "time.unit.id",
        "decimal.handling.mode",
    ] {
        let report = config_and(&[(name, "x")]).unwrap_err();
        assert_eq!(report.message, format!("unknown option \"{name}\" for connector \"kafka\""));
        assert_eq!(report.sqlstate.0, "22023");
        assert!(report.hint.is_some());
    }
}

#[test]
fn hints() {
    let report = config_and(&[("topik", "x")]).unwrap_err();
    assert_eq!(report.hint.as_deref(), Some("Perhaps you meant \"topic\"."));
    let report = config(&[("properties.bootstrap.server", "a:1")]).unwrap_err();
    assert_eq!(report.message, "connector \"kafka\" needs the option \"topic\"");
    let report = config(&[("topic", "t")]).unwrap_err();
    assert_eq!(report.message, "connector \"kafka\" needs the option \"properties.bootstrap.server\"");
    let report = config_and(&[("properties.security.protocol", "carrier pigeon")]).unwrap_err();
    assert_eq!(report.message, "the Kafka client refuses its properties");
    let report = config_and(&[("scan.startup.mode", "middle")]).unwrap_err();
    assert_eq!(report.message, "invalid value for option \"scan.startup.mode\": \"middle\"");
}

#[test]
fn where_to_start() {
    for (mode, expected) in [("earliest", Startup::Earliest), ("earliest-offset", Startup::Earliest), ("LATEST", Startup::Latest)] {
        assert_eq!(config_and(&[("scan.startup.mode", mode)]).unwrap().startup, expected);
    }
    let timestamp = ("scan.startup.timestamp.millis", "1767225600000");
    let config = config_and(&[("scan.startup.mode", "timestamp"), timestamp]).unwrap();
    assert_eq!(config.startup, Startup::Timestamp(1_767_225_600_000));
    assert!(config_and(&[("scan.startup.mode", "timestamp")]).is_err());
    assert!(config_and(&[timestamp]).is_err());
}
