//! COPY both ways.

use bytes::Bytes;
use futures::{SinkExt, TryStreamExt, pin_mut};
use tokio_postgres::Client;

use super::{code, server, simple};

async fn copy_in(client: &Client, statement: &str, data: &[&'static str]) -> Result<u64, String> {
    let sink = client.copy_in::<_, Bytes>(statement).await.map_err(|e| code(&e))?;
    pin_mut!(sink);
    for piece in data {
        sink.send(Bytes::from_static(piece.as_bytes())).await.map_err(|e| code(&e))?;
    }
    sink.finish().await.map_err(|e| code(&e))
}

async fn copy_out(client: &Client, statement: &str) -> String {
    let pieces: Vec<Bytes> = client.copy_out(statement).await.expect("begun").try_collect().await.expect("all of it");
    String::from_utf8(pieces.concat()).expect("UTF-8")
}

#[tokio::test]
async fn text_and_csv() {
    let server = server().await;
    let client = server.connect().await;
    assert_eq!(copy_in(&client, "COPY t FROM STDIN", &["1\ta", " b\\tc\n2\t", "\\N\n"]).await, Ok(2));
    assert_eq!(copy_in(&client, "COPY t FROM STDIN WITH (FORMAT csv)", &["3,\"x, \"\"y\"\"\nz\"\n4,\n5,\"\"\n"]).await, Ok(3));
    assert_eq!(copy_out(&client, "COPY t TO STDOUT").await, "1\ta b\\tc\n2\t\\N\n3\tx, \"y\"\\nz\n4\t\\N\n5\t\n");
    assert_eq!(copy_out(&client, "COPY t TO STDOUT WITH (FORMAT csv)").await, "1,a b\tc\n2,\n3,\"x, \"\"y\"\"\nz\"\n4,\n5,\"\"\n");
    assert_eq!(simple(&client, "SELECT count(*) FROM t").await, Ok(vec!["5".to_string(), "#1".to_string()]));
}

#[tokio::test]
async fn a_copy_that_fails_stores_nothing_and_the_connection_goes_on() {
    let server = server().await;
    let client = server.connect().await;
    for (data, sqlstate) in [("1\tx\nabc\ty\n", "22P02"), ("1\tx\ty\n", "22P04"), ("1\n", "22P04")] {
        assert_eq!(copy_in(&client, "COPY t FROM STDIN", &[data]).await, Err(sqlstate.to_string()), "{data:?}");
    }
    let sink = client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.expect("begun");
    {
        pin_mut!(sink);
        sink.send(Bytes::from_static(b"1\tx\n")).await.expect("sent");
        // Dropped unfinished: the driver sends CopyFail.
    }
    assert_eq!(code(&client.copy_in::<_, Bytes>("COPY nothing FROM STDIN").await.err().expect("missing")), "42P01");
    assert_eq!(simple(&client, "SELECT count(*) FROM t").await, Ok(vec!["0".to_string(), "#1".to_string()]));
}
