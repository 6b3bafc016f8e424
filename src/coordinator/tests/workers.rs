//! Several workers: the answers are those of one, whatever their number, also when it changes under a running database.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::Floe;
use crate::coordinator::CoordinatorConfig;

const ROUNDS: u64 = 3;
/// Enough that changes are handed over and cut into pieces.
const BIDS: i64 = 15_000;

/// One round of records: bids that only come, and changes of auctions that are made, changed and deleted.
fn append(folder: &Path, round: u64) {
    let mut random = SmallRng::seed_from_u64(round);
    let (mut bids, mut auctions) = (String::new(), String::new());
    for n in 0..BIDS {
        let (auction, bidder) = (random.random_range(0..800), random.random_range(0..50));
        let (price, second) = (random.random_range(1..1000), round as i64 * 60 + n * 60 / BIDS);
        writeln!(
            bids,
            "{{\"auction\":{auction},\"bidder\":{bidder},\"price\":{price},\"at\":\"2026-01-01 00:{:02}:{:02}\"}}",
            second / 60,
            second % 60
        )
        .unwrap();
    }
    for _ in 0..4000 {
        let (id, category, reserve) = (random.random_range(0..1000), random.random_range(0..9), random.random_range(0..900));
        match random.random_range(0..4) {
            0 => writeln!(auctions, "{{\"before\":{{\"id\":{id}}},\"after\":null,\"op\":\"d\"}}").unwrap(),
            _ => {
                let after = format!("{{\"id\":{id},\"category\":\"c{category}\",\"reserve\":{reserve}}}");
                writeln!(auctions, "{{\"before\":null,\"after\":{after},\"op\":\"u\"}}").unwrap();
            }
        }
    }
    for (name, text) in [("bids", bids), ("auctions", auctions)] {
        let mut file = OpenOptions::new().create(true).append(true).open(folder.join(format!("{name}.jsonl"))).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

const VIEWS: &[(&str, &str)] = &[
    (
        "by_auction",
        "SELECT auction, count(*) AS n, sum(price) AS total, max(price) AS high, count(DISTINCT bidder) AS bidders FROM bids GROUP BY auction",
    ),
    ("by_pair", "SELECT auction, bidder, min(price) AS low, avg(price) AS mean FROM bids GROUP BY bidder, auction"),
    ("over_pairs", "SELECT auction, count(*) AS n, max(low) AS high FROM by_pair GROUP BY auction"),
    ("everything", "SELECT count(*) AS n, sum(price) AS total, min(price) AS low FROM bids"),
    ("joined", "SELECT b.auction, b.price, a.category FROM bids b JOIN auctions a ON b.auction = a.id WHERE b.price > a.reserve"),
    ("by_category", "SELECT category, count(*) AS n, sum(price) AS total FROM joined GROUP BY category"),
    ("left_joined", "SELECT a.id, a.category, h.n FROM auctions a LEFT JOIN by_auction h ON a.id = h.auction"),
    (
        "first",
        "SELECT auction, price, rank FROM (SELECT auction, price, row_number() OVER (PARTITION BY auction ORDER BY price DESC, bidder, at) AS rank FROM bids) t WHERE rank <= 3",
    ),
    (
        "windows",
        "SELECT window_start, auction % 7 AS k, count(*) AS n FROM HOP(bids, at, INTERVAL '10 seconds', INTERVAL '30 seconds') GROUP BY window_start, auction % 7",
    ),
    ("categories", "SELECT DISTINCT category FROM auctions"),
    ("all_ids", "SELECT id AS n FROM auctions UNION ALL SELECT auction FROM bids WHERE price > 990"),
    (
        "paired",
        "SELECT a.category, b.category AS other, count(*) AS n FROM auctions a JOIN auctions b ON a.reserve = b.reserve AND a.id < b.id GROUP BY a.category, b.category",
    ),
];

async fn define(floe: &Floe, folder: &Path) {
    let path = |name: &str| folder.join(name).display().to_string();
    floe.sql(&format!(
        "CREATE SOURCE bids (auction BIGINT, bidder BIGINT, price BIGINT, at TIMESTAMP) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON; \
         CREATE SOURCE auctions (id BIGINT, category TEXT, reserve BIGINT, PRIMARY KEY (id)) WITH (connector = 'file', path = '{}') FORMAT DEBEZIUM ENCODE JSON",
        path("bids.jsonl"),
        path("auctions.jsonl")
    ))
    .await;
    for (name, text) in VIEWS {
        floe.sql(&format!("CREATE MATERIALIZED VIEW {name} AS {text}")).await;
    }
}

/// Of each view: its rows in order, as one digest.
async fn digests(floe: &Floe) -> Vec<(&'static str, usize, String)> {
    floe.sql("FLUSH").await;
    let mut found = Vec::new();
    for (name, _) in VIEWS {
        let rows = floe.sql(&format!("SELECT * FROM {name}")).await;
        let digest: String = Sha256::digest(rows.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect();
        found.push((*name, rows.len(), digest));
    }
    found
}

fn with(workers: usize) -> CoordinatorConfig {
    CoordinatorConfig { workers, ..CoordinatorConfig::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_two_and_three_workers_give_the_same() {
    let mut expected: Vec<Vec<(&str, usize, String)>> = Vec::new();
    for workers in [1, 2, 3] {
        let folder = tempfile::tempdir().unwrap();
        append(folder.path(), 0);
        let floe = Floe::open_with(with(workers), &folder.path().join("data")).await;
        define(&floe, folder.path()).await;
        for round in 0..ROUNDS {
            if round > 0 {
                append(folder.path(), round);
            }
            let found = digests(&floe).await;
            assert!(found.iter().all(|(_, rows, _)| *rows > 0), "{found:?}");
            match expected.get(round as usize) {
                Some(expected) => assert_eq!(found, *expected, "{workers} workers, round {round}"),
                None => expected.push(found),
            }
        }
        // The queries of the views once more, over what the keyed source holds.
        for (name, text) in VIEWS.iter().filter(|(name, _)| ["categories", "paired"].contains(name)) {
            assert_eq!(floe.sql(&format!("SELECT * FROM {name}")).await, floe.sql(text).await, "{name}");
        }
        floe.close().await;
    }

    // The number changes under a running database, and is still that after a restart, with a checkpoint or without.
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), 0);
    let mut floe = Floe::open_with(with(1), &folder.path().join("data")).await;
    define(&floe, folder.path()).await;
    assert_eq!(digests(&floe).await, expected[0]);
    for (round, workers) in [(1, 3), (2, 2)] {
        floe.sql(&format!("ALTER SYSTEM SET workers = {workers}")).await;
        append(folder.path(), round);
        assert_eq!(digests(&floe).await, expected[round as usize], "round {round}");
        assert_eq!(floe.sql("SHOW workers").await, [workers.to_string()]);
        floe.close().await;
        floe = Floe::open_with(with(1), &folder.path().join("data")).await;
        assert_eq!(floe.sql("SHOW workers").await, [workers.to_string()]);
        assert_eq!(digests(&floe).await, expected[round as usize], "round {round}, after a restart");
    }
    floe.sql("ALTER SYSTEM RESET workers").await;
    assert_eq!(floe.sql("SHOW workers").await, ["1"]);
    assert!(floe.refused("ALTER SYSTEM SET workers = 0").await.contains("invalid value"));
    assert!(floe.refused("ALTER SYSTEM SET wokers = 2").await.contains("no setting"));
    assert!(floe.refused("SET workers = 2").await.contains("cannot be changed"));
    floe.close().await;
}
