//! Everything that ends a running statement: cancel, timeout, a client that leaves, the server's own end.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use super::{code, eventually, server, simple};

#[tokio::test]
async fn cancel_stops_a_row_stream() {
    let server = server().await;
    let client = server.connect().await;
    for query in ["SELECT n FROM forever", "SELECT n FROM flood", "SELECT n FROM ticks"] {
        let token = client.cancel_token();
        let running = client.simple_query(query);
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            token.cancel_query(NoTls).await.expect("sent");
        };
        let (result, ()) = tokio::join!(running, cancel);
        assert_eq!(code(&result.expect_err("cancelled")), "57014", "{query}");
        eventually("the stream is dropped", || server.engine.live.load(Ordering::SeqCst) == 0).await;
    }
    client.cancel_token().cancel_query(NoTls).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(simple(&client, "SELECT 1").await.map(|l| l.len()), Ok(2), "a cancel that comes too late counts for nothing");
}

#[tokio::test]
async fn statements_time_out() {
    let server = server().await;
    let client = server.connect().await;
    simple(&client, "SET statement_timeout = 50").await.expect("set");
    for query in ["SELECT n FROM forever", "SELECT n FROM ticks"] {
        let begin = Instant::now();
        assert_eq!(simple(&client, query).await, Err("57014".to_string()));
        assert_eq!(code(&client.query(query, &[]).await.expect_err("too long")), "57014");
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(simple(&client, "SELECT 1").await.map(|l| l.len()), Ok(2));
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let server = server().await;
    let (client, connection) = server.config().connect(NoTls).await.expect("connected");
    let talking = tokio::spawn(connection);
    let asking = tokio::spawn(async move { client.simple_query("SELECT n FROM forever").await.map(|_| ()) });
    eventually("the query runs", || server.engine.live.load(Ordering::SeqCst) == 1).await;
    talking.abort();
    asking.abort();
    eventually("the stream is dropped", || server.engine.live.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn the_servers_end_ends_statements_and_idle_connections() {
    let server = server().await;
    let (busy, idle) = (server.connect().await, server.connect().await);
    let running = tokio::spawn(async move { busy.simple_query("SELECT n FROM forever").await.map(|_| ()) });
    eventually("the query runs", || server.engine.live.load(Ordering::SeqCst) == 1).await;
    let begin = Instant::now();
    server.stop.send(()).expect("it listens");
    server.ended.await.expect("it ends");
    assert!(begin.elapsed() < Duration::from_secs(3));
    assert_eq!(code(&running.await.expect("no panic").expect_err("stopped")), "57P01");
    eventually("the idle connection is closed", || idle.is_closed()).await;
}
