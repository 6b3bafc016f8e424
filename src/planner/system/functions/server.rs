//! Functions about the server as a whole: version, time, sizes, recovery, locks.

use super::super::naming::Registry;
use super::super::value::Value;
use super::super::view::{Effect, SystemView};
use super::routine::{Routine, routine};
use crate::types::server_version::VERSION;
use crate::types::{ObjectId, Report, SqlType};

pub fn routines() -> Vec<Routine> {
    let mut all = vec![
        routine("version", 0..=0, SqlType::Text, |_, _| Ok(VERSION.into())),
        routine("pg_postmaster_start_time", 0..=0, SqlType::TimestampTz, |view, _| Ok(view.started.into())),
        routine("pg_conf_load_time", 0..=0, SqlType::TimestampTz, |view, _| Ok(view.started.into())),
        routine("pg_is_in_recovery", 0..=0, SqlType::Boolean, |_, _| Ok(false.into())),
        routine("pg_is_wal_replay_paused", 0..=0, SqlType::Boolean, |_, _| Ok(false.into())),
        routine("getdatabaseencoding", 0..=0, SqlType::Name, |_, _| Ok("UTF8".into())),
        routine("inet_server_addr", 0..=0, SqlType::Text, |_, _| Ok(Value::Null)),
        routine("inet_server_port", 0..=0, SqlType::Integer, |_, _| Ok(Value::Null)),
        routine("txid_current", 0..=0, SqlType::BigInt, epoch),
        routine("txid_current_if_assigned", 0..=0, SqlType::BigInt, |_, _| Ok(Value::Null)),
        routine("pg_size_pretty", 1..=1, SqlType::Text, |_, row| Ok(row.first().and_then(Value::int).map(size_pretty).into())),
        routine("pg_database_size", 1..=1, SqlType::BigInt, |view, _| Ok(view.sizes.values().sum::<i64>().into())),
        routine("pg_relation_is_publishable", 1..=1, SqlType::Boolean, |_, _| Ok(false.into())),
        routine("pg_relation_is_updatable", 2..=2, SqlType::Integer, |_, _| Ok(0.into())),
        routine("pg_column_is_updatable", 3..=3, SqlType::Boolean, |_, _| Ok(false.into())),
        routine("pg_is_other_temp_schema", 1..=1, SqlType::Boolean, |_, _| Ok(false.into())),
        routine("pg_my_temp_schema", 0..=0, SqlType::Oid, |_, _| Ok(0.into())),
        routine("pg_stat_get_numscans", 1..=1, SqlType::BigInt, |_, _| Ok(0.into())),
        routine("pg_cancel_backend", 1..=1, SqlType::Boolean, |view, row| signal(view, row, Effect::Cancel)).volatile(),
        routine("pg_terminate_backend", 1..=2, SqlType::Boolean, |view, row| signal(view, row, Effect::Terminate)).volatile(),
        routine("pg_advisory_unlock_all", 0..=0, SqlType::Text, |_, _| Ok("".into())).volatile(),
        routine("pg_notify", 2..=2, SqlType::Text, |_, _| Ok("".into())).volatile(),
    ];
    for name in ["pg_table_size", "pg_relation_size", "pg_total_relation_size", "pg_indexes_size"] {
        all.push(routine(name, 1..=2, SqlType::BigInt, relation_size));
    }
    all
}

fn epoch(view: &SystemView, _: &[Value]) -> Result<Value, Report> {
    Ok(i64::try_from(view.epoch).ok().into())
}

/// Bytes of a relation, 0 where they are not known.
fn relation_size(view: &SystemView, row: &[Value]) -> Result<Value, Report> {
    let id = match row.first() {
        Some(Value::Text(name)) => Some(Registry::Class.number(name, view)?),
        other => other.and_then(Value::oid),
    };
    Ok(id.map(|id| view.sizes.get(&ObjectId(id)).copied().unwrap_or(0)).into())
}

/// True when such a session is there; the coordinator then does it.
fn signal(view: &SystemView, row: &[Value], effect: fn(i32) -> Effect) -> Result<Value, Report> {
    let Some(pid) = row.first().and_then(Value::int).and_then(|pid| i32::try_from(pid).ok()) else { return Ok(false.into()) };
    let known = view.sessions.iter().any(|session| session.process_id == pid);
    if known {
        view.request(effect(pid));
    }
    Ok(known.into())
}

/// PostgreSQL's steps: a unit is used while the number is below 10 of the next one.
fn size_pretty(bytes: i64) -> String {
    let limit = 10 * 1024;
    if bytes.unsigned_abs() < limit {
        return format!("{bytes} bytes");
    }
    let sign = if bytes < 0 { "-" } else { "" };
    let mut amount = bytes.unsigned_abs() / 512;
    for unit in ["kB", "MB", "GB", "TB"] {
        // `amount` counts half units, so that rounding is to the nearest.
        if amount < 2 * limit - 1 {
            return format!("{sign}{} {unit}", amount.div_ceil(2));
        }
        amount /= 1024;
    }
    format!("{sign}{} PB", amount.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_in_postgres() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (10239, "10239 bytes"),
            (10240, "10 kB"),
            (16384, "16 kB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (-20_480, "-20 kB"),
            (1 << 40, "1024 GB"),
        ] {
            assert_eq!(size_pretty(bytes), text);
        }
    }
}
