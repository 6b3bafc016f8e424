//! The catalog on disk: one record an object.
//!
//! ```text
//! object, 4 bytes big endian  ->  version, 1 byte | JSON
//! ```

use crate::state::{Family, Store, Writes, record};
use crate::types::ObjectId;

use super::entry::Entry;
use super::error::CatalogError;
use super::relations::Catalog;

const VERSION: u8 = 1;

impl Catalog {
    /// The catalog as the store holds it.
    pub fn load(store: &Store) -> Result<Catalog, CatalogError> {
        let mut entries: Vec<Entry> = Vec::new();
        store.scan_with(Family::Catalog, &[], &mut |_, value| {
            entries.push(record::decode(VERSION, value, "an entry of the catalog")?);
            Ok(())
        })?;
        entries.into_iter().try_fold(Catalog::new(), |catalog, entry| catalog.add(entry))
    }

    /// Writes the object, new or changed.
    pub fn put(entry: &Entry, writes: &mut Writes) -> Result<(), CatalogError> {
        writes.put(Family::Catalog, entry.id.0.to_be_bytes(), record::encode(VERSION, entry)?);
        Ok(())
    }

    pub fn delete(id: ObjectId, writes: &mut Writes) {
        writes.delete(Family::Catalog, id.0.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
