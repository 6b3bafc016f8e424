//! Functions that print definitions: `pg_get_viewdef`, `pg_get_constraintdef`, `pg_get_expr`... and comments.

use super::super::naming::Registry;
use super::super::value::Value;
use super::super::view::SystemView;
use super::super::{keys, oids, relations, routines, types};
use super::routine::{Routine, routine};
use crate::catalog::Entry;
use crate::types::{Report, SqlType};

pub fn routines() -> Vec<Routine> {
    let mut all = vec![
        routine("pg_get_viewdef", 1..=2, SqlType::Text, viewdef),
        routine("pg_get_constraintdef", 1..=2, SqlType::Text, |view, row| {
            let entry = oid(row).and_then(oids::entry_of_key_constraint).and_then(|id| keyed_entry(id, view));
            Ok(entry.map(keys::constraint_definition).into())
        }),
        routine("pg_get_indexdef", 1..=3, SqlType::Text, |view, row| {
            let Some(entry) = oid(row).and_then(oids::entry_of_key_index).and_then(|id| keyed_entry(id, view)) else {
                return Ok(Value::Null);
            };
            Ok(match row.get(1).and_then(Value::int).and_then(|n| usize::try_from(n).ok()) {
                None | Some(0) => keys::index_definition(entry).into(),
                Some(number) => keys::index_column(entry, number).into(),
            })
        }),
        // Expressions are kept as the text they were written in.
        routine("pg_get_expr", 2..=3, SqlType::Text, |_, row| Ok(row.first().and_then(Value::text).into())),
        routine("pg_get_function_result", 1..=1, SqlType::Text, |_, row| {
            Ok(oid(row).and_then(routines::of_oid).map(|routine| types::format_type(routine.result, None)).into())
        }),
        routine("pg_get_function_arguments", 1..=1, SqlType::Text, arguments),
        routine("pg_get_function_identity_arguments", 1..=1, SqlType::Text, arguments),
    ];
    // What floe has nothing of: no number that a client can hold names one.
    for name in [
        "pg_get_ruledef",
        "pg_get_triggerdef",
        "pg_get_functiondef",
        "pg_get_function_sqlbody",
        "pg_get_partkeydef",
        "pg_get_partition_constraintdef",
        "pg_get_statisticsobjdef",
        "pg_get_statisticsobjdef_columns",
        "pg_get_serial_sequence",
        "pg_tablespace_location",
        // Comments are accepted and not kept.
        "obj_description",
        "col_description",
        "shobj_description",
    ] {
        all.push(routine(name, 1..=2, SqlType::Text, |_, _| Ok(Value::Null)));
    }
    all
}

fn oid(row: &[Value]) -> Option<u32> {
    row.first().and_then(Value::oid)
}

fn keyed_entry(id: u32, view: &SystemView) -> Option<&Entry> {
    view.entry(id).filter(|entry| !entry.schema.primary_key.is_empty())
}

fn viewdef(view: &SystemView, row: &[Value]) -> Result<Value, Report> {
    let id = match row.first() {
        Some(Value::Text(name)) => Some(Registry::Class.number(name, view)?),
        other => other.and_then(Value::oid),
    };
    let query = id.and_then(|id| view.entry(id)).and_then(relations::view_query);
    Ok(query.map(|query| format!(" {};", query.trim().trim_end_matches(';'))).into())
}

fn arguments(_: &SystemView, row: &[Value]) -> Result<Value, Report> {
    let types = |routine: &routines::Routine| routine.arguments.iter().map(|oid| types::format_type(*oid, None)).collect::<Vec<_>>();
    Ok(oid(row).and_then(routines::of_oid).map(|routine| types(routine).join(", ")).into())
}
