//! Every statement of `tests/data` is planned and run.

use super::world::{run, view};

/// Command and statement of each section of a file.
pub fn sections(file: &str) -> Vec<(String, String)> {
    let mut sections = Vec::new();
    let mut title = String::new();
    let mut body = String::new();
    for line in file.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            title = name.to_string();
            body.clear();
        } else if line == ";;" {
            sections.push((title.clone(), body.trim().to_string()));
            body.clear();
        } else if !line.starts_with("-- ") || !title.is_empty() {
            body.push_str(line);
            body.push('\n');
        }
    }
    sections
}

fn check(file: &str, refused: &[&str]) {
    let view = view();
    let mut failures = Vec::new();
    for (title, sql) in sections(file) {
        let failed = run(&sql, &view).err().map(|error| error.to_string());
        if failed.is_some() != refused.contains(&title.as_str()) {
            failures.push(format!("{title}: {}\n  {}", failed.unwrap_or_default(), sql.lines().take(3).collect::<Vec<_>>().join(" ")));
        }
    }
    assert!(failures.is_empty(), "{} statements:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn psql_commands_run() {
    // `\sf f` names a function that is not there, which is an error in PostgreSQL too.
    check(include_str!("../../../../tests/data/psql15.sql"), &["\\sf f"]);
}

#[test]
fn drivers_lookups_run() {
    check(include_str!("../../../../tests/data/drivers.sql"), &[]);
}
