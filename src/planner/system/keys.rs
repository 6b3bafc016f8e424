//! Primary keys as PostgreSQL shows them: a unique index and a constraint for each.

use super::listing;
use super::naming::quote_ident;
use super::oids;
use super::rows::Rows;
use super::types;
use super::value::Value;
use super::view::SystemView;
use crate::catalog::Entry;

pub fn fill(schema: &str, name: &str) -> Option<fn(&SystemView, &mut Rows)> {
    match (schema, name) {
        ("pg_catalog", "pg_index") => Some(pg_index),
        ("pg_catalog", "pg_indexes") => Some(pg_indexes),
        ("pg_catalog", "pg_constraint") => Some(pg_constraint),
        _ => None,
    }
}

/// `PRIMARY KEY (id, at)`
pub fn constraint_definition(entry: &Entry) -> String {
    format!("PRIMARY KEY ({})", key_list(entry))
}

/// `CREATE UNIQUE INDEX orders_pkey ON public.orders USING btree (id)`
pub fn index_definition(entry: &Entry) -> String {
    let (index, schema, table) = (quote_ident(&oids::key_name(entry)), quote_ident(&entry.schema_name), quote_ident(&entry.name));
    format!("CREATE UNIQUE INDEX {index} ON {schema}.{table} USING btree ({})", key_list(entry))
}

/// The index's column of that number, counted from 1, as `pg_get_indexdef(index, n, pretty)` gives it.
pub fn index_column(entry: &Entry, number: usize) -> Option<String> {
    listing::key_columns(entry).nth(number.checked_sub(1)?).map(|(_, column)| quote_ident(&column.name))
}

fn key_list(entry: &Entry) -> String {
    listing::key_columns(entry).map(|(_, column)| quote_ident(&column.name)).collect::<Vec<_>>().join(", ")
}

fn key_numbers(entry: &Entry) -> Value {
    Value::ints(listing::key_columns(entry).map(|(at, _)| at as i64 + 1))
}

fn pg_index(view: &SystemView, rows: &mut Rows) {
    for entry in listing::keyed(view) {
        let width = entry.schema.primary_key.len();
        let collations = listing::key_columns(entry).map(|(_, column)| types::of_oid(column.sql_type.oid()).map_or(0, |t| t.collation));
        rows.add([
            ("indexrelid", oids::key_index(entry).into()),
            ("indrelid", entry.id.0.into()),
            ("indnatts", width.into()),
            ("indnkeyatts", width.into()),
            ("indisunique", true.into()),
            ("indisprimary", true.into()),
            ("indimmediate", true.into()),
            ("indisvalid", true.into()),
            ("indisready", true.into()),
            ("indislive", true.into()),
            ("indkey", key_numbers(entry)),
            ("indcollation", Value::ints(collations.map(i64::from))),
            ("indclass", Value::ints(std::iter::repeat_n(0, width))),
            ("indoption", Value::ints(std::iter::repeat_n(0, width))),
        ]);
    }
}

fn pg_indexes(view: &SystemView, rows: &mut Rows) {
    for entry in listing::keyed(view) {
        rows.add([
            ("schemaname", (&entry.schema_name).into()),
            ("tablename", (&entry.name).into()),
            ("indexname", oids::key_name(entry).into()),
            ("indexdef", index_definition(entry).into()),
        ]);
    }
}

fn pg_constraint(view: &SystemView, rows: &mut Rows) {
    for entry in listing::keyed(view) {
        rows.add([
            ("oid", oids::key_constraint(entry).into()),
            ("conname", oids::key_name(entry).into()),
            ("connamespace", oids::schema(&entry.schema_name).into()),
            ("contype", "p".into()),
            ("convalidated", true.into()),
            ("conrelid", entry.id.0.into()),
            ("conindid", oids::key_index(entry).into()),
            ("confupdtype", " ".into()),
            ("confdeltype", " ".into()),
            ("confmatchtype", " ".into()),
            ("conislocal", true.into()),
            ("connoinherit", true.into()),
            ("conkey", key_numbers(entry)),
        ]);
    }
}
