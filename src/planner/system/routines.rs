//! `pg_proc` and `pg_language`: functions that floe answers and the input and output functions that `pg_type` names.

use std::sync::LazyLock;

use super::oids;
use super::rows::Rows;
use super::value::Value;
use super::view::SystemView;

const INTERNAL_LANGUAGE: u32 = 12;

/// A row of `pg_proc`, with PostgreSQL's own number.
pub struct Routine {
    pub oid: u32,
    pub name: &'static str,
    /// `f`unction, `a`ggregate or `w`indow.
    kind: &'static str,
    volatility: &'static str,
    strict: bool,
    returns_set: bool,
    pub result: u32,
    pub arguments: Vec<u32>,
}

static ROUTINES: LazyLock<Vec<Routine>> =
    LazyLock::new(|| include_str!("data/routines.txt").lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect());

fn parse(line: &'static str) -> Option<Routine> {
    let mut words = line.split(' ');
    let mut word = || words.next();
    let fixed = Routine {
        oid: word()?.parse().ok()?,
        name: word()?,
        kind: word()?,
        volatility: word()?,
        strict: word()? == "t",
        returns_set: word()? == "t",
        result: word()?.parse().ok()?,
        arguments: Vec::new(),
    };
    Some(Routine { arguments: words.filter_map(|oid| oid.parse().ok()).collect(), ..fixed })
}

pub fn of_oid(oid: u32) -> Option<&'static Routine> {
    ROUTINES.iter().find(|routine| routine.oid == oid)
}

/// The first of that name, which may be qualified.
pub fn of_name(name: &str) -> Option<&'static Routine> {
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    ROUTINES.iter().find(|routine| routine.name == name)
}

pub fn fill(schema: &str, name: &str) -> Option<fn(&SystemView, &mut Rows)> {
    match (schema, name) {
        ("pg_catalog", "pg_proc") => Some(pg_proc),
        ("pg_catalog", "pg_language") => Some(pg_language),
        _ => None,
    }
}

fn pg_proc(_: &SystemView, rows: &mut Rows) {
    for routine in ROUTINES.iter() {
        rows.add([
            ("oid", routine.oid.into()),
            ("proname", routine.name.into()),
            ("pronamespace", oids::PG_CATALOG.into()),
            ("proowner", oids::OWNER.into()),
            ("prolang", INTERNAL_LANGUAGE.into()),
            ("procost", Value::Float(1.0)),
            ("prokind", routine.kind.into()),
            ("proisstrict", routine.strict.into()),
            ("proretset", routine.returns_set.into()),
            ("provolatile", routine.volatility.into()),
            ("proparallel", "s".into()),
            ("pronargs", routine.arguments.len().into()),
            ("prorettype", routine.result.into()),
            ("proargtypes", Value::ints(routine.arguments.iter().map(|oid| i64::from(*oid)))),
            ("prosrc", routine.name.into()),
        ]);
    }
}

fn pg_language(_: &SystemView, rows: &mut Rows) {
    rows.add([("oid", INTERNAL_LANGUAGE.into()), ("lanname", "internal".into()), ("lanowner", oids::OWNER.into())]);
}
