//! One transaction that changes more than a million rows: views take it in slices, and come to what a query finds, also where
//! several keep state together.

use super::Floe;
use crate::coordinator::CoordinatorConfig;

const VIEWS: &[(&str, &str)] = &[
    ("grouped", "SELECT v, count(*) AS n, sum(id) AS total, max(id) AS high, count(DISTINCT id % 7) AS kinds FROM t GROUP BY v"),
    ("joined", "SELECT n.name, count(*) AS n, min(t.id) AS low FROM t JOIN names n ON t.v = n.v GROUP BY n.name"),
    ("lonely", "SELECT n.name, t.id FROM names n LEFT JOIN (SELECT * FROM t WHERE id <= 20) t ON t.v = n.v"),
    ("newest", "SELECT v, id FROM (SELECT v, id, row_number() OVER (PARTITION BY v ORDER BY id DESC) AS r FROM t) x WHERE r <= 2"),
    ("first_names", "SELECT n.name, count(*) AS n, min(t.id) AS low, max(t.id) AS high FROM t JOIN names n ON t.v = n.v GROUP BY n.name"),
    (
        "newest_two",
        "SELECT v, max(id) AS first FROM (SELECT v, id, row_number() OVER (PARTITION BY v ORDER BY id DESC) AS r FROM t) x WHERE r <= 2 GROUP BY v",
    ),
    ("above", "SELECT count(*) AS groups, sum(total) AS total FROM grouped"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_follow_a_change_of_a_million_rows() {
    let folder = tempfile::tempdir().unwrap();
    let floe = Floe::open_with(CoordinatorConfig { workers: 2, ..CoordinatorConfig::default() }, folder.path()).await;
    floe.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT)").await;
    floe.sql("CREATE TABLE names (v BIGINT PRIMARY KEY, name TEXT)").await;
    floe.sql("INSERT INTO names SELECT g, 'n' || (g % 10) FROM generate_series(0, 110) AS g").await;
    for (name, query) in VIEWS {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {query}")).await;
    }
    for change in [
        "INSERT INTO t SELECT g, g % 100 FROM generate_series(1, 1200000) AS g",
        "UPDATE t SET v = v + 1 WHERE id % 2 = 0",
        "DELETE FROM t WHERE id % 100 <> 3",
    ] {
        floe.sql(change).await;
        for (name, query) in VIEWS {
            let view = floe.sql(&format!("SELECT * FROM {name}")).await;
            assert!(!view.is_empty() && view == floe.sql(query).await, "{name} after {change}");
        }
    }
    floe.close().await;
}

/// Few rows of which a view makes very many: those who read it take them in pieces, each by himself. What they compute alike of
/// each row they share otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_follow_what_others_make_of_little() {
    const VIEWS: &[(&str, &str)] = &[
        ("pairs", "SELECT f.a, m.b FROM few f JOIN many m ON f.k = m.k"),
        ("by_b", "SELECT b % 10 AS d, count(*) AS n, sum(a) AS total FROM pairs WHERE b % 3 > 0 AND a >= 0 GROUP BY b % 10"),
        ("by_a", "SELECT b % 10 AS d, count(*) AS n, max(a) AS high, min(a) AS low FROM pairs WHERE b % 3 > 0 AND a >= 0 GROUP BY b % 10"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let floe = Floe::open_with(CoordinatorConfig { workers: 2, ..CoordinatorConfig::default() }, folder.path()).await;
    floe.sql("CREATE TABLE few (a BIGINT PRIMARY KEY, k INT); CREATE TABLE many (b BIGINT PRIMARY KEY, k INT)").await;
    floe.sql("INSERT INTO many SELECT g, 1 FROM generate_series(1, 1200) AS g; INSERT INTO few VALUES (1, 1)").await;
    for (name, query) in VIEWS {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {query}")).await;
    }
    for change in [
        "INSERT INTO few SELECT g, 1 FROM generate_series(2, 1000) AS g",
        "DELETE FROM few WHERE a % 20 > 0",
        "INSERT INTO few VALUES (1, 1)",
    ] {
        floe.sql(change).await;
        for (name, query) in VIEWS {
            let view = floe.sql(&format!("SELECT * FROM {name}")).await;
            assert!(!view.is_empty() && view == floe.sql(query).await, "{name} after {change}");
        }
    }
    floe.close().await;
}
