//! What PostgreSQL keeps beside the relations: the database, roles, settings, sessions, access methods, collations.

use super::oids;
use super::rows::Rows;
use super::value::Value;
use super::view::SystemView;

const DEFAULT_TABLESPACE: u32 = 1663;
/// PostgreSQL's number of UTF8.
pub const UTF8: i32 = 6;

pub fn fill(schema: &str, name: &str) -> Option<fn(&SystemView, &mut Rows)> {
    if schema != "pg_catalog" {
        return None;
    }
    Some(match name {
        "pg_database" => pg_database,
        "pg_stat_database" => pg_stat_database,
        "pg_roles" => pg_roles,
        "pg_user" => pg_user,
        "pg_tablespace" => pg_tablespace,
        "pg_settings" => pg_settings,
        "pg_stat_activity" => pg_stat_activity,
        "pg_am" => pg_am,
        "pg_collation" => pg_collation,
        _ => return None,
    })
}

fn pg_database(view: &SystemView, rows: &mut Rows) {
    rows.add([
        ("oid", oids::DATABASE.into()),
        ("datname", (&view.database).into()),
        ("datdba", oids::OWNER.into()),
        ("encoding", UTF8.into()),
        ("datlocprovider", "c".into()),
        ("datallowconn", true.into()),
        ("datconnlimit", (-1).into()),
        ("dattablespace", DEFAULT_TABLESPACE.into()),
        ("datcollate", "C.UTF-8".into()),
        ("datctype", "C.UTF-8".into()),
    ]);
}

fn pg_stat_database(view: &SystemView, rows: &mut Rows) {
    rows.add([("datid", oids::DATABASE.into()), ("datname", (&view.database).into()), ("numbackends", view.sessions.len().into())]);
}

fn pg_roles(view: &SystemView, rows: &mut Rows) {
    rows.add([
        ("rolname", (&view.user).into()),
        ("rolsuper", true.into()),
        ("rolinherit", true.into()),
        ("rolcreaterole", true.into()),
        ("rolcreatedb", true.into()),
        ("rolcanlogin", true.into()),
        ("rolreplication", true.into()),
        ("rolconnlimit", (-1).into()),
        ("rolpassword", "********".into()),
        ("rolbypassrls", true.into()),
        ("oid", oids::OWNER.into()),
    ]);
}

fn pg_user(view: &SystemView, rows: &mut Rows) {
    rows.add([
        ("usename", (&view.user).into()),
        ("usesysid", oids::OWNER.into()),
        ("usecreatedb", true.into()),
        ("usesuper", true.into()),
        ("userepl", true.into()),
        ("usebypassrls", true.into()),
        ("passwd", "********".into()),
    ]);
}

fn pg_tablespace(_: &SystemView, rows: &mut Rows) {
    for (oid, name) in [(DEFAULT_TABLESPACE, "pg_default"), (1664, "pg_global")] {
        rows.add([("oid", oid.into()), ("spcname", name.into()), ("spcowner", oids::OWNER.into())]);
    }
}

fn pg_settings(view: &SystemView, rows: &mut Rows) {
    for (name, value) in view.settings.iter() {
        rows.add([
            ("name", name.into()),
            ("setting", value.into()),
            ("category", "floe".into()),
            ("short_desc", "".into()),
            ("context", "user".into()),
            ("vartype", "string".into()),
            ("source", "session".into()),
            ("pending_restart", false.into()),
        ]);
    }
}

fn pg_stat_activity(view: &SystemView, rows: &mut Rows) {
    for session in view.sessions.iter() {
        rows.add([
            ("datid", oids::DATABASE.into()),
            ("datname", (&view.database).into()),
            ("pid", session.process_id.into()),
            ("usesysid", oids::OWNER.into()),
            ("usename", (&session.user).into()),
            ("application_name", (&session.application_name).into()),
            ("client_addr", session.client_address.as_ref().into()),
            ("client_port", session.client_port.into()),
            ("backend_start", session.started.into()),
            ("query_start", session.statement_started.into()),
            ("state", (&session.state).into()),
            ("query", (&session.statement).into()),
            ("backend_type", "client backend".into()),
        ]);
    }
}

fn pg_am(_: &SystemView, rows: &mut Rows) {
    for (oid, name, kind) in [(oids::HEAP, "heap", "t"), (oids::BTREE, "btree", "i")] {
        rows.add([("oid", oid.into()), ("amname", name.into()), ("amtype", kind.into())]);
    }
}

fn pg_collation(_: &SystemView, rows: &mut Rows) {
    for (oid, name, provider, locale) in
        [(oids::DEFAULT_COLLATION, "default", "d", None), (950, "C", "c", Some("C")), (951, "POSIX", "c", Some("POSIX"))]
    {
        rows.add([
            ("oid", oid.into()),
            ("collname", name.into()),
            ("collnamespace", oids::PG_CATALOG.into()),
            ("collowner", oids::OWNER.into()),
            ("collprovider", provider.into()),
            ("collisdeterministic", true.into()),
            ("collencoding", (-1).into()),
            ("collcollate", Value::from(locale)),
            ("collctype", Value::from(locale)),
        ]);
    }
}
