//! CREATE SINK ... AS SELECT: what goes out, what is kept, and what a restart finds.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Floe;
use crate::catalog::{Catalog, Definition, SinkInput};
use crate::state::{Family, Staged, Store, Writes};

/// Puts records `{"n": ...}` behind what the source has.
fn append(folder: &Path, numbers: std::ops::Range<i32>) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("numbers.jsonl")).unwrap();
    numbers.for_each(|n| writeln!(file, "{{\"n\":{n}}}").unwrap());
}

fn source(folder: &Path) -> String {
    let path = folder.join("numbers.jsonl");
    format!("CREATE SOURCE numbers (n INT) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON", path.display())
}

pub(super) fn lake(folder: &Path, mode: &str) -> String {
    format!(
        "WITH (connector = 'iceberg', type = {mode}, catalog.type = 'sql', catalog.uri = 'sqlite:{0}/catalog.db', \
         warehouse.path = '{0}/warehouse', database.name = 'd', table.name = 't', create_table_if_not_exists = 'true', \
         commit_interval = '5 ms')",
        folder.display()
    )
}

/// The first columns of all data files: what an append-only table holds.
pub(super) fn landed(folder: &Path) -> Vec<i32> {
    let mut found = Vec::new();
    for path in glob::glob(&format!("{}/warehouse/**/*.parquet", folder.display())).unwrap() {
        let file = std::fs::File::open(path.unwrap()).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let column = arrow::array::AsArray::as_primitive::<arrow::datatypes::Int32Type>(batch.column(0));
            found.extend(column.values());
        }
    }
    found.sort_unstable();
    found
}

/// Once the tasks of the floe before have let it go.
pub(super) async fn open_store(data: &Path) -> Store {
    for _ in 0..250 {
        match Store::open(data) {
            Ok(store) => return store,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("the state directory stays in use");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_and_the_present_go_out_once_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let floe = Floe::open(&data).await;
    append(folder, 0..10);
    floe.sql(&source(folder)).await;
    floe.sql("CREATE VIEW even AS SELECT n FROM numbers WHERE n % 2 = 0; FLUSH").await;
    let create = format!("CREATE SINK halves AS SELECT n / 2 AS half FROM even {}", lake(folder, "'append-only'"));
    floe.sql(&create).await;
    append(folder, 10..20);
    floe.sql("FLUSH; CHECKPOINT").await;
    assert_eq!(landed(folder), (0..10).collect::<Vec<_>>());

    assert_eq!(floe.sql("SHOW SINKS").await, ["public|halves|iceberg"]);
    assert_eq!(floe.sql("SHOW CREATE SINK halves").await, [format!("public.halves|{create}")]);
    assert_eq!(floe.sql("SHOW VIEWS").await, ["public|even"]);
    assert!(floe.sql("SHOW MATERIALIZED VIEWS").await.is_empty());
    assert!(floe.refused("SELECT * FROM halves").await.contains("is a sink and cannot be read"));
    assert!(floe.refused("DROP VIEW even").await.contains("other objects depend on it"));
    let kept = floe.coordinator.published().relations.values().filter(|r| r.rows.as_ref().is_some_and(|rows| !rows.is_empty())).count();
    assert_eq!(kept, 0, "neither the source without a key nor the sink's query keeps rows");

    floe.close().await;
    append(folder, 20..30);
    let floe = Floe::open(&data).await;
    floe.sql("FLUSH; CHECKPOINT").await;
    assert_eq!(landed(folder), (0..15).collect::<Vec<_>>());
    floe.sql("DROP SINK halves; DROP VIEW even; DROP SOURCE numbers").await;
    floe.close().await;
    let store = open_store(&data).await;
    assert!(store.scan(Family::Trace, &[]).unwrap().is_empty() && store.scan(Family::Staged, &[]).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_found_again_and_a_new_plan_sends_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let floe = Floe::open(&data).await;
    floe.sql("CREATE TABLE t (id INT PRIMARY KEY, g INT); INSERT INTO t SELECT n, n % 10 FROM generate_series(1, 100) AS s(n)").await;
    let upsert = lake(folder, "'upsert', primary_key = 'g'");
    floe.sql(&format!("CREATE SINK groups AS SELECT g, count(*) AS n, max(id) AS last FROM t GROUP BY g {upsert}")).await;
    floe.sql("CHECKPOINT").await;
    let rows = "SELECT rows, stopped, error FROM floe_sinks";
    assert_eq!(floe.sql(rows).await, ["10|false|NULL"]);
    floe.close().await;

    let floe = Floe::open(&data).await;
    floe.sql("INSERT INTO t VALUES (101, 1), (102, 1); CHECKPOINT").await;
    assert_eq!(floe.sql(rows).await, ["2|false|NULL"], "one group's old row and its new one");
    floe.close().await;

    let store = open_store(&data).await;
    let mut entry = Catalog::load(&store).unwrap().entries().find(|e| e.name == "groups").unwrap().as_ref().clone();
    let Definition::Sink { input: SinkInput::Query { fingerprint, .. }, .. } = &mut entry.definition else { panic!("{entry:?}") };
    *fingerprint = "of another floe".to_string();
    let mut writes = Writes::new();
    Catalog::put(&entry, &mut writes).unwrap();
    store.write(writes, true).unwrap();
    drop(store);
    let floe = Floe::open(&data).await;
    floe.sql("CHECKPOINT").await;
    assert_eq!(floe.sql(rows).await, ["0|false|NULL"]);
    floe.sql("DELETE FROM t WHERE g = 2; CHECKPOINT").await;
    assert_eq!(floe.sql(rows).await, ["1|false|NULL"], "the filled state knows the row that goes");
    floe.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_error_holds_the_sink_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let floe = Floe::open(&data).await;
    floe.sql("CREATE TABLE t (id INT PRIMARY KEY, x INT); INSERT INTO t VALUES (1, 2)").await;
    let upsert = lake(folder, "'upsert', primary_key = 'id'");
    floe.sql(&format!("CREATE SINK s AS SELECT id, 10 / x AS y FROM t {upsert}")).await;
    floe.sql("CHECKPOINT; INSERT INTO t VALUES (2, 0), (3, 5); CHECKPOINT").await;
    let held = floe.sql("SELECT rows, stopped, error FROM floe_sinks").await;
    assert!(held.len() == 1 && held[0].starts_with("1|false|division by zero"), "{held:?}");
    floe.close().await;

    let floe = Floe::open(&data).await;
    let held = floe.sql("SELECT rows, error FROM floe_sinks").await;
    assert!(held.len() == 1 && held[0].starts_with("0|division by zero"), "{held:?}");
    floe.sql("DELETE FROM t WHERE id = 2; CHECKPOINT").await;
    assert_eq!(floe.sql("SELECT rows, error FROM floe_sinks").await, ["1|NULL"], "the row that had waited");
    floe.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_commit_does_not_wait_for_its_interval() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let floe = Floe::open(&data).await;
    let seldom = lake(folder, "'upsert', primary_key = 'n'").replace("'5 ms'", "'10 min'");
    floe.sql(&format!("CREATE TABLE t (n INT PRIMARY KEY); CREATE SINK s AS SELECT n FROM t {seldom}")).await;
    for n in 0..3 {
        let asked = floe.sql(&format!("INSERT INTO t VALUES ({n}); CHECKPOINT")).await;
        assert_eq!(asked.len(), 0);
        assert_eq!(landed(folder), (0..=n).collect::<Vec<_>>());
    }
    floe.close().await;
}

/// Of a sink that is being defined readers know nothing yet: whether it is held must not be asked of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_defined_over_a_row_error_waits_too() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let floe = Floe::open(&data).await;
    floe.sql("CREATE TABLE t (id INT PRIMARY KEY, x INT); INSERT INTO t VALUES (1, 2), (2, 0)").await;
    floe.sql(&format!("CREATE SINK s AS SELECT id, 10 / x AS y FROM t {}", lake(folder, "'upsert', primary_key = 'id'"))).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(landed(folder), Vec::<i32>::new());
    floe.sql("DELETE FROM t WHERE id = 2; CHECKPOINT").await;
    assert_eq!(landed(folder), [1]);
    floe.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_discards_has_nothing_staged() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let floe = Floe::open(&data).await;
    append(folder, 0..1000);
    floe.sql(&source(folder)).await;
    for sink in ["of_query AS SELECT n % 7 AS r, count(*) AS c FROM numbers GROUP BY n % 7", "of_relation FROM numbers"] {
        floe.sql(&format!("CREATE SINK {sink} WITH (connector = 'blackhole', commit_interval = '1 hour')")).await;
    }
    append(folder, 1000..2000);
    floe.sql("FLUSH").await;
    let ids: BTreeMap<_, _> = floe.coordinator.published().catalog.entries().map(|e| (e.name.clone(), e.id)).collect();
    floe.close().await;
    let store = open_store(&data).await;
    for sink in ["of_query", "of_relation"] {
        assert_eq!(Staged::bytes(&store, ids[sink]).unwrap(), 0, "{sink}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_sink_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let floe = Floe::open(&folder.path().join("data")).await;
    floe.sql("CREATE TABLE t (id INT PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t").await;
    for (sink, expected) in [
        ("s AS SELECT id FROM t", "syntax error at end of input"),
        ("s AS SELECT id FROM WITH (connector = 'blackhole')", "syntax error at or near \"WITH\""),
        ("s AS SELECT id FROM t t2 nonsense WITH (connector = 'blackhole')", "syntax error at or near \"nonsense\""),
        ("s AS SELECT id FROM nowhere WITH (connector = 'blackhole')", "relation \"nowhere\" does not exist"),
        ("s AS SELECT id, id FROM t WITH (connector = 'blackhole')", "column \"id\" specified more than once"),
        ("s AS SELECT now() AS n FROM t WITH (connector = 'blackhole')", "a view that asks for the time is not supported"),
        ("s AS SELECT id FROM t WITH (connector = 'x')", "unrecognized connector \"x\""),
        ("s FROM v WITH (connector = 'blackhole')", "AS SELECT * FROM v"),
    ] {
        let said = floe.refused(&format!("CREATE SINK {sink}")).await;
        assert!(said.contains(expected), "{sink}: {said}");
    }
    let append_only = lake(folder.path(), "'append-only'");
    let said = floe.refused(&format!("CREATE SINK s AS SELECT id FROM t {append_only}")).await;
    assert!(said.contains("append-only"), "{said}");
    assert!(floe.sql("SHOW SINKS").await.is_empty());
    floe.sql("CREATE SINK s AS WITH w (a) AS (SELECT id FROM t) SELECT a FROM w WITH (connector = 'blackhole')").await;
    floe.close().await;
}
