//! Listens for clients and serves each in its own task, until it is told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::auth::Credentials;
use super::backend;
use super::cancel::CancelKeys;
use super::connection::Connection;
use super::error::{ServerError, Stop};
use super::http;
use super::startup::{Shared, start};
use super::wire::Wire;
use crate::coordinator::database::Database;

/// How long a client may take to log in.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);
/// How long statements have to end once the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `host:port` for the PostgreSQL protocol.
    pub listen: String,
    /// `host:port` for HTTP; `None` for no HTTP.
    pub http: Option<String>,
    pub user: String,
    pub password: Option<String>,
    /// The name under which clients ask for the database.
    pub database: String,
    pub max_connections: usize,
}

/// Bound to its addresses, and not yet serving.
pub struct Server {
    config: ServerConfig,
    wire: TcpListener,
    http: Option<TcpListener>,
}

impl Server {
    /// Takes the addresses, so that a start that cannot succeed fails before anything else is opened.
    pub async fn bind(config: ServerConfig) -> Result<Server, ServerError> {
        let wire = listen(&config.listen, "--listen", config.password.is_some()).await?;
        // What HTTP tells is not secret; it changes nothing.
        let http = match &config.http {
            Some(address) => Some(listen(address, "--http", true).await?),
            None => None,
        };
        Ok(Server { config, wire, http })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.wire.local_addr()
    }

    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().and_then(|l| l.local_addr().ok())
    }

    /// Serves until `stop` is ready, then ends running statements and connections within a few seconds.
    pub async fn run(self, database: Arc<dyn Database>, stop: impl Future<Output = ()>) {
        let Server { config, wire, http } = self;
        let keys = Arc::new(CancelKeys::default());
        let shared = Arc::new(Shared {
            database: database.clone(),
            credentials: config.password.as_deref().map(|password| Credentials::new(&config.user, password)),
            name: config.database,
            keys: keys.clone(),
            max_connections: config.max_connections,
        });
        let http = http.map(|listener| tokio::spawn(http::serve(listener, database)));
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        tracing::error!(%error, "a connection failed by a defect of floe");
                    }
                }
                accepted = wire.accept() => match accepted {
                    Ok((stream, peer)) => {
                        tracing::debug!(%peer, "connected");
                        connections.spawn(serve(stream, shared.clone()));
                    }
                    // Too many open files, or a client that left at once: others must still be served.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(wire);
        keys.shut_down();
        let ended = tokio::time::timeout(STOP_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            connections.abort_all();
        }
        if let Some(http) = http {
            http.abort();
        }
    }
}

async fn listen(address: &str, flag: &'static str, anywhere: bool) -> Result<TcpListener, ServerError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::AddressInUse { address: address.to_string(), flag },
        _ => ServerError::Listen { address: address.to_string(), source },
    };
    let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(failed)?.collect();
    if !anywhere && let Some(address) = addresses.iter().find(|a| !a.ip().is_loopback()) {
        return Err(ServerError::NoPassword { address: *address });
    }
    TcpListener::bind(&addresses[..]).await.map_err(failed)
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Answers are sent whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let mut wire = Wire::new(stream);
    let client = match tokio::time::timeout(LOGIN_TIMEOUT, start(&mut wire, &shared)).await {
        Ok(Ok(Some(client))) => client,
        Ok(Ok(None)) | Ok(Err(Stop::Gone)) | Err(_) => return,
        Ok(Err(Stop::Fatal(report) | Stop::Statement(report))) => {
            tracing::debug!(%report, "login refused");
            backend::fatal(&mut wire.outbound, &report);
            wire.close().await;
            return;
        }
    };
    // The key is given back when the connection ends.
    let _registered = client.registered;
    Connection::new(wire, client.session, shared.database.statement_times()).run().await;
}
