//! One-shot queries: rows found by their key, and the memory that queries share.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_found_by_their_key() {
    let data = tempfile::tempdir().unwrap();
    let floe = Floe::open(data.path()).await;
    floe.sql("CREATE TABLE t (a INT, b TEXT, v BIGINT, PRIMARY KEY (a, b))").await;
    floe.sql("CREATE MATERIALIZED VIEW w AS SELECT b, count(*) AS n, sum(v) AS s FROM t GROUP BY b").await;
    floe.sql("INSERT INTO t SELECT i % 500, 'b' || i % 7, i FROM generate_series(1, 3500) AS i").await;
    floe.sql("UPDATE t SET v = -v WHERE a = 3 AND b = 'b3'; DELETE FROM t WHERE a = 4 AND b = 'b4'").await;
    for (query, expected) in [
        ("SELECT v, a FROM t WHERE a = 3 AND b = 'b3'", vec!["-3|3"]),
        ("SELECT * FROM t WHERE b = 'b4' AND a = 4", vec![]),
        ("SELECT v FROM t WHERE a IN (1, 3, 1) AND b IN ('b1', 'b3', 'x') AND v < 1000", vec!["-3", "1"]),
        ("SELECT v FROM t WHERE a = 3 AND b = 'b3' AND v > 0", vec![]),
        ("SELECT count(*) FROM t WHERE a = 3", vec!["7"]),
        ("SELECT count(*) FROM t WHERE a = 3 AND b > 'b3'", vec!["3"]),
        ("SELECT v FROM t WHERE a = 3 AND b = 'b3' OR a = 1 AND b = 'b1'", vec!["-3", "1"]),
        ("SELECT v FROM t WHERE a = NULL AND b = 'b3'", vec![]),
        ("SELECT n FROM w WHERE b = 'b3'", vec!["500"]),
        ("SELECT w.n, t.v FROM w JOIN t ON t.b = w.b WHERE w.b = 'b3' AND t.a = 3 AND t.b = 'b3'", vec!["500|-3"]),
        ("SELECT v FROM t WHERE a = 3 AND b = 'b3' LIMIT 1", vec!["-3"]),
    ] {
        assert_eq!(floe.sql(query).await, expected, "{query}");
    }
    // What the transaction itself did counts.
    let lines = floe.sql("BEGIN; UPDATE t SET v = 9 WHERE a = 3 AND b = 'b3'; SELECT v FROM t WHERE a = 3 AND b = 'b3'").await;
    assert_eq!(lines, ["9"]);
    floe.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_needs_too_much_memory_fails_alone() {
    let data = tempfile::tempdir().unwrap();
    let config = CoordinatorConfig { memory: 32 << 20, ..CoordinatorConfig::default() };
    let floe = Floe::open_with(config, data.path()).await;
    floe.sql("CREATE TABLE t (a INT, b TEXT); CREATE MATERIALIZED VIEW w AS SELECT count(*) AS n FROM t").await;
    floe.sql("INSERT INTO t SELECT i, repeat('x', 100) || i FROM generate_series(1, 200000) AS i").await;
    let heavy = ["SELECT DISTINCT b FROM t", "SELECT * FROM t ORDER BY b", "SELECT count(*) FROM t x JOIN t y ON x.b = y.b"];
    for query in heavy {
        let report = floe.try_sql(query).await.expect_err(query);
        assert_eq!(report.sqlstate, SqlState::OUT_OF_MEMORY, "{query}: {report}");
        assert!(report.hint.as_ref().is_some_and(|hint| hint.contains("--memory")), "{query}: {report}");
    }
    // What it held is free again, and upkeep goes on.
    assert_eq!(floe.sql("INSERT INTO t VALUES (0, 'y'); SELECT n FROM w").await, ["200001"]);
    assert_eq!(floe.sql("SELECT DISTINCT a % 10 FROM t WHERE a > 190000").await.len(), 10);
    floe.close().await;
}
