//! Views over time windows and over rows of a maximum, of a stream that only grows: after each piece of it, and after a
//! restart, they are what their queries give at once over all rows that came.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::Floe;
use crate::coordinator::CoordinatorConfig;

/// Bids of one round: mostly of its own half minute, some much earlier, some of no time. Few prices, so that many tie.
fn append(folder: &Path, round: u64, rows: usize) {
    let mut random = SmallRng::seed_from_u64(round);
    let mut text = String::new();
    for _ in 0..rows {
        let second = match random.random_range(0..10) {
            0 => random.random_range(0..=round * 30),
            _ => round * 30 + random.random_range(0..30),
        };
        let at = match random.random_range(0..50) {
            0 => "null".to_string(),
            _ => format!("\"2026-01-01 00:{:02}:{:02}\"", second / 60, second % 60),
        };
        let auction = match random.random_range(0..20) {
            0 => "null".to_string(),
            _ => (random.random_range(0..15u64) + round * 5).to_string(),
        };
        writeln!(text, "{{\"auction\":{auction},\"price\":{},\"at\":{at}}}", random.random_range(1..40)).unwrap();
    }
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("bids.jsonl")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The queries, over `bids`.
const VIEWS: &[(&str, &str)] = &[
    (
        "busiest",
        "SELECT ab.auction, ab.num, ab.s FROM \
         (SELECT auction, count(*) AS num, window_start AS s, window_end AS e \
          FROM HOP(bids, at, INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY auction, window_start, window_end) ab \
         JOIN (SELECT max(num) AS maxn, s, e FROM \
          (SELECT count(*) AS num, window_start AS s, window_end AS e \
           FROM HOP(bids, at, INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY auction, window_start, window_end) c \
          GROUP BY s, e) mb ON ab.s = mb.s AND ab.e = mb.e AND ab.num >= mb.maxn",
    ),
    (
        "summed",
        "SELECT window_end, auction, sum(price) AS total, min(price) AS low, max(price) AS high, count(price) FILTER (WHERE price > 30) AS n \
         FROM HOP(bids, at, INTERVAL '3 seconds', INTERVAL '15 seconds') GROUP BY auction, window_end",
    ),
    (
        "everything",
        "SELECT count(*) AS n, avg(price) AS mean, window_start FROM HOP(bids, at, INTERVAL '1 second', INTERVAL '1 minute') GROUP BY window_start",
    ),
    (
        "later",
        "SELECT auction, window_start, count(*) AS n FROM HOP(bids, at, INTERVAL '5 seconds', INTERVAL '10 seconds') \
         WHERE window_start >= TIMESTAMP '2026-01-01 00:00:20' AND price < 30 GROUP BY auction, window_start",
    ),
    (
        "highest",
        "SELECT b.auction, b.price, b.at, m.e FROM TUMBLE(bids, at, INTERVAL '10 seconds') b \
         JOIN (SELECT max(price) AS price, window_end AS e FROM TUMBLE(bids, at, INTERVAL '10 seconds') GROUP BY window_end) m \
         ON b.window_end = m.e AND b.price = m.price",
    ),
    (
        "highest_with_end",
        "SELECT b.auction, b.price, b.at FROM bids b \
         JOIN (SELECT max(price) AS highest, window_end AS e FROM TUMBLE(bids, at, INTERVAL '10 seconds') GROUP BY window_start, window_end) m \
         ON b.price = m.highest WHERE b.at BETWEEN m.e - INTERVAL '10 seconds' AND m.e",
    ),
    (
        "highest_of_some_with_end",
        "SELECT b.at, m.*, b.auction, b.price FROM (SELECT * FROM bids WHERE price < 20) b \
         JOIN (SELECT window_start - INTERVAL '1 second' AS before, auction % 3 AS k, max(price) AS highest \
          FROM TUMBLE((SELECT * FROM bids WHERE price < 20), at, INTERVAL '3 seconds') GROUP BY window_start, auction % 3) m \
         ON b.price = m.highest AND b.auction % 3 = m.k AND b.at >= m.before + INTERVAL '1 second' AND b.at <= m.before + INTERVAL '4 seconds'",
    ),
    (
        "highest_without_end",
        "SELECT b.auction, b.price, b.at, m.s, m.e FROM bids b \
         JOIN (SELECT max(price) AS highest, window_start AS s, window_end AS e \
          FROM TUMBLE(bids, at, INTERVAL '10 seconds') GROUP BY window_start, window_end) m \
         ON b.price = m.highest AND m.s <= b.at AND m.e > b.at",
    ),
    (
        "most_of_all",
        "SELECT a.auction, a.n FROM (SELECT auction, count(*) AS n FROM bids GROUP BY auction) a \
         JOIN (SELECT max(n) AS n FROM (SELECT auction, count(*) AS n FROM bids GROUP BY auction) x) m ON a.n = m.n",
    ),
    (
        "most",
        "SELECT auction % 4 AS k, max(n) AS n FROM (SELECT auction, price, count(*) AS n FROM bids GROUP BY auction, price) x GROUP BY auction % 4",
    ),
];

async fn check(floe: &Floe, when: &str) {
    floe.sql("FLUSH").await;
    for (name, text) in VIEWS {
        let (kept, at_once) = (floe.sql(&format!("SELECT * FROM {name}")).await, floe.sql(&text.replace("bids", "kept")).await);
        assert!(!kept.is_empty(), "{name}, {when}");
        assert_eq!(kept, at_once, "{name}, {when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_their_queries() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), 0, 500);
    let config = || CoordinatorConfig { workers: 2, ..CoordinatorConfig::default() };
    let mut floe = Floe::open_with(config(), &folder.path().join("data")).await;
    floe.sql(&format!(
        "CREATE SOURCE bids (auction BIGINT, price BIGINT, at TIMESTAMP) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON",
        folder.path().join("bids.jsonl").display()
    ))
    .await;
    floe.sql("CREATE MATERIALIZED VIEW kept AS SELECT * FROM bids").await;
    for (name, text) in VIEWS {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {text}")).await;
    }
    check(&floe, "filled").await;
    // Few rows and many: enough that a change is cut into pieces.
    for (round, rows) in [(1, 3), (2, 20_000), (3, 50), (4, 4000)] {
        append(folder.path(), round, rows);
        check(&floe, &format!("round {round}")).await;
        if round == 2 {
            floe.close().await;
            floe = Floe::open_with(config(), &folder.path().join("data")).await;
            check(&floe, "after a restart").await;
        }
    }
    floe.close().await;
}
