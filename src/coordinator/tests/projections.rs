//! Sources whose readers decode what is needed: definitions that come and go while records flow, restarts, replays.
//!
//! Every record has the same number in each of its fields, so a record that is lost, doubled or lacks a value shows itself in
//! a sum or a count.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::Floe;

fn append(folder: &Path, numbers: std::ops::Range<i64>) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("records.jsonl")).unwrap();
    let mut lines = Vec::new();
    for n in numbers {
        let s = if n % 5 == 0 { "null".to_string() } else { format!("{{\"x\":{n},\"y\":\"{n}\",\"z\":{n}}}") };
        writeln!(lines, "{{\"a\":{n},\"b\":\"{n}\",\"c\":{n}.5,\"s\":{s}}}").unwrap();
    }
    file.write_all(&lines).unwrap();
}

fn source(folder: &Path) -> String {
    let path = folder.join("records.jsonl");
    let columns = "a BIGINT, b TEXT, c NUMERIC(20, 1), s STRUCT<x BIGINT, y TEXT, z INT>";
    format!("CREATE SOURCE records ({columns}) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON", path.display())
}

/// Views by what they read; their names, texts and what they hold after the records `0..n`.
const VIEWS: &[(&str, &str)] = &[
    ("counted", "SELECT count(*) AS n FROM records"),
    ("of_a", "SELECT sum(a)::bigint AS n FROM records"),
    ("of_b", "SELECT sum(b::bigint)::bigint AS n FROM records"),
    ("of_c", "SELECT count(*) AS n FROM records WHERE c > 0 AND a % 2 = 0"),
    ("of_x", "SELECT sum((s).x)::bigint AS n FROM records"),
    ("of_y", "SELECT count((s).y) AS n FROM records WHERE s IS NOT NULL"),
    ("rows_of_some", "SELECT b, (s).z AS z FROM records WHERE a < 100"),
    // Through a projection that passes the struct on.
    ("of_z_in_a_query", "SELECT sum((t.s).z)::bigint AS n FROM (SELECT s, b FROM records WHERE c > 0) t"),
    ("whole", "SELECT * FROM records WHERE a < 50"),
];

fn expected(name: &str, n: i64) -> Vec<String> {
    let some = |wanted: &dyn Fn(i64) -> bool, value: &dyn Fn(i64) -> i64| (0..n).filter(|i| wanted(*i)).map(value).sum::<i64>();
    let one = |number: i64| vec![number.to_string()];
    match name {
        "counted" => one(n),
        "of_a" | "of_b" => one(some(&|_| true, &|i| i)),
        "of_c" => one(some(&|i| i % 2 == 0, &|_| 1)),
        "of_x" | "of_z_in_a_query" => one(some(&|i| i % 5 != 0, &|i| i)),
        "of_y" => one(some(&|i| i % 5 != 0, &|_| 1)),
        "rows_of_some" => {
            let z = |i: i64| if i % 5 == 0 { "NULL".to_string() } else { i.to_string() };
            let mut rows: Vec<String> = (0..n.min(100)).map(|i| format!("{i}|{}", z(i))).collect();
            rows.sort();
            rows
        }
        _ => {
            let s = |i: i64| if i % 5 == 0 { "NULL".to_string() } else { format!("{{x: {i}, y: {i}, z: {i}}}") };
            let mut rows: Vec<String> = (0..n.min(50)).map(|i| format!("{i}|{i}|{i}.5|{}", s(i))).collect();
            rows.sort();
            rows
        }
    }
}

async fn check(floe: &Floe, names: &[&str], n: i64) {
    floe.sql("FLUSH").await;
    for name in names {
        assert_eq!(floe.sql(&format!("SELECT * FROM {name}")).await, expected(name, n), "{name} after {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_come_and_go_while_records_flow() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path().to_path_buf());
    let floe = Floe::open(&data).await;
    append(&folder, 0..10);
    floe.sql(&source(&folder)).await;
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(10)));
    let (stopped, count, place) = (stop.clone(), written.clone(), folder.clone());
    let writer = std::thread::spawn(move || {
        while !stopped.load(Ordering::Acquire) {
            let from = count.load(Ordering::Acquire);
            append(&place, from..from + 500);
            count.store(from + 500, Ordering::Release);
            std::thread::sleep(Duration::from_millis(3));
        }
    });
    for (name, text) in VIEWS {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {text}")).await;
    }
    // A view over views reads what they read.
    floe.sql("CREATE VIEW simple AS SELECT a, (s).z AS z FROM records; CREATE MATERIALIZED VIEW above AS SELECT count(z) AS n FROM simple")
        .await;
    for (name, _) in &VIEWS[1..4] {
        floe.sql(&format!("DROP MATERIALIZED VIEW {name}")).await;
    }
    for (name, text) in &VIEWS[1..4] {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {text}; FLUSH")).await;
    }
    stop.store(true, Ordering::Release);
    writer.join().unwrap();
    let n = written.load(Ordering::Acquire);
    let names: Vec<&str> = VIEWS.iter().map(|(name, _)| *name).collect();
    check(&floe, &names, n).await;
    assert_eq!(floe.sql("SELECT n FROM above").await, expected("of_y", n));
    // The source itself is read whole.
    assert_eq!(floe.sql("SELECT * FROM records WHERE a < 50").await, expected("whole", n));
    floe.close().await;

    // Restarts under other needs: all views, then the one that needs no column.
    let floe = Floe::open(&data).await;
    append(&folder, n..n + 1000);
    check(&floe, &names, n + 1000).await;
    floe.sql("DROP MATERIALIZED VIEW above").await;
    for name in &names[1..] {
        floe.sql(&format!("DROP MATERIALIZED VIEW {name}")).await;
    }
    append(&folder, n + 1000..n + 1100);
    check(&floe, &["counted"], n + 1100).await;
    assert_eq!(floe.sql("SELECT dead_letters FROM floe_sources").await, ["0"]);
    floe.close().await;
}

/// Epochs that only the journal has are read again for what is needed then.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_decodes_what_the_views_need() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let floe = Floe::open(&data).await;
    append(folder, 0..100);
    floe.sql(&source(folder)).await;
    for (name, text) in &VIEWS[..6] {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {text}")).await;
    }
    let names: Vec<&str> = VIEWS[..6].iter().map(|(name, _)| *name).collect();
    let mut n = 100;
    for _ in 0..20 {
        append(folder, n..n + 70);
        n += 70;
        check(&floe, &names[..1], n).await;
    }
    // What a crash leaves: a copy of the state directory as it is now.
    let copy = folder.join("copy");
    let copied = std::process::Command::new("cp").arg("-r").arg(&data).arg(&copy).status().unwrap();
    assert!(copied.success());
    let _ = std::fs::remove_file(copy.join("LOCK"));
    let after = Floe::open(&copy).await;
    check(&after, &names, n).await;
    after.close().await;
    floe.close().await;
}

/// What is not needed is still looked at: a record is dead or not, whichever views there are.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_do_not_depend_on_views() {
    let folder = tempfile::tempdir().unwrap();
    let (data, folder) = (folder.path().join("data"), folder.path());
    let floe = Floe::open(&data).await;
    append(folder, 0..10);
    let bad =
        [r#"{"a":1,"b":"x","c":"many"}"#, r#"{"a":1,"s":{"x":"y"}}"#, r#"{"a":99999999999999999999}"#, r#"{"s":{"z":3000000000}}"#, "{"];
    let mut file = OpenOptions::new().append(true).open(folder.join("records.jsonl")).unwrap();
    bad.iter().for_each(|line| writeln!(file, "{line}").unwrap());
    append(folder, 10..20);
    floe.sql(&source(folder)).await;
    floe.sql("FLUSH").await;
    let reasons = "SELECT reason FROM \"records$dead\"";
    let without = floe.sql(reasons).await;
    assert_eq!(without.len(), bad.len(), "{without:?}");
    floe.sql("CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM records").await;
    append(folder, 20..30);
    bad.iter().for_each(|line| writeln!(file, "{line}").unwrap());
    check(&floe, &["counted"], 30).await;
    floe.sql("CREATE MATERIALIZED VIEW whole AS SELECT * FROM records").await;
    bad.iter().for_each(|line| writeln!(file, "{line}").unwrap());
    check(&floe, &["counted", "whole"], 30).await;
    let mut thrice: Vec<String> = [without.clone(), without.clone(), without].concat();
    thrice.sort();
    assert_eq!(floe.sql(reasons).await, thrice);
    floe.close().await;
}
