//! The shape of each system relation, read once from `data/relations.txt`: PostgreSQL 15's columns in their order,
//! with the nearest type that floe has, so that a client finds every column it asks for.

use std::sync::LazyLock;

use crate::types::{Column, RelationSchema, SqlType};

/// Where floe's own relations are, beside PostgreSQL's: names without a schema find them, and `\d` does not list them.
pub const FLOE_SCHEMA: &str = "pg_catalog";

#[derive(Clone, Debug)]
pub struct Shape {
    pub schema: String,
    pub name: String,
    /// PostgreSQL's own OID for it.
    pub oid: u32,
    /// `r` or `v`, as in PostgreSQL's `pg_class`.
    pub kind: String,
    pub columns: Vec<Column>,
}

impl Shape {
    pub fn relation_schema(&self) -> RelationSchema {
        RelationSchema::new(self.columns.clone())
    }
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let lines = include_str!("data/relations.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(parse).collect()
});

/// All system relations of fixed shape, `pg_catalog` before `information_schema`.
pub fn all() -> &'static [Shape] {
    &SHAPES
}

pub fn find(schema: &str, name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name && shape.schema == schema)
}

/// `schema name oid kind column type, column type!, ...`
fn parse(line: &str) -> Option<Shape> {
    let mut words = line.splitn(5, ' ');
    let (schema, name) = (words.next()?.to_string(), words.next()?.to_string());
    let (oid, kind) = (words.next()?.parse().ok()?, words.next()?.to_string());
    let columns = words.next()?.split(", ").map(parse_column).collect::<Option<_>>()?;
    Some(Shape { schema, name, oid, kind, columns })
}

fn parse_column(text: &str) -> Option<Column> {
    let (name, rest) = text.split_once(' ')?;
    let (type_name, nullable) = rest.strip_suffix('!').map_or((rest, true), |type_name| (type_name, false));
    Some(Column { name: name.to_string(), sql_type: sql_type(type_name)?, nullable })
}

/// The type of a short name as `pg_type.typname` has it, `int4` or `text[]`.
pub fn sql_type(name: &str) -> Option<SqlType> {
    if let Some(element) = name.strip_suffix("[]") {
        return Some(SqlType::Array(Box::new(sql_type(element)?)));
    }
    Some(match name {
        "bool" => SqlType::Boolean,
        "int2" => SqlType::SmallInt,
        "int4" => SqlType::Integer,
        "int8" => SqlType::BigInt,
        "float4" => SqlType::Real,
        "float8" => SqlType::Double,
        "text" => SqlType::Text,
        "varchar" => SqlType::Varchar(None),
        "name" => SqlType::Name,
        "char" => SqlType::Char,
        "oid" => SqlType::Oid,
        "timestamptz" => SqlType::TimestampTz,
        "interval" => SqlType::Interval,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_shape() {
        let lines = include_str!("data/relations.txt").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(all().len(), lines);
        let class = find("pg_catalog", "pg_class").unwrap();
        assert_eq!((class.oid, class.columns.len()), (1259, 33));
        assert_eq!(class.columns[1], Column { name: "relname".into(), sql_type: SqlType::Name, nullable: false });
    }
}
