//! Functions about the session that asks: who, where, with which settings.

use super::super::naming;
use super::super::value::Value;
use super::super::view::{Effect, SystemView};
use super::routine::{Routine, routine};
use crate::types::{Report, SqlState, SqlType};

pub fn routines() -> Vec<Routine> {
    let mut all = vec![
        routine("current_schema", 0..=0, SqlType::Name, |view, _| Ok(naming::search_path(view).into_iter().next().into())),
        routine("current_schemas", 1..=1, SqlType::Array(Box::new(SqlType::Name)), |view, row| {
            let implicit = row.first().and_then(Value::bool).unwrap_or(false);
            Ok(Value::texts(if implicit { naming::visible_schemas(view) } else { naming::search_path(view) }))
        }),
        routine("pg_backend_pid", 0..=0, SqlType::Integer, |view, _| Ok(view.process_id.into())),
        routine("current_setting", 1..=2, SqlType::Text, current_setting),
        routine("set_config", 3..=3, SqlType::Text, set_config).volatile(),
        routine("inet_client_addr", 0..=0, SqlType::Text, |view, _| Ok(own(view, |session| session.client_address.clone().into()))),
        routine("inet_client_port", 0..=0, SqlType::Integer, |view, _| Ok(own(view, |session| session.client_port.into()))),
    ];
    for name in ["current_database", "current_catalog"] {
        all.push(routine(name, 0..=0, SqlType::Name, |view, _| Ok((&view.database).into())));
    }
    for name in ["current_user", "session_user", "current_role", "user"] {
        all.push(routine(name, 0..=0, SqlType::Name, |view, _| Ok((&view.user).into())));
    }
    all
}

fn own(view: &SystemView, field: fn(&super::super::view::SessionActivity) -> Value) -> Value {
    view.sessions.iter().find(|session| session.process_id == view.process_id).map_or(Value::Null, field)
}

fn current_setting(view: &SystemView, row: &[Value]) -> Result<Value, Report> {
    let name = row.first().and_then(Value::text).unwrap_or_default();
    let missing_ok = row.get(1).and_then(Value::bool).unwrap_or(false);
    match view.settings.get(&name.to_lowercase()) {
        Some(value) => Ok(value.into()),
        None if missing_ok => Ok(Value::Null),
        None => Err(Report::error(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))),
    }
}

fn set_config(view: &SystemView, row: &[Value]) -> Result<Value, Report> {
    let text = |at: usize| row.get(at).and_then(Value::text).unwrap_or_default();
    let (name, value) = (text(0).to_lowercase(), text(1));
    view.request(Effect::Set { name, value: value.clone(), local: row.get(2).and_then(Value::bool).unwrap_or(false) });
    Ok(value.into())
}
