//! Bad input: each gets a clear error with a hint, and the server goes on as if nothing had happened.

mod support;

use std::path::Path;
use std::time::Duration;

use support::{Floe, SqlError, eventually, free_port, services};

/// The error of a statement: its SQLSTATE, a word that its text has to have, and a hint that says what to do.
#[track_caller]
fn refused(floe: &Floe, statement: &str, sqlstates: &[&str], word: &str) -> SqlError {
    let sql = floe.sql();
    let error = sql.error(statement);
    assert!(sqlstates.contains(&error.sqlstate.as_str()), "SQLSTATE {} is none of {sqlstates:?}: {error}", error.sqlstate);
    assert!(format!("{error}").contains(word), "{word:?} is not in: {error}");
    assert!(error.hint.as_ref().is_some_and(|h| h.len() > 10), "no hint: {error}");
    // A keyword may stand first as it was written.
    let first = error.message.split_whitespace().next().unwrap_or_default();
    let keyword = first.len() > 1 && first.chars().all(|c| c.is_ascii_uppercase());
    assert!(keyword || !first.starts_with(|c: char| c.is_uppercase()), "PostgreSQL's style: {error}");
    assert!(!error.message.ends_with('.'), "PostgreSQL's style: {error}");
    assert_eq!(sql.lines("SELECT 1"), ["1"], "the session goes on");
    assert_eq!(floe.sql().lines("SELECT 1"), ["1"], "the server goes on");
    error
}

fn file_source(name: &str, path: &Path) -> String {
    format!("CREATE SOURCE {name} (id BIGINT, v VARCHAR) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON", path.display())
}

fn kafka_source(topic: &str, broker: &str) -> String {
    format!(
        "CREATE SOURCE k (id BIGINT) WITH (connector = 'kafka', topic = '{topic}', properties.bootstrap.server = '{broker}', \
         scan.startup.mode = 'earliest') FORMAT PLAIN ENCODE JSON"
    )
}

fn sink(name: &str, relation: &str, folder: &Path, warehouse: &Path) -> String {
    format!(
        "CREATE SINK {name} FROM {relation} WITH (connector = 'iceberg', type = 'upsert', primary_key = 'id', catalog.type = 'sql', \
         catalog.uri = 'sqlite:{}', warehouse.path = '{}', database.name = 'd', table.name = 'shared', \
         create_table_if_not_exists = 'true', commit_interval = '1 s')",
        folder.join("catalog.db").display(),
        warehouse.display()
    )
}

#[test]
fn unknown_connector_options_formats_and_connectors() {
    let floe = Floe::fresh();
    let with =
        |more: &str| format!("CREATE SOURCE s (id BIGINT) WITH (connector = 'file', path = '/tmp/x.jsonl'{more}) FORMAT PLAIN ENCODE JSON");
    refused(&floe, &with(", patth = 'y'"), &["22023", "42704"], "patth");
    refused(&floe, &with(", follow = 'maybe'"), &["22023"], "follow");
    refused(
        &floe,
        "CREATE SOURCE s (id BIGINT) WITH (connector = 'flie', path = 'x') FORMAT PLAIN ENCODE JSON",
        &["22023", "42704", "0A000"],
        "flie",
    );
    refused(&floe, "CREATE SOURCE s (id BIGINT) WITH (connector = 'file') FORMAT PLAIN ENCODE JSON", &["22023"], "path");
    refused(&floe, &with("").replace("ENCODE JSON", "ENCODE MORSE"), &["0A000", "22023", "42601"], "");
    let kafka = kafka_source("t", "127.0.0.1:1").replace("scan.startup", "properties.plugin.library.paths = '/tmp/evil.so', scan.startup");
    refused(&floe, &kafka, &["22023", "42704", "42501", "0A000"], "plugin.library.paths");
}

#[test]
fn a_topic_that_is_missing_and_a_broker_that_is_down() {
    let floe = Floe::fresh();
    services::up(&["kafka-broker"]);
    let missing = format!("no-such-topic-{}", std::process::id());
    refused(&floe, &kafka_source(&missing, services::setting("KAFKA")), &["42704", "22023", "08006", "58030"], &missing);
    let nobody = format!("127.0.0.1:{}", free_port());
    let begin = std::time::Instant::now();
    refused(&floe, &kafka_source("t", &nobody), &["08006", "08000"], &nobody);
    assert!(begin.elapsed() < Duration::from_secs(30), "said within a bearable time, not after {:?}", begin.elapsed());
    assert!(floe.sql().lines("SHOW SOURCES").is_empty(), "nothing is left behind");
}

#[test]
fn types_that_do_not_fit() {
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, v TEXT)");
    // PostgreSQL's own words, which have no hint.
    let error = sql.error("INSERT INTO t VALUES ('abc', 'x')");
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("22P02", "invalid input syntax for type integer: \"abc\""));
    refused(&floe, "CREATE MATERIALIZED VIEW m AS SELECT id + v AS x FROM t", &["42883", "42804"], "");
    refused(&floe, "SELECT sum(v) FROM t", &["42883"], "sum");
    assert_eq!(sql.lines("SELECT count(*) FROM t"), ["0"]);
}

#[test]
fn records_that_cannot_be_decoded_are_kept_aside_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("in.jsonl");
    let good: Vec<String> = (0..50).map(|i| format!("{{\"id\":{i},\"v\":\"row {i}\"}}")).collect();
    let bad = [
        "not json",
        "{\"id\":\"x\",\"v\":\"a\"}",
        "{\"id\":1e99,\"v\":\"a\"}",
        "[1,2]",
        "{\"id\":7,\"v\":\"a\"} trailing",
        "{\"id\":8,\"v\":\"\\ud800\"}",
    ];
    let mut bytes = good[..25].join("\n").into_bytes();
    bytes.extend(format!("\n{}\n", bad.join("\n")).bytes());
    bytes.extend(b"{\"id\":9,\"v\":\"\xff\xfe\"}\n");
    bytes.extend(format!("{}\n", good[25..].join("\n")).bytes());
    std::fs::write(&file, bytes).expect("written");
    let mut floe = Floe::fresh();
    let sql = floe.sql();
    sql.run(&file_source("s", &file));
    sql.run("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n, sum(id) AS total FROM s");
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT * FROM m"), ["50|1225"], "the good ones are all there");
    let dead = "SELECT count(*), count(DISTINCT \"offset\") FROM \"s$dead\"";
    assert_eq!(sql.lines(dead), ["7|7"]);
    let reasons = sql.lines("SELECT reason FROM \"s$dead\"");
    assert!(reasons.iter().all(|r| r.len() > 8), "{reasons:?}");
    let metrics = floe.get("/metrics").expect("an answer").1;
    assert!(metrics.lines().any(|l| l.contains("dead") && l.ends_with(" 7")), "counted: {metrics}");
    floe.crash();
    let sql = floe.sql();
    sql.run("FLUSH");
    assert_eq!(sql.lines(dead), ["7|7"], "once, after a kill too");
    assert_eq!(sql.lines("SELECT * FROM m"), ["50|1225"]);
}

#[test]
fn names_that_are_taken_and_things_that_are_needed() {
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id INT PRIMARY KEY)");
    sql.run("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t");
    for statement in ["CREATE TABLE t (id INT)", "CREATE VIEW t AS SELECT 1 AS x", "CREATE MATERIALIZED VIEW t AS SELECT 1 AS x"] {
        refused(&floe, statement, &["42P07"], "already exists");
    }
    let error = refused(&floe, "DROP TABLE t", &["2BP01"], "depend");
    assert!(format!("{error}").contains('m') && error.hint.is_some_and(|h| h.contains("CASCADE")));
    sql.run("INSERT INTO t VALUES (1)");
    assert_eq!(sql.lines("SELECT * FROM m"), ["1"], "the view still follows");
    refused(&floe, "DROP VIEW m", &["42809"], "m");
}

#[test]
fn a_sink_whose_table_is_another_or_whose_warehouse_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)");
    sql.run("CREATE TABLE b (id INT PRIMARY KEY, other DOUBLE PRECISION)");
    sql.run("INSERT INTO a VALUES (1, 'x')");
    sql.run(&sink("first", "a", folder.path(), &folder.path().join("warehouse")));
    sql.run("CHECKPOINT");
    refused(&floe, &sink("second", "b", folder.path(), &folder.path().join("warehouse")), &["42804", "42P16", "55000", "22023"], "other");

    // A file stands where the warehouse's folder should be made: not even root can write there.
    std::fs::write(folder.path().join("file"), "").expect("written");
    let nowhere = folder.path().join("file/warehouse");
    let statement = sink("third", "a", &folder.path().join("."), &nowhere).replace("'shared'", "'elsewhere'");
    refused(&floe, &statement, &["58030", "08006", "42501", "22023"], "warehouse");
    refused(
        &floe,
        &sink("fourth", "a", folder.path(), folder.path()).replace("commit_interval", "commit_intervall"),
        &["22023", "42704"],
        "commit_intervall",
    );
    refused(
        &floe,
        &sink("fifth", "a", folder.path(), folder.path()).replace("primary_key = 'id'", "primary_key = 'nope'"),
        &["42703", "22023"],
        "nope",
    );
    assert_eq!(sql.lines("SHOW SINKS").len(), 1, "only the good one is there");
}

#[test]
fn an_append_only_sink_on_a_view_that_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)");
    let statement = sink("s", "a", folder.path(), folder.path()).replace("'upsert', primary_key = 'id'", "'append-only'");
    refused(&floe, &statement, &["0A000", "22023", "42P16", "55000"], "append-only");
}

#[test]
fn a_port_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let Err(failed) = Floe::try_on(&folder.path().join("data"), port, &[]) else { panic!("floe listens on a port that is taken") };
    assert!(failed.status.is_some_and(|s| !s.success()), "{failed:?}");
    assert!(failed.log.contains(&port.to_string()) && failed.log.to_lowercase().contains("hint"), "{}", failed.log);
}

#[test]
fn a_state_directory_of_a_newer_format_or_of_somebody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut floe = Floe::on(&data);
    floe.sql().run("CREATE TABLE t (id INT)");
    floe.stop();
    let store = find_store(&data).expect("a RocksDB below the data folder");
    {
        let options = rocksdb::Options::default();
        let families = rocksdb::DB::list_cf(&options, &store).expect("families");
        let db = rocksdb::DB::open_cf(&options, &store, families).expect("opens");
        db.put_cf(db.cf_handle("meta").expect("meta"), b"format", [200u8, 1]).expect("written");
    }
    let Err(failed) = Floe::try_on(&data, free_port(), &[]) else { panic!("floe opens a newer format") };
    assert!(failed.status.is_some_and(|s| !s.success()), "{failed:?}");
    assert!(failed.log.contains("newer floe") && failed.log.to_lowercase().contains("hint"), "{}", failed.log);
}

fn find_store(folder: &Path) -> Option<std::path::PathBuf> {
    if folder.join("CURRENT").is_file() {
        return Some(folder.into());
    }
    std::fs::read_dir(folder).ok()?.flatten().filter(|e| e.path().is_dir()).find_map(|e| find_store(&e.path()))
}

#[test]
fn a_source_that_loses_its_data_stops_nothing_else() {
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id INT PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("in.jsonl");
    std::fs::write(&file, "{\"id\":1,\"v\":\"a\"}\n").expect("written");
    sql.run(&file_source("s", &file));
    sql.run("FLUSH");
    // The file shrinks: what was read is gone, which only the user can judge.
    std::fs::write(&file, "").expect("written");
    sql.run("INSERT INTO t VALUES (1)");
    assert_eq!(sql.lines("SELECT count(*) FROM t"), ["1"], "tables go on beside a source that lost its file's content");
    eventually("the source says what happened", Duration::from_secs(10), || match floe.sql().try_run("SELECT count(*) FROM s") {
        Err(e) if e.sqlstate == "XX001" && e.message.contains("in.jsonl") && e.hint.is_some() => Ok(()),
        other => Err(format!("{other:?}")),
    });
    sql.run("INSERT INTO t VALUES (2)");
    assert_eq!(sql.lines("SELECT count(*) FROM t"), ["2"]);
}
