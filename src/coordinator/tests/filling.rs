//! A view or sink that is filled beside the epochs: the others go on, and what comes of it is what a query finds.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::sink_queries::{lake, landed, open_store};
use super::{Floe, Login, OpenDatabase, Remembered};
use crate::coordinator::CoordinatorConfig;
use crate::coordinator::Database;
use crate::state::{Family, Store};
use crate::types::Report;

/// Several chunks, and so many that there is time for others between them.
const ROWS: i64 = 300_000;
const MANY: i64 = 1_000_000;
const QUERY: &str = "SELECT a.v, count(*) AS n, sum(b.id) AS total, max(b.v) AS high FROM t a JOIN t b ON a.id = b.id GROUP BY a.v";
const DEFINITION: &str = "CREATE MATERIALIZED VIEW m AS SELECT a.v, count(*) AS n, sum(b.id) AS total, max(b.v) AS high FROM t a JOIN t b ON a.id = b.id GROUP BY a.v";

async fn with_rows(data: &Path, rows: i64, state_memory: Option<u64>) -> Floe {
    let config = CoordinatorConfig { workers: 2, state_memory, ..CoordinatorConfig::default() };
    let floe = Floe::open_with(config, data).await;
    floe.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT)").await;
    floe.sql(&format!("INSERT INTO t SELECT g, g % 1000 FROM generate_series(1, {rows}) AS g")).await;
    floe
}

/// Runs a statement; `work` is called again and again until it is through, with the number of the call.
async fn beside<F: Future<Output = ()>>(floe: &Floe, statement: &str, mut work: impl FnMut(i64) -> F) -> (Result<(), Report>, i64) {
    let through = Arc::new(AtomicBool::new(false));
    let (database, text, told) = (OpenDatabase(floe.coordinator.clone()), statement.to_string(), through.clone());
    let running = tokio::spawn(async move {
        let login = Login { user: "floe".to_string(), database: "floe".to_string(), ..Login::default() };
        let mut session = database.session(login)?;
        let statement = session.parse(&text)?.remove(0);
        let done = session.execute(&statement, Vec::new(), &Remembered::default()).await.map(drop);
        told.store(true, Ordering::Release);
        done
    });
    let mut calls = 0;
    while !through.load(Ordering::Acquire) {
        work(calls).await;
        calls += 1;
    }
    (running.await.expect("no panic"), calls)
}

/// How many statements were through before the view was.
async fn others_go_on(rows: i64, state_memory: Option<u64>) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let floe = with_rows(folder.path(), rows, state_memory).await;
    let change = |n: i64| {
        let floe = &floe;
        async move {
            let statement = match n % 8 {
                1 => format!("UPDATE t SET v = v + 1 WHERE id = {}", 1 + n * 37 % rows),
                2 => "CHECKPOINT".to_string(),
                6 => format!("DELETE FROM t WHERE id = {}", 2 + n * 41 % rows),
                _ => format!("INSERT INTO t VALUES ({}, {})", rows + 1 + n, n % 5),
            };
            floe.sql(&statement).await;
        }
    };
    let (done, changes) = beside(&floe, DEFINITION, change).await;
    done.expect("the view is there");
    let expected = floe.sql(QUERY).await;
    assert_eq!(floe.sql("SELECT * FROM m").await, expected);
    floe.close().await;
    let floe = Floe::open(folder.path()).await;
    assert_eq!(floe.sql("SELECT * FROM m").await, expected, "after a restart");
    floe.sql("DELETE FROM t WHERE id % 2 = 0").await;
    assert_eq!(floe.sql("SELECT * FROM m").await, floe.sql(QUERY).await);
    floe.close().await;
    assert_eq!(unfinished(folder.path()).await, 0);
    changes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_go_on_while_a_view_is_filled() {
    // Sixteen chunks: whoever waited for all of them would be through once, or twice.
    let changes = others_go_on(MANY, None).await;
    assert!(changes > 2, "{changes} statements were through beside the filling");
}

/// Its rows leave memory while it is filled: checkpoints have to hold them before it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_larger_than_memory_is_filled() {
    others_go_on(ROWS, Some(1 << 20)).await;
}

/// The marks of unfinished objects in a store that nobody has open.
async fn unfinished(data: &Path) -> usize {
    marks(&open_store(data).await)
}

fn marks(store: &Store) -> usize {
    store.scan(Family::Meta, b"unfinished/").unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filling_that_is_cancelled_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let floe = with_rows(folder.path(), MANY, Some(1 << 20)).await;
    let login = Login { user: "floe".to_string(), database: "floe".to_string(), ..Login::default() };
    let mut session = OpenDatabase(floe.coordinator.clone()).session(login).unwrap();
    let interrupt = session.interrupt();
    interrupt.start(None);
    let statement = session.parse(DEFINITION).unwrap().remove(0);
    let cancel = async {
        // The checkpoint of a part of it is there by then.
        floe.sql("INSERT INTO t VALUES (-1, 0)").await;
        floe.sql("CHECKPOINT").await;
        interrupt.cancel();
    };
    let remembered = Remembered::default();
    let (done, ()) = tokio::join!(session.execute(&statement, Vec::new(), &remembered), cancel);
    let report = done.map(drop).expect_err("cancelled");
    assert_eq!((report.sqlstate.0, report.message.as_str()), ("57014", "canceling statement due to user request"));
    assert!(floe.refused("SELECT * FROM m").await.contains("does not exist"));
    floe.sql("INSERT INTO t VALUES (-2, 0)").await;
    floe.sql(DEFINITION).await;
    assert_eq!(floe.sql("SELECT * FROM m").await, floe.sql(QUERY).await);
    drop(session);
    floe.close().await;
    assert_eq!(unfinished(folder.path()).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_of_floe_ends_a_filling() {
    let folder = tempfile::tempdir().unwrap();
    let floe = with_rows(folder.path(), MANY, None).await;
    let coordinator = floe.coordinator.clone();
    let end = |n: i64| {
        let coordinator = coordinator.clone();
        async move {
            match n {
                0 => tokio::time::sleep(Duration::from_millis(20)).await,
                1 => coordinator.shutdown().await,
                _ => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    let (done, _) = beside(&floe, DEFINITION, end).await;
    assert_eq!(done.expect_err("it was not there yet").sqlstate.0, "57P01");
    drop((floe, coordinator));
    let floe = Floe::open(folder.path()).await;
    assert!(floe.refused("SELECT * FROM m").await.contains("does not exist"));
    floe.sql(DEFINITION).await;
    assert_eq!(floe.sql("SELECT * FROM m").await, floe.sql(QUERY).await);
    floe.close().await;
}

/// A source keeps no rows: it is read again, while it is read on. What goes out is staged in parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_is_filled_in_parts_has_each_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.jsonl");
    let append = |numbers: std::ops::Range<i64>| {
        let lines: String = numbers.map(|n| format!("{{\"n\":{n},\"note\":\"{n}\"}}\n")).collect();
        std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap().write_all(lines.as_bytes()).unwrap();
    };
    append(0..ROWS);
    let floe = Floe::open(&folder.path().join("data")).await;
    floe.sql(&format!(
        "CREATE SOURCE numbers (n INT, note TEXT) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON",
        path.display()
    ))
    .await;
    floe.sql("CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM numbers").await;
    floe.sql("FLUSH").await;
    let more = |n: i64| {
        append(ROWS + n * 10..ROWS + n * 10 + 10);
        let floe = &floe;
        async move {
            floe.sql("CHECKPOINT").await;
        }
    };
    let sink = format!("CREATE SINK s AS SELECT n, note FROM numbers {}", lake(folder.path(), "'append-only'"));
    let (done, parts) = beside(&floe, &sink, more).await;
    done.expect("the sink is there");
    floe.sql("FLUSH").await;
    floe.sql("CHECKPOINT").await;
    let rows = (ROWS + parts * 10) as i32;
    assert_eq!(floe.sql("SELECT n FROM counted").await, [rows.to_string()]);
    assert_eq!(landed(folder.path()), (0..rows).collect::<Vec<_>>());
    floe.close().await;
}
