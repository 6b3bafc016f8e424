//! Iceberg sinks against a real REST catalog and real S3-compatible storage, through a proxy that loses answers.
//!
//! Needs both servers: `FLOE_TEST_ICEBERG_REST` and `FLOE_TEST_S3` are their addresses (`FLOE_TEST_S3_KEY`,
//! `FLOE_TEST_S3_SECRET` and `FLOE_TEST_S3_REGION` have the defaults floe, floe-secret and us-east-1). Tables are read
//! back with the `iceberg` crate's own catalog client and scan. Each run has namespaces of its own.

mod proxy;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use floe::sinks::{KeyIndex, Prepared, Sink, SinkSpec, Staged, create, open};
use floe::types::{Column, Epoch, RelationSchema, Report, SqlType};
use floe::zset::Delta;
use floe::zset::text::parse;
use futures::TryStreamExt;
use iceberg::table::Table;
use iceberg::{Catalog, CatalogBuilder, TableIdent};
use iceberg_catalog_rest::{REST_CATALOG_PROP_URI, RestCatalogBuilder};
use iceberg_storage_opendal::OpenDalStorageFactory;

use proxy::{Fault, Proxy};

#[derive(Default)]
struct Index(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Index {
    fn apply(&self, prepared: &Prepared) {
        let mut map = self.0.lock().unwrap();
        for (key, value) in &prepared.index {
            match value {
                Some(value) => map.insert(key.clone(), value.clone()),
                None => map.remove(key),
            };
        }
    }
}

impl KeyIndex for Index {
    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Report> {
        let map = self.0.lock().unwrap();
        Ok(keys.iter().map(|key| map.get(key).cloned()).collect())
    }
}

fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: start the Iceberg REST catalog and the S3 server (make services) and give their addresses")
    })
}

fn setting(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_string())
}

fn spec(catalog: &str, namespace: &str, sink_id: &str, mode: &str) -> SinkSpec {
    let mut schema = RelationSchema::new(vec![Column::new("k", SqlType::BigInt), Column::new("v", SqlType::Text)]);
    schema.append_only = mode == "append-only";
    let mut options: BTreeMap<String, String> = [
        ("type", mode),
        ("catalog.type", "rest"),
        ("catalog.uri", catalog),
        ("database.name", namespace),
        ("table.name", "t"),
        ("create_table_if_not_exists", "true"),
        ("s3.endpoint", &address("FLOE_TEST_S3")),
        ("s3.access.key", &setting("FLOE_TEST_S3_KEY", "floe")),
        ("s3.secret.key", &setting("FLOE_TEST_S3_SECRET", "floe-secret")),
        ("s3.region", &setting("FLOE_TEST_S3_REGION", "us-east-1")),
        ("s3.path.style.access", "true"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_string(), value.to_string()))
    .collect();
    if mode == "upsert" {
        options.insert("primary_key".to_string(), "k".to_string());
    }
    SinkSpec { name: "s".into(), connector: "iceberg".into(), sink_id: sink_id.into(), options, schema }
}

fn staged(epoch: u64, text: &str) -> Staged {
    Staged { after: Epoch(epoch - 1), epoch: Epoch(epoch), delta: Delta(parse("k int8, v text", text)) }
}

async fn connect(spec: &SinkSpec) -> Box<dyn Sink> {
    create(spec).await.unwrap_or_else(|e| panic!("{}", e.report()))
}

/// The table as another client loads it.
async fn table(namespace: &str) -> Table {
    let properties = HashMap::from(
        [
            (REST_CATALOG_PROP_URI, address("FLOE_TEST_ICEBERG_REST")),
            ("s3.endpoint", address("FLOE_TEST_S3")),
            ("s3.access-key-id", setting("FLOE_TEST_S3_KEY", "floe")),
            ("s3.secret-access-key", setting("FLOE_TEST_S3_SECRET", "floe-secret")),
            ("s3.region", setting("FLOE_TEST_S3_REGION", "us-east-1")),
            ("s3.path-style-access", "true".to_string()),
        ]
        .map(|(key, value)| (key.to_string(), value)),
    );
    let storage = Arc::new(OpenDalStorageFactory::S3 { customized_credential_load: None });
    let catalog = RestCatalogBuilder::default().with_storage_factory(storage).load("test", properties).await.unwrap();
    catalog.load_table(&TableIdent::from_strs([namespace, "t"]).unwrap()).await.unwrap()
}

/// On a runtime of one thread: where several read, the crate's reader can miss that another has loaded a file of deletes,
/// and waits for ever.
async fn rows(namespace: &str, snapshot: i64) -> String {
    let namespace = namespace.to_string();
    let scan = async move {
        let stream = table(&namespace).await.scan().snapshot_id(snapshot).select_all().build().unwrap().to_arrow().await.unwrap();
        stream.try_collect::<Vec<RecordBatch>>().await.unwrap()
    };
    let alone = move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(scan);
    let batches = tokio::task::spawn_blocking(alone).await.unwrap();
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            lines.push(columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join(" "));
        }
    }
    lines.sort();
    lines.join("\n")
}

fn new_namespace(name: &str) -> String {
    format!("{name}_{}", uuid::Uuid::now_v7().simple())
}

#[tokio::test(flavor = "multi_thread")]
async fn upserts_land_once_whatever_becomes_of_the_answers() {
    let proxy = Proxy::start(&address("FLOE_TEST_ICEBERG_REST")).await;
    let namespace = new_namespace("upserts");
    let spec = spec(&proxy.address, &namespace, "upserts", "upsert");
    let mut sink = connect(&spec).await;
    let index = Index::default();
    let mut model: BTreeMap<i64, String> = BTreeMap::new();
    let mut expected = BTreeMap::new();
    for epoch in 1..=24u64 {
        let mut delta = String::new();
        for k in (0..7).filter(|k| (k * 5 + epoch as i64) % 3 == 0) {
            if let Some(old) = model.remove(&k) {
                delta += &format!("{k} {old} -1\n");
            }
            if (k + epoch as i64) % 4 != 0 {
                let new = format!("v{epoch}");
                delta += &format!("{k} {new} +1\n");
                model.insert(k, new);
            }
        }
        let prepared = sink.prepare(&staged(epoch, &delta), &index).await.unwrap_or_else(|e| panic!("{}", e.report()));
        proxy.next(match epoch % 6 {
            0 => Some(Fault::Lost),
            1 => Some(Fault::StatusAfter(503)),
            2 => Some(Fault::StatusBefore(500)),
            3 => Some(Fault::Repeated),
            _ => None,
        });
        if epoch % 5 == 0 {
            sink = open(&spec).await.unwrap_or_else(|e| panic!("{}", e.report()));
        }
        sink.commit(&prepared).await.unwrap_or_else(|e| panic!("epoch {epoch}: {}", e.report()));
        if epoch % 7 == 0 {
            sink.commit(&prepared).await.unwrap_or_else(|e| panic!("again {epoch}: {}", e.report()));
        }
        index.apply(&prepared);
        if !prepared.payload.is_empty() {
            expected.insert(epoch.to_string(), model.iter().map(|(k, v)| format!("{k} {v}")).collect::<Vec<_>>().join("\n"));
        }
    }
    let table = table(&namespace).await;
    assert_eq!(table.metadata().snapshots().len(), expected.len(), "one snapshot an epoch");
    for snapshot in table.metadata().snapshots() {
        let epoch = &snapshot.summary().additional_properties["floe.epoch"];
        assert_eq!(rows(&namespace, snapshot.snapshot_id()).await, expected[epoch], "epoch {epoch}");
    }
    assert_eq!(table.metadata().properties()["floe.upserts.epoch"], "24");
    println!("read it with other clients: namespace {namespace}, table t");
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_that_race_for_one_table_lose_nothing() {
    let catalog = address("FLOE_TEST_ICEBERG_REST");
    let namespace = new_namespace("race");
    let mut tasks = Vec::new();
    for writer in 0..3u64 {
        let spec = spec(&catalog, &namespace, &format!("race-{writer}"), "append-only");
        let mut sink = connect(&spec).await;
        tasks.push(tokio::spawn(async move {
            let index = Index::default();
            for epoch in 1..=6 {
                let staged = staged(epoch, &format!("{writer} e{epoch} +1"));
                let prepared = sink.prepare(&staged, &index).await.unwrap_or_else(|e| panic!("{}", e.report()));
                sink.commit(&prepared).await.unwrap_or_else(|e| panic!("{}", e.report()));
                index.apply(&prepared);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let table = table(&namespace).await;
    let expected: Vec<String> = (0..3).flat_map(|w| (1..=6).map(move |e| format!("{w} e{e}"))).collect();
    assert_eq!(rows(&namespace, table.metadata().current_snapshot_id().unwrap()).await, expected.join("\n"));
    assert_eq!(table.metadata().snapshots().len(), 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_created_at_once_share_a_namespace_that_was_not_there() {
    let catalog = address("FLOE_TEST_ICEBERG_REST");
    for round in 0..4 {
        let namespace = new_namespace(&format!("together{round}"));
        let tasks: Vec<_> = (0..4)
            .map(|writer| {
                let mut spec = spec(&catalog, &namespace, &format!("together-{writer}"), "append-only");
                spec.options.insert("table.name".into(), format!("t{writer}"));
                tokio::spawn(async move { drop(connect(&spec).await) })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told_at_create_sink_without_the_secret() {
    let mut spec = spec(&address("FLOE_TEST_ICEBERG_REST"), &new_namespace("secret"), "secret", "append-only");
    spec.options.insert("s3.secret.key".into(), "not-the-secret".into());
    let report = create(&spec).await.err().expect("the storage refuses").report();
    assert_eq!(report.sqlstate.0, "58030", "{report}");
    assert!(!report.to_string().contains("not-the-secret"), "{report}");
}
