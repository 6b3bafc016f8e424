//! Definitions that are refused, and the words that go with it.

use std::collections::BTreeMap;

use super::SourceSpec;
use crate::sources::testing::{parse, schema};
use crate::types::{RelationSchema, Report};

fn refused(connector: Option<&str>, format: &str, encode: &str, schema: RelationSchema) -> Report {
    let mut options = BTreeMap::from([("path".to_string(), "/data/x.jsonl".to_string())]);
    options.extend(connector.map(|c| ("connector".to_string(), c.to_string())));
    SourceSpec::parse("s", &options, format, encode, schema)
        .and_then(|spec| crate::sources::validate(&spec))
        .expect_err("a definition to refuse")
        .report()
}

#[test]
fn reasons() {
    let plain = || schema("id int4", &[]);
    for (report, sqlstate, message) in [
        (refused(None, "plain", "json", plain()), "22023", "source \"s\" has no connector"),
        (refused(Some("pigeon"), "plain", "json", plain()), "22023", "unknown connector \"pigeon\""),
        (refused(Some("file"), "upsert", "json", plain()), "0A000", "FORMAT UPSERT is not supported"),
        (refused(Some("file"), "plain", "avro", plain()), "0A000", "ENCODE AVRO is not supported"),
        (refused(Some("file"), "debezium", "json", plain()), "42P16", "source \"s\" with FORMAT DEBEZIUM needs a primary key"),
        (refused(Some("kafka"), "plain", "json", plain()), "22023", "unknown option \"path\" for connector \"kafka\""),
        (
            refused(Some("file"), "plain", "json", schema("id int4, o oid", &[])),
            "0A000",
            "column \"o\" has type oid, which ENCODE JSON cannot hold",
        ),
    ] {
        assert_eq!((report.sqlstate.0, report.message.as_str()), (sqlstate, message));
        assert!(report.hint.is_some(), "{message}");
    }
}

#[test]
fn names_are_folded_and_defaults_taken() {
    let spec = parse(&[("Connector", "FILE"), ("PATH", "/data/X.jsonl")], "", schema("id int4", &[])).unwrap();
    assert_eq!(spec.options.get("path").map(String::as_str), Some("/data/X.jsonl"));
    assert!(crate::sources::validate(&spec).is_ok());
}
