//! `floe serve`: from settings to a running server, and its clean end on Ctrl-C or SIGTERM.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::allocator;
use crate::config::{Config, ServeFlags};
use crate::coordinator::database::Database;
use crate::fail_points;
use crate::server::{Server, ServerConfig};
use crate::types::Report;

/// Statements nest, and planning follows them down.
const STACK: usize = 16 << 20;

/// Opens the database of a configuration. May block: it reads what the state directory holds.
pub type Open = fn(&Config, Handle) -> Result<Arc<dyn Database>, Report>;

/// How long the end may take in all.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Exit codes: 1 the server could not start or failed, 2 the settings are wrong.
pub fn run(flags: ServeFlags, open: Open) -> ExitCode {
    let filter = EnvFilter::try_from_env("FLOE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // The log goes where nothing is read by programs.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    if let Err(error) = fail_points::arm(&std::env::var("FLOE_FAILPOINTS").unwrap_or_default()) {
        fail(&error, None);
        return ExitCode::from(2);
    }
    let config = match Config::resolve(flags) {
        Ok(config) => config,
        Err(error) => {
            fail(&error, Some("floe serve --help lists the settings"));
            return ExitCode::from(2);
        }
    };
    allocator::suit(config.memory);
    let runtime = match Builder::new_multi_thread().worker_threads(config.workers.max(2)).thread_stack_size(STACK).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            fail(&format_args!("cannot start threads: {error}"), None);
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve(config, open));
    // Work that does not end by itself is left behind: whatever was published is durable.
    runtime.shutdown_timeout(Duration::from_millis(500));
    code
}

async fn serve(config: Config, open: Open) -> ExitCode {
    let server_config = ServerConfig {
        listen: config.listen.clone(),
        http: config.http.clone(),
        user: config.user.clone(),
        password: config.password.clone(),
        database: config.database.clone(),
        max_connections: config.max_connections,
    };
    let server = match Server::bind(server_config).await {
        Ok(server) => server,
        Err(error) => {
            fail(&error, Some(&error.hint()));
            return ExitCode::FAILURE;
        }
    };
    let handle = Handle::current();
    let opening = config.clone();
    let database = match tokio::task::spawn_blocking(move || open(&opening, handle)).await {
        Ok(Ok(database)) => database,
        Ok(Err(report)) => {
            let message = match &report.detail {
                Some(detail) => format!("{}: {detail}", report.message),
                None => report.message.clone(),
            };
            fail(&message, report.hint.as_deref());
            return ExitCode::FAILURE;
        }
        Err(error) => {
            fail(&format_args!("the database could not be opened: {error}"), None);
            return ExitCode::FAILURE;
        }
    };
    if let Ok(address) = server.address() {
        tracing::info!(%address, http = ?server.http_address(), data = %config.data.display(), "floe is ready");
    }
    server.run(database.clone(), asked_to_stop()).await;
    tracing::info!("stopping");
    if tokio::time::timeout(STOP_TIMEOUT, database.shutdown()).await.is_err() {
        tracing::warn!("not everything ended in time; the next start recovers it");
    }
    ExitCode::SUCCESS
}

/// Ctrl-C or SIGTERM.
async fn asked_to_stop() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

fn fail(message: &dyn Display, hint: Option<&str>) {
    eprintln!("error: {message}");
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
}
