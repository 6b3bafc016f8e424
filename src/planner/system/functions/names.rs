//! Functions between names, numbers and visibility: `pg_table_is_visible`, `format_type`, `to_regclass`...

use super::super::naming::{self, Registry};
use super::super::value::Value;
use super::super::view::SystemView;
use super::super::{cluster, oids, routines, types};
use super::routine::{Routine, routine};
use crate::types::{Report, SqlType};

pub fn routines() -> Vec<Routine> {
    let mut all = vec![
        routine("format_type", 2..=2, SqlType::Text, |_, row| {
            let modifier = row.get(1).and_then(Value::int).and_then(|n| i32::try_from(n).ok());
            Ok(first(row).oid().map(|oid| types::format_type(oid, modifier)).into())
        })
        .lenient(),
        routine("pg_get_userbyid", 1..=1, SqlType::Name, |view, row| {
            let oid = first(row).oid().unwrap_or(0);
            Ok(if oid == oids::OWNER { view.user.clone() } else { format!("unknown (OID={oid})") }.into())
        }),
        routine("pg_table_is_visible", 1..=1, SqlType::Boolean, |view, row| {
            Ok(first(row).oid().and_then(|oid| naming::is_visible(oid, view)).into())
        }),
        routine("pg_type_is_visible", 1..=1, SqlType::Boolean, |_, row| Ok(first(row).oid().and_then(types::of_oid).map(|_| true).into())),
        routine("pg_function_is_visible", 1..=1, SqlType::Boolean, |_, row| {
            Ok(first(row).oid().and_then(routines::of_oid).map(|_| true).into())
        }),
        routine("pg_encoding_to_char", 1..=1, SqlType::Name, |_, row| {
            Ok(match first(row).int() {
                Some(number) if number == i64::from(cluster::UTF8) => "UTF8",
                Some(0) => "SQL_ASCII",
                _ => "",
            }
            .into())
        }),
        routine("pg_char_to_encoding", 1..=1, SqlType::Integer, |_, row| {
            let name = first(row).text().unwrap_or_default().to_uppercase().replace(['-', '_'], "");
            Ok(if name == "UTF8" || name == "UNICODE" { cluster::UTF8 } else { -1 }.into())
        }),
        routine("pg_oid", 1..=1, SqlType::Oid, |_, row| match first(row) {
            Value::Text(text) => text.trim().parse::<u32>().map(Value::from).map_err(|_| {
                Report::error(crate::types::SqlState::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type oid: \"{text}\""))
            }),
            other => Ok(other.clone()),
        }),
    ];
    // Nothing of these kinds exists, so every number names nothing, and PostgreSQL answers NULL for nothing.
    for name in [
        "pg_operator_is_visible",
        "pg_opclass_is_visible",
        "pg_opfamily_is_visible",
        "pg_conversion_is_visible",
        "pg_ts_config_is_visible",
        "pg_ts_dict_is_visible",
        "pg_ts_parser_is_visible",
        "pg_ts_template_is_visible",
        "pg_statistics_obj_is_visible",
    ] {
        all.push(routine(name, 1..=1, SqlType::Boolean, |_, _| Ok(Value::Null)));
    }
    all.push(routine("pg_collation_is_visible", 1..=1, SqlType::Boolean, |_, _| Ok(Value::Bool(true))));
    all.extend(registry_routines());
    all
}

fn first(row: &[Value]) -> &Value {
    row.first().unwrap_or(&Value::Null)
}

fn number(registry: Registry, view: &SystemView, row: &[Value]) -> Result<Value, Report> {
    match first(row) {
        Value::Text(name) => registry.number(name, view).map(Value::from),
        other => Ok(other.oid().into()),
    }
}

fn name(registry: Registry, view: &SystemView, row: &[Value]) -> Result<Value, Report> {
    let oid = number(registry, view, row)?.oid();
    Ok(oid.map(|oid| registry.name(oid, view)).into())
}

/// For each `reg...` type what casts to it are made into: `pg_<type>` is the number, `pg_<type>_name` what it prints.
/// And PostgreSQL's own `to_<type>`, which answer NULL for what is not there.
fn registry_routines() -> Vec<Routine> {
    macro_rules! registry {
        ($registry:expr, $number:literal, $name:literal, $to:literal) => {
            [
                routine($number, 1..=1, SqlType::Oid, |view, row| number($registry, view, row)),
                routine($name, 1..=1, SqlType::Text, |view, row| name($registry, view, row)),
                routine($to, 1..=1, SqlType::Oid, |view, row| Ok(first(row).text().and_then(|name| $registry.find(&name, view)).into())),
            ]
        };
    }
    [
        registry!(Registry::Class, "pg_regclass", "pg_regclass_name", "to_regclass"),
        registry!(Registry::Type, "pg_regtype", "pg_regtype_name", "to_regtype"),
        registry!(Registry::Namespace, "pg_regnamespace", "pg_regnamespace_name", "to_regnamespace"),
        registry!(Registry::Procedure, "pg_regproc", "pg_regproc_name", "to_regproc"),
        registry!(Registry::Role, "pg_regrole", "pg_regrole_name", "to_regrole"),
        registry!(Registry::Collation, "pg_regcollation", "pg_regcollation_name", "to_regcollation"),
    ]
    .into_iter()
    .flatten()
    .collect()
}
