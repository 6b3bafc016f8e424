//! Going back to a kept checkpoint with the program as users run it: what is there afterwards, what goes on, and what of a
//! kill in the midst of it.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use support::floe::Launch;
use support::{Floe, Sql, eventually, free_port, run, run_ok, services};

/// Each CHECKPOINT is kept, and none by itself.
const KEEP: [&str; 6] = ["--keep-checkpoints", "2", "--keep-every", "10h", "--checkpoint-interval", "50ms"];

fn checkpoints(data: &Path, more: &[&str], fail: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
    run(command.args(["checkpoints", "--data"]).arg(data).args(more).env("FLOE_FAILPOINTS", fail))
}

/// The kept epochs, as `floe checkpoints` lists them.
fn kept(data: &Path) -> Vec<u64> {
    let output = checkpoints(data, &["--format", "tsv"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().skip(1).map(|line| line.split('\t').next().and_then(|epoch| epoch.parse().ok()).expect("an epoch")).collect()
}

#[track_caller]
fn restore(data: &Path, epoch: u64) -> String {
    let output = checkpoints(data, &["--restore", &epoch.to_string()], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Sources, a table and views over them; two kept checkpoints, and changes after each.
struct World {
    folder: tempfile::TempDir,
    floe: Floe,
    clicks: usize,
}

const VIEWS: [(&str, &str); 3] = [
    ("notes", "SELECT id, text FROM notes"),
    ("per_url", "SELECT url, count(*) AS n, max(id) AS last FROM clicks GROUP BY url"),
    ("seen", "SELECT n.id, c.url FROM notes n JOIN clicks c ON n.id = c.id"),
];

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("clicks.jsonl"), "").expect("written");
        let launch = Launch { flags: &KEEP, ..Launch::default() };
        let floe = Floe::launch(&folder.path().join("data"), free_port(), launch).expect("floe starts");
        let sql = floe.sql();
        sql.run(&format!(
            "CREATE SOURCE clicks (id BIGINT, url VARCHAR) WITH (connector = 'file', path = '{}') FORMAT PLAIN ENCODE JSON",
            folder.path().join("clicks.jsonl").display()
        ));
        sql.run("CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT)");
        for (name, query) in &VIEWS[1..] {
            sql.run(&format!("CREATE MATERIALIZED VIEW {name} AS {query}"));
        }
        World { folder, floe, clicks: 0 }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// More clicks, which floe has read when this returns.
    fn click(&mut self, count: usize) {
        use std::io::Write;
        let from = self.clicks + 1;
        self.clicks += count;
        let text: String = (from..=self.clicks).map(|n| format!("{{\"id\":{n},\"url\":\"/{}\"}}\n", n % 3)).collect();
        let path = self.folder.path().join("clicks.jsonl");
        std::fs::OpenOptions::new().append(true).open(path).expect("clicks").write_all(text.as_bytes()).expect("written");
        self.floe.sql().run("FLUSH");
    }

    fn start(&mut self) -> Sql {
        self.floe.crash();
        self.floe.sql()
    }
}

fn sorted(sql: &Sql, query: &str) -> Vec<String> {
    let mut lines = sql.lines(query);
    lines.sort();
    lines
}

/// Every view equals its query, computed at once.
fn views_are_right(sql: &Sql) {
    for (name, query) in &VIEWS[1..] {
        assert_eq!(sorted(sql, &format!("SELECT * FROM {name}")), sorted(sql, query), "{name}");
    }
}

#[test]
fn the_state_of_then_and_on_from_there() {
    let mut world = World::new();
    world.click(10);
    let sql = world.floe.sql();
    for n in 1..=3 {
        sql.run(&format!("INSERT INTO notes VALUES ({n}, 'note {n}')"));
        sql.run("CHECKPOINT");
    }
    let then = kept(&world.data());
    assert_eq!(then.len(), 2, "the first of three has gone");
    let shown = sorted(&sql, "SELECT epoch, kept FROM floe_checkpoints WHERE kept");
    assert_eq!(shown, then.iter().map(|epoch| format!("{epoch}|t")).collect::<Vec<_>>());
    assert_eq!(sql.lines("SELECT count(*) FROM floe_checkpoints WHERE time > now() - INTERVAL '1 hour'"), ["2"]);
    assert_eq!([sql.lines("SHOW keep_checkpoints"), sql.lines("SHOW keep_every")], [["2"], ["10h"]]);

    // What is to be undone: a view is dropped, rows are lost, a bad click came.
    sql.run("DROP MATERIALIZED VIEW seen");
    sql.run("DELETE FROM notes");
    sql.run("INSERT INTO notes VALUES (99, 'bad')");
    world.click(5);
    sql.run("CREATE MATERIALIZED VIEW bad AS SELECT count(*) AS n FROM clicks");
    let said = String::from_utf8_lossy(&checkpoints(&world.data(), &["--restore", &then[0].to_string()], "").stderr).into_owned();
    assert!(said.contains("in use") && said.contains("hint: Stop floe first"), "{said}");
    assert_eq!(sql.lines("SELECT text FROM notes"), ["bad"], "and the one that runs goes on");
    let newest: u64 = sql.lines("SELECT max(epoch) FROM floe_checkpoints")[0].parse().expect("an epoch");
    world.floe.kill();

    let said = restore(&world.data(), then[0]);
    assert!(said.contains("replaced-1"), "{said}");
    let sql = world.start();
    assert_eq!(sorted(&sql, "SELECT * FROM notes"), ["1|note 1", "2|note 2"]);
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT count(*), max(id) FROM clicks"), ["15|15"], "sources go on from where they were then");
    views_are_right(&sql);
    assert_eq!(sql.try_run("SELECT * FROM bad").map(drop).expect_err("it is not there").sqlstate, "42P01");

    // On from there, over kills, and back once more to the later of the two.
    sql.run("INSERT INTO notes VALUES (3, 'another')");
    world.click(3);
    let epoch: u64 = sql.lines("SELECT max(epoch) FROM floe_checkpoints")[0].parse().expect("an epoch");
    assert!(epoch > newest + 1_000_000, "epochs are not given out twice: {epoch} after {newest}");
    let sql = world.start();
    assert_eq!(sql.lines("SELECT text FROM notes WHERE id = 3"), ["another"]);
    views_are_right(&sql);
    assert_eq!(kept(&world.data()), then);
    world.floe.kill();
    restore(&world.data(), then[1]);
    let sql = world.start();
    assert_eq!(sorted(&sql, "SELECT * FROM notes"), ["1|note 1", "2|note 2", "3|note 3"]);
    sql.run("FLUSH");
    assert_eq!(sql.lines("SELECT count(*) FROM clicks"), ["18"]);
    views_are_right(&sql);
    // The state that was replaced is one to start on.
    let replaced = Floe::on(&world.data().join("replaced-1"));
    assert_eq!(replaced.sql().lines("SELECT text FROM notes"), ["bad"]);
}

/// Kept by their time, beside work that does not stop, with state that leaves memory.
#[test]
fn some_are_kept_by_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let flags = ["--keep-checkpoints", "3", "--keep-every", "200ms", "--checkpoint-interval", "20ms", "--state-memory", "1KiB"];
    let mut floe = Floe::launch(&data, free_port(), Launch { flags: &flags, ..Launch::default() }).expect("floe starts");
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id BIGINT PRIMARY KEY, pad TEXT)");
    sql.run("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n, count(DISTINCT id) AS ids, sum(length(pad)) AS bytes FROM t");
    let mut rows = 0;
    eventually("three are kept", Duration::from_secs(30), || {
        sql.run(&format!("INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series({}, {}) AS g", rows + 1, rows + 500));
        rows += 500;
        if rows % 1500 == 0 {
            sql.run(&format!("DELETE FROM t WHERE id % 7 = 0 AND id > {}", rows - 500));
        }
        match kept(&data).as_slice() {
            [_, _, third] if *third > 60 => Ok(()),
            kept => Err(format!("{kept:?}")),
        }
    });
    let metrics = floe.get("/metrics").expect("metrics").1;
    let counted = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    assert!(counted("floe_checkpoints_kept_total").is_some_and(|count| count >= 3), "{metrics}");
    assert_eq!(counted("floe_checkpoints_not_kept_total"), Some(0));
    floe.kill();
    for epoch in kept(&data) {
        restore(&data, epoch);
        floe.restart();
        let sql = floe.sql();
        let [n, ids, bytes] = ["n", "ids", "bytes"].map(|column| sql.lines(&format!("SELECT {column} FROM m")));
        assert_eq!(
            [n.clone(), ids, bytes],
            ["count(*)", "count(*)", "sum(length(pad))"].map(|sum| sql.lines(&format!("SELECT {sum} FROM t")))
        );
        assert!(n[0].parse::<u64>().is_ok_and(|n| n > 0 && n <= rows), "{n:?}");
        sql.run("INSERT INTO t VALUES (0, '')");
        floe.kill();
    }
}

/// What goes wrong while one is kept is told to who asked, counted, and harms nothing; a kill there leaves nothing.
#[test]
fn failures_while_one_is_kept() {
    for (point, count) in [("keep.begun", 1), ("keep.linked", 1), ("keep.named", 2)] {
        for action in ["error", "panic", "kill"] {
            let folder = tempfile::tempdir().expect("a folder");
            let data = folder.path().join("data");
            let orders = format!("{point}={action}@2");
            let launch = Launch { flags: &KEEP, environment: &[("FLOE_FAILPOINTS", &orders)], ..Launch::default() };
            let mut floe = Floe::launch(&data, free_port(), launch).expect("floe starts");
            let sql = floe.sql();
            // The first checkpoint of all is kept by itself.
            sql.run("CREATE TABLE t (id BIGINT PRIMARY KEY)");
            sql.run("INSERT INTO t VALUES (1)");
            let answer = sql.try_run("CHECKPOINT");
            if action == "kill" {
                assert!(answer.is_err() && floe.ended_within(Duration::from_secs(10)).is_some(), "{orders}");
                floe.restart();
            } else {
                let error = answer.expect_err(&orders);
                assert!(error.message.contains("could not be kept") && error.hint.is_some(), "{orders}: {error}");
                let metrics = floe.get("/metrics").expect("metrics").1;
                assert!(metrics.lines().any(|line| line == "floe_checkpoints_not_kept_total 1"), "{orders}: {metrics}");
            }
            assert_eq!(kept(&data).len(), count, "{orders}");
            let names = std::fs::read_dir(data.join("kept")).expect("a folder").map(|entry| entry.expect("a name").file_name());
            assert!(names.into_iter().all(|name| name.to_string_lossy().parse::<u64>().is_ok()), "{orders}: half of one is left");
            let sql = floe.sql();
            sql.run("INSERT INTO t VALUES (2)");
            sql.run("CHECKPOINT");
            let newest = *kept(&data).last().expect("one is kept");
            sql.run("INSERT INTO t VALUES (3)");
            floe.kill();
            restore(&data, newest);
            floe.restart();
            assert_eq!(sorted(&floe.sql(), "SELECT id FROM t"), ["1", "2"], "{orders}");
        }
    }
}

/// Killed in the midst of a restore: the next start has the old state whole, or the one that was gone back to.
#[test]
fn kills_while_it_is_restored() {
    let mut world = World::new();
    world.click(10);
    let sql = world.floe.sql();
    sql.run("INSERT INTO notes VALUES (1, 'then')");
    sql.run("CHECKPOINT");
    let then = *kept(&world.data()).last().expect("one is kept");
    sql.run("UPDATE notes SET text = 'now'");
    world.floe.kill();
    let template = world.folder.path().join("template");
    run_ok(Command::new("cp").arg("-a").arg(world.data()).arg(&template));
    for (orders, expected) in [
        ("restore.copied=kill", "now"),
        ("restore.copied=error", "now"),
        ("restore.decided=kill", "then"),
        ("restore.moved=kill@1", "then"),
        ("restore.moved=kill@2", "then"),
    ] {
        std::fs::remove_dir_all(world.data()).expect("removed");
        run_ok(Command::new("cp").arg("-a").arg(&template).arg(world.data()));
        let output = checkpoints(&world.data(), &["--restore", &then.to_string()], orders);
        assert!(!output.status.success(), "{orders}");
        let sql = world.start();
        assert_eq!(sql.lines("SELECT text FROM notes"), [expected], "{orders}");
        sql.run("FLUSH");
        assert_eq!(sql.lines("SELECT count(*) FROM clicks"), ["10"], "{orders}");
        views_are_right(&sql);
        assert!(!world.data().join("restoring").exists() && !world.data().join("restore.decision").exists(), "{orders}");
        assert_eq!(world.data().join("replaced-1").exists(), expected == "then", "{orders}");
        sql.run("INSERT INTO notes VALUES (2, 'on')");
        world.floe.kill();
        restore(&world.data(), then);
        assert_eq!(world.start().lines("SELECT text FROM notes"), ["then"], "{orders}");
        world.floe.kill();
    }
}

/// A sink whose table has commits from after the checkpoint stops, whether there is something to commit or not, and says what
/// to do; one whose table has none goes on. Nothing is skipped, and nothing comes twice.
#[test]
fn sinks_whose_tables_are_ahead_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let launch = Launch { flags: &KEEP, ..Launch::default() };
    let mut floe = Floe::launch(&path("data"), free_port(), launch).expect("floe starts");
    let sql = floe.sql();
    let sink = |name: &str, from: &str, kind: &str, table: &str| {
        format!(
            "CREATE SINK {name} FROM {from} WITH (connector = 'iceberg', {kind}, catalog.type = 'sql', catalog.uri = 'sqlite:{}', \
             warehouse.path = '{}', database.name = 'lake', table.name = '{table}', create_table_if_not_exists = 'true', \
             commit_interval = '20 ms')",
            path("catalog.db").display(),
            path("warehouse").display()
        )
    };
    let upsert = "type = 'upsert', primary_key = 'id'";
    sql.run("CREATE TABLE busy (id BIGINT PRIMARY KEY, v BIGINT)");
    sql.run("CREATE TABLE calm (id BIGINT PRIMARY KEY, v BIGINT)");
    for table in ["busy", "calm"] {
        sql.run(&format!("INSERT INTO {table} VALUES (1, 1)"));
        sql.run(&sink(&format!("{table}_lake"), table, upsert, table));
    }
    // What is kept knows of the commits that were waited for.
    sql.run("CHECKPOINT");
    let then = *kept(&path("data")).last().expect("one is kept");
    sql.run("INSERT INTO busy VALUES (2, 2)");
    sql.run("UPDATE busy SET v = 10 WHERE id = 1");
    sql.run("CHECKPOINT");
    floe.kill();
    restore(&path("data"), then);
    floe.restart();

    let sql = floe.sql();
    let status = |sql: &Sql, sink: &str| sql.lines(&format!("SELECT stopped, coalesce(error, '') FROM floe_sinks WHERE name = '{sink}'"));
    eventually("the sink that is behind its table stops", Duration::from_secs(20), || match status(&sql, "busy_lake").as_slice() {
        [line] if line.starts_with("t|") && line.contains("holds commits of this sink that floe does not know") => {
            assert!(line.contains("hint: ") && line.contains("Drop the sink and create it again with a new table"), "{line}");
            Ok(())
        }
        other => Err(format!("{other:?}")),
    });
    sql.run("INSERT INTO busy VALUES (3, 3)");
    sql.run("INSERT INTO calm VALUES (3, 3)");
    let catalog = path("catalog.db").display().to_string();
    let lake = |table: &str| services::read_iceberg("pyiceberg", &["--sql", &catalog, &format!("lake.{table}")], "id,v");
    eventually("the other goes on", Duration::from_secs(20), || match lake("calm").as_slice() {
        lines if lines == ["1|1", "3|3"] => Ok(()),
        other => Err(format!("{other:?}; {:?}", status(&sql, "calm_lake"))),
    });
    assert_eq!(lake("busy"), ["1|10", "2|2"], "its table is left alone");
    // What the hint says.
    sql.run("DROP SINK busy_lake");
    sql.run(&sink("busy_lake", "busy", upsert, "busy_again"));
    sql.run("CHECKPOINT");
    assert_eq!(lake("busy_again"), ["1|1", "3|3"]);
}
