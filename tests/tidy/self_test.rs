//! The checker checked: every rule is shown trees that break it, and trees that only look as if they did.

use super::rules::{self, Allowed};
use super::scan::Tree;
use super::table::Table;

const PAGE: &str = "\
# Map

| folder | holds | may import |
|---|---|---|
| `types/` | words | - |
| `zset/` | rows | types |
| `planner/` | plans | types |
| `dataflow/` | circuits | types, zset, `planner::circuit_plan` |
| `config.rs`, `main.rs` | wiring | all above |

After the table.
";

fn table() -> Table {
    Table::parse(PAGE).expect("parses")
}

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::of(files.iter().map(|(p, t)| (*p, *t)))
}

#[track_caller]
fn one(complaints: &[String], parts: &[&str]) {
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    for part in parts {
        assert!(complaints[0].contains(part), "{part:?} is not in: {}", complaints[0]);
    }
}

const WORLD: [(&str, &str); 3] = [("types/mod.rs", "//! t"), ("zset/mod.rs", "//! z"), ("planner/mod.rs", "//! p\npub mod circuit_plan;")];

fn world(more: &[(&str, &str)]) -> Tree {
    tree(&[&WORLD[..], &[("planner/circuit_plan.rs", "//! c")], more].concat())
}

#[test]
fn an_import_against_the_table_is_found_in_every_form() {
    for text in [
        "use crate::zset::Row;",
        "use crate::{types::A, zset::{self, Row}};",
        "fn f() { let x = crate::zset::make(); }",
        "fn f() -> Vec<crate::zset::Row> { vec![] }",
        "use super::super::zset::Row;",
        "mod inner { use super::super::super::zset::Row; }",
        "pub use floe::zset as other;",
        "#[cfg(test)] mod tests { use crate::zset::Row; }",
        "use std::io;\n/* a /* nested */ comment */ const S: &str = r#\"\"#; const C: char = '\"'; use crate::zset::Row;",
    ] {
        let complaints = rules::imports(&world(&[("types/a.rs", text)]), &table());
        assert!(!complaints.is_empty(), "not found: {text}");
        for complaint in &complaints {
            one(std::slice::from_ref(complaint), &["src/types/a.rs:", "`types` must not import `zset`", "ARCHITECTURE.md allows it: -"]);
        }
    }
}

#[test]
fn what_only_looks_like_an_import_is_not_one() {
    for text in [
        "// use crate::zset::Row;",
        "/* use crate::zset::Row; */",
        "const S: &str = \"use crate::zset::Row;\";",
        "const S: &str = r#\"crate::zset::Row\"#;",
        "const S: &[u8] = br\"crate::zset::Row\";",
        "fn f<'a>(x: &'a str) -> &'a str { x }",
        "use other::zset::Row;",
        "use arrow::crate_like::zset;",
        "use crate::types::zset;",
    ] {
        let complaints = rules::imports(&world(&[("types/a.rs", text)]), &table());
        assert!(complaints.is_empty(), "{text}: {complaints:#?}");
    }
}

#[test]
fn a_single_module_may_be_allowed() {
    let good = world(&[("dataflow/mod.rs", "use crate::planner::circuit_plan::Plan;")]);
    assert!(rules::imports(&good, &table()).is_empty());
    let bad = world(&[("dataflow/mod.rs", "use crate::planner::Plan;")]);
    one(&rules::imports(&bad, &table()), &["`dataflow` must not import `planner`"]);
}

#[test]
fn all_above_and_files_of_the_root() {
    let good = world(&[("config.rs", "use crate::zset::Row;"), ("main.rs", "use floe::config::Config; use floe::planner::Plan;")]);
    assert!(rules::imports(&good, &table()).is_empty());
    let bad = world(&[("config.rs", ""), ("zset/a.rs", "use crate::config::Config;")]);
    one(&rules::imports(&bad, &table()), &["`zset` must not import `config.rs`"]);
}

#[test]
fn rows_and_folders_have_to_agree() {
    let complaints = rules::rows(&world(&[("main.rs", ""), ("config.rs", ""), ("extra/mod.rs", "")]), &table());
    assert_eq!(complaints.len(), 2, "{complaints:#?}");
    assert!(complaints[0].contains("src/extra is not in the import table"));
    assert!(complaints[1].contains("a row for `dataflow`"));
}

#[test]
fn a_table_that_points_upwards_is_refused() {
    assert!(Table::parse(&PAGE.replace("| words | - |", "| words | zset |")).unwrap_err().contains("one direction"));
    assert!(Table::parse("# no table").is_err());
}

#[test]
fn files_in_a_circle_are_found_through_a_third() {
    let bad = tree(&[
        ("a/mod.rs", "//! a\npub mod x; pub mod y; pub mod z;"),
        ("a/x.rs", "use super::y::Y;"),
        ("a/y.rs", "use crate::a::z;"),
        ("a/z.rs", "fn f() { super::x::go() }"),
    ]);
    one(&rules::file_circles(&bad), &["src/a/x.rs:1", "src/a/y.rs:1", "src/a/z.rs:1"]);
}

#[test]
fn a_re_export_and_a_child_that_imports_it_are_a_circle() {
    for reexport in ["pub use x::X;", "pub use self::x::X;", "pub fn f() -> x::X { x::X }"] {
        let bad = tree(&[("a/mod.rs", &*format!("pub mod x; {reexport}")), ("a/x.rs", "use super::Thing;")]);
        one(&rules::file_circles(&bad), &["src/a/mod.rs:1", "src/a/x.rs:1"]);
    }
    let good = tree(&[("a/mod.rs", "pub mod x; pub struct Thing;"), ("a/x.rs", "use super::Thing;")]);
    assert!(rules::file_circles(&good).is_empty(), "declaring a child is not importing it");
    let good =
        tree(&[("a/mod.rs", "mod x; pub use x::X;"), ("a/x.rs", "pub(super) struct Y; pub(in crate::a) struct X; pub(crate) struct Z;")]);
    assert!(rules::file_circles(&good).is_empty(), "saying who may see a thing is not importing");
}

#[test]
fn tests_may_look_at_everything() {
    let good = tree(&[
        ("a/mod.rs", "pub mod x; pub mod y;"),
        ("a/x.rs", "use super::y::Y;\n#[cfg(test)]\nmod tests;\n"),
        ("a/x/tests.rs", "use super::super::y::Y; use super::*; use std::time::Instant; fn f() { Instant::now(); }"),
        ("a/y.rs", "#[cfg(test)]\nmod tests { use crate::a::x::X; fn f() { Instant::now(); } }"),
    ]);
    assert!(rules::file_circles(&good).is_empty(), "{:#?}", rules::file_circles(&good));
    assert!(rules::clocks(&good, &[]).is_empty());
}

#[test]
fn folders_in_a_circle_are_found() {
    let bad = tree(&[("a/p.rs", "use crate::b::q::Q;"), ("b/q.rs", "use crate::c::r;"), ("c/r.rs", "use crate::a::s;"), ("a/s.rs", "")]);
    one(&rules::folder_circles(&bad), &["Folders import each other"]);
    assert!(rules::file_circles(&bad).is_empty(), "no two files do");
}

#[test]
fn a_file_has_to_say_what_it_is() {
    let bad = tree(&[
        ("a.rs", "use x;"),
        ("b.rs", "//! Rows with signed weights.\nuse x;"),
        ("c.rs", "//! short"),
        ("d.rs", "\n//! Late, after a blank line."),
    ]);
    let complaints = rules::undocumented(&bad, "src");
    assert_eq!(complaints.len(), 3, "{complaints:#?}");
}

#[test]
fn clocks_and_chance_are_found_unless_allowed() {
    for call in [
        "std::time::SystemTime::now()",
        "Instant::now()",
        "chrono::Utc::now()",
        "rand::rng()",
        "Uuid::new_v4()",
        "thread_rng()",
        "uuid::Uuid::now_v7()",
    ] {
        let bad = tree(&[("dataflow/a.rs", &*format!("fn f() {{ let x = {call}; }}"))]);
        one(&rules::clocks(&bad, &[]), &["src/dataflow/a.rs:1", "outside the coordinator"]);
    }
    let imported = tree(&[("zset/a.rs", "use std::collections::hash_map::{HashMap, RandomState};")]);
    one(&rules::clocks(&imported, &[]), &["RandomState"]);

    let fine = tree(&[("coordinator/driver.rs", "fn f() { Instant::now(); }"), ("main.rs", "fn f() { SystemTime::now(); }")]);
    assert!(rules::clocks(&fine, &[]).is_empty());
    let allowed = [Allowed { place: "sinks/", call: "Uuid::new_v4", reason: "file names" }];
    let names = tree(&[("sinks/a.rs", "fn f() { Uuid::new_v4(); }")]);
    assert!(rules::clocks(&names, &allowed).is_empty());
    let elsewhere = tree(&[("state/a.rs", "fn f() { Uuid::new_v4(); }")]);
    one(&rules::clocks(&elsewhere, &allowed), &["src/state/a.rs"]);
}
