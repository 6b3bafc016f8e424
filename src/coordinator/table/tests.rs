//! Edits are checked against what the transaction sees; commits against what is there.

use std::sync::Arc;

use crate::catalog::{Definition, Entry};
use crate::dataflow::{Materialize, Materialized};
use crate::sql::statement::OnConflict;
use crate::state::{Store, TraceSet};
use crate::types::{Column, ObjectId, RelationSchema, Report, SqlState, SqlType, TraceId};
use crate::zset::text::{parse, print};
use crate::zset::{Delta, ZSet};

use super::{RowChange, check, edit};

fn entry(key: &[usize]) -> Entry {
    let mut schema = RelationSchema::new(vec![Column::new("k", SqlType::BigInt), Column::new("v", SqlType::Text)]);
    schema.primary_key = key.to_vec();
    Entry {
        id: ObjectId(1),
        schema_name: "public".to_string(),
        name: "t".to_string(),
        definition: Definition::Table { defaults: vec![None, None], overwrite: false },
        schema,
        sql: String::new(),
        depends_on: Vec::new(),
        created: Default::default(),
    }
}

fn z(text: &str) -> ZSet {
    parse("k int8, v text", text)
}

fn table(entry: &Entry, text: &str) -> Materialized {
    let traces = TraceSet::new(Arc::new(Store::memory()));
    let rows = Materialize::new(&traces, TraceId::new(entry.id, 0), &entry.schema.arrow(), &entry.schema.primary_key, false).unwrap();
    rows.step(&Delta(z(text))).unwrap();
    rows.snapshot()
}

/// The delta of an insert as text, or the error.
fn insert(entry: &Entry, there: &str, before: &str, new: &str, on_conflict: OnConflict) -> Result<String, Report> {
    let change = RowChange::Insert { rows: z(new).rows().clone(), on_conflict };
    edit(entry, &table(entry, there), &Delta(z(before)), &change).map(|e| print(&e.delta.0))
}

#[test]
fn an_insert_sees_the_table_and_its_own_transaction() {
    let t = entry(&[0]);
    let duplicate = |r: Result<String, Report>| r.unwrap_err().sqlstate == SqlState::UNIQUE_VIOLATION;
    assert_eq!(insert(&t, "1 a +1", "", "2 b +1", OnConflict::Error).unwrap(), "2 b +1\n");
    assert!(duplicate(insert(&t, "1 a +1", "", "1 b +1", OnConflict::Error)));
    assert!(duplicate(insert(&t, "", "1 a +1", "1 b +1", OnConflict::Error)), "inserted by the transaction before");
    assert!(duplicate(insert(&t, "", "", "1 a +1\n1 b +1", OnConflict::Error)), "twice in one statement");
    assert_eq!(insert(&t, "1 a +1", "1 a -1", "1 b +1", OnConflict::Error).unwrap(), "1 b +1\n", "deleted before");
    assert_eq!(insert(&t, "1 a +1", "", "1 b +1\n2 c +1", OnConflict::DoNothing).unwrap(), "2 c +1\n");
    assert_eq!(insert(&t, "1 a +1", "", "1 b +1", OnConflict::Overwrite).unwrap(), "1 a -1\n1 b +1\n");
    assert_eq!(insert(&t, "1 a +1", "1 a -1\n1 x +1", "1 b +1", OnConflict::Overwrite).unwrap(), "1 b +1\n1 x -1\n");
}

#[test]
fn a_key_is_never_null_and_a_table_without_a_key_takes_everything() {
    let error = insert(&entry(&[0]), "", "", "NULL a +1", OnConflict::Error).unwrap_err();
    assert_eq!(error.sqlstate, SqlState::NOT_NULL_VIOLATION);
    assert_eq!(insert(&entry(&[]), "1 a +1", "", "1 a +1\nNULL NULL +1", OnConflict::Error).unwrap(), "1 a +1\nNULL NULL +1\n");
}

#[test]
fn an_update_may_move_keys_but_not_onto_another_row() {
    let t = entry(&[0]);
    let update = |old: &str, new: &str| {
        let change = RowChange::Update { old: z(old).rows().clone(), new: z(new).rows().clone() };
        edit(&t, &table(&t, "1 a +1\n2 b +1"), &Delta(z("")), &change).map(|e| print(&e.delta.0))
    };
    assert_eq!(update("1 a +1\n2 b +1", "2 a +1\n1 b +1").unwrap(), "1 a -1\n1 b +1\n2 a +1\n2 b -1\n", "a swap");
    assert_eq!(update("1 a +1", "2 a +1").unwrap_err().sqlstate, SqlState::UNIQUE_VIOLATION);
    assert_eq!(update("1 a +1", "1 a +1").unwrap(), "", "nothing changes");
}

#[test]
fn the_first_committer_wins() {
    let t = entry(&[0]);
    let state = |there: &str, change: &str| check(&t, &table(&t, there), &Delta(z(change))).err().map(|r| r.sqlstate);
    assert_eq!(state("1 a +1", "1 a -1\n1 b +1"), None);
    assert_eq!(state("1 x +1", "1 a -1\n1 b +1"), Some(SqlState::SERIALIZATION_FAILURE), "the row was changed meanwhile");
    assert_eq!(state("", "1 a -1"), Some(SqlState::SERIALIZATION_FAILURE), "the row was deleted meanwhile");
    assert_eq!(state("1 x +1", "1 a +1"), Some(SqlState::UNIQUE_VIOLATION), "the key was inserted meanwhile");
    let bag = entry(&[]);
    let state = |there: &str, change: &str| check(&bag, &table(&bag, there), &Delta(z(change))).err().map(|r| r.sqlstate);
    assert_eq!(state("1 a +2", "1 a -2"), None);
    assert_eq!(state("1 a +1", "1 a -2"), Some(SqlState::SERIALIZATION_FAILURE));
}
