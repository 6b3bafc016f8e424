//! The wire, over a real socket: by a driver where a driver sees it, by bare messages where only those do.

mod copying;
mod extended;
mod login;
mod raw;
mod simple;
mod stopping;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::{Server, ServerConfig};
use crate::coordinator::session::testing::{FakeDatabase, FakeEngine};

pub struct Running {
    pub address: SocketAddr,
    pub http: SocketAddr,
    pub engine: Arc<FakeEngine>,
    pub stop: oneshot::Sender<()>,
    pub ended: JoinHandle<()>,
}

pub async fn server() -> Running {
    server_with(None).await
}

pub async fn server_with(password: Option<&str>) -> Running {
    let config = ServerConfig {
        listen: "127.0.0.1:0".to_string(),
        http: Some("127.0.0.1:0".to_string()),
        user: "floe".to_string(),
        password: password.map(String::from),
        database: "floe".to_string(),
        max_connections: 100,
    };
    let server = Server::bind(config).await.expect("bound");
    let (address, http) = (server.address().expect("an address"), server.http_address().expect("an address"));
    let engine = Arc::new(FakeEngine::default());
    let (stop, stopped) = oneshot::channel();
    let database = Arc::new(FakeDatabase(engine.clone()));
    let ended = tokio::spawn(server.run(database, async {
        let _ = stopped.await;
    }));
    Running { address, http, engine, stop, ended }
}

impl Running {
    pub fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.address.port()).user("floe").dbname("floe");
        config
    }

    pub async fn connect(&self) -> Client {
        let (client, connection) = self.config().connect(NoTls).await.expect("connected");
        tokio::spawn(connection);
        client
    }
}

/// Rows as `a|b`, command tags' counts as `#n`.
pub async fn simple(client: &Client, text: &str) -> Result<Vec<String>, String> {
    let messages = client.simple_query(text).await.map_err(|e| code(&e))?;
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).unwrap_or("NULL")).collect::<Vec<_>>().join("|")),
            SimpleQueryMessage::CommandComplete(count) => Some(format!("#{count}")),
            _ => None,
        })
        .collect())
}

pub fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| error.to_string(), |code| code.code().to_string())
}

/// Waits until it holds, at most five seconds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..250 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}
