//! HTTP for machines that watch floe: is it alive, does it answer queries, how is it doing.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::coordinator::database::Database;

pub async fn serve(listener: TcpListener, database: Arc<dyn Database>) {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(database);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "HTTP has stopped");
    }
}

async fn ready(State(database): State<Arc<dyn Database>>) -> impl IntoResponse {
    match database.ready() {
        Ok(()) => (StatusCode::OK, "ok\n".to_string()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(database): State<Arc<dyn Database>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], database.metrics())
}
