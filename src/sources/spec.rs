//! The definition of a source as the WITH clause and the FORMAT clause give it.

use std::collections::BTreeMap;

use super::error::SourceError;
use crate::types::{RelationSchema, Report, SqlState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connector {
    Kafka,
    File,
    Datagen,
}

impl Connector {
    pub fn name(self) -> &'static str {
        match self {
            Connector::Kafka => "kafka",
            Connector::File => "file",
            Connector::Datagen => "datagen",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Plain,
    Debezium,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encode {
    Json,
}

/// Everything a connector and its format need to know.
#[derive(Clone, Debug)]
pub struct SourceSpec {
    pub name: String,
    pub connector: Connector,
    /// The options without `connector`, keys in lower case, values as written.
    pub options: BTreeMap<String, String>,
    pub format: Format,
    pub encode: Encode,
    pub schema: RelationSchema,
}

impl SourceSpec {
    /// The definition from its clauses. `options` has `connector` among its keys; an empty `format` is PLAIN and an empty
    /// `encode` is JSON. Whether the connector's own options are right is seen by [`validate`](super::validate).
    pub fn parse(
        name: &str,
        options: &BTreeMap<String, String>,
        format: &str,
        encode: &str,
        schema: RelationSchema,
    ) -> Result<SourceSpec, SourceError> {
        let mut options: BTreeMap<String, String> = options.iter().map(|(k, v)| (k.to_lowercase(), v.clone())).collect();
        let connector = match options.remove("connector").as_deref().map(str::trim).map(str::to_ascii_lowercase).as_deref() {
            Some("kafka") => Connector::Kafka,
            Some("file") => Connector::File,
            Some("datagen") => Connector::Datagen,
            Some(other) => {
                return Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("unknown connector \"{other}\""))
                    .hint("The connectors of sources are kafka, file and datagen.")
                    .into());
            }
            None => {
                return Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("source \"{name}\" has no connector"))
                    .hint("Add connector = 'kafka', 'file' or 'datagen' to the WITH clause.")
                    .into());
            }
        };
        let format = match format.to_ascii_lowercase().as_str() {
            "plain" | "" => Format::Plain,
            "debezium" => Format::Debezium,
            _ => {
                return Err(Report::unsupported(format!("FORMAT {} is not supported", format.to_ascii_uppercase()))
                    .hint("The formats of sources are PLAIN (with a PRIMARY KEY it replaces rows by key) and DEBEZIUM.")
                    .into());
            }
        };
        if !matches!(encode.to_ascii_lowercase().as_str(), "json" | "") {
            return Err(Report::unsupported(format!("ENCODE {} is not supported", encode.to_ascii_uppercase()))
                .hint("The encoding of sources is JSON.")
                .into());
        }
        if format == Format::Debezium && schema.primary_key.is_empty() {
            return Err(Report::error(
                SqlState::INVALID_TABLE_DEFINITION,
                format!("source \"{name}\" with FORMAT DEBEZIUM needs a primary key"),
            )
            .hint("Declare PRIMARY KEY (...) with the key columns of the table that Debezium captures.")
            .into());
        }
        if schema.columns.is_empty() {
            return Err(Report::error(SqlState::INVALID_TABLE_DEFINITION, format!("source \"{name}\" has no columns")).into());
        }
        Ok(SourceSpec { name: name.to_string(), connector, options, format, encode: Encode::Json, schema })
    }
}

#[cfg(test)]
mod tests;
