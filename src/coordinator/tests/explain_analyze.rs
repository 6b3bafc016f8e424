//! EXPLAIN ANALYZE: what operators have done, for a view and for a sink; and look-ups by key, which read a key's rows alone.

use std::time::Duration;

use super::{CoordinatorConfig, Floe};

/// The answer in its own order, and without what differs from run to run.
async fn explained(floe: &Floe, text: &str) -> Vec<String> {
    let times = regex::Regex::new(r"\d+\.\d{3} ms|\d+ kB").unwrap();
    let lines = floe.in_order(text).await.unwrap_or_else(|report| panic!("{text}: {report}"));
    lines.iter().map(|line| times.replace_all(line, "*").into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operator_tells_its_rows_and_state() {
    let folder = tempfile::tempdir().unwrap();
    let floe = Floe::open(&folder.path().join("data")).await;
    floe.sql(
        "CREATE TABLE t (k INT, v BIGINT); \
         CREATE MATERIALIZED VIEW m AS SELECT k, sum(v) AS s FROM t WHERE v > 0 GROUP BY k; \
         CREATE VIEW plain AS SELECT k FROM t; \
         CREATE SINK s AS SELECT v FROM t WHERE v > 1 WITH (connector = 'blackhole')",
    )
    .await;
    floe.sql("INSERT INTO t VALUES (1, 1), (1, 2), (2, 5), (2, -5)").await;
    let expected = [
        "Materialize  (rows in=2 out=2 time=* state=2 entries, *)",
        "  ->  Project t.k, sum(t.v)  (rows in=2 out=2 time=*)",
        "        ->  Aggregate by [#0] of [Sum(#1)]  (rows in=3 out=2 time=* state=2 entries, *)",
        "              ->  Filter t.v > Int64(0)  (rows in=4 out=3 time=*)",
        "                    ->  Input t  (rows in=4 out=4 time=*)",
        "Time: *",
        "State: 4 entries, *",
        "Counted since floe was started; the state is that of now.",
    ];
    for text in ["EXPLAIN ANALYZE m", "EXPLAIN (ANALYZE) public.m", "EXPLAIN ANALYZE MATERIALIZED VIEW m"] {
        assert_eq!(explained(&floe, text).await, expected, "{text}");
    }
    floe.sql("DELETE FROM t WHERE v = 5").await;
    let lines = explained(&floe, "EXPLAIN ANALYZE m").await;
    assert_eq!(lines[0], "Materialize  (rows in=3 out=3 time=* state=1 entries, *)");
    let lines = explained(&floe, "EXPLAIN ANALYZE SINK s").await;
    assert!(lines.iter().any(|line| line.ends_with("Input t  (rows in=5 out=5 time=*)")), "{lines:#?}");
    assert!(!lines[0].starts_with("Materialize"), "nothing is kept: {lines:#?}");

    let metrics = floe.coordinator.metrics();
    for line in [
        "floe_operator_rows_in_total{operator=\"Filter\",place=\"1\",relation=\"m\"} 5",
        "floe_operator_rows_out_total{operator=\"Aggregate\",place=\"2\",relation=\"m\"} 3",
        "floe_operator_state_entries{operator=\"Materialize\",place=\"4\",relation=\"m\"} 1",
    ] {
        assert!(metrics.contains(line), "no {line} in\n{metrics}");
    }
    let spent = metrics.lines().find(|line| line.starts_with("floe_operator_seconds_total{operator=\"Aggregate\"")).unwrap();
    assert!(spent.rsplit(' ').next().unwrap().parse::<f64>().unwrap() > 0.0, "{spent}");
    floe.sql("DROP MATERIALIZED VIEW m").await;
    assert!(!floe.coordinator.metrics().contains("relation=\"m\""), "what is dropped is not shown");

    for (text, words) in [
        ("EXPLAIN ANALYZE plain", "is a view: nothing is computed"),
        ("EXPLAIN ANALYZE t", "is a table: nothing is computed"),
        ("EXPLAIN ANALYZE nothing", "does not exist"),
        ("EXPLAIN ANALYZE SINK plain", "is not a sink"),
        ("EXPLAIN (ANALYZE, BUFFERS) s", "EXPLAIN (BUFFERS)"),
        ("EXPLAIN ANALYZE VERBOSE s", "EXPLAIN (VERBOSE)"),
        ("EXPLAIN ANALYZE INSERT INTO t VALUES (1, 1)", "EXPLAIN ANALYZE of this statement"),
    ] {
        let report = floe.refused(text).await;
        assert!(report.contains(words), "{text}: {report}");
    }
    let run = floe.in_order("EXPLAIN ANALYZE SELECT count(*) FROM t").await.unwrap();
    assert!(run.last().unwrap().starts_with("Run once: 1 rows in "), "{run:?}");
    floe.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_finds_its_rows_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let floe = Floe::open(&folder.path().join("data")).await;
    floe.sql(
        "CREATE TABLE t (a INT, b TEXT, v BIGINT, PRIMARY KEY (a, b)); \
         INSERT INTO t SELECT n, CASE WHEN n % 2 = 0 THEN 'x' ELSE 'y' END, n * 10 FROM generate_series(1, 1000) AS g(n); \
         CREATE MATERIALIZED VIEW m AS SELECT b, a % 10 AS d, count(*) AS n FROM t GROUP BY b, a % 10; \
         CREATE MATERIALIZED VIEW f AS SELECT v / 100.0::float8 AS half, count(*) AS n FROM t GROUP BY v / 100.0::float8",
    )
    .await;
    for (text, rows) in [
        ("SELECT v FROM t WHERE a = 7 AND b = 'y'", vec!["70"]),
        ("SELECT v FROM t WHERE b = 'y' AND 7 = a AND v > 0", vec!["70"]),
        ("SELECT v FROM t WHERE a = 7 AND b = 'x'", vec![]),
        ("SELECT v FROM t WHERE a = 7 AND b = 'y' AND v > 70", vec![]),
        ("SELECT v FROM t WHERE a IN (7, 8, 7) AND b IN ('y', 'x') AND v < 75", vec!["70"]),
        ("SELECT v FROM t WHERE a = 7 AND a = 8 AND b = 'y'", vec![]),
        ("SELECT v FROM t WHERE a = 7", vec!["70"]),
        ("SELECT v FROM t WHERE a = 7 AND b = NULL", vec![]),
        ("SELECT v FROM t WHERE a = 7::bigint AND b = 'y'", vec!["70"]),
        ("SELECT n FROM m WHERE d = 4 AND b = 'x'", vec!["100"]),
        ("SELECT d, n FROM m WHERE d = 4 AND b = 'y'", vec![]),
        ("SELECT x.v, m.n FROM t x JOIN m ON m.d = x.a WHERE x.a = 4 AND x.b = 'x' AND m.d = 4 AND m.b = 'x'", vec!["40|100"]),
        ("SELECT n FROM f WHERE half = -0.0::float8", vec![]),
        ("SELECT n FROM f WHERE half = 1", vec!["1"]),
    ] {
        assert_eq!(floe.sql(text).await, rows, "{text}");
    }
    // Inside a transaction its own changes are on top.
    let rows = floe.sql("BEGIN; UPDATE t SET v = 1 WHERE a = 7; SELECT v FROM t WHERE a = 7 AND b = 'y'").await;
    assert_eq!(rows, ["1"]);
    tokio::time::timeout(Duration::from_secs(20), floe.close()).await.unwrap();
}

/// Many more rows than there is memory for: they are found, read and changed all the same, and `floe_memory` says where they are.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_on_the_disk_alone_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = CoordinatorConfig { state_memory: Some(1 << 10), ..CoordinatorConfig::default() };
    let floe = Floe::open_with(config, &folder.path().join("data")).await;
    floe.sql("CREATE TABLE t (a INT PRIMARY KEY, v BIGINT); CREATE MATERIALIZED VIEW m AS SELECT a, v * 2 AS w FROM t WHERE v > 0").await;
    for part in 0..4 {
        floe.sql(&format!("INSERT INTO t SELECT n, n FROM generate_series({}, {}) AS g(n); CHECKPOINT", part * 3000, part * 3000 + 2999))
            .await;
    }
    floe.sql("UPDATE t SET v = -1 WHERE a % 1000 = 7; CHECKPOINT").await;
    assert_eq!(floe.sql("SELECT count(*), sum(w) FROM m").await, ["11987|143855832"]);
    assert_eq!(floe.sql("SELECT v FROM t WHERE a IN (5, 8007, 11999)").await, ["-1", "11999", "5"]);
    let told = floe.sql("SELECT count(*) > 0 FROM floe_memory WHERE name IN ('t', 'm') AND evicted_bytes > 0 AND pages_read > 0").await;
    assert_eq!(told, ["true"]);
    let lines = floe.in_order("EXPLAIN ANALYZE m").await.unwrap();
    assert!(lines.iter().any(|line| line.contains(" on disk=")), "{lines:?}");
    floe.close().await;
}
