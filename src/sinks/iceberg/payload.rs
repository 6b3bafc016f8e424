//! A prepared commit as it is kept in floe's store: everything that is needed to commit it after a crash.

use iceberg::spec::{DataFile, FormatVersion, Schema, StructType, deserialize_data_file_from_json, serialize_data_file_to_json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::fault::diverged;
use crate::types::Report;

const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub struct Payload {
    version: u32,
    pub table: Uuid,
    pub epoch: u64,
    /// The sink's newest epoch in the table when the commit was prepared: the commit belongs right after it.
    pub previous: Option<u64>,
    /// The schema that the files were written with.
    pub schema_id: i32,
    data_files: Vec<Box<RawValue>>,
    delete_files: Vec<Box<RawValue>>,
    /// The data files that the position deletes point into, each once.
    pub referenced: Vec<String>,
}

/// The files of a commit.
#[derive(Debug, Default)]
pub struct Files {
    pub data: Vec<DataFile>,
    pub deletes: Vec<DataFile>,
    /// The data files that the deletes point into, each once.
    pub referenced: Vec<String>,
}

impl Payload {
    pub fn encode(table: Uuid, epoch: u64, previous: Option<u64>, schema_id: i32, files: Files) -> Result<Vec<u8>, SinkError> {
        let raw = |files: Vec<DataFile>| -> Result<Vec<Box<RawValue>>, SinkError> {
            files
                .into_iter()
                .map(|file| {
                    let json = serialize_data_file_to_json(file, &StructType::new(vec![]), FormatVersion::V2).map_err(Report::internal)?;
                    Ok(RawValue::from_string(json).map_err(Report::internal)?)
                })
                .collect()
        };
        let payload = Payload {
            version: VERSION,
            table,
            epoch,
            previous,
            schema_id,
            data_files: raw(files.data)?,
            delete_files: raw(files.deletes)?,
            referenced: files.referenced,
        };
        Ok(serde_json::to_vec(&payload).map_err(Report::internal)?)
    }

    pub fn decode(bytes: &[u8]) -> Result<Payload, SinkError> {
        let payload: Payload = serde_json::from_slice(bytes).map_err(|e| unreadable(e.to_string()))?;
        match payload.version {
            VERSION => Ok(payload),
            other => Err(unreadable(format!("It has version {other}, this floe reads version {VERSION}."))),
        }
    }

    /// The files, with their bounds read by `schema`, the one they were written with.
    pub fn files(&self, schema: &Schema) -> Result<Files, SinkError> {
        let parse = |files: &[Box<RawValue>]| -> Result<Vec<DataFile>, SinkError> {
            let unpartitioned = StructType::new(vec![]);
            files
                .iter()
                .map(|json| deserialize_data_file_from_json(json.get(), 0, &unpartitioned, schema).map_err(|e| unreadable(e.to_string())))
                .collect()
        };
        Ok(Files { data: parse(&self.data_files)?, deletes: parse(&self.delete_files)?, referenced: self.referenced.clone() })
    }
}

fn unreadable(detail: String) -> SinkError {
    diverged("a prepared commit in floe's store cannot be read", detail, "Was the data directory written by another version of floe?")
}
