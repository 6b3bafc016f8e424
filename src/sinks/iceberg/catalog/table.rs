//! What a catalog gives and takes: a table as it was loaded, and what became of a swap.

use std::collections::HashMap;

use iceberg::io::FileIO;
use iceberg::spec::{MAIN_BRANCH, TableMetadata};
use iceberg::{TableRequirement, TableUpdate};

use crate::sinks::iceberg::fault::Secrets;

/// A table at one moment.
pub struct LoadedTable {
    pub metadata: TableMetadata,
    /// The metadata file.
    pub metadata_location: String,
    pub file_io: FileIO,
    /// What must not be in messages, the table's own credentials included.
    pub secrets: Secrets,
}

impl LoadedTable {
    /// That the table is still this one, and its main branch where it was.
    pub fn unchanged(&self) -> Vec<TableRequirement> {
        vec![
            TableRequirement::UuidMatch { uuid: self.metadata.uuid() },
            TableRequirement::RefSnapshotIdMatch { r#ref: MAIN_BRANCH.to_string(), snapshot_id: self.metadata.current_snapshot_id() },
        ]
    }
}

/// What became of a compare-and-swap. Only [`Swap::Conflict`], [`Swap::Refused`], [`Swap::Denied`] and [`Swap::Gone`] are
/// sure not to have landed.
#[derive(Debug, PartialEq)]
pub enum Swap {
    Landed,
    /// The base is no longer current.
    Conflict(String),
    /// The catalog found the change wrong; over another base it may be right.
    Refused(String),
    /// The catalog does not let floe in.
    Denied(String),
    /// There is no such table.
    Gone(String),
    /// Nobody knows: the table has to be loaded again.
    Unknown(String),
}

/// Properties of a table that floe creates: old metadata files go as new ones come.
pub fn new_table_properties() -> HashMap<String, String> {
    HashMap::from([
        ("write.parquet.compression-codec".to_string(), "zstd".to_string()),
        ("write.metadata.delete-after-commit.enabled".to_string(), "true".to_string()),
        ("write.metadata.previous-versions-max".to_string(), "100".to_string()),
    ])
}

/// A change of a table: what must hold, and what to do then.
#[derive(Clone, Debug)]
pub struct Change {
    pub requirements: Vec<TableRequirement>,
    pub updates: Vec<TableUpdate>,
}
