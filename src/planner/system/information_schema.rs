//! The SQL standard's catalog: the user's relations, and as in PostgreSQL the system's too.

use super::listing::{self, Listed};
use super::rows::Rows;
use super::value::Value;
use super::view::SystemView;
use super::{columns, oids, relations, types};
use crate::types::SqlType;

pub fn fill(schema: &str, name: &str) -> Option<fn(&SystemView, &mut Rows)> {
    if schema != "information_schema" {
        return None;
    }
    Some(match name {
        "information_schema_catalog_name" => catalog_name,
        "schemata" => schemata,
        "tables" => tables,
        "columns" => columns_view,
        "views" => views,
        "table_constraints" => table_constraints,
        "key_column_usage" => key_column_usage,
        "constraint_column_usage" => constraint_column_usage,
        "character_sets" => character_sets,
        "enabled_roles" => enabled_roles,
        _ => return None,
    })
}

fn yes_no(yes: bool) -> Value {
    Value::from(if yes { "YES" } else { "NO" })
}

fn catalog_name(view: &SystemView, rows: &mut Rows) {
    rows.add([("catalog_name", (&view.database).into())]);
}

fn schemata(view: &SystemView, rows: &mut Rows) {
    for (_, name) in oids::schemas(view) {
        rows.add([("catalog_name", (&view.database).into()), ("schema_name", name.into()), ("schema_owner", (&view.user).into())]);
    }
}

/// The standard has no word for materialized views, and PostgreSQL leaves them out; floe lists them as views, since
/// tools that ask only here would otherwise not find the relations that matter most.
fn table_type(kind: &str) -> &'static str {
    match kind {
        "v" | "m" => "VIEW",
        "f" => "FOREIGN",
        _ => "BASE TABLE",
    }
}

fn is_insertable(relation: &Listed) -> bool {
    relation.entry.is_some_and(|entry| matches!(entry.definition, crate::catalog::Definition::Table { .. }))
}

fn tables(view: &SystemView, rows: &mut Rows) {
    for relation in listing::relations(view) {
        rows.add([
            ("table_catalog", (&view.database).into()),
            ("is_insertable_into", yes_no(is_insertable(&relation))),
            ("table_schema", relation.schema.into()),
            ("table_name", relation.name.into()),
            ("table_type", table_type(&relation.kind).into()),
            ("is_typed", yes_no(false)),
        ]);
    }
}

fn columns_view(view: &SystemView, rows: &mut Rows) {
    for relation in listing::relations(view) {
        let updatable = is_insertable(&relation);
        for (at, column) in relation.columns.iter().enumerate() {
            let in_key = relation.entry.is_some_and(|entry| entry.schema.primary_key.contains(&at));
            let default = relation.entry.and_then(|entry| columns::default_text(entry, at));
            let oid = column.sql_type.oid();
            let data_type = match &column.sql_type {
                SqlType::Array(_) => "ARRAY".to_string(),
                _ => types::format_type(oid, None),
            };
            let length = if let SqlType::Varchar(length) = column.sql_type { length } else { None };
            let (precision, radix, scale) = numeric_parts(&column.sql_type);
            let fraction = match column.sql_type {
                SqlType::Date => Some(0),
                SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz | SqlType::Interval => Some(6),
                _ => None,
            };
            rows.add([
                ("table_catalog", (&view.database).into()),
                ("table_schema", (&relation.schema).into()),
                ("table_name", (&relation.name).into()),
                ("column_name", (&column.name).into()),
                ("ordinal_position", (at + 1).into()),
                ("column_default", default.into()),
                ("is_nullable", yes_no(column.nullable && !in_key)),
                ("data_type", data_type.into()),
                ("character_maximum_length", length.into()),
                ("numeric_precision", precision.into()),
                ("numeric_precision_radix", radix.into()),
                ("numeric_scale", scale.into()),
                ("datetime_precision", fraction.into()),
                ("udt_catalog", (&view.database).into()),
                ("udt_schema", "pg_catalog".into()),
                ("udt_name", types::of_oid(oid).map(|t| t.name).into()),
                ("dtd_identifier", (at + 1).to_string().into()),
                ("is_self_referencing", yes_no(false)),
                ("is_identity", yes_no(false)),
                ("identity_cycle", yes_no(false)),
                ("is_generated", "NEVER".into()),
                ("is_updatable", yes_no(updatable)),
            ]);
        }
    }
}

/// Precision, its radix, and scale, of a numeric type.
fn numeric_parts(sql_type: &SqlType) -> (Option<i32>, Option<i32>, Option<i32>) {
    match sql_type {
        SqlType::SmallInt => (Some(16), Some(2), Some(0)),
        SqlType::Integer => (Some(32), Some(2), Some(0)),
        SqlType::BigInt => (Some(64), Some(2), Some(0)),
        SqlType::Real => (Some(24), Some(2), None),
        SqlType::Double => (Some(53), Some(2), None),
        SqlType::Numeric { precision, scale } if *sql_type != SqlType::NUMERIC => {
            (Some(i32::from(*precision)), Some(10), Some(i32::from(*scale)))
        }
        SqlType::Numeric { .. } => (None, Some(10), None),
        _ => (None, None, None),
    }
}

fn views(view: &SystemView, rows: &mut Rows) {
    for relation in listing::relations(view).into_iter().filter(|relation| table_type(&relation.kind) == "VIEW") {
        rows.add([
            ("table_catalog", (&view.database).into()),
            ("view_definition", relation.entry.and_then(relations::view_query).into()),
            ("table_schema", relation.schema.into()),
            ("table_name", relation.name.into()),
            ("check_option", "NONE".into()),
            ("is_updatable", yes_no(false)),
            ("is_insertable_into", yes_no(false)),
            ("is_trigger_updatable", yes_no(false)),
            ("is_trigger_deletable", yes_no(false)),
            ("is_trigger_insertable_into", yes_no(false)),
        ]);
    }
}

fn table_constraints(view: &SystemView, rows: &mut Rows) {
    for entry in listing::keyed(view) {
        rows.add([
            ("constraint_catalog", (&view.database).into()),
            ("constraint_schema", (&entry.schema_name).into()),
            ("constraint_name", oids::key_name(entry).into()),
            ("table_catalog", (&view.database).into()),
            ("table_schema", (&entry.schema_name).into()),
            ("table_name", (&entry.name).into()),
            ("constraint_type", "PRIMARY KEY".into()),
            ("is_deferrable", yes_no(false)),
            ("initially_deferred", yes_no(false)),
            ("enforced", yes_no(true)),
        ]);
    }
}

fn key_column_usage(view: &SystemView, rows: &mut Rows) {
    for entry in listing::keyed(view) {
        for (position, (_, column)) in listing::key_columns(entry).enumerate() {
            rows.add([
                ("constraint_catalog", (&view.database).into()),
                ("constraint_schema", (&entry.schema_name).into()),
                ("constraint_name", oids::key_name(entry).into()),
                ("table_catalog", (&view.database).into()),
                ("table_schema", (&entry.schema_name).into()),
                ("table_name", (&entry.name).into()),
                ("column_name", (&column.name).into()),
                ("ordinal_position", (position + 1).into()),
            ]);
        }
    }
}

fn constraint_column_usage(view: &SystemView, rows: &mut Rows) {
    for entry in listing::keyed(view) {
        for (_, column) in listing::key_columns(entry) {
            rows.add([
                ("table_catalog", (&view.database).into()),
                ("table_schema", (&entry.schema_name).into()),
                ("table_name", (&entry.name).into()),
                ("column_name", (&column.name).into()),
                ("constraint_catalog", (&view.database).into()),
                ("constraint_schema", (&entry.schema_name).into()),
                ("constraint_name", oids::key_name(entry).into()),
            ]);
        }
    }
}

fn character_sets(view: &SystemView, rows: &mut Rows) {
    rows.add([
        ("character_set_name", "UTF8".into()),
        ("character_repertoire", "UCS".into()),
        ("form_of_use", "UTF8".into()),
        ("default_collate_catalog", (&view.database).into()),
        ("default_collate_schema", "pg_catalog".into()),
        ("default_collate_name", "C.UTF-8".into()),
    ]);
}

fn enabled_roles(view: &SystemView, rows: &mut Rows) {
    rows.add([("role_name", (&view.user).into())]);
}
