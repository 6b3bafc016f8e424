//! floe on the wire, as clients meet it: psql, a driver with prepared statements, COPY, cancel, time limits, HTTP, a clean stop.

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use support::client::runtime;
use support::shop::{self, Shop};
use support::{Floe, run, run_ok};

fn text(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn psql_runs_the_example_and_lists_what_exists() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("orders.jsonl");
    let mut shop = Shop::new(7);
    shop.write(&log, 300);
    let floe = Floe::fresh();
    for statement in shop::definitions(&log) {
        let output = floe.psql(&["-v", "ON_ERROR_STOP=1", "-c", &statement]);
        assert!(output.status.success(), "{statement}\n{}", text(&output));
    }
    let output = floe.psql(&["-Atq", "-c", "FLUSH", "-c", shop::REVENUE]);
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().filter(|l| l.contains('|')).map(String::from).collect();
    lines.sort();
    assert_eq!(lines, shop.revenue(), "{}", text(&output));

    for (command, words) in [
        ("\\d", vec!["orders", "customers", "revenue"]),
        ("\\dt", vec!["customers"]),
        ("\\dm", vec!["revenue"]),
        ("\\d revenue", vec!["window_start", "timestamp without time zone", "tier", "character varying", "numeric"]),
        ("\\d customers", vec!["id", "bigint", "name"]),
        ("\\l", vec!["floe"]),
        ("\\dn", vec!["public"]),
        ("\\conninfo", vec!["floe"]),
    ] {
        let output = floe.psql(&["-c", command]);
        let shown = text(&output);
        assert!(output.status.success() && !shown.contains("ERROR"), "{command}: {shown}");
        for word in words {
            assert!(shown.contains(word), "{command} does not show {word}:\n{shown}");
        }
    }
    let shown = text(&floe.psql(&["-c", "\\dm"]));
    assert!(!shown.contains("customers"), "\\dm lists materialized views only:\n{shown}");
}

#[test]
fn oids_last_through_a_restart() {
    let mut floe = Floe::fresh();
    let ask = "SELECT oid FROM pg_catalog.pg_class WHERE relname = 't'";
    let sql = floe.sql();
    sql.run("CREATE TABLE gone (a INT)");
    sql.run("CREATE TABLE t (a INT)");
    sql.run("DROP TABLE gone");
    let before = sql.lines(ask);
    assert_eq!(before.len(), 1);
    floe.crash();
    assert_eq!(floe.sql().lines(ask), before);
}

#[test]
fn prepared_statements_take_parameters_in_binary() {
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, big BIGINT, x DOUBLE PRECISION, s TEXT, ok BOOLEAN)");
    let client = sql.raw();
    runtime().block_on(async {
        let insert = client.prepare("INSERT INTO t VALUES ($1, $2, $3, $4, $5)").await.expect("prepared");
        for id in 0..20i32 {
            let (big, x, s) = (i64::from(id) << 33, f64::from(id) / 4.0, format!("row {id}"));
            let s = if id == 3 { None } else { Some(s) };
            assert_eq!(client.execute(&insert, &[&id, &big, &x, &s, &(id % 2 == 0)]).await.expect("inserted"), 1);
        }
        let select = client.prepare("SELECT id, big, x, s, ok FROM t WHERE id >= $1 AND ok = $2 ORDER BY id").await.expect("prepared");
        assert_eq!(select.columns().iter().map(|c| c.type_().name()).collect::<Vec<_>>(), ["int4", "int8", "float8", "text", "bool"]);
        let rows = client.query(&select, &[&15i32, &true]).await.expect("rows");
        let got: Vec<(i32, i64, f64, Option<String>)> = rows.iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3))).collect();
        assert_eq!(got, [(16, 16 << 33, 4.0, Some("row 16".into())), (18, 18 << 33, 4.5, Some("row 18".into()))]);
        let null: Option<String> = client.query_one("SELECT s FROM t WHERE id = $1", &[&3i32]).await.expect("a row").get(0);
        assert_eq!(null, None);
        // More than nine parameters keep their order.
        let many = "SELECT $1::int, $2::int, $3::int, $4::int, $5::int, $6::int, $7::int, $8::int, $9::int, $10::int, $11::int";
        let numbers: Vec<i32> = (1..=11).collect();
        let parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = numbers.iter().map(|n| n as _).collect();
        let row = client.query_one(many, &parameters).await.expect("a row");
        assert_eq!((0..11).map(|i| row.get::<_, i32>(i)).collect::<Vec<_>>(), numbers);
    });
}

#[test]
fn errors_carry_what_tools_need() {
    let floe = Floe::fresh();
    let sql = floe.sql();
    let missing = sql.error("SELECT * FROM nothing_here");
    assert_eq!((missing.sqlstate.as_str(), missing.message.as_str()), ("42P01", "relation \"nothing_here\" does not exist"));
    assert_eq!(missing.position, Some(15));
    assert_eq!(sql.error("SELECT 1 FRM t").sqlstate, "42601");
    sql.run("BEGIN");
    assert_eq!(sql.error("SELECT 1/0").sqlstate, "22012");
    assert_eq!(sql.error("SELECT 1").sqlstate, "25P02");
    sql.run("ROLLBACK");
    assert_eq!(sql.lines("SELECT 1"), ["1"]);
}

#[test]
fn a_session_has_settings_of_its_own() {
    let floe = Floe::fresh();
    let (one, two) = (floe.sql(), floe.sql());
    one.run("SET application_name = 'mine'");
    assert_eq!(one.lines("SHOW application_name"), ["mine"]);
    assert_ne!(two.lines("SHOW application_name"), ["mine"]);
    assert_eq!(one.error("SHOW no_such_setting").sqlstate, "42704");
    assert_eq!(one.lines("SELECT current_database()"), ["floe"]);
    let version = one.lines("SHOW server_version");
    assert!(version[0].starts_with(|c: char| c.is_ascii_digit()), "{version:?}");
}

#[test]
fn copy_brings_rows_in_and_out() {
    let floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id INT PRIMARY KEY, s TEXT)");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows");
    std::fs::write(&file, "1\tone\n2\t\\N\n3\ttab\\there\n").expect("written");
    let output = floe.psql(&["-c", &format!("\\copy t FROM '{}'", file.display())]);
    assert!(text(&output).contains("COPY 3"), "{}", text(&output));
    assert_eq!(sql.lines("SELECT * FROM t ORDER BY id"), ["1|one", "2|NULL", "3|tab\there"]);
    let output = floe.psql(&["-c", "COPY t TO STDOUT"]);
    let mut out: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(String::from).collect();
    out.sort();
    assert_eq!(out, ["1\tone", "2\t\\N", "3\ttab\\there"], "{}", text(&output));
    std::fs::write(&file, "4\tfour\nnot a number\tx\n").expect("written");
    let output = floe.psql(&["-c", &format!("\\copy t FROM '{}'", file.display())]);
    assert!(text(&output).contains("ERROR"), "{}", text(&output));
    assert_eq!(sql.lines("SELECT count(*) FROM t"), ["3"], "all of a COPY or nothing");
}

/// A statement that would run for hours, over `rows` rows joined with themselves.
fn endless(sql: &support::Sql) -> &'static str {
    sql.run("CREATE TABLE many (n INT)");
    let values: Vec<String> = (0..3000).map(|n| format!("({n})")).collect();
    sql.run(&format!("INSERT INTO many VALUES {}", values.join(", ")));
    "SELECT sum(a.n + b.n * c.n) FROM many a CROSS JOIN many b CROSS JOIN many c"
}

#[test]
fn a_running_statement_can_be_cancelled() {
    let floe = Floe::fresh();
    let sql = floe.sql();
    let endless = endless(&sql);
    let token = sql.raw().cancel_token();
    let begin = Instant::now();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        runtime().block_on(token.cancel_query(tokio_postgres::NoTls)).expect("the cancel request is sent");
    });
    assert_eq!(sql.error(endless).sqlstate, "57014");
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!(sql.lines("SELECT 1"), ["1"]);
}

#[test]
fn statement_timeout_ends_a_running_statement() {
    let floe = Floe::fresh();
    let sql = floe.sql();
    let endless = endless(&sql);
    sql.run("SET statement_timeout = 600");
    let begin = Instant::now();
    assert_eq!(sql.error(endless).sqlstate, "57014");
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    // A long row stream too, and not only what is computed before the first row.
    assert_eq!(sql.error("SELECT a.n, b.n FROM many a CROSS JOIN many b CROSS JOIN many c").sqlstate, "57014");
    sql.run("SET statement_timeout = 0");
    assert_eq!(sql.lines("SELECT count(*) FROM many"), ["3000"]);
}

#[test]
fn http_says_how_it_is() {
    let floe = Floe::fresh();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(floe.get(path).map(|(status, _)| status), Some(200), "{path}");
    }
    let (status, body) = floe.get("/metrics").expect("an answer");
    assert_eq!(status, 200);
    assert!(body.contains("# TYPE floe_"), "Prometheus text: {body}");
    assert_eq!(floe.get("/no-such-page").map(|(status, _)| status), Some(404));
}

#[test]
fn sigterm_stops_cleanly_and_loses_nothing() {
    let mut floe = Floe::fresh();
    let sql = floe.sql();
    sql.run("CREATE TABLE t (id INT PRIMARY KEY)");
    sql.run("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t");
    sql.run("INSERT INTO t VALUES (1), (2), (3)");
    let (status, time) = floe.stop();
    assert!(status.success(), "{status}: {}", floe.log());
    assert!(time < Duration::from_secs(5), "{time:?}");
    floe.restart();
    assert_eq!(floe.sql().lines("SELECT * FROM m"), ["3"]);
}

#[test]
fn floe_sql_runs_scripts_and_stops_at_the_first_error() {
    let floe = Floe::fresh();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
        command.args(["sql", "-p", &floe.port.to_string()]).args(arguments);
        command
    };
    let shown = run_ok(&mut command(&["-c", "SELECT 41 + 1 AS answer"]));
    assert!(shown.contains("answer") && shown.contains("42"), "{shown}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("script.sql");
    std::fs::write(&file, "CREATE TABLE a (x INT);\nINSERT INTO a VALUES (1); -- a comment; with a semicolon\nSELECT * FROM missing;\nCREATE TABLE b (x INT);\n")
        .expect("written");
    let output = run(&mut command(&["-f", &file.display().to_string()]));
    assert!(!output.status.success());
    assert!(text(&output).contains("missing"), "{}", text(&output));
    let sql = floe.sql();
    assert_eq!(sql.lines("SELECT count(*) FROM a"), ["1"]);
    assert_eq!(sql.error("SELECT * FROM b").sqlstate, "42P01", "nothing runs after the error");
}

#[test]
fn with_a_password_clients_have_to_know_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let floe = match Floe::try_on(&folder.path().join("data"), support::free_port(), &["--password", "open sesame"]) {
        Ok(floe) => floe,
        Err(failed) => panic!("{failed:?}"),
    };
    let with = |password: &str| support::Sql::connect(&format!("{} password='{password}'", floe.address()));
    assert_eq!(with("open sesame").expect("the right password").lines("SELECT 1"), ["1"]);
    for (what, result) in [
        ("wrong", with("open barley")),
        ("wrong user", support::Sql::connect(&format!("host=127.0.0.1 port={} user=eve dbname=floe password=x", floe.port))),
    ] {
        let Err(error) = result else { panic!("{what}: let in") };
        assert_eq!(error.sqlstate, "28P01", "{what}: {error}");
        assert!(error.message.starts_with("password authentication failed for user"), "{what}: {error}");
    }
    assert!(floe.try_sql().is_err(), "no password at all");
}

#[test]
fn without_a_password_floe_stays_on_loopback() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(Command::new(env!("CARGO_BIN_EXE_floe"))
        .args(["serve", "--http", "off", "--listen", &format!("0.0.0.0:{}", support::free_port()), "--data"])
        .arg(folder.path().join("data")));
    assert!(!output.status.success());
    assert!(text(&output).contains("password"), "{}", text(&output));
}

#[test]
fn an_unknown_database_is_refused() {
    let floe = Floe::fresh();
    let Err(error) = support::Sql::connect(&floe.address().replace("dbname=floe", "dbname=nope")) else { panic!("let in") };
    assert_eq!((error.sqlstate.as_str(), error.message.as_str()), ("3D000", "database \"nope\" does not exist"));
}
