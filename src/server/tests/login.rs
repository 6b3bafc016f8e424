//! Logins: passwords, databases, parameters; and what is refused before a socket is even opened.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::{Config, NoTls};

use super::{code, server, server_with, simple};
use crate::server::{Server, ServerConfig, ServerError};

async fn refusal(config: &Config) -> (String, String) {
    let error = config.connect(NoTls).await.err().expect("refused");
    (code(&error), error.as_db_error().map(|e| e.message().to_string()).unwrap_or_default())
}

#[tokio::test]
async fn passwords_are_proved_by_scram() {
    let server = server_with(Some("grün & geheim")).await;
    let mut config = server.config();
    config.password("grün & geheim");
    let (client, connection) = config.connect(NoTls).await.expect("the right password");
    tokio::spawn(connection);
    assert_eq!(simple(&client, "SELECT 1").await, Ok(vec!["1".to_string(), "#1".to_string()]));

    config.password("wrong");
    let expected = ("28P01".to_string(), "password authentication failed for user \"floe\"".to_string());
    assert_eq!(refusal(&config).await, expected);
    config.password("grün & geheim").user("eve");
    let expected = ("28P01".to_string(), "password authentication failed for user \"eve\"".to_string());
    assert_eq!(refusal(&config).await, expected);
}

#[tokio::test]
async fn only_the_database_that_is_there() {
    let server = server().await;
    let mut config = server.config();
    config.dbname("other");
    assert_eq!(refusal(&config).await, ("3D000".to_string(), "database \"other\" does not exist".to_string()));
}

#[tokio::test]
async fn options_set_variables_from_the_start() {
    let server = server().await;
    let mut config = server.config();
    config.options("-c statement_timeout=1234 -c TimeZone=Asia/Tokyo").application_name("me");
    let (client, connection) = config.connect(NoTls).await.expect("connected");
    for (name, value) in [
        ("TimeZone", "Asia/Tokyo"),
        ("server_version", crate::types::server_version::SERVER_VERSION),
        ("application_name", "me"),
        ("integer_datetimes", "on"),
    ] {
        assert_eq!(connection.parameter(name), Some(value), "{name}");
    }
    tokio::spawn(connection);
    assert_eq!(simple(&client, "SHOW statement_timeout").await, Ok(vec!["1234ms".to_string(), "#0".to_string()]));

    config.options("-c nonsense=1");
    assert_eq!(refusal(&config).await.0, "42704");
}

#[tokio::test]
async fn without_a_password_only_loopback() {
    let config = |listen: &str| ServerConfig {
        listen: listen.to_string(),
        http: None,
        user: "floe".to_string(),
        password: None,
        database: "floe".to_string(),
        max_connections: 1,
    };
    let error = Server::bind(config("0.0.0.0:0")).await.err().expect("refused");
    assert!(matches!(error, ServerError::NoPassword { .. }) && error.hint().contains("--password"), "{error}");

    let taken = server().await.address.to_string();
    let error = Server::bind(config(&taken)).await.err().expect("refused");
    assert!(matches!(error, ServerError::AddressInUse { .. }) && error.to_string().contains(&taken), "{error}");
}

#[tokio::test]
async fn http() {
    let server = server().await;
    let get = async |path: &str| {
        let mut stream = tokio::net::TcpStream::connect(server.http).await.expect("connected");
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        (head.split(' ').nth(1).expect("a status").to_string(), body.to_string())
    };
    assert_eq!(get("/healthz").await, ("200".to_string(), "ok\n".to_string()));
    assert_eq!(get("/readyz").await.0, "200");
    assert_eq!(get("/metrics").await.1, "floe_test 1\n");
    assert_eq!(get("/other").await.0, "404");
    server.engine.refuse.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(get("/readyz").await, ("503".to_string(), "it refuses\n".to_string()));
}
