//! Dependents come before what they stand on, and a DROP without CASCADE says what is in its way.

use super::*;
use crate::catalog::testing::{entry, source, table, view};
use crate::types::SqlState;

fn ids(numbers: &[u32]) -> Vec<ObjectId> {
    numbers.iter().map(|number| ObjectId(*number)).collect()
}

/// `t <- a <- c`, `t <- b <- c`, `c <- d`, and `d` was replaced later so that an older view stands on a newer one.
fn diamond() -> Catalog {
    [table(10, "t"), view(20, "a", &[10]), view(21, "b", &[10]), view(15, "c", &[20, 21]), view(5, "d", &[15, 10]), table(30, "u")]
        .into_iter()
        .fold(Catalog::new(), |catalog, entry| catalog.add(entry).unwrap())
}

fn with_dead_letters() -> Catalog {
    let dead = entry(41, "s$dead", Definition::DeadLetter { source: ObjectId(40) }, &[]);
    [source(40, "s", 41), dead].into_iter().fold(Catalog::new(), |catalog, entry| catalog.add(entry).unwrap())
}

#[test]
fn dependents_come_before_what_they_stand_on() {
    let catalog = diamond();
    let order = catalog.dependents(ObjectId(10));
    assert_eq!(order.len(), 4);
    for id in &order {
        let at = |id: ObjectId| order.iter().position(|other| *other == id);
        for needed in &catalog.get(*id).unwrap().depends_on {
            assert!(at(*needed).is_none_or(|needed| at(*id).unwrap() < needed), "{id} before {needed} in {order:?}");
        }
    }
    assert_eq!(catalog.dependents(ObjectId(15)), ids(&[5]));
    assert_eq!(catalog.dependents(ObjectId(30)), ids(&[]));
    assert_eq!(catalog.dependents(ObjectId(99)), ids(&[]));
}

#[test]
fn a_drop_without_cascade_says_what_is_in_its_way() {
    let catalog = diamond();
    let report = catalog.drop_plan(&ids(&[30, 15]), false).unwrap_err().report();
    assert_eq!(report.sqlstate, SqlState::DEPENDENT_OBJECTS_STILL_EXIST);
    assert_eq!(report.message, "cannot drop view c because other objects depend on it");
    assert_eq!(report.detail.unwrap(), "view d depends on view c");
    assert_eq!(report.hint.unwrap(), "Use DROP ... CASCADE to drop the dependent objects too.");
    let detail = catalog.drop_plan(&ids(&[10]), false).unwrap_err().report().detail.unwrap();
    assert_eq!(detail.lines().count(), 6, "each edge once:\n{detail}");
}

#[test]
fn a_drop_takes_what_it_may() {
    let catalog = diamond();
    assert_eq!(catalog.drop_plan(&ids(&[30]), false).unwrap(), ids(&[30]));
    assert_eq!(catalog.drop_plan(&ids(&[15, 5]), false).unwrap(), ids(&[5, 15]), "what is in the way is dropped too");
    assert_eq!(catalog.drop_plan(&ids(&[15]), true).unwrap(), ids(&[5, 15]));
    assert_eq!(catalog.drop_plan(&ids(&[10, 10]), true).unwrap().len(), 5);
}

#[test]
fn dead_letters_go_with_their_source() {
    let catalog = with_dead_letters();
    assert_eq!(catalog.drop_plan(&ids(&[40]), false).unwrap(), ids(&[41, 40]));
    let read = catalog.add(view(42, "failures", &[41])).unwrap();
    let report = read.drop_plan(&ids(&[40]), false).unwrap_err().report();
    assert_eq!(report.message, "cannot drop source s because other objects depend on it");
    assert_eq!(report.detail.unwrap(), "view failures depends on table s$dead");
    assert_eq!(read.drop_plan(&ids(&[40]), true).unwrap(), ids(&[42, 41, 40]));
}

#[test]
fn a_long_chain_of_views_is_no_deep_recursion() {
    let views = (1..20_000).map(|id| view(id, &format!("v{id}"), &[id - 1]));
    let catalog = views.fold(Catalog::new().add(table(0, "t")).unwrap(), |catalog, entry| catalog.add(entry).unwrap());
    let order = catalog.dependents(ObjectId(0));
    assert!(order.len() == 19_999 && order.first() == Some(&ObjectId(19_999)) && order.last() == Some(&ObjectId(1)));
}
