//! Where a table's files are: the storage behind a location, and whether it can be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use iceberg::io::{FileIO, FileIOBuilder};
use iceberg_storage_opendal::OpenDalStorageFactory;
use uuid::Uuid;

/// The storage that `location` points into: S3, or the local file system.
pub fn file_io(location: &str, properties: &BTreeMap<String, String>) -> FileIO {
    let factory = match location.split_once("://") {
        Some(("s3" | "s3a" | "s3n", _)) => OpenDalStorageFactory::S3 { customized_credential_load: None },
        _ => OpenDalStorageFactory::Fs,
    };
    FileIOBuilder::new(Arc::new(factory)).with_props(properties.iter()).build()
}

/// Writes a small file below `location` and removes it.
pub async fn probe(file_io: &FileIO, location: &str) -> iceberg::Result<()> {
    let path = format!("{location}/data/floe-probe-{}", Uuid::now_v7());
    file_io.new_output(&path)?.write(b"floe checks at CREATE SINK that it may write here".as_slice().into()).await?;
    // A store that lets write but not delete is good enough.
    if let Err(error) = file_io.delete(&path).await {
        tracing::debug!(%path, %error, "the probe file stays");
    }
    Ok(())
}
