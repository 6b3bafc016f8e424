//! Numbers of things that the catalog does not number itself: derived from what does last, so that a client that
//! remembers one finds the same thing under it after a restart.
//!
//! The catalog numbers its objects from 16384 and far below 2^30. A relation's key has the relation's number in the
//! two ranges above; names without an object are hashed into the topmost quarter.

use super::view::SystemView;
use crate::catalog::{Entry, Kind};

pub const PG_CATALOG: u32 = 11;
pub const PUBLIC: u32 = 2200;
pub const INFORMATION_SCHEMA: u32 = 13207;
/// The database that the session is in.
pub const DATABASE: u32 = 5;
/// The role of the session's user, who owns everything.
pub const OWNER: u32 = 10;
pub const DEFAULT_COLLATION: u32 = 100;
pub const BTREE: u32 = 403;
pub const HEAP: u32 = 2;

const KEY_INDEX: u32 = 1 << 30;
const KEY_CONSTRAINT: u32 = 1 << 31;
const NAMED: u32 = 3 << 30;

/// What a number in one of the key ranges belongs to.
pub fn key_index(entry: &Entry) -> u32 {
    KEY_INDEX | entry.id.0
}

pub fn key_constraint(entry: &Entry) -> u32 {
    KEY_CONSTRAINT | entry.id.0
}

pub fn entry_of_key_index(oid: u32) -> Option<u32> {
    (oid & NAMED == KEY_INDEX).then_some(oid & !NAMED)
}

pub fn entry_of_key_constraint(oid: u32) -> Option<u32> {
    (oid & NAMED == KEY_CONSTRAINT).then_some(oid & !NAMED)
}

/// `orders_pkey`
pub fn key_name(entry: &Entry) -> String {
    format!("{}_pkey", entry.name)
}

/// FNV-1a over a kind and a name.
pub fn named(kind: &str, name: &str) -> u32 {
    let bytes = kind.bytes().chain([0]).chain(name.bytes());
    NAMED | bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) & !NAMED
}

pub fn schema(name: &str) -> u32 {
    match name {
        "pg_catalog" => PG_CATALOG,
        "public" => PUBLIC,
        "information_schema" => INFORMATION_SCHEMA,
        _ => named("schema", name),
    }
}

/// All schemas, by number; user schemas are those that hold something.
pub fn schemas(view: &SystemView) -> Vec<(u32, String)> {
    let mut names: Vec<String> = ["pg_catalog", "public", "information_schema"].map(String::from).to_vec();
    for entry in view.entries.iter() {
        if !names.contains(&entry.schema_name) {
            names.push(entry.schema_name.clone());
        }
    }
    names.into_iter().map(|name| (schema(&name), name)).collect()
}

pub fn default_value(entry: &Entry, column: usize) -> u32 {
    named("default", &format!("{}.{column}", entry.id))
}

pub fn foreign_server(connector: &str) -> u32 {
    named("server", connector)
}

pub fn runtime_relation(name: &str) -> u32 {
    named("floe", name)
}

/// PostgreSQL's `relkind`. Sources are tables that only floe writes to; a sink is a table that lives elsewhere.
pub fn relkind(kind: Kind) -> &'static str {
    match kind {
        Kind::Source | Kind::Table => "r",
        Kind::View => "v",
        Kind::MaterializedView => "m",
        Kind::Sink => "f",
    }
}
