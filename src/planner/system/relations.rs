//! `pg_class` and its neighbours: what relations there are, in which schemas, and what they stand on.

use super::listing;
use super::oids;
use super::rows::Rows;
use super::value::Value;
use super::view::SystemView;
use crate::catalog::{Definition, Entry, Kind};

pub fn fill(schema: &str, name: &str) -> Option<fn(&SystemView, &mut Rows)> {
    if schema != "pg_catalog" {
        return None;
    }
    Some(match name {
        "pg_class" => pg_class,
        "pg_namespace" => pg_namespace,
        "pg_depend" => pg_depend,
        "pg_tables" => pg_tables,
        "pg_views" => pg_views,
        "pg_matviews" => pg_matviews,
        "pg_foreign_table" => pg_foreign_table,
        "pg_foreign_server" => pg_foreign_server,
        "pg_foreign_data_wrapper" => pg_foreign_data_wrapper,
        "pg_stat_user_tables" => pg_stat_user_tables,
        _ => return None,
    })
}

/// The query text of a view or a materialized view.
pub fn view_query(entry: &Entry) -> Option<&str> {
    match &entry.definition {
        Definition::View { query } | Definition::MaterializedView { query, .. } => Some(query),
        _ => None,
    }
}

fn pg_class(view: &SystemView, rows: &mut Rows) {
    for relation in listing::relations(view) {
        let stored = matches!(relation.kind.as_str(), "r" | "m");
        let has_key = relation.entry.is_some_and(|entry| !entry.schema.primary_key.is_empty());
        rows.add([
            ("oid", relation.oid.into()),
            ("relname", relation.name.into()),
            ("relnamespace", oids::schema(&relation.schema).into()),
            ("relowner", oids::OWNER.into()),
            ("relam", if stored { oids::HEAP } else { 0 }.into()),
            ("relfilenode", if stored { relation.oid } else { 0 }.into()),
            ("reltuples", Value::Float(-1.0)),
            ("relhasindex", has_key.into()),
            ("relpersistence", "p".into()),
            ("relkind", relation.kind.into()),
            ("relnatts", relation.columns.len().into()),
            ("relhasrules", false.into()),
            ("relispopulated", true.into()),
            ("relreplident", if has_key { "d" } else { "n" }.into()),
        ]);
    }
    for entry in listing::keyed(view) {
        rows.add([
            ("oid", oids::key_index(entry).into()),
            ("relname", oids::key_name(entry).into()),
            ("relnamespace", oids::schema(&entry.schema_name).into()),
            ("relowner", oids::OWNER.into()),
            ("relam", oids::BTREE.into()),
            ("reltuples", Value::Float(-1.0)),
            ("relpersistence", "p".into()),
            ("relkind", "i".into()),
            ("relnatts", entry.schema.primary_key.len().into()),
            ("relispopulated", true.into()),
            ("relreplident", "n".into()),
        ]);
    }
}

fn pg_namespace(view: &SystemView, rows: &mut Rows) {
    for (oid, name) in oids::schemas(view) {
        rows.add([("oid", oid.into()), ("nspname", name.into()), ("nspowner", oids::OWNER.into())]);
    }
}

fn pg_depend(view: &SystemView, rows: &mut Rows) {
    const CLASS: u32 = 1259;
    for entry in view.entries.iter() {
        for input in &entry.depends_on {
            rows.add([
                ("classid", CLASS.into()),
                ("objid", entry.id.0.into()),
                ("refclassid", CLASS.into()),
                ("refobjid", input.0.into()),
                ("deptype", "n".into()),
            ]);
        }
    }
}

fn pg_tables(view: &SystemView, rows: &mut Rows) {
    for relation in listing::relations(view).into_iter().filter(|relation| relation.kind == "r") {
        let has_key = relation.entry.is_some_and(|entry| !entry.schema.primary_key.is_empty());
        rows.add([
            ("schemaname", relation.schema.into()),
            ("tablename", relation.name.into()),
            ("tableowner", (&view.user).into()),
            ("hasindexes", has_key.into()),
            ("hasrules", false.into()),
            ("hastriggers", false.into()),
            ("rowsecurity", false.into()),
        ]);
    }
}

fn pg_views(view: &SystemView, rows: &mut Rows) {
    for relation in listing::relations(view).into_iter().filter(|relation| relation.kind == "v") {
        rows.add([
            ("schemaname", relation.schema.into()),
            ("viewname", relation.name.into()),
            ("viewowner", (&view.user).into()),
            ("definition", relation.entry.and_then(view_query).into()),
        ]);
    }
}

fn pg_matviews(view: &SystemView, rows: &mut Rows) {
    for entry in view.entries.iter().filter(|entry| entry.kind() == Kind::MaterializedView) {
        rows.add([
            ("schemaname", (&entry.schema_name).into()),
            ("matviewname", (&entry.name).into()),
            ("matviewowner", (&view.user).into()),
            ("hasindexes", (!entry.schema.primary_key.is_empty()).into()),
            ("ispopulated", true.into()),
            ("definition", view_query(entry).into()),
        ]);
    }
}

/// Each sink and its connector. Options stay out: they may hold passwords.
fn sinks(view: &SystemView) -> impl Iterator<Item = (&Entry, &String)> {
    view.entries.iter().map(|entry| &**entry).filter_map(|entry| match &entry.definition {
        Definition::Sink { connector, .. } => Some((entry, connector)),
        _ => None,
    })
}

fn sink_connectors(view: &SystemView) -> std::collections::BTreeSet<&String> {
    sinks(view).map(|(_, connector)| connector).collect()
}

fn pg_foreign_table(view: &SystemView, rows: &mut Rows) {
    for (entry, connector) in sinks(view) {
        rows.add([("ftrelid", entry.id.0.into()), ("ftserver", oids::foreign_server(connector).into())]);
    }
}

fn pg_foreign_server(view: &SystemView, rows: &mut Rows) {
    for connector in sink_connectors(view) {
        let oid = oids::foreign_server(connector);
        rows.add([
            ("oid", oid.into()),
            ("srvname", connector.into()),
            ("srvowner", oids::OWNER.into()),
            ("srvfdw", oids::named("wrapper", connector).into()),
        ]);
    }
}

fn pg_foreign_data_wrapper(view: &SystemView, rows: &mut Rows) {
    for connector in sink_connectors(view) {
        let oid = oids::named("wrapper", connector);
        rows.add([("oid", oid.into()), ("fdwname", connector.into()), ("fdwowner", oids::OWNER.into())]);
    }
}

fn pg_stat_user_tables(view: &SystemView, rows: &mut Rows) {
    for entry in view.entries.iter().filter(|entry| matches!(oids::relkind(entry.kind()), "r" | "m")) {
        rows.add([("relid", entry.id.0.into()), ("schemaname", (&entry.schema_name).into()), ("relname", (&entry.name).into())]);
    }
}
