//! The simple protocol, transactions and session statements, as a driver sees them.

use super::{server, simple};

fn lines(lines: &[&str]) -> Result<Vec<String>, String> {
    Ok(lines.iter().map(ToString::to_string).collect())
}

fn sqlstate(code: &str) -> Result<Vec<String>, String> {
    Err(code.to_string())
}

#[tokio::test]
async fn statements_of_one_string_share_a_transaction() {
    let server = server().await;
    let (client, other) = (server.connect().await, server.connect().await);
    assert_eq!(simple(&client, "INSERT INTO t VALUES (1, 'a'); SELECT * FROM t").await, lines(&["#1", "1|a", "#1"]));
    assert_eq!(simple(&client, "INSERT INTO t VALUES (2, 'b'); SELECT 1/0").await, sqlstate("22012"));
    assert_eq!(simple(&client, "INSERT INTO t VALUES (3, 'c'), (1, 'again')").await, sqlstate("23505"));
    assert_eq!(simple(&other, "SELECT count(*) FROM t").await, lines(&["1", "#1"]), "the failed strings left nothing");
    assert_eq!(simple(&client, "").await, lines(&["#0"]));
    assert_eq!(simple(&client, " ;; -- nothing").await, lines(&["#0"]));
    assert_eq!(simple(&client, "INSERT INTO t VALUES (9, NULL) RETURNING id, name").await, lines(&["9|NULL", "#1"]));
}

#[tokio::test]
async fn transactions_read_one_epoch_and_their_own_changes() {
    let server = server().await;
    let (client, other) = (server.connect().await, server.connect().await);
    let count = "SELECT count(*) FROM t";
    assert_eq!(simple(&client, "BEGIN").await, lines(&["#0"]));
    assert_eq!(simple(&client, count).await, lines(&["0", "#1"]));
    simple(&other, "INSERT INTO t VALUES (1, 'x')").await.expect("committed");
    assert_eq!(simple(&client, count).await, lines(&["0", "#1"]), "the same epoch as before");
    simple(&client, "INSERT INTO t VALUES (2, 'y')").await.expect("kept");
    assert_eq!(simple(&client, count).await, lines(&["1", "#1"]), "its own row");
    assert_eq!(simple(&other, count).await, lines(&["1", "#1"]), "not the other's");
    simple(&client, "SAVEPOINT s; INSERT INTO t VALUES (3, 'z')").await.expect("kept");
    assert_eq!(simple(&client, "SELECT 1/0").await, sqlstate("22012"));
    assert_eq!(simple(&client, count).await, sqlstate("25P02"));
    simple(&client, "ROLLBACK TO SAVEPOINT s").await.expect("back");
    assert_eq!(simple(&client, count).await, lines(&["1", "#1"]));
    simple(&client, "COMMIT").await.expect("committed");
    assert_eq!(simple(&other, "SELECT id FROM t ORDER BY id").await, lines(&["1", "2", "#2"]));
    assert_eq!(simple(&client, "SAVEPOINT s").await, sqlstate("25P01"));

    simple(&client, "BEGIN READ ONLY").await.expect("begun");
    assert_eq!(simple(&client, "INSERT INTO t VALUES (7, '')").await, sqlstate("25006"));
    simple(&client, "ROLLBACK").await.expect("ended");
}

#[tokio::test]
async fn a_commit_that_fails_is_told() {
    let server = server().await;
    let client = server.connect().await;
    server.engine.refuse.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(simple(&client, "INSERT INTO t VALUES (1, 'a')").await, sqlstate("40001"));
    simple(&client, "BEGIN; INSERT INTO t VALUES (1, 'a')").await.expect("kept");
    assert_eq!(simple(&client, "COMMIT").await, sqlstate("40001"));
    assert_eq!(client.execute("INSERT INTO t VALUES (1, 'a')", &[]).await.map_err(|e| super::code(&e)), Err("40001".to_string()));
    server.engine.refuse.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(simple(&client, "SELECT count(*) FROM t").await, lines(&["0", "#1"]));
}

#[tokio::test]
async fn definitions_stand_alone_in_a_transaction() {
    let server = server().await;
    let client = server.connect().await;
    simple(&client, "BEGIN; SELECT 1").await.expect("begun");
    assert_eq!(simple(&client, "DROP TABLE a").await, sqlstate("25001"));
    simple(&client, "ROLLBACK; BEGIN; DROP TABLE b").await.expect("kept");
    assert!(server.engine.defined.lock().expect("unpoisoned").is_empty(), "not before COMMIT");
    assert_eq!(simple(&client, "SELECT 1").await, sqlstate("25001"));
    simple(&client, "ROLLBACK; BEGIN; DROP TABLE c; COMMIT; DROP TABLE d").await.expect("dropped");
    assert_eq!(*server.engine.defined.lock().expect("unpoisoned"), ["c", "d"]);
    assert_eq!(simple(&client, "BEGIN; FLUSH").await, sqlstate("25001"));
}

#[tokio::test]
async fn variables() {
    let server = server().await;
    let client = server.connect().await;
    for (statement, answer) in [
        ("SHOW server_version_num", lines(&["150009", "#0"])),
        ("SET timezone = 'Europe/Paris'; SHOW TimeZone", lines(&["#0", "Europe/Paris", "#0"])),
        ("SELECT TIMESTAMPTZ '2024-07-01 00:00:00Z'", lines(&["2024-07-01 02:00:00+02", "#1"])),
        ("RESET timezone; SHOW timezone", lines(&["#0", "UTC", "#0"])),
        ("SHOW nothing_such", sqlstate("42704")),
        ("SET nothing_such = 1", sqlstate("42704")),
        (
            "BEGIN; SET LOCAL statement_timeout = 5; SHOW statement_timeout; COMMIT; SHOW statement_timeout",
            lines(&["#0", "#0", "5ms", "#0", "#0", "0", "#0"]),
        ),
        ("BEGIN; SET statement_timeout = 5; ROLLBACK; SHOW statement_timeout", lines(&["#0", "#0", "#0", "0", "#0"])),
        ("SET application_name = 'x'; DISCARD ALL; SHOW application_name", lines(&["#0", "#0", "", "#0"])),
        ("DESCRIBE t", lines(&["id|integer|NO|primary key", "name|text|YES|", "#0"])),
        ("SHOW TABLES", lines(&["public|t", "#0"])),
        ("DESCRIBE u", sqlstate("42P01")),
    ] {
        assert_eq!(simple(&client, statement).await, answer, "{statement}");
    }
}

#[tokio::test]
async fn cursors_and_prepared_statements() {
    let server = server().await;
    let client = server.connect().await;
    assert_eq!(simple(&client, "DECLARE c CURSOR FOR SELECT 1").await, sqlstate("25P01"));
    simple(&client, "BEGIN; DECLARE c CURSOR FOR SELECT * FROM flood").await.expect("declared");
    assert_eq!(simple(&client, "FETCH 2 FROM c").await, lines(&["0", "1", "#2"]));
    assert_eq!(simple(&client, "FETCH 1 FROM c").await, lines(&["2", "#1"]));
    simple(&client, "CLOSE c").await.expect("closed");
    assert_eq!(simple(&client, "FETCH 1 FROM c").await, sqlstate("34000"));
    simple(&client, "ROLLBACK").await.expect("ended");

    simple(&client, "PREPARE p (int, int) AS SELECT $1 + $2 AS sum").await.expect("prepared");
    assert_eq!(simple(&client, "EXECUTE p(2, 3)").await, lines(&["5", "#1"]));
    assert_eq!(simple(&client, "EXECUTE p(2)").await, sqlstate("42601"));
    assert_eq!(simple(&client, "PREPARE p AS SELECT 1").await, sqlstate("42P05"));
    simple(&client, "DEALLOCATE p").await.expect("deallocated");
    assert_eq!(simple(&client, "EXECUTE p(2, 3)").await, sqlstate("26000"));
}
