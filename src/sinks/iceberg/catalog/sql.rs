//! The JDBC catalog's two tables in an SQLite file, as other Iceberg libraries read and write them.
//!
//! A table is a row that names its current metadata file. A commit writes a new metadata file and changes the row if it
//! still names the old one; SQLite makes that atomic.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use iceberg::io::FileIO;
use iceberg::spec::{Schema, TableMetadata, TableMetadataBuilder};
use iceberg::{MetadataLocation, TableCreation};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::catalog::table::{Change, LoadedTable, Swap, new_table_properties};
use crate::sinks::iceberg::fault::{Secrets, not_writable, unavailable};
use crate::sinks::iceberg::options::IcebergOptions;
use crate::sinks::iceberg::storage;
use crate::types::{Report, SqlState};

/// How long another writer's transaction is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const TABLES: &str = "CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL,
    table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000),
    previous_metadata_location VARCHAR(1000),
    iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name))";

const NAMESPACES: &str = "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    property_key VARCHAR(255),
    property_value VARCHAR(1000),
    PRIMARY KEY (catalog_name, namespace, property_key))";

pub struct SqlCatalog {
    pool: SqlitePool,
    path: PathBuf,
    name: String,
    warehouse: String,
    namespace: Vec<String>,
    table: String,
    storage: std::collections::BTreeMap<String, String>,
    secrets: Secrets,
}

impl SqlCatalog {
    pub fn new(options: &IcebergOptions, name: &str, path: &Path, warehouse: &str) -> SqlCatalog {
        let connect = SqliteConnectOptions::new().filename(path).create_if_missing(options.create_table).busy_timeout(BUSY_TIMEOUT);
        // One connection: SQLite has one writer, and the sink does one thing at a time.
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(BUSY_TIMEOUT).connect_lazy_with(connect);
        SqlCatalog {
            pool,
            path: path.to_path_buf(),
            name: name.to_string(),
            warehouse: warehouse.to_string(),
            namespace: options.namespace.clone(),
            table: options.table.clone(),
            storage: options.storage.clone(),
            secrets: options.secrets.clone(),
        }
    }

    pub async fn load_table(&self) -> Result<Option<LoadedTable>, SinkError> {
        let found: Option<(Option<String>,)> = match sqlx::query_as(
            "SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
        )
        .bind(&self.name)
        .bind(self.namespace.join("."))
        .bind(&self.table)
        .fetch_optional(&self.pool)
        .await
        {
            Ok(found) => found,
            // An empty file is a catalog without tables.
            Err(sqlx::Error::Database(error)) if error.message().starts_with("no such table") => None,
            Err(error) => return Err(self.failed(error)),
        };
        let Some((Some(metadata_location),)) = found else {
            return Ok(None);
        };
        let file_io = storage::file_io(&metadata_location, &self.storage);
        let metadata = TableMetadata::read_from(&file_io, &metadata_location)
            .await
            .map_err(|e| unavailable(format!("could not read the table's metadata at \"{metadata_location}\""), self.secrets.scrub(e)))?;
        let file_io = storage::file_io(metadata.location(), &self.storage);
        Ok(Some(LoadedTable { metadata, metadata_location, file_io, secrets: self.secrets.clone() }))
    }

    pub async fn create_table(&self, schema: Schema) -> Result<(), SinkError> {
        for statement in [TABLES, NAMESPACES] {
            sqlx::query(statement).execute(&self.pool).await.map_err(|e| self.failed(e))?;
        }
        let namespace = self.namespace.join(".");
        let location = format!("{}/{}/{}", self.warehouse, self.namespace.join("/"), self.table);
        let creation = TableCreation::builder()
            .name(self.table.clone())
            .location(location.clone())
            .schema(schema)
            .properties(new_table_properties())
            .build();
        let built = TableMetadataBuilder::from_table_creation(creation).and_then(|builder| builder.build()).map_err(Report::internal)?;
        let metadata_location = MetadataLocation::new_with_metadata(&location, &built.metadata);
        let file_io = storage::file_io(&location, &self.storage);
        let written = built.metadata.write_to(&file_io, &metadata_location).await;
        written.map_err(|e| not_writable(&self.warehouse, self.secrets.scrub(e)))?;
        sqlx::query(
            "INSERT OR IGNORE INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
             VALUES (?, ?, 'exists', 'true')",
        )
        .bind(&self.name)
        .bind(&namespace)
        .execute(&self.pool)
        .await
        .map_err(|e| self.failed(e))?;
        sqlx::query(
            "INSERT OR IGNORE INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location)
             VALUES (?, ?, ?, ?)",
        )
        .bind(&self.name)
        .bind(&namespace)
        .bind(&self.table)
        .bind(metadata_location.to_string())
        .execute(&self.pool)
        .await
        .map_err(|e| self.failed(e))?;
        Ok(())
    }

    pub async fn swap(&self, base: &LoadedTable, change: Change) -> Swap {
        let (metadata, location) = match self.changed(base, change) {
            Ok(changed) => changed,
            Err(error) => return Swap::Refused(self.secrets.scrub(error)),
        };
        if let Err(error) = metadata.write_to(&base.file_io, &location).await {
            // The row still names the old file, so this is sure not to have landed; a full disk may have room again later.
            return Swap::Refused(self.secrets.scrub(error));
        }
        let changed = sqlx::query(
            "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
             WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?",
        )
        .bind(location.to_string())
        .bind(&base.metadata_location)
        .bind(&self.name)
        .bind(self.namespace.join("."))
        .bind(&self.table)
        .bind(&base.metadata_location)
        .execute(&self.pool)
        .await;
        match changed {
            Ok(result) if result.rows_affected() == 1 => {
                forget_old(&base.file_io, &base.metadata, &metadata).await;
                Swap::Landed
            }
            Ok(_) => {
                let _ = base.file_io.delete(location.to_string()).await;
                Swap::Conflict("another writer has changed the table".to_string())
            }
            Err(error) => Swap::Unknown(error.to_string()),
        }
    }

    fn changed(&self, base: &LoadedTable, change: Change) -> iceberg::Result<(TableMetadata, MetadataLocation)> {
        for requirement in &change.requirements {
            requirement.check(Some(&base.metadata))?;
        }
        let mut builder = base.metadata.clone().into_builder(Some(base.metadata_location.clone()));
        for update in change.updates {
            builder = update.apply(builder)?;
        }
        let metadata = builder.build()?.metadata;
        let location = match MetadataLocation::from_str(&base.metadata_location) {
            Ok(location) => location.with_next_version().with_new_metadata(&metadata),
            // Another library's way of naming: floe starts a series of its own.
            Err(_) => MetadataLocation::new_with_metadata(metadata.location(), &metadata),
        };
        Ok((metadata, location))
    }

    fn failed(&self, error: sqlx::Error) -> SinkError {
        if let sqlx::Error::Database(error) = &error
            && matches!(error.code().as_deref(), Some("14"))
            && !self.path.exists()
        {
            return Report::error(SqlState::UNDEFINED_OBJECT, format!("the catalog file \"{}\" does not exist", self.path.display()))
                .hint("Check catalog.uri; with create_table_if_not_exists = 'true' floe creates the file, in a folder that exists.")
                .into();
        }
        unavailable(format!("could not use the catalog file \"{}\"", self.path.display()), error.to_string())
    }
}

/// Removes the metadata files that fell out of the table's log, if the table wants that.
async fn forget_old(file_io: &FileIO, before: &TableMetadata, after: &TableMetadata) {
    if after.properties().get("write.metadata.delete-after-commit.enabled").map(String::as_str) != Some("true") {
        return;
    }
    let kept: std::collections::HashSet<&str> = after.metadata_log().iter().map(|log| log.metadata_file.as_str()).collect();
    for old in before.metadata_log().iter().filter(|log| !kept.contains(log.metadata_file.as_str())) {
        if let Err(error) = file_io.delete(&old.metadata_file).await {
            tracing::debug!(file = %old.metadata_file, %error, "an old metadata file stays");
        }
    }
}
