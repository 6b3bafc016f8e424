//! kill -9 with embedded parts alone: a change log in a file, tables, views over both, and Iceberg in a local warehouse.
//!
//! Three promises. The view after any number of kills equals the one of a run that was never killed. What a client was
//! told or shown is still there after the next kill. What is in Iceberg equals the view, each row once.

mod support;

use std::time::Duration;

use rand::Rng;
use support::floe::Launch;
use support::shop::{self, Shop};
use support::{Floe, eventually, progress, services};

const KILLS: usize = 15;

#[test]
fn views_and_sinks_after_many_kills_equal_an_uncrashed_run() {
    many_kills(&[]);
}

/// All rows leave memory behind every checkpoint, and are read from the store again.
#[test]
fn with_little_memory_for_state_too() {
    many_kills(&["--state-memory", "1KiB"]);
}

fn many_kills(flags: &[&str]) {
    let seed = shop::seed();
    let mut random = shop::random(seed ^ 0x5eed);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (log, clicks) = (path("orders.jsonl"), path("clicks.jsonl"));
    let mut shop = Shop::new(seed);
    shop.write(&log, 50);
    std::fs::write(&clicks, "").expect("written");

    let mut floe = Floe::try_on(&path("data"), support::free_port(), flags).expect("floe starts");
    let sql = floe.sql();
    let mut statements = shop::definitions(&log);
    statements.push(format!(
        "CREATE SOURCE clicks (user_id BIGINT, url VARCHAR, ts TIMESTAMP) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON",
        clicks.display()
    ));
    statements.push("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT)".into());
    statements.push("CREATE MATERIALIZED VIEW note_count AS SELECT count(*) AS n, max(id) AS last FROM notes".into());
    for (sink, input, relation, mode) in [
        ("click_lake", "FROM clicks", "clicks", ""),
        ("revenue_lake", "FROM revenue", "revenue", ", primary_key = 'window_start,tier'"),
        ("url_lake", "AS SELECT url, count(*) AS n FROM clicks GROUP BY url", "urls", ", primary_key = 'url'"),
    ] {
        let kind = if mode.is_empty() { "append-only" } else { "upsert" };
        statements.push(format!(
            "CREATE SINK {sink} {input} WITH (connector = 'iceberg', type = '{kind}'{mode}, catalog.type = 'sql', \
             catalog.uri = 'sqlite:{}', warehouse.path = '{}', database.name = 'shop', table.name = '{relation}', \
             create_table_if_not_exists = 'true', commit_interval = '1 s')",
            path("catalog.db").display(),
            path("warehouse").display()
        ));
    }
    for statement in &statements {
        sql.run(statement);
    }

    let (mut acknowledged, mut written) = (0i64, 0usize);
    for kill in 1..=KILLS {
        // Work goes on in many small steps, and the kill comes somewhere among them.
        let sql = floe.sql();
        let steps = random.random_range(1..12);
        for _ in 0..steps {
            shop.write(&log, random.random_range(1..30));
            let more: String = (0..random.random_range(1..20))
                .map(|_| {
                    written += 1;
                    format!("{{\"user_id\":{written},\"url\":\"/p{}\",\"ts\":\"2024-05-01 10:00:{:02}\"}}\n", written % 7, written % 60)
                })
                .collect();
            use std::io::Write;
            std::fs::OpenOptions::new().append(true).open(&clicks).expect("clicks").write_all(more.as_bytes()).expect("written");
            sql.run(&format!("INSERT INTO notes VALUES ({}, 'note')", acknowledged + 1));
            acknowledged += 1;
            std::thread::sleep(Duration::from_millis(random.random_range(0..120)));
        }
        if kill % 4 == 0 {
            sql.run("CHECKPOINT");
        }
        let seen: usize = sql.lines("SELECT count(*) FROM clicks")[0].parse().expect("a number");
        std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
        floe.crash();
        let sql = floe.sql();
        assert_eq!(
            sql.lines("SELECT n, last FROM note_count"),
            [format!("{acknowledged}|{acknowledged}")],
            "kill {kill}: what was acknowledged"
        );
        let now: usize = sql.lines("SELECT count(*) FROM clicks")[0].parse().expect("a number");
        assert!(now >= seen, "kill {kill}: a client saw {seen} clicks, after the kill there are {now}");
    }

    let sql = floe.sql();
    sql.run("FLUSH");
    assert_eq!(shop::revenue_of(&sql), shop.revenue(), "the view equals what the shop knows");
    assert_eq!(sql.lines("SELECT count(*), count(DISTINCT user_id) FROM clicks"), [format!("{written}|{written}")]);
    let all = "SELECT window_start, window_end, tier, orders, revenue, mean, low, high FROM revenue";
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let view = sorted(sql.lines(all));

    // The same inputs in a floe that nobody kills.
    let calm = Floe::on(&path("calm"));
    let other = calm.sql();
    for statement in shop::definitions(&log) {
        other.run(&statement);
    }
    other.run("FLUSH");
    assert_eq!(sorted(other.lines(all)), view, "the view equals the one of an uncrashed run");

    // Iceberg, as readers see it that share no code with floe.
    sql.run("CHECKPOINT");
    let clicks_now = sorted(sql.lines("SELECT user_id, url FROM clicks"));
    let urls_now = sorted(sql.lines("SELECT url, count(*) FROM clicks GROUP BY url"));
    let catalog = path("catalog.db").display().to_string();
    for reader in ["pyiceberg", "duckdb"] {
        eventually(&format!("{reader} reads what floe has"), Duration::from_secs(30), || {
            let lake = services::read_iceberg(
                reader,
                &["--sql", &catalog, "shop.revenue"],
                "window_start,window_end,tier,orders,revenue,mean,low,high",
            );
            let lake_clicks = services::read_iceberg(reader, &["--sql", &catalog, "shop.clicks"], "user_id,url");
            let lake_urls = services::read_iceberg(reader, &["--sql", &catalog, "shop.urls"], "url,n");
            if lake == view && lake_clicks == clicks_now && lake_urls == urls_now {
                Ok(())
            } else {
                let counts = (lake.len(), view.len(), lake_clicks.len(), clicks_now.len());
                Err(format!("revenue, clicks: {counts:?}; urls: {lake_urls:?} for {urls_now:?}"))
            }
        });
    }
    progress(format_args!(
        "{KILLS} kills; {} change events, {written} clicks, {acknowledged} inserts; {} rows of the view and {} clicks compared with each of two readers",
        shop.events,
        view.len(),
        clicks_now.len()
    ));
}

#[test]
fn ddl_is_there_whole_or_not_at_all_after_a_kill() {
    let mut random = shop::random(shop::seed() ^ 0xdd1);
    let folder = tempfile::tempdir().expect("a folder");
    let mut floe = Floe::on(&folder.path().join("data"));
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    let values: Vec<String> = (0..2000).map(|n| format!("({n}, {})", n % 10)).collect();
    sql.run(&format!("INSERT INTO t VALUES {}", values.join(", ")));
    for round in 0..8 {
        let name = format!("m{round}");
        let address = floe.address();
        let statement = format!("CREATE MATERIALIZED VIEW {name} AS SELECT v, count(*) AS n FROM t GROUP BY v");
        let client = std::thread::spawn(move || support::Sql::connect(&address).and_then(|sql| sql.try_run(&statement)).is_ok());
        std::thread::sleep(Duration::from_millis(random.random_range(0..60)));
        floe.crash();
        let acknowledged = client.join().expect("the client's thread");
        let sql = floe.sql();
        match sql.try_run(&format!("SELECT count(*), sum(n) FROM {name}")) {
            Ok(answer) => assert_eq!(answer.rows, [[Some("10".to_string()), Some("2000".to_string())]], "round {round}"),
            Err(e) => assert!(!acknowledged && e.sqlstate == "42P01", "round {round}, acknowledged: {acknowledged}: {e}"),
        }
    }
}

#[test]
fn a_second_process_on_the_same_state_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let first = Floe::on(&data);
    first.sql().run("CREATE TABLE t (id INT)");
    let Err(failed) = Floe::try_on(&data, support::free_port(), &[]) else { panic!("the second process started") };
    assert!(failed.status.is_some_and(|s| !s.success()), "{failed:?}");
    assert!(failed.log.contains("in use"), "{}", failed.log);
    assert_eq!(first.sql().lines("SELECT count(*) FROM t"), ["0"], "the first one goes on");
}

/// A table that cannot take a transaction in: the client hears of it, and neither a reader nor a restart finds the rows.
#[test]
fn a_commit_that_a_table_does_not_take_is_answered_with_the_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let environment = [("FLOE_FAILPOINTS", "tables.step=error@3")];
    let launch = Launch { environment: &environment, ..Launch::default() };
    let mut floe = Floe::launch(&data, support::free_port(), launch).expect("floe starts");
    let sql = floe.sql();
    sql.run("CREATE TABLE one (id BIGINT PRIMARY KEY)");
    sql.run("CREATE TABLE two (id BIGINT)");
    sql.run("CREATE MATERIALIZED VIEW both AS SELECT count(*) AS n FROM one JOIN two USING (id)");
    sql.run("INSERT INTO one VALUES (1)");
    sql.run("INSERT INTO two VALUES (1)");
    sql.run("BEGIN");
    sql.run("INSERT INTO one VALUES (2)");
    sql.run("INSERT INTO two VALUES (2)");
    assert_eq!(sql.error("COMMIT").sqlstate, "58030");
    let there = |sql: &support::Sql| ["SELECT id FROM one", "SELECT id FROM two", "SELECT n FROM both"].map(|query| sql.lines(query));
    assert_eq!(there(&sql), [["1"], ["1"], ["1"]]);
    floe.kill();
    let floe = Floe::on(&data);
    let sql = floe.sql();
    assert_eq!(there(&sql), [["1"], ["1"], ["1"]]);
    sql.run("INSERT INTO one VALUES (2)");
    assert_eq!(sql.lines("SELECT id FROM one ORDER BY id"), ["1", "2"]);
}

/// A view is filled, checkpoints hold a part of it, and floe is killed: the next start finds nothing of it, and makes it anew.
#[test]
fn a_view_that_was_being_filled_is_not_there_after_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let environment = [("FLOE_FAILPOINTS", "backfill.chunk=kill@5")];
    // With so little memory for state no chunk is filled in before a checkpoint has the one before it.
    let launch = Launch { environment: &environment, flags: &["--state-memory", "1KiB"], ..Launch::default() };
    let mut floe = Floe::launch(&data, support::free_port(), launch).expect("floe starts");
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT)");
    sql.run("INSERT INTO t SELECT g, g % 1000 FROM generate_series(1, 400000) AS g");
    let view = "CREATE MATERIALIZED VIEW m AS SELECT a.v, count(*) AS n, max(b.id) AS last FROM t a JOIN t b ON a.id = b.id GROUP BY a.v";
    assert!(sql.try_run(view).is_err(), "it is killed at the fifth chunk");
    assert!(floe.ended_within(Duration::from_secs(10)).is_some());
    floe.restart();
    assert!(floe.log().contains("was not finished"), "a checkpoint held a part of it: {}", floe.log());
    let sql = floe.sql();
    assert_eq!(sql.try_run("SELECT * FROM m").map(drop).expect_err("it is not there").sqlstate, "42P01");
    sql.run("DELETE FROM t WHERE id > 300000");
    sql.run(view);
    assert_eq!(sql.lines("SELECT count(*), sum(n), max(last) FROM m"), ["1000|300000|300000"]);
}
