//! Builds the snapshot of a commit over a base: manifests, manifest list, summary, and the updates that make it current.
//!
//! Manifests of the new files are written once a commit and serve every attempt: they say nothing of the base. The list
//! is the base's list and the new manifests, written anew for each base. Sequence numbers are inherited: the new entries
//! have none, and get the snapshot's own when they are read.

use std::collections::HashMap;

use iceberg::TableUpdate;
use iceberg::io::FileIO;
use iceberg::spec::{
    DataFile, MAIN_BRANCH, ManifestFile, ManifestList, ManifestListWriter, ManifestStatus, ManifestWriterBuilder, Operation, Snapshot,
    SnapshotReference, SnapshotRetention, Summary, TableMetadata,
};
use uuid::Uuid;

use crate::sinks::iceberg::marker;
use crate::sinks::iceberg::payload::Files;

/// What the summary says of the added files.
struct Added {
    name: &'static str,
    total: &'static str,
    count: u64,
}

/// A snapshot that is on its way.
pub struct Commit {
    pub snapshot_id: i64,
    manifests: Vec<ManifestFile>,
    operation: Operation,
    added: Vec<Added>,
}

fn metadata_folder(metadata: &TableMetadata) -> String {
    match metadata.properties().get("write.metadata.path") {
        Some(path) => path.trim_end_matches('/').to_string(),
        None => format!("{}/metadata", metadata.location().trim_end_matches('/')),
    }
}

/// The manifests that the current snapshot has.
pub async fn manifests(file_io: &FileIO, metadata: &TableMetadata) -> iceberg::Result<Vec<ManifestFile>> {
    let Some(snapshot) = metadata.current_snapshot() else {
        return Ok(Vec::new());
    };
    let bytes = file_io.new_input(snapshot.manifest_list())?.read().await?;
    let list = ManifestList::parse_with_version(&bytes, metadata.format_version())?;
    Ok(list.consume_entries().into_iter().collect())
}

/// Takes the data files that the current snapshot has out of `wanted`; what remains is not in the table.
pub async fn missing(file_io: &FileIO, metadata: &TableMetadata, wanted: &[String]) -> iceberg::Result<Vec<String>> {
    let mut wanted: std::collections::BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    for manifest in manifests(file_io, metadata).await? {
        if wanted.is_empty() {
            break;
        }
        if manifest.content != iceberg::spec::ManifestContentType::Data {
            continue;
        }
        for entry in manifest.load_manifest(file_io).await?.entries() {
            if entry.status() != ManifestStatus::Deleted {
                wanted.remove(entry.file_path());
            }
        }
    }
    Ok(wanted.into_iter().map(String::from).collect())
}

/// True when the current snapshot has no data files.
pub async fn is_empty(file_io: &FileIO, metadata: &TableMetadata) -> iceberg::Result<bool> {
    for manifest in manifests(file_io, metadata).await? {
        if manifest.content != iceberg::spec::ManifestContentType::Data {
            continue;
        }
        if manifest.load_manifest(file_io).await?.entries().iter().any(|entry| entry.is_alive()) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Commit {
    /// Writes the manifests of the files.
    pub async fn begin(file_io: &FileIO, metadata: &TableMetadata, files: Files) -> iceberg::Result<Commit> {
        let snapshot_id = new_snapshot_id(metadata);
        let operation = match (files.data.is_empty(), files.deletes.is_empty()) {
            (_, true) => Operation::Append,
            (true, false) => Operation::Delete,
            (false, false) => Operation::Overwrite,
        };
        let records = |files: &[DataFile]| files.iter().map(|file| file.record_count()).sum();
        let bytes = files.data.iter().chain(&files.deletes).map(|file| file.file_size_in_bytes()).sum();
        let delete_files = files.deletes.len() as u64;
        let added = vec![
            Added { name: "added-data-files", total: "total-data-files", count: files.data.len() as u64 },
            Added { name: "added-records", total: "total-records", count: records(&files.data) },
            Added { name: "added-files-size", total: "total-files-size", count: bytes },
            Added { name: "added-delete-files", total: "total-delete-files", count: delete_files },
            Added { name: "added-position-delete-files", total: "", count: delete_files },
            Added { name: "added-position-deletes", total: "total-position-deletes", count: records(&files.deletes) },
            Added { name: "", total: "total-equality-deletes", count: 0 },
        ];
        let name = format!("{}/{}", metadata_folder(metadata), Uuid::now_v7());
        let mut manifests = Vec::new();
        for (files, deletes) in [(files.data, false), (files.deletes, true)] {
            if files.is_empty() {
                continue;
            }
            let output = file_io.new_output(format!("{name}-m{}.avro", manifests.len()))?;
            let spec = metadata.default_partition_spec().as_ref().clone();
            let builder = ManifestWriterBuilder::new(output, Some(snapshot_id), metadata.current_schema().clone(), spec);
            let mut writer = if deletes { builder.build_v2_deletes() } else { builder.build_v2_data() };
            for file in files {
                // No sequence number: it is inherited from the snapshot that the manifest comes with.
                writer.add_file(file, -1)?;
            }
            manifests.push(writer.write_manifest_file().await?);
        }
        Ok(Commit { snapshot_id, manifests, operation, added })
    }

    /// Writes the manifest list over this base, and gives the updates that make the snapshot the main branch's newest and
    /// mark it as the sink's.
    pub async fn over(&self, file_io: &FileIO, base: &TableMetadata, sink_id: &str, epoch: u64) -> iceberg::Result<Vec<TableUpdate>> {
        let parent = base.current_snapshot_id();
        let sequence = base.next_sequence_number();
        let id = Uuid::now_v7();
        let path = format!("{}/snap-{}-{id}.avro", metadata_folder(base), self.snapshot_id);
        let mut list = ManifestListWriter::v2(file_io.new_output(&path)?.writer().await?, self.snapshot_id, parent, sequence);
        list.add_manifests(manifests(file_io, base).await?.into_iter().chain(self.manifests.iter().cloned()))?;
        list.close().await?;
        let snapshot = Snapshot::builder()
            .with_snapshot_id(self.snapshot_id)
            .with_parent_snapshot_id(parent)
            .with_sequence_number(sequence)
            .with_timestamp_ms(timestamp_ms(&id).max(base.last_updated_ms()))
            .with_manifest_list(path)
            .with_summary(self.summary(base, sink_id, epoch))
            .with_schema_id(base.current_schema_id())
            .build();
        let retention = SnapshotRetention::branch(None, None, None);
        Ok(vec![
            TableUpdate::AddSnapshot { snapshot },
            TableUpdate::SetSnapshotRef {
                ref_name: MAIN_BRANCH.to_string(),
                reference: SnapshotReference::new(self.snapshot_id, retention),
            },
            TableUpdate::SetProperties { updates: HashMap::from([(marker::property(sink_id), epoch.to_string())]) },
        ])
    }

    fn summary(&self, base: &TableMetadata, sink_id: &str, epoch: u64) -> Summary {
        let before = base.current_snapshot().map(|snapshot| &snapshot.summary().additional_properties);
        let mut properties = HashMap::from([
            (marker::SINK_ID.to_string(), sink_id.to_string()),
            (marker::EPOCH.to_string(), epoch.to_string()),
            ("engine-name".to_string(), "floe".to_string()),
            ("engine-version".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ]);
        for added in &self.added {
            if !added.name.is_empty() && added.count > 0 {
                properties.insert(added.name.to_string(), added.count.to_string());
            }
            // A total can be told only when the base tells its own.
            let known = match before {
                None => Some(0),
                Some(before) => before.get(added.total).and_then(|total| total.parse::<u64>().ok()),
            };
            if !added.total.is_empty()
                && let Some(total) = known
            {
                properties.insert(added.total.to_string(), (total + added.count).to_string());
            }
        }
        Summary { operation: self.operation.clone(), additional_properties: properties }
    }
}

/// A positive number that the table does not have yet.
fn new_snapshot_id(metadata: &TableMetadata) -> i64 {
    loop {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        let id = ((high ^ low) & i64::MAX as u64) as i64;
        if id != 0 && metadata.snapshot_by_id(id).is_none() {
            return id;
        }
    }
}

/// When the name was drawn, in milliseconds since 1970: version 7 UUIDs carry their time.
fn timestamp_ms(id: &Uuid) -> i64 {
    id.get_timestamp().map_or(0, |timestamp| {
        let (seconds, nanos) = timestamp.to_unix();
        seconds as i64 * 1000 + nanos as i64 / 1_000_000
    })
}
