//! A REST catalog that misbehaves: answers that are lost, late or wrong, before and after the commit was applied.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use iceberg::spec::{Schema, TableMetadata, TableMetadataBuilder};
use iceberg::{TableCreation, TableRequirement, TableUpdate};
use serde_json::{Value, json};

use super::lake::{Lake, spec, zset};
use crate::sinks::SinkError;

/// What happens to the next commits, one each.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Applied, and then this status.
    After(u16),
    /// Not applied, and this status.
    Before(u16),
    /// Applied, and the connection breaks without an answer.
    Lost,
    /// Kept back and applied after the next one, as a request that was long under way.
    Late,
}

#[derive(Default)]
struct Catalog {
    location: String,
    table: Option<(TableMetadata, u32)>,
    faults: VecDeque<Fault>,
    late: Vec<Value>,
    late_results: Vec<bool>,
    commits: u32,
}

fn text(body: Value) -> Response {
    body.to_string().into_response()
}

type Shared = Arc<Mutex<Catalog>>;

impl Catalog {
    fn answer(&self) -> Response {
        match &self.table {
            Some((metadata, version)) => {
                text(json!({ "metadata-location": format!("{}/metadata/{version}.json", self.location), "metadata": metadata }))
                    .into_response()
            }
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn apply(&mut self, body: &Value) -> bool {
        let requirements: Vec<TableRequirement> = serde_json::from_value(body["requirements"].clone()).unwrap();
        let updates: Vec<TableUpdate> = serde_json::from_value(body["updates"].clone()).unwrap();
        let (metadata, version) = self.table.clone().unwrap();
        if requirements.iter().any(|requirement| requirement.check(Some(&metadata)).is_err()) {
            return false;
        }
        let mut builder = metadata.into_builder(Some(format!("{}/metadata/{version}.json", self.location)));
        for update in updates {
            builder = update.apply(builder).unwrap();
        }
        self.table = Some((builder.build().unwrap().metadata, version + 1));
        self.commits += 1;
        true
    }
}

async fn create(State(shared): State<Shared>, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let mut catalog = shared.lock().unwrap();
    let schema: Schema = serde_json::from_value(body["schema"].clone()).unwrap();
    let creation = TableCreation::builder().name("t".into()).location(catalog.location.clone()).schema(schema).build();
    catalog.table = Some((TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata, 0));
    catalog.answer()
}

async fn commit(State(shared): State<Shared>, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let mut catalog = shared.lock().unwrap();
    let fault = catalog.faults.pop_front();
    let status = |code: u16| StatusCode::from_u16(code).unwrap().into_response();
    match fault {
        Some(Fault::Before(code)) => status(code),
        Some(Fault::Late) => {
            catalog.late.push(body);
            status(504)
        }
        fault => {
            let applied = catalog.apply(&body);
            for late in std::mem::take(&mut catalog.late) {
                let result = catalog.apply(&late);
                catalog.late_results.push(result);
            }
            match fault {
                Some(Fault::After(code)) => status(code),
                Some(Fault::Lost) => {
                    drop(catalog);
                    panic!("the connection breaks")
                }
                _ if applied => catalog.answer(),
                _ => status(409),
            }
        }
    }
}

async fn serve(location: String) -> (Shared, String) {
    let shared: Shared = Arc::new(Mutex::new(Catalog { location, ..Catalog::default() }));
    let table = get(|State(shared): State<Shared>, Path((namespace, name)): Path<(String, String)>| async move {
        assert_eq!((namespace.as_str(), name.as_str()), ("a.shop", "t"), "levels are separated as the server says");
        shared.lock().unwrap().answer()
    });
    let app = Router::new()
        .route(
            "/v1/config",
            get(|| async { text(json!({ "defaults": {}, "overrides": { "prefix": "p/q", "namespace-separator": "%2E" } })) }),
        )
        .route("/v1/p/q/namespaces", post(|| async { text(json!({})) }))
        .route("/v1/p/q/namespaces/{namespace}/tables", post(create))
        .route("/v1/p/q/namespaces/{namespace}/tables/{table}", table.post(commit))
        .with_state(shared.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (shared, uri)
}

async fn lake(folder: &std::path::Path) -> (Shared, Lake) {
    let (shared, uri) = serve(format!("file://{}/warehouse/t", folder.display())).await;
    let mut spec = spec(folder, "upsert");
    for (key, value) in [("catalog.type", "rest"), ("catalog.uri", uri.as_str()), ("database.name", "a.shop")] {
        spec.options.insert(key.into(), value.into());
    }
    (shared, Lake::create(spec).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_or_wrong_is_looked_up() {
    use Fault::*;
    let scripts: [&[Fault]; 9] = [
        &[],
        &[After(500)],
        &[After(503), After(500)],
        &[Before(500), Before(502), After(504)],
        &[Lost],
        &[After(409)],
        &[Before(409), Lost],
        &[Before(429), Before(400)],
        &[Late],
    ];
    for script in scripts {
        let folder = tempfile::tempdir().unwrap();
        let (shared, mut lake) = lake(folder.path()).await;
        lake.step("1 a +1\n2 b +1").await.unwrap();
        shared.lock().unwrap().faults.extend(script);
        lake.step("1 a -1\n1 c +1").await.unwrap_or_else(|e| panic!("{script:?}: {}", e.report()));
        shared.lock().unwrap().faults.clear();
        lake.step("2 b -1\n3 d +1").await.unwrap();
        assert_eq!(lake.rows().await, "1 c\n3 d\n", "{script:?}");
        let catalog = shared.lock().unwrap();
        assert_eq!(catalog.commits, 3, "each epoch landed once: {script:?}");
        assert!(!catalog.late_results.contains(&true), "a late request found its base gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_stays_in_doubt_is_unavailable_and_lands_once_later() {
    let folder = tempfile::tempdir().unwrap();
    let (shared, mut lake) = lake(folder.path()).await;
    let prepared = lake.prepare(zset("1 a +1")).await.unwrap();
    shared.lock().unwrap().faults.extend([Fault::Before(401)]);
    let denied = lake.commit(&prepared).await.unwrap_err();
    assert!(matches!(denied, SinkError::Unavailable { .. }), "{}", denied.report());
    // The answer is lost and the catalog goes away before anyone can look.
    let table = shared.lock().unwrap().table.clone();
    shared.lock().unwrap().faults.extend([Fault::Lost]);
    lake.commit(&prepared).await.unwrap();
    assert_ne!(table.unwrap().1, shared.lock().unwrap().table.as_ref().unwrap().1);
    lake.restart().await;
    lake.commit(&prepared).await.unwrap();
    assert_eq!(lake.rows().await, "1 a\n");
    assert_eq!(shared.lock().unwrap().commits, 1);
}
