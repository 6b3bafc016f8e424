//! `pg_type`: the types that floe has and those that its catalogs' columns have in PostgreSQL, from `data/types.txt`.

use std::sync::LazyLock;

use super::oids;
use super::rows::Rows;
use super::value::Value;
use super::view::SystemView;

/// A row of `pg_type`; the fields are its columns.
#[derive(Clone, Debug)]
pub struct PgType {
    pub oid: u32,
    pub name: &'static str,
    pub length: i32,
    pub by_value: bool,
    kind: &'static str,
    category: &'static str,
    preferred: bool,
    pub element: u32,
    array: u32,
    pub align: &'static str,
    pub storage: &'static str,
    pub collation: u32,
    /// Numbers of the functions `subscript input output receive send modifier_in modifier_out`.
    functions: [u32; 7],
}

static TYPES: LazyLock<Vec<PgType>> =
    LazyLock::new(|| include_str!("data/types.txt").lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect());

fn parse(line: &'static str) -> Option<PgType> {
    let mut words = line.split(' ');
    let mut word = || words.next();
    let fixed = PgType {
        oid: word()?.parse().ok()?,
        name: word()?,
        length: word()?.parse().ok()?,
        by_value: word()? == "t",
        kind: word()?,
        category: word()?,
        preferred: word()? == "t",
        element: word()?.parse().ok()?,
        array: word()?.parse().ok()?,
        align: word()?,
        storage: word()?,
        collation: word()?.parse().ok()?,
        functions: [0; 7],
    };
    let mut functions = [0; 7];
    for function in &mut functions {
        *function = word()?.parse().ok()?;
    }
    Some(PgType { functions, ..fixed })
}

pub fn fill(schema: &str, name: &str) -> Option<fn(&SystemView, &mut Rows)> {
    ((schema, name) == ("pg_catalog", "pg_type")).then_some(pg_type)
}

pub fn of_oid(oid: u32) -> Option<&'static PgType> {
    TYPES.iter().find(|t| t.oid == oid)
}

/// By `typname` or by the SQL spelling: `int4`, `integer`, `int4[]`, `"char"`, `pg_catalog.int4`.
pub fn of_name(name: &str) -> Option<&'static PgType> {
    let name = name.trim().strip_prefix("pg_catalog.").unwrap_or(name.trim());
    if let Some(element) = name.strip_suffix("[]") {
        return of_name(element).and_then(|element| of_oid(element.array));
    }
    if name == "\"char\"" {
        return of_oid(18);
    }
    let lower = name.trim_matches('"').to_lowercase();
    let spelled = lower.split('(').next().unwrap_or_default().trim();
    let short = SPELLINGS.iter().find(|(_, long)| *long == spelled).map_or(spelled, |(short, _)| short);
    TYPES.iter().find(|t| t.name == short)
}

/// `typname` and SQL's spelling where it is another.
const SPELLINGS: [(&str, &str); 14] = [
    ("bool", "boolean"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int4", "int"),
    ("int8", "bigint"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("varchar", "character varying"),
    ("bpchar", "character"),
    ("bpchar", "char"),
    ("numeric", "decimal"),
    ("time", "time without time zone"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
];

/// What `format_type` answers: `numeric(12,2)`; `-` for 0 and `???` for a number that no type has.
pub fn format_type(oid: u32, modifier: Option<i32>) -> String {
    if oid == 0 {
        return "-".to_string();
    }
    let Some(found) = of_oid(oid) else { return "???".to_string() };
    if found.category == "A" && found.element != 0 && found.name.starts_with('_') {
        return format!("{}[]", format_type(found.element, modifier));
    }
    let name = match found.name {
        "char" => "\"char\"",
        "int4" => "integer",
        "bpchar" => "character",
        other => SPELLINGS.iter().find(|(short, _)| *short == other).map_or(other, |(_, long)| long),
    };
    match (found.name, modifier) {
        ("numeric", Some(n)) if n >= 4 => format!("numeric({},{})", (n - 4) >> 16, (n - 4) & 0x7ff),
        ("varchar" | "bpchar", Some(n)) if n >= 4 => format!("{name}({})", n - 4),
        _ => name.to_string(),
    }
}

fn pg_type(_: &SystemView, rows: &mut Rows) {
    for t in TYPES.iter() {
        let [subscript, input, output, receive, send, modifier_in, modifier_out] = t.functions.map(Value::from);
        rows.add([
            ("oid", t.oid.into()),
            ("typname", t.name.into()),
            ("typnamespace", oids::PG_CATALOG.into()),
            ("typowner", oids::OWNER.into()),
            ("typlen", t.length.into()),
            ("typbyval", t.by_value.into()),
            ("typtype", t.kind.into()),
            ("typcategory", t.category.into()),
            ("typispreferred", t.preferred.into()),
            ("typisdefined", true.into()),
            ("typdelim", ",".into()),
            ("typsubscript", subscript),
            ("typelem", t.element.into()),
            ("typarray", t.array.into()),
            ("typinput", input),
            ("typoutput", output),
            ("typreceive", receive),
            ("typsend", send),
            ("typmodin", modifier_in),
            ("typmodout", modifier_out),
            ("typalign", t.align.into()),
            ("typstorage", t.storage.into()),
            ("typtypmod", (-1).into()),
            ("typcollation", t.collation.into()),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_postgres() {
        for (oid, modifier, expected) in [
            (1700, Some(786_438), "numeric(12,2)"),
            (1043, Some(11), "character varying(7)"),
            (1043, None, "character varying"),
            (1007, None, "integer[]"),
            (18, None, "\"char\""),
            (1184, Some(-1), "timestamp with time zone"),
            (22, None, "int2vector"),
            (25, None, "text"),
            (0, None, "-"),
            (99_999, None, "???"),
        ] {
            assert_eq!(format_type(oid, modifier), expected);
        }
    }

    #[test]
    fn names_lead_back() {
        for (name, oid) in
            [("int4", 23), ("integer", 23), ("pg_catalog.text", 25), ("int2[]", 1005), ("numeric(12,2)", 1700), ("_text", 1009)]
        {
            assert_eq!(of_name(name).map(|t| t.oid), Some(oid), "{name}");
        }
        assert!(of_name("nonsense").is_none());
    }
}
