//! Names are found, taken once, and misspelt ones are told apart from unknown ones.

use super::*;
use crate::catalog::testing::{source, table, view};
use crate::types::SqlState;

fn catalog() -> Catalog {
    let mut hidden = table(16390, "orders");
    hidden.schema_name = "other".to_string();
    [source(16384, "orders", 16385), view(16386, "revenue", &[16384]), hidden]
        .into_iter()
        .fold(Catalog::new(), |catalog, entry| catalog.add(entry).unwrap())
}

#[test]
fn names_are_found_in_their_schema() {
    let catalog = catalog();
    assert_eq!(catalog.resolve(None, "orders").unwrap().id, ObjectId(16384));
    assert_eq!(catalog.resolve(Some("public"), "orders").unwrap().id, ObjectId(16384));
    assert_eq!(catalog.resolve(Some("other"), "orders").unwrap().id, ObjectId(16390));
    assert_eq!(catalog.get(ObjectId(16386)).unwrap().name, "revenue");
    assert_eq!(catalog.entries().map(|entry| entry.id.0).collect::<Vec<_>>(), [16384, 16386, 16390]);
    assert!(catalog.find(None, "Orders").is_none(), "names are compared as they are");
}

#[test]
fn a_missing_name_says_which_one_may_be_meant() {
    for (schema, name, message, hint) in [
        (None, "order", "relation \"order\" does not exist", Some("Perhaps you meant the relation \"orders\".")),
        (None, "Revenue", "relation \"Revenue\" does not exist", Some("Perhaps you meant the relation \"revenue\".")),
        (Some("nowhere"), "orders", "relation \"nowhere.orders\" does not exist", Some("Perhaps you meant the relation \"orders\".")),
        (None, "customers", "relation \"customers\" does not exist", None),
        (None, "", "relation \"\" does not exist", None),
    ] {
        let report = catalog().resolve(schema, name).unwrap_err().report();
        assert_eq!((report.sqlstate, report.message.as_str(), report.hint.as_deref()), (SqlState::UNDEFINED_TABLE, message, hint));
    }
}

#[test]
fn a_name_is_taken_once_whatever_has_it() {
    let catalog = catalog();
    let report = catalog.add(table(16400, "revenue")).unwrap_err().report();
    assert_eq!((report.sqlstate, report.message.as_str()), (SqlState::DUPLICATE_TABLE, "relation \"revenue\" already exists"));
    assert_eq!(catalog.len(), 3);
}

#[test]
fn changes_make_another_catalog() {
    let before = catalog();
    let after = before.remove(ObjectId(16386)).add(table(16401, "revenue")).unwrap();
    assert_eq!(before.resolve(None, "revenue").unwrap().kind(), Kind::View);
    assert_eq!(after.resolve(None, "revenue").unwrap().kind(), Kind::Table);
    assert_eq!(after.remove(ObjectId(1)).len(), 3);

    let replaced = before.add(view(16386, "income", &[16384])).unwrap();
    assert!(replaced.find(None, "revenue").is_none() && replaced.len() == 3);
    assert_eq!(replaced.resolve(None, "income").unwrap().id, ObjectId(16386));
}

#[test]
fn a_drop_names_the_kind() {
    let catalog = catalog();
    assert!(catalog.resolve_kind(None, "revenue", Kind::View).is_ok());
    let report = catalog.resolve_kind(None, "revenue", Kind::MaterializedView).unwrap_err().report();
    assert_eq!((report.sqlstate, report.message.as_str()), (SqlState::WRONG_OBJECT_TYPE, "\"revenue\" is not a materialized view"));
    assert_eq!(report.hint.unwrap(), "Use DROP VIEW to remove a view.");
    let report = catalog.resolve_kind(None, "nothing", Kind::Sink).unwrap_err().report();
    assert_eq!((report.sqlstate, report.message.as_str()), (SqlState::UNDEFINED_TABLE, "sink \"nothing\" does not exist"));
}
