//! A proxy before a catalog: forwards every request, and spoils the answer of the next commit as it is told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Forwarded; then the connection breaks without an answer.
    Lost,
    /// Forwarded; then this status.
    StatusAfter(u16),
    /// Not forwarded; this status.
    StatusBefore(u16),
    /// Forwarded twice; the second answer is given.
    Repeated,
}

pub struct Proxy {
    pub address: String,
    next: Arc<Mutex<Option<Fault>>>,
}

#[derive(Clone)]
struct Shared {
    to: String,
    client: reqwest::Client,
    next: Arc<Mutex<Option<Fault>>>,
}

impl Proxy {
    pub async fn start(to: &str) -> Proxy {
        let next = Arc::new(Mutex::new(None));
        let shared = Shared { to: to.trim_end_matches('/').to_string(), client: reqwest::Client::new(), next: next.clone() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(forward).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Proxy { address, next }
    }

    pub fn next(&self, fault: Option<Fault>) {
        *self.next.lock().unwrap() = fault;
    }
}

async fn forward(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let commit = method == Method::POST && uri.path().ends_with("/tables/t");
    let fault = if commit { shared.next.lock().unwrap().take() } else { None };
    if let Some(Fault::StatusBefore(code)) = fault {
        return StatusCode::from_u16(code).unwrap().into_response();
    }
    let mut answer = send(&shared, &method, &uri, &headers, &body).await;
    match fault {
        Some(Fault::Lost) => panic!("the connection breaks, as the test asked"),
        Some(Fault::StatusAfter(code)) => answer = StatusCode::from_u16(code).unwrap().into_response(),
        Some(Fault::Repeated) => answer = send(&shared, &method, &uri, &headers, &body).await,
        _ => {}
    }
    answer
}

async fn send(shared: &Shared, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response {
    let mut request = shared.client.request(method.clone(), format!("{}{uri}", shared.to)).body(body.clone());
    if let Some(content_type) = headers.get("content-type") {
        request = request.header("content-type", content_type);
    }
    match request.send().await {
        Ok(answer) => (answer.status(), answer.bytes().await.unwrap_or_default()).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
