//! The extended protocol as a driver uses it: prepared statements, binary values, portals.

use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt, pin_mut};
use tokio_postgres::types::{ToSql, Type};

use super::{code, server, simple};

#[tokio::test]
async fn values_go_both_ways_in_binary() {
    let server = server().await;
    let client = server.connect().await;
    let text = "SELECT $1::smallint a, $2::int b, $3::bigint c, $4::real d, $5::double precision e, $6::boolean f, $7::varchar g, \
                $8::bytea h, $9::timestamp i, $10::int j, $11::int k, $12::varchar l";
    let types = [
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::BOOL,
        Type::VARCHAR,
        Type::BYTEA,
        Type::TIMESTAMP,
        Type::INT4,
        Type::INT4,
        Type::VARCHAR,
    ];
    let statement = client.prepare_typed(text, &types).await.expect("prepared");
    assert_eq!(statement.params(), types);
    assert_eq!(statement.columns().iter().map(|c| c.type_().clone()).collect::<Vec<_>>()[..6], types[..6]);
    let at = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001);
    let bytes = vec![8u8, 0];
    let parameters: [&(dyn ToSql + Sync); 12] =
        [&1i16, &2i32, &3i64, &1.5f32, &2.5f64, &true, &"seven", &bytes, &at, &None::<i32>, &11i32, &"zwölf"];
    let row = client.query_one(&statement, &parameters).await.expect("a row");
    assert_eq!((row.get::<_, i16>(0), row.get::<_, i32>(1), row.get::<_, i64>(2)), (1, 2, 3));
    assert_eq!((row.get::<_, f32>(3), row.get::<_, f64>(4), row.get::<_, bool>(5)), (1.5, 2.5, true));
    assert_eq!((row.get::<_, &str>(6), row.get::<_, Vec<u8>>(7)), ("seven", bytes));
    assert_eq!(row.get::<_, SystemTime>(8), at);
    assert_eq!((row.get::<_, Option<i32>>(9), row.get::<_, i32>(10), row.get::<_, &str>(11)), (None, 11, "zwölf"));
}

#[tokio::test]
async fn portals_go_on_where_they_stopped() {
    let server = server().await;
    let mut client = server.connect().await;
    let transaction = client.transaction().await.expect("begun");
    let portal = transaction.bind("SELECT n FROM flood", &[]).await.expect("bound");
    for portion in 0..3 {
        let rows = transaction.query_portal(&portal, 700).await.expect("a portion");
        assert_eq!(rows.len(), 700);
        assert_eq!(rows[0].get::<_, i32>(0), portion * 700, "no row is lost between portions");
    }
    transaction.rollback().await.expect("ended");
    assert_eq!(server.engine.live.load(std::sync::atomic::Ordering::SeqCst), 0, "the portal went with its transaction");
}

#[tokio::test]
async fn rows_arrive_while_the_result_goes_on() {
    let server = server().await;
    let client = server.connect().await;
    let rows = client.query_raw("SELECT n FROM ticks", std::iter::empty::<i32>()).await.expect("begun");
    pin_mut!(rows);
    for expected in 0..3 {
        let row = tokio::time::timeout(Duration::from_secs(5), rows.next()).await.expect("soon").expect("a row").expect("no error");
        assert_eq!(row.get::<_, i32>(0), expected);
    }
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_result() {
    let server = server().await;
    let client = server.connect().await;
    let rows = client.query_raw("SELECT n FROM breaks", std::iter::empty::<i32>()).await.expect("begun");
    let error = rows.try_collect::<Vec<_>>().await.expect_err("broken");
    assert_eq!(code(&error), "22012");
    assert_eq!(simple(&client, "SELECT 1").await.map(|l| l.len()), Ok(2), "the connection goes on");
}

#[tokio::test]
async fn inserts_commit_at_sync() {
    let server = server().await;
    let (client, other) = (server.connect().await, server.connect().await);
    let insert = client.prepare("INSERT INTO t VALUES ($1, $2)").await.expect("prepared");
    for id in 0..10i32 {
        assert_eq!(client.execute(&insert, &[&id, &format!("n{id}")]).await.expect("inserted"), 1);
    }
    let count: i64 = other.query_one("SELECT count(*) FROM t WHERE id >= $1", &[&5i32]).await.expect("a row").get(0);
    assert_eq!(count, 5);
    assert_eq!(code(&client.execute(&insert, &[&3i32, &"again"]).await.expect_err("there already")), "23505");
    assert_eq!(code(&client.prepare("SELECT * FROM missing").await.expect_err("missing")), "42P01");
    assert_eq!(code(&client.prepare("SELECT 1; SELECT 2").await.expect_err("two")), "42601");
    assert_eq!(client.query("", &[]).await.expect("empty").len(), 0);
}
