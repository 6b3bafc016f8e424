//! The catalog: all objects by number and by name.
//!
//! Sources, tables, views and sinks share one namespace a schema, as relations do in PostgreSQL.

use std::sync::Arc;

use imbl::OrdMap;

use crate::types::ObjectId;

use super::entry::{Entry, Kind};
use super::error::CatalogError;
use super::names::{DEFAULT_SCHEMA, printed, similar};

/// Immutable and cheap to clone: adding and removing give another catalog.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    entries: OrdMap<ObjectId, Arc<Entry>>,
    /// By schema and name.
    names: OrdMap<(String, String), ObjectId>,
}

impl Catalog {
    pub fn new() -> Catalog {
        Catalog::default()
    }

    pub fn get(&self, id: ObjectId) -> Option<&Arc<Entry>> {
        self.entries.get(&id)
    }

    /// The object of that name; without a schema in [`DEFAULT_SCHEMA`].
    pub fn find(&self, schema: Option<&str>, name: &str) -> Option<&Arc<Entry>> {
        let key = (schema.unwrap_or(DEFAULT_SCHEMA).to_string(), name.to_string());
        self.get(*self.names.get(&key)?)
    }

    /// [`Catalog::find`] for a name that must be there.
    pub fn resolve(&self, schema: Option<&str>, name: &str) -> Result<&Arc<Entry>, CatalogError> {
        self.find(schema, name).ok_or_else(|| self.missing("relation", schema, name))
    }

    /// [`Catalog::resolve`] for an object that a DROP says is of that kind.
    pub fn resolve_kind(&self, schema: Option<&str>, name: &str, kind: Kind) -> Result<&Arc<Entry>, CatalogError> {
        let entry = self.find(schema, name).ok_or_else(|| self.missing(kind.noun(), schema, name))?;
        match entry.kind() {
            found if found == kind => Ok(entry),
            found => Err(CatalogError::WrongKind { name: printed(&entry.schema_name, &entry.name), wanted: kind, found }),
        }
    }

    /// All objects, in the order of their numbers.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The catalog with one more object, or with another entry for the object that has its number.
    ///
    /// # Errors
    /// `Duplicate` when another object has the name.
    pub fn add(&self, entry: Entry) -> Result<Catalog, CatalogError> {
        let key = (entry.schema_name.clone(), entry.name.clone());
        if self.names.get(&key).is_some_and(|id| *id != entry.id) {
            return Err(CatalogError::Duplicate { name: printed(&entry.schema_name, &entry.name) });
        }
        let mut next = self.remove(entry.id);
        next.names.insert(key, entry.id);
        next.entries.insert(entry.id, Arc::new(entry));
        Ok(next)
    }

    /// The catalog without the object; the same one when it is not there. What depends on it stays.
    pub fn remove(&self, id: ObjectId) -> Catalog {
        let mut next = self.clone();
        if let Some(entry) = next.entries.remove(&id) {
            next.names.remove(&(entry.schema_name.clone(), entry.name.clone()));
        }
        next
    }

    fn missing(&self, noun: &'static str, schema: Option<&str>, name: &str) -> CatalogError {
        let printed = schema.map_or_else(|| name.to_string(), |schema| format!("{schema}.{name}"));
        CatalogError::Missing { noun, name: printed, similar: similar(name, self.entries().map(Arc::as_ref)) }
    }
}

#[cfg(test)]
mod tests;
