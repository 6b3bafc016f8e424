//! A lake for tests: one sink's definition, its key index as floe's store would keep it, and a reader.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use iceberg::TableIdent;
use iceberg::table::Table;

use crate::sinks::iceberg::catalog::{CatalogClient, LoadedTable};
use crate::sinks::iceberg::options::IcebergOptions;
use crate::sinks::{KeyIndex, Prepared, Sink, SinkError, SinkSpec, Staged, create, open};
use crate::types::{Column, Epoch, RelationSchema, Report, SqlType};
use crate::zset::text::parse;
use crate::zset::{Delta, ZSet};

#[derive(Default)]
pub struct Index(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Index {
    /// What the coordinator does when a commit has landed.
    pub fn apply(&self, prepared: &Prepared) {
        let mut map = self.0.lock().unwrap();
        for (key, value) in &prepared.index {
            match value {
                Some(value) => map.insert(key.clone(), value.clone()),
                None => map.remove(key),
            };
        }
    }

    pub fn copy(&self) -> Index {
        Index(Mutex::new(self.0.lock().unwrap().clone()))
    }

    /// Entries of rows: all but the sink's own memory.
    pub fn rows(&self) -> usize {
        self.0.lock().unwrap().keys().filter(|key| !key.is_empty()).count()
    }
}

impl KeyIndex for Index {
    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Report> {
        let map = self.0.lock().unwrap();
        Ok(keys.iter().map(|key| map.get(key).cloned()).collect())
    }
}

/// `k int8, v text` in a table of an SQLite catalog below `folder`.
pub fn spec(folder: &Path, mode: &str) -> SinkSpec {
    let mut schema = RelationSchema::new(vec![Column::new("k", SqlType::BigInt), Column::new("v", SqlType::Text)]);
    schema.append_only = mode == "append-only";
    let mut options = BTreeMap::from([
        ("type".to_string(), mode.to_string()),
        ("catalog.type".to_string(), "sql".to_string()),
        ("catalog.uri".to_string(), format!("sqlite:{}/catalog.db", folder.display())),
        ("warehouse.path".to_string(), format!("{}/warehouse", folder.display())),
        ("database.name".to_string(), "shop".to_string()),
        ("table.name".to_string(), "t".to_string()),
        ("create_table_if_not_exists".to_string(), "true".to_string()),
    ]);
    if mode == "upsert" {
        options.insert("primary_key".to_string(), "k".to_string());
    }
    SinkSpec { name: "s".into(), connector: "iceberg".into(), sink_id: "sink-1".into(), options, schema }
}

pub fn zset(text: &str) -> ZSet {
    parse("k int8, v text", text)
}

pub fn staged(after: u64, epoch: u64, zset: ZSet) -> Staged {
    Staged { after: Epoch(after), epoch: Epoch(epoch), delta: Delta(zset) }
}

/// A sink with its index, driven as the coordinator drives it.
pub struct Lake {
    pub spec: SinkSpec,
    pub sink: Box<dyn Sink>,
    pub index: Index,
    pub epoch: u64,
}

impl Lake {
    pub async fn create(spec: SinkSpec) -> Lake {
        let sink = create(&spec).await.unwrap_or_else(|e| panic!("{}", e.report()));
        Lake { spec, sink, index: Index::default(), epoch: 0 }
    }

    /// What a crash leaves: the definition and the durable index.
    pub async fn restart(&mut self) {
        self.sink = open(&self.spec).await.unwrap_or_else(|e| panic!("{}", e.report()));
    }

    pub async fn prepare(&mut self, zset: ZSet) -> Result<Prepared, SinkError> {
        let staged = staged(self.epoch, self.epoch + 1, zset);
        self.sink.prepare(&staged, &self.index).await
    }

    pub async fn commit(&mut self, prepared: &Prepared) -> Result<(), SinkError> {
        self.sink.commit(prepared).await?;
        self.index.apply(prepared);
        self.epoch = prepared.epoch.0;
        Ok(())
    }

    /// One epoch of text.
    pub async fn step(&mut self, text: &str) -> Result<(), SinkError> {
        let prepared = self.prepare(zset(text)).await?;
        self.commit(&prepared).await
    }

    pub fn catalog(&self) -> CatalogClient {
        CatalogClient::new(&IcebergOptions::of(&self.spec).unwrap()).unwrap_or_else(|e| panic!("{e}"))
    }

    pub async fn table(&self) -> LoadedTable {
        self.catalog().load_table().await.unwrap_or_else(|e| panic!("{}", e.report())).expect("a table")
    }

    /// The rows of the newest snapshot, sorted: `1 a\n2 b\n`.
    pub async fn rows(&self) -> String {
        let table = self.table().await;
        match table.metadata.current_snapshot_id() {
            Some(id) => print(&read(&table, id).await),
            None => String::new(),
        }
    }
}

/// The rows of one snapshot, with position deletes applied. On a runtime of one thread: where several read, the crate's
/// reader can miss that another has loaded a file of deletes, and waits for ever.
pub async fn read(table: &LoadedTable, snapshot: i64) -> Vec<RecordBatch> {
    let (file_io, metadata, location) = (table.file_io.clone(), table.metadata.clone(), table.metadata_location.clone());
    let rows = async move {
        let table = Table::builder()
            .file_io(file_io)
            .metadata(metadata)
            .metadata_location(location)
            .identifier(TableIdent::from_strs(["shop", "t"]).unwrap())
            .runtime(iceberg::Runtime::current())
            .build()
            .unwrap();
        let stream = table.scan().snapshot_id(snapshot).select_all().build().unwrap().to_arrow().await.unwrap();
        stream.try_collect().await.unwrap()
    };
    let alone = move || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(rows);
    tokio::task::spawn_blocking(alone).await.unwrap()
}

pub fn print(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        for row in 0..batch.num_rows() {
            lines.push(columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join(" "));
        }
    }
    lines.sort();
    lines.iter().map(|line| format!("{line}\n")).collect()
}
