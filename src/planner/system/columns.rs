//! `pg_attribute` and `pg_attrdef`: the columns of every relation, and their defaults.

use super::rows::Rows;
use super::value::Value;
use super::view::SystemView;
use super::{listing, oids, types};
use crate::catalog::{Definition, Entry};
use crate::types::{Column, SqlType};

pub fn fill(schema: &str, name: &str) -> Option<fn(&SystemView, &mut Rows)> {
    match (schema, name) {
        ("pg_catalog", "pg_attribute") => Some(pg_attribute),
        ("pg_catalog", "pg_attrdef") => Some(pg_attrdef),
        _ => None,
    }
}

/// The DEFAULT expression of a table's column.
pub fn default_text(entry: &Entry, column: usize) -> Option<&str> {
    match &entry.definition {
        Definition::Table { defaults, .. } => defaults.get(column)?.as_deref(),
        _ => None,
    }
}

fn pg_attribute(view: &SystemView, rows: &mut Rows) {
    for relation in listing::relations(view) {
        for (at, column) in relation.columns.iter().enumerate() {
            let has_default = relation.entry.is_some_and(|entry| default_text(entry, at).is_some());
            let in_key = relation.entry.is_some_and(|entry| entry.schema.primary_key.contains(&at));
            add(rows, relation.oid, at, column, has_default, !column.nullable || in_key);
        }
    }
    for entry in listing::keyed(view) {
        for (at, (_, column)) in listing::key_columns(entry).enumerate() {
            add(rows, oids::key_index(entry), at, column, false, false);
        }
    }
}

fn add(rows: &mut Rows, relation: u32, at: usize, column: &Column, has_default: bool, not_null: bool) {
    let stored = types::of_oid(column.sql_type.oid());
    let dimensions = if matches!(column.sql_type, SqlType::Array(_)) { 1 } else { 0 };
    rows.add([
        ("attrelid", relation.into()),
        ("attname", (&column.name).into()),
        ("atttypid", column.sql_type.oid().into()),
        ("attstattarget", (-1).into()),
        ("attlen", stored.map_or(-1, |t| t.length).into()),
        ("attnum", (at + 1).into()),
        ("attndims", dimensions.into()),
        ("attcacheoff", (-1).into()),
        ("atttypmod", column.sql_type.modifier().into()),
        ("attbyval", stored.is_some_and(|t| t.by_value).into()),
        ("attalign", stored.map_or("i", |t| t.align).into()),
        ("attstorage", stored.map_or("x", |t| t.storage).into()),
        ("attnotnull", not_null.into()),
        ("atthasdef", has_default.into()),
        ("attislocal", true.into()),
        ("attcollation", stored.map_or(0, |t| t.collation).into()),
    ]);
}

fn pg_attrdef(view: &SystemView, rows: &mut Rows) {
    for entry in view.entries.iter() {
        for at in 0..entry.schema.columns.len() {
            if let Some(text) = default_text(entry, at) {
                rows.add([
                    ("oid", oids::default_value(entry, at).into()),
                    ("adrelid", entry.id.0.into()),
                    ("adnum", (at + 1).into()),
                    ("adbin", Value::from(text)),
                ]);
            }
        }
    }
}
