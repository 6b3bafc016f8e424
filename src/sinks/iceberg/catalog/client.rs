//! One table of one catalog, whichever kind the catalog is.

use iceberg::TableUpdate;
use iceberg::spec::Schema;

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::catalog::rest::RestCatalog;
use crate::sinks::iceberg::catalog::sql::SqlCatalog;
use crate::sinks::iceberg::catalog::table::{Change, LoadedTable, Swap};
use crate::sinks::iceberg::options::{CatalogOptions, IcebergOptions};

pub enum CatalogClient {
    Rest(RestCatalog),
    Sql(SqlCatalog),
}

impl CatalogClient {
    /// Does not connect yet.
    pub fn new(options: &IcebergOptions) -> Result<CatalogClient, SinkError> {
        Ok(match &options.catalog {
            CatalogOptions::Rest { uri, warehouse, token } => {
                CatalogClient::Rest(RestCatalog::new(options, uri, warehouse.clone(), token.clone())?)
            }
            CatalogOptions::Sql { name, path, warehouse } => CatalogClient::Sql(SqlCatalog::new(options, name, path, warehouse)),
        })
    }

    /// The table as it is now; `None` when there is none.
    ///
    /// # Errors
    /// [`SinkError::Unavailable`] when the catalog or the storage does not answer.
    pub async fn load_table(&self) -> Result<Option<LoadedTable>, SinkError> {
        match self {
            CatalogClient::Rest(catalog) => catalog.load_table().await,
            CatalogClient::Sql(catalog) => catalog.load_table().await,
        }
    }

    /// Creates the namespace if there is none, and the table. One that another has created meanwhile is left as it is.
    pub async fn create_table(&self, schema: Schema) -> Result<(), SinkError> {
        match self {
            CatalogClient::Rest(catalog) => catalog.create_table(schema).await,
            CatalogClient::Sql(catalog) => catalog.create_table(schema).await,
        }
    }

    /// Applies the updates if the table is still as it was loaded.
    pub async fn swap(&self, base: &LoadedTable, updates: Vec<TableUpdate>) -> Swap {
        let change = Change { requirements: base.unchanged(), updates };
        match self {
            CatalogClient::Rest(catalog) => catalog.swap(change).await,
            CatalogClient::Sql(catalog) => catalog.swap(base, change).await,
        }
    }
}
