//! The options of the file connector.

use crate::sources::error::SourceError;
use crate::sources::format::decoder::{DEBEZIUM_COLUMN_OPTION, DEBEZIUM_OPTIONS, PLAIN_OPTIONS};
use crate::sources::gather::Gather;
use crate::sources::options::Options;
use crate::sources::spec::{Format, SourceSpec};

#[derive(Clone, Debug)]
pub struct FileConfig {
    /// A path or a glob.
    pub path: String,
    /// False when the files are complete: the source ends with them.
    pub follow: bool,
    pub max_record_bytes: usize,
    /// Lines may be `{"key", "value", "headers"}`.
    pub wrapped: bool,
}

impl FileConfig {
    pub fn of(spec: &SourceSpec) -> Result<FileConfig, SourceError> {
        let options = Options::of(spec);
        let debezium = spec.format == Format::Debezium;
        let mut known = vec!["path", "follow", Gather::MAX_RECORD_BYTES];
        known.extend(if debezium { DEBEZIUM_OPTIONS } else { PLAIN_OPTIONS });
        options.only(&known, if debezium { &[DEBEZIUM_COLUMN_OPTION] } else { &[] })?;
        let path = options.required("path", "/data/orders*.jsonl")?.to_string();
        if let Err(error) = glob::Pattern::new(&path) {
            return Err(options.invalid("path", &format!("it is not a glob: {error}")));
        }
        let max_record_bytes = options.parsed(Gather::MAX_RECORD_BYTES, "a number of bytes")?.unwrap_or(Gather::DEFAULT_MAX_RECORD_BYTES);
        Ok(FileConfig { path, follow: options.boolean("follow", true)?, max_record_bytes, wrapped: debezium })
    }
}
