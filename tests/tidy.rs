//! The map is a test: what ARCHITECTURE.md says about folders and imports holds, and the house rules that no compiler checks.
//!
//! Each rule is a function from a tree of files to complaints; each has a test that feeds it a tree which breaks it, because
//! a check that cannot fail is worse than none.

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/scan.rs"]
mod scan;
#[path = "tidy/self_test.rs"]
mod self_test;
#[path = "tidy/table.rs"]
mod table;

use std::path::Path;

use rules::Complaint;
use scan::Tree;
use table::Table;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source() -> (Tree, Table) {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is readable");
    (Tree::read(&root().join("src")).expect("src is readable"), Table::parse(&map).expect("ARCHITECTURE.md holds the import table"))
}

#[track_caller]
fn assert_none(complaints: Vec<Complaint>) {
    assert!(complaints.is_empty(), "{} to mend:\n\n{}\n", complaints.len(), complaints.join("\n\n"));
}

#[test]
fn imports_follow_the_table() {
    let (tree, table) = source();
    assert_none(rules::imports(&tree, &table));
}

#[test]
fn the_table_and_the_folders_agree() {
    let (tree, table) = source();
    assert_none(rules::rows(&tree, &table));
}

#[test]
fn no_two_folders_import_each_other_in_a_circle() {
    assert_none(rules::folder_circles(&source().0));
}

#[test]
fn no_two_files_import_each_other_in_a_circle() {
    assert_none(rules::file_circles(&source().0));
}

#[test]
fn every_file_says_what_it_is() {
    let mut complaints = rules::undocumented(&source().0, "src");
    for folder in ["tests", "examples"] {
        if root().join(folder).is_dir() {
            complaints.extend(rules::undocumented(&Tree::read(&root().join(folder)).expect("readable"), folder));
        }
    }
    assert_none(complaints);
}

#[test]
fn time_and_chance_come_from_the_coordinator() {
    assert_none(rules::clocks(&source().0, rules::ALLOWED_CLOCKS));
}
