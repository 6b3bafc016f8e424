//! The WITH options of an Iceberg sink, checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use crate::sinks::iceberg::fault::Secrets;
use crate::sinks::spec::{COMMIT_INTERVAL, SinkMode, SinkSpec};
use crate::types::{Report, SqlState, SqlType};

const KNOWN: &[&str] = &[
    "type",
    "primary_key",
    "catalog.type",
    "catalog.uri",
    "catalog.name",
    "catalog.token",
    "warehouse.path",
    "database.name",
    "table.name",
    "create_table_if_not_exists",
    COMMIT_INTERVAL,
    "s3.endpoint",
    "s3.access.key",
    "s3.access-key-id",
    "s3.secret.key",
    "s3.secret-access-key",
    "s3.session-token",
    "s3.region",
    "s3.path.style.access",
];

/// What the options mean. Not printable: it holds secrets.
#[derive(Clone)]
pub struct IcebergOptions {
    pub mode: SinkMode,
    /// Positions of the key's columns in the relation, in the order given; empty when append-only.
    pub key: Vec<usize>,
    pub catalog: CatalogOptions,
    pub namespace: Vec<String>,
    pub table: String,
    pub create_table: bool,
    /// Storage properties by Iceberg's names (`s3.access-key-id`).
    pub storage: BTreeMap<String, String>,
    /// What must never be in a message.
    pub secrets: Secrets,
}

#[derive(Clone)]
pub enum CatalogOptions {
    /// A SQLite file with the tables of Iceberg's JDBC catalog.
    Sql {
        name: String,
        path: PathBuf,
        warehouse: String,
    },
    Rest {
        uri: Url,
        warehouse: Option<String>,
        token: Option<String>,
    },
}

impl IcebergOptions {
    pub fn of(spec: &SinkSpec) -> Result<IcebergOptions, Report> {
        let options = &spec.options;
        if let Some(unknown) = options.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(invalid(format!("unrecognized option \"{unknown}\" for a sink with connector \"iceberg\""))
                .hint(format!("The options are {}.", KNOWN.join(", "))));
        }
        let (mode, key) = mode_and_key(spec)?;
        let storage = storage(options)?;
        let secrets =
            ["s3.secret-access-key", "s3.session-token"].iter().filter_map(|k| storage.get(*k)).chain(options.get("catalog.token"));
        let secrets = Secrets::new(secrets.cloned().collect());
        Ok(IcebergOptions {
            mode,
            key,
            catalog: catalog(options)?,
            namespace: namespace(required(options, "database.name")?)?,
            table: required(options, "table.name")?.to_string(),
            create_table: flag(options, "create_table_if_not_exists")?.unwrap_or(false),
            storage,
            secrets,
        })
    }

    /// `database.table`, as messages name the table.
    pub fn table_name(&self) -> String {
        format!("{}.{}", self.namespace.join("."), self.table)
    }
}

fn invalid(message: impl Into<String>) -> Report {
    Report::error(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn required<'a>(options: &'a BTreeMap<String, String>, key: &str) -> Result<&'a str, Report> {
    match options.get(key).map(|value| value.trim()) {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(invalid(format!("option \"{key}\" is required for a sink with connector \"iceberg\""))
            .hint(format!("Add {key} = '...' to the WITH clause."))),
    }
}

fn flag(options: &BTreeMap<String, String>, key: &str) -> Result<Option<bool>, Report> {
    match options.get(key).map(|value| value.trim().to_ascii_lowercase()).as_deref() {
        None => Ok(None),
        Some("true" | "on" | "yes" | "1") => Ok(Some(true)),
        Some("false" | "off" | "no" | "0") => Ok(Some(false)),
        Some(other) => Err(invalid(format!("invalid value for option \"{key}\": \"{other}\"")).hint("Write 'true' or 'false'.")),
    }
}

fn mode_and_key(spec: &SinkSpec) -> Result<(SinkMode, Vec<usize>), Report> {
    let key = spec.options.get("primary_key");
    match required(&spec.options, "type")? {
        "append-only" => {
            if key.is_some() {
                return Err(
                    invalid("option \"primary_key\" goes with type = 'upsert' only").hint("Leave it out, or write type = 'upsert'.")
                );
            }
            if !spec.schema.append_only {
                return Err(Report::unsupported("an append-only sink cannot follow a relation whose rows change or go away")
                    .hint("Use type = 'upsert' with primary_key = '...'."));
            }
            Ok((SinkMode::AppendOnly, Vec::new()))
        }
        "upsert" => {
            let positions = match key {
                Some(names) => key_columns(spec, names)?,
                None => spec.schema.primary_key.clone(),
            };
            if positions.is_empty() {
                return Err(invalid("option \"primary_key\" is required for an upsert sink")
                    .hint("Name the columns that are unique together, for example primary_key = 'id'."));
            }
            for column in positions.iter().filter_map(|p| spec.schema.columns.get(*p)) {
                if matches!(column.sql_type, SqlType::Real | SqlType::Double) {
                    return Err(Report::unsupported(format!(
                        "column \"{}\" of type {} cannot be in a sink's primary key",
                        column.name, column.sql_type
                    ))
                    .hint("Floating-point values are no keys; cast the column to numeric."));
                }
            }
            Ok((SinkMode::Upsert, positions))
        }
        other => Err(invalid(format!("invalid value for option \"type\": \"{other}\"")).hint("Write 'append-only' or 'upsert'.")),
    }
}

fn key_columns(spec: &SinkSpec, names: &str) -> Result<Vec<usize>, Report> {
    let mut positions = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name);
        let Some(position) = spec.schema.position(name) else {
            let columns: Vec<&str> = spec.schema.columns.iter().map(|c| c.name.as_str()).collect();
            return Err(Report::error(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" named in primary_key does not exist"))
                .hint(format!("The columns are {}.", columns.join(", "))));
        };
        if positions.contains(&position) {
            return Err(Report::error(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" appears twice in primary_key")));
        }
        positions.push(position);
    }
    Ok(positions)
}

fn catalog(options: &BTreeMap<String, String>) -> Result<CatalogOptions, Report> {
    let uri = options.get("catalog.uri").map(|uri| uri.trim());
    match required(options, "catalog.type")? {
        "sql" => {
            let uri = required(options, "catalog.uri")?;
            if let Some(key) = ["catalog.token"].iter().find(|key| options.contains_key(**key)) {
                return Err(invalid(format!("option \"{key}\" goes with catalog.type = 'rest' only")));
            }
            Ok(CatalogOptions::Sql {
                name: options.get("catalog.name").map_or("default", |name| name.trim()).to_string(),
                path: sqlite_path(uri)?,
                warehouse: location(required(options, "warehouse.path")?)?,
            })
        }
        "rest" => {
            required(options, "catalog.uri")?;
            let parsed = uri.and_then(|uri| Url::parse(uri).ok()).filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let Some(uri) = parsed else {
                return Err(invalid("invalid value for option \"catalog.uri\"")
                    .hint("A REST catalog is named by its address, for example 'http://127.0.0.1:8181'."));
            };
            let token = options.get("catalog.token").cloned();
            Ok(CatalogOptions::Rest { uri, warehouse: options.get("warehouse.path").map(|w| w.trim().to_string()), token })
        }
        other => Err(invalid(format!("invalid value for option \"catalog.type\": \"{other}\"")).hint("Write 'sql' or 'rest'.")),
    }
}

/// `sqlite:/a/b`, `sqlite:///a/b` and `sqlite:////a/b` all name the file `/a/b`; `sqlite:b` is relative to the server.
fn sqlite_path(uri: &str) -> Result<PathBuf, Report> {
    let hint = "Write 'sqlite:' and the path of the catalog's file, for example 'sqlite:/data/catalog.db'.";
    let Some(path) = uri.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest)) else {
        return Err(invalid("option \"catalog.uri\" of a catalog of type 'sql' must name an SQLite file").hint(hint));
    };
    let path = if path.starts_with('/') { format!("/{}", path.trim_start_matches('/')) } else { path.to_string() };
    if path.is_empty() || path.ends_with('/') || path.contains('?') {
        return Err(invalid("option \"catalog.uri\" does not name a file").hint(hint));
    }
    std::path::absolute(path).map_err(|e| invalid(format!("invalid value for option \"catalog.uri\": {e}")).hint(hint))
}

/// A warehouse as the URI that tables are placed under.
fn location(path: &str) -> Result<String, Report> {
    let path = path.trim_end_matches('/');
    match path.split_once("://") {
        Some(("file", rest)) if rest.starts_with('/') => Ok(format!("file://{rest}")),
        Some(("s3" | "s3a", rest)) if !rest.is_empty() => Ok(path.to_string()),
        Some(_) => Err(invalid("invalid value for option \"warehouse.path\"")
            .hint("A warehouse is a local path, 'file:///path' or 's3://bucket/prefix'.")),
        None => match std::path::absolute(path) {
            Ok(absolute) => Ok(format!("file://{}", absolute.display())),
            Err(e) => Err(invalid(format!("invalid value for option \"warehouse.path\": {e}"))),
        },
    }
}

fn namespace(text: &str) -> Result<Vec<String>, Report> {
    let levels: Vec<String> = text.split('.').map(|level| level.trim().to_string()).collect();
    if levels.iter().any(|level| level.is_empty()) {
        return Err(invalid("invalid value for option \"database.name\"").hint("Levels are separated by single dots."));
    }
    Ok(levels)
}

/// Iceberg's names for the storage options. One who names an endpoint of their own means path-style addresses, which
/// all S3-compatible servers understand, unless they say otherwise.
fn storage(options: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Report> {
    let mut storage = BTreeMap::new();
    for (name, spellings) in [
        ("s3.endpoint", &["s3.endpoint"][..]),
        ("s3.access-key-id", &["s3.access-key-id", "s3.access.key"]),
        ("s3.secret-access-key", &["s3.secret-access-key", "s3.secret.key"]),
        ("s3.session-token", &["s3.session-token"]),
        ("s3.region", &["s3.region"]),
    ] {
        if let Some(value) = spellings.iter().find_map(|spelling| options.get(*spelling)) {
            storage.insert(name.to_string(), value.trim().to_string());
        }
    }
    let path_style = flag(options, "s3.path.style.access")?.or_else(|| storage.contains_key("s3.endpoint").then_some(true));
    if let Some(path_style) = path_style {
        storage.insert("s3.path-style-access".to_string(), path_style.to_string());
    }
    Ok(storage)
}

#[cfg(test)]
mod tests;
