//! The main job on real parts: PostgreSQL, Debezium in its default settings, Kafka, floe, Iceberg in a REST catalog on S3
//! and in a local SQL catalog, read back by pyiceberg and DuckDB; and floe is killed with SIGKILL all the while.
//!
//! The judge is PostgreSQL: the view has to equal the query run there, and each Iceberg table has to equal the view.

mod broker;
#[path = "../support/mod.rs"]
mod support;
mod upstream;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::Rng;
use support::{Floe, Sql, eventually, progress, services, shop};
use upstream::Upstream;

const KILLS: usize = 22;

/// The query of the view, as PostgreSQL has it.
const JUDGE: &str = "SELECT date_bin('1 minute', o.created_at, '1970-01-01'), date_bin('1 minute', o.created_at, '1970-01-01') + INTERVAL '1 minute', \
     c.tier, count(*), sum(o.amount), CAST(avg(o.amount) AS NUMERIC(20,6)), min(o.amount), max(o.amount) \
     FROM orders o JOIN customers c ON o.customer_id = c.id GROUP BY 1, 2, 3";
const VIEW: &str = "SELECT window_start, window_end, tier, orders, revenue, CAST(mean AS NUMERIC(20,6)), low, high FROM revenue";

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn definitions(upstream: &Upstream, folder: &Path) -> Vec<String> {
    let source = |name: &str, columns: &str| {
        format!(
            "CREATE SOURCE {name} ({columns}) WITH (connector = 'kafka', topic = '{}', properties.bootstrap.server = '{}', \
             scan.startup.mode = 'earliest') FORMAT DEBEZIUM ENCODE JSON",
            upstream.topic(name),
            services::setting("KAFKA")
        )
    };
    let path = |name: &str| folder.join(name).display().to_string();
    vec![
        source(
            "orders",
            "id BIGINT, customer_id BIGINT, amount NUMERIC(12,2), created_at TIMESTAMP, PRIMARY KEY (id), \
             WATERMARK FOR created_at AS created_at - INTERVAL '10 seconds'",
        ),
        source("customers", "id BIGINT, name VARCHAR, tier VARCHAR, PRIMARY KEY (id)"),
        format!(
            "CREATE SOURCE clicks (user_id BIGINT, url VARCHAR, ts TIMESTAMP) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON",
            path("clicks*.jsonl")
        ),
        "CREATE MATERIALIZED VIEW revenue AS SELECT window_start, window_end, c.tier, count(*) AS orders, sum(o.amount) AS revenue, \
         avg(o.amount) AS mean, min(o.amount) AS low, max(o.amount) AS high \
         FROM TUMBLE(orders, created_at, INTERVAL '1 minute') o JOIN customers c ON o.customer_id = c.id \
         GROUP BY window_start, window_end, c.tier"
            .into(),
        format!(
            "CREATE SINK click_lake FROM clicks WITH (connector = 'iceberg', type = 'append-only', catalog.type = 'sql', \
             catalog.uri = 'sqlite:{}', warehouse.path = '{}', database.name = 'shop', table.name = 'clicks', \
             create_table_if_not_exists = 'true', commit_interval = '1 s')",
            path("catalog.db"),
            path("warehouse")
        ),
        format!(
            "CREATE SINK revenue_lake FROM revenue WITH (connector = 'iceberg', type = 'upsert', primary_key = 'window_start,tier', \
             catalog.type = 'rest', catalog.uri = '{}', warehouse.path = '{}', s3.endpoint = '{}', s3.access.key = '{}', \
             s3.secret.key = '{}', s3.region = '{}', s3.path.style.access = 'true', database.name = '{}', table.name = 'revenue', \
             create_table_if_not_exists = 'true', commit_interval = '1 s')",
            services::setting("CATALOG"),
            services::setting("WAREHOUSE"),
            services::setting("S3"),
            services::setting("S3_KEY"),
            services::setting("S3_SECRET"),
            services::setting("S3_REGION"),
            upstream.name
        ),
    ]
}

/// Appends clicks to one of two files, as two writers would; ids are running numbers.
fn click(folder: &Path, written: &mut usize, count: usize) {
    let mut text = String::new();
    for _ in 0..count {
        *written += 1;
        text.push_str(&format!(
            "{{\"user_id\":{written},\"url\":\"/page/{}\",\"ts\":\"2024-05-01 10:00:{:02}\"}}\n",
            *written % 9,
            *written % 60
        ));
    }
    let file = folder.join(format!("clicks{}.jsonl", *written % 2));
    std::fs::OpenOptions::new().create(true).append(true).open(file).expect("clicks").write_all(text.as_bytes()).expect("written");
}

#[test]
fn postgres_to_iceberg_while_floe_is_killed() {
    let begin = Instant::now();
    services::up(&["postgres", "kafka-broker", "connect", "s3", "catalog"]);
    let seed = shop::seed();
    let mut random = shop::random(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::create();
    progress(format_args!("{:>4} s  services are up, the connector runs", begin.elapsed().as_secs()));

    let mut written = 0;
    click(folder.path(), &mut written, 100);
    let mut floe = Floe::on(&folder.path().join("data"));
    let sql = floe.sql();
    for statement in definitions(&upstream, folder.path()) {
        sql.run(&statement);
    }
    progress(format_args!("{:>4} s  sources, view and sinks are made", begin.elapsed().as_secs()));

    // The workload runs by itself until it is told to stop.
    let worker = upstream.work(seed);
    let mut clicks_seen = 0usize;
    for kill in 1..=KILLS {
        click(folder.path(), &mut written, random.random_range(1..200));
        std::thread::sleep(Duration::from_millis(random.random_range(100..2_500)));
        if let Some(count) = floe.sql().lines("SELECT count(*) FROM clicks").first() {
            clicks_seen = clicks_seen.max(count.parse().expect("a number"));
        }
        floe.crash();
        let now: usize = floe.sql().lines("SELECT count(*) FROM clicks")[0].parse().expect("a number");
        assert!(now >= clicks_seen, "kill {kill}: a client saw {clicks_seen} clicks, after the kill there are {now}");
        if kill % 5 == 0 {
            progress(format_args!("{:>4} s  {kill} kills", begin.elapsed().as_secs()));
        }
    }
    let transactions = worker.stop();
    progress(format_args!("{:>4} s  the workload has ended after {transactions} transactions", begin.elapsed().as_secs()));

    let judge = upstream.sql();
    let sql = floe.sql();
    let expected = sorted(judge.lines(JUDGE));
    // The tables too: the view has no numbers of orders, and may be right before the last change of some has arrived.
    eventually("the tables equal PostgreSQL's, and the view its query there", Duration::from_secs(90), || {
        let ask = |query: &str| sql.try_run(query).map(|answer| answer.rows).map_err(|e| e.to_string());
        let lines = |query: &str| Ok::<_, String>(sorted(ask(query)?.iter().map(support::client::line).collect()));
        ask("FLUSH")?;
        for table in ["orders", "customers"] {
            let (here, there) = (lines(&format!("SELECT * FROM {table}"))?, sorted(judge.lines(&format!("SELECT * FROM {table}"))));
            if here != there {
                return Err(format!("{table}: {}", difference(&here, &there)));
            }
        }
        let view = lines(VIEW)?;
        if view == expected { Ok(()) } else { Err(difference(&view, &expected)) }
    });
    assert_eq!(sql.lines("SELECT count(*), count(DISTINCT user_id), max(user_id) FROM clicks"), [format!("{written}|{written}|{written}")]);
    progress(format_args!("{:>4} s  the view equals PostgreSQL's answer", begin.elapsed().as_secs()));

    sql.run("CHECKPOINT");
    let view = sorted(sql.lines("SELECT window_start, window_end, tier, orders, revenue, mean, low, high FROM revenue"));
    let clicks = sorted(sql.lines("SELECT user_id, url, ts FROM clicks"));
    let catalog = folder.path().join("catalog.db").display().to_string();
    let table = format!("{}.revenue", upstream.name);
    for reader in ["pyiceberg", "duckdb"] {
        eventually(&format!("{reader} reads what floe has"), Duration::from_secs(60), || {
            let lake = services::read_iceberg(reader, &["--rest", &table], "window_start,window_end,tier,orders,revenue,mean,low,high");
            if lake != view {
                return Err(format!("revenue: {}", difference(&lake, &view)));
            }
            let lake = services::read_iceberg(reader, &["--sql", &catalog, "shop.clicks"], "user_id,url,ts");
            if lake == clicks { Ok(()) } else { Err(format!("clicks: {}", difference(&lake, &clicks))) }
        });
        progress(format_args!("{:>4} s  {reader} agrees", begin.elapsed().as_secs()));
    }
    let events = upstream.events();
    let orders = judge.lines("SELECT count(*) FROM orders")[0].clone();
    progress(format_args!(
        "figures: {events} change events, {transactions} transactions, {written} clicks, {KILLS} kills; compared: {orders} orders, {} rows of the view, \
         {} clicks, each with 2 readers; {} s",
        view.len(),
        clicks.len(),
        begin.elapsed().as_secs()
    ));
    sql.run("DROP SINK revenue_lake");
}

/// The first lines that only one side has.
fn difference(found: &[String], expected: &[String]) -> String {
    let only = |a: &[String], b: &[String]| a.iter().filter(|l| !b.contains(l)).take(3).cloned().collect::<Vec<_>>();
    format!(
        "{} rows, {} expected; too many: {:?}; missing: {:?}",
        found.len(),
        expected.len(),
        only(found, expected),
        only(expected, found)
    )
}

#[test]
fn a_connector_of_another_session_is_no_trouble() {
    // Two databases, two connectors, two slots at once: what one test leaves must not reach the other.
    services::up(&["postgres", "kafka-broker", "connect"]);
    let upstream = Upstream::create();
    let floe = Floe::fresh();
    let sql: Sql = floe.sql();
    sql.run(&definitions(&upstream, Path::new("/nonexistent"))[1]);
    eventually("the snapshot arrives", Duration::from_secs(60), || {
        sql.try_run("FLUSH").map_err(|e| e.to_string())?;
        let rows = sql.lines("SELECT count(*) FROM customers");
        if rows == [upstream::CUSTOMERS.to_string()] { Ok(()) } else { Err(format!("{rows:?}")) }
    });
    // TOAST: an update that leaves a large value alone ships a placeholder, which must not become the value.
    upstream.sql().run("UPDATE customers SET name = repeat('long ', 100000) || id WHERE id = 1");
    upstream.sql().run("UPDATE customers SET tier = 'gold' WHERE id = 1");
    upstream.sql().run("UPDATE customers SET id = 1001 WHERE id = 1");
    upstream.sql().run("DELETE FROM customers WHERE id = 2");
    let ask = "SELECT id, tier, length(name), right(name, 6) FROM customers";
    let expected = sorted(upstream.sql().lines(ask));
    eventually("the changes arrive", Duration::from_secs(60), || {
        sql.try_run("FLUSH").map_err(|e| e.to_string())?;
        let rows = sorted(sql.lines(ask));
        if rows == expected { Ok(()) } else { Err(difference(&rows, &expected)) }
    });
}
