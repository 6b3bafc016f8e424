//! Options: what is taken, what is refused and how.

use std::collections::BTreeMap;

use super::*;
use crate::types::{Column, RelationSchema};

fn spec(options: &str) -> SinkSpec {
    let mut schema = RelationSchema::new(vec![
        Column::new("id", SqlType::BigInt),
        Column::new("price", SqlType::Double),
        Column::new("name", SqlType::Text),
    ]);
    schema.append_only = true;
    let options: BTreeMap<String, String> =
        options.lines().filter_map(|line| line.split_once(" = ")).map(|(k, v)| (k.trim().to_string(), v.to_string())).collect();
    SinkSpec { name: "s".into(), connector: "iceberg".into(), sink_id: "x".into(), options, schema }
}

const SQL: &str = "
    type = upsert
    primary_key = id, name
    catalog.type = sql
    catalog.uri = sqlite:///data/catalog.db
    warehouse.path = /data/warehouse/
    database.name = shop
    table.name = orders";

#[test]
fn a_sql_catalog_with_a_local_warehouse() {
    let options = IcebergOptions::of(&spec(SQL)).unwrap();
    assert_eq!((options.mode, options.key.as_slice()), (SinkMode::Upsert, &[0, 2][..]));
    assert_eq!(options.table_name(), "shop.orders");
    let CatalogOptions::Sql { name, path, warehouse } = &options.catalog else { panic!("a SQL catalog") };
    assert_eq!((name.as_str(), path.to_str().unwrap(), warehouse.as_str()), ("default", "/data/catalog.db", "file:///data/warehouse"));
}

#[test]
fn a_rest_catalog_on_s3_in_either_spelling() {
    let text = "
        type = append-only
        catalog.type = rest
        catalog.uri = http://127.0.0.1:8181
        database.name = a.b
        table.name = t
        s3.endpoint = http://127.0.0.1:9000
        s3.access.key = me
        s3.secret.key = hush
        s3.region = us-east-1";
    let options = IcebergOptions::of(&spec(text)).unwrap();
    assert_eq!(options.namespace, ["a", "b"]);
    assert_eq!(options.storage["s3.access-key-id"], "me");
    assert_eq!(options.storage["s3.path-style-access"], "true", "an endpoint of one's own means path style");
    assert_eq!(options.secrets.scrub("the key is hush"), "the key is ***");
}

#[test]
fn every_spelling_of_an_sqlite_file() {
    for uri in ["sqlite:/a/b.db", "sqlite:///a/b.db", "sqlite:////a/b.db"] {
        assert_eq!(sqlite_path(uri).unwrap().to_str(), Some("/a/b.db"), "{uri}");
    }
    assert!(sqlite_path("sqlite:b.db").unwrap().is_absolute());
}

#[test]
fn what_is_wrong_is_named() {
    for (change, state, message) in [
        ("s3.endpiont = x", "22023", "unrecognized option \"s3.endpiont\" for a sink with connector \"iceberg\""),
        ("type = merge", "22023", "invalid value for option \"type\": \"merge\""),
        ("type = append-only", "22023", "option \"primary_key\" goes with type = 'upsert' only"),
        ("primary_key = nix", "42703", "column \"nix\" named in primary_key does not exist"),
        ("primary_key = id,id", "42701", "column \"id\" appears twice in primary_key"),
        ("primary_key = ,", "22023", "option \"primary_key\" is required for an upsert sink"),
        ("primary_key = price", "0A000", "column \"price\" of type double precision cannot be in a sink's primary key"),
        ("catalog.type = hive", "22023", "invalid value for option \"catalog.type\": \"hive\""),
        ("catalog.uri = mysql://h/db", "22023", "option \"catalog.uri\" of a catalog of type 'sql' must name an SQLite file"),
        ("catalog.uri = sqlite:", "22023", "option \"catalog.uri\" does not name a file"),
        ("catalog.type = rest", "22023", "invalid value for option \"catalog.uri\""),
        ("warehouse.path = ftp://h/x", "22023", "invalid value for option \"warehouse.path\""),
        ("database.name = a..b", "22023", "invalid value for option \"database.name\""),
        ("table.name = ", "22023", "option \"table.name\" is required for a sink with connector \"iceberg\""),
        ("create_table_if_not_exists = maybe", "22023", "invalid value for option \"create_table_if_not_exists\": \"maybe\""),
    ] {
        let report = IcebergOptions::of(&spec(&format!("{SQL}\n{change}"))).err().unwrap_or_else(|| panic!("{change} is taken"));
        assert_eq!((report.sqlstate.0, report.message.as_str()), (state, message));
        assert!(report.hint.is_some() || state == "42701", "no hint for {change}");
    }
}

#[test]
fn an_append_only_sink_needs_a_relation_that_only_grows() {
    let mut spec = spec(&SQL.replace("upsert", "append-only").replace("primary_key = id, name", ""));
    IcebergOptions::of(&spec).map_err(|r| r.to_string()).map(drop).unwrap();
    spec.schema.append_only = false;
    let report = IcebergOptions::of(&spec).err().unwrap();
    assert_eq!(report.sqlstate, SqlState::FEATURE_NOT_SUPPORTED);
    assert_eq!(report.hint.as_deref(), Some("Use type = 'upsert' with primary_key = '...'."));
}
