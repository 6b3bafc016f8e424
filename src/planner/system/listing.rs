//! Every relation that a client can see, of whatever origin, in one form: what `pg_class` lists.

use super::view::SystemView;
use super::{oids, shape};
use crate::catalog::Entry;
use crate::types::{Column, SqlType};

pub struct Listed<'a> {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub kind: String,
    pub columns: Vec<Column>,
    /// `None` for system relations.
    pub entry: Option<&'a Entry>,
}

/// The user's relations, then the system's. Key indexes are not among them.
pub fn relations(view: &SystemView) -> Vec<Listed<'_>> {
    let users = view.entries.iter().map(|entry| Listed {
        oid: entry.id.0,
        schema: entry.schema_name.clone(),
        name: entry.name.clone(),
        kind: oids::relkind(entry.kind()).to_string(),
        columns: entry.schema.columns.clone(),
        entry: Some(entry),
    });
    let fixed = shape::all().iter().map(|shape| Listed {
        oid: shape.oid,
        schema: shape.schema.clone(),
        name: shape.name.clone(),
        kind: shape.kind.clone(),
        columns: shape.columns.clone(),
        entry: None,
    });
    let runtime = view.runtime.iter().map(|(name, batch)| Listed {
        oid: oids::runtime_relation(name),
        schema: shape::FLOE_SCHEMA.to_string(),
        name: name.clone(),
        kind: "v".to_string(),
        columns: batch.schema().fields().iter().map(|field| Column::new(field.name(), SqlType::of_field(field))).collect(),
        entry: None,
    });
    users.chain(fixed).chain(runtime).collect()
}

/// The user's relations that have a key.
pub fn keyed(view: &SystemView) -> impl Iterator<Item = &Entry> {
    view.entries.iter().map(|entry| &**entry).filter(|entry| !entry.schema.primary_key.is_empty())
}

/// The columns of an entry's key, in key order.
pub fn key_columns(entry: &Entry) -> impl Iterator<Item = (usize, &Column)> {
    entry.schema.primary_key.iter().filter_map(|&at| entry.schema.columns.get(at).map(|column| (at, column)))
}
