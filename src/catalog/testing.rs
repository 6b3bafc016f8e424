//! Entries for tests.

use std::collections::BTreeMap;

use crate::types::{Column, Epoch, ObjectId, RelationSchema, SqlType};

use super::entry::{Definition, Entry};

pub fn entry(id: u32, name: &str, definition: Definition, depends_on: &[u32]) -> Entry {
    Entry {
        id: ObjectId(id),
        schema_name: "public".to_string(),
        name: name.to_string(),
        definition,
        schema: RelationSchema::new(vec![Column::new("k", SqlType::NUMERIC), Column::new("v", SqlType::Array(Box::new(SqlType::Text)))]),
        sql: format!("CREATE ... {name}"),
        depends_on: depends_on.iter().map(|id| ObjectId(*id)).collect(),
        created: Epoch(3),
    }
}

pub fn table(id: u32, name: &str) -> Entry {
    entry(id, name, Definition::Table { defaults: vec![None, Some("'{}'".to_string())], overwrite: true }, &[])
}

pub fn view(id: u32, name: &str, depends_on: &[u32]) -> Entry {
    entry(id, name, Definition::View { query: "SELECT 1".to_string() }, depends_on)
}

pub fn source(id: u32, name: &str, dead_letter: u32) -> Entry {
    let definition = Definition::Source {
        connector: "kafka".to_string(),
        options: BTreeMap::from([("topic".to_string(), "t".to_string())]),
        format: "DEBEZIUM".to_string(),
        encode: "JSON".to_string(),
        watermark: Some(("k".to_string(), 5)),
        dead_letter: ObjectId(dead_letter),
        start: Default::default(),
    };
    entry(id, name, definition, &[])
}
