//! What psql and the drivers ask about the system goes the way of every other query.

use super::*;

/// Title and statement of each section of a file: `=== title`, the statement, `;;`.
fn sections(file: &str) -> Vec<(String, String)> {
    let (mut sections, mut title, mut body) = (Vec::new(), String::new(), String::new());
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
    let mut context = filled();
    context.system.entries = Arc::new(context.catalog.entries().cloned().collect());
    Arc::make_mut(&mut context.system.settings).insert("server_version_num".into(), "160006".into());
    let wrong = sections(file).into_iter().filter_map(|(title, sql)| {
        let sql = sql.replace("{orders}", "1").replace("{revenue}", "2").replace("{big}", "5").replace("{orders_pkey}", "17");
        let failed = run_with(&sql, &context, vec![]).err();
        (failed.is_some() != refused.contains(&title.as_str())).then(|| {
            format!(
                "{title}: {}\n  {}",
                failed.map(|f| f.to_string()).unwrap_or_default(),
                sql.lines().take(4).collect::<Vec<_>>().join(" ")
            )
        })
    });
    none(wrong.collect());
}

#[test]
fn psql_commands() {
    check(include_str!("../../../tests/data/psql15.sql"), &["\\sf f"]);
}

#[test]
fn drivers_lookups() {
    check(include_str!("../../../tests/data/drivers.sql"), &[]);
}

#[test]
fn functions_in_from() {
    for (text, expected) in [
        ("SELECT g FROM generate_series(1, 3) AS g", vec!["1", "2", "3"]),
        ("SELECT current_database()", vec!["floe"]),
        ("SELECT relname FROM pg_class WHERE oid = 1", vec!["orders"]),
        ("SELECT 'orders'::regclass::oid", vec!["1"]),
        ("SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders'", vec!["4"]),
    ] {
        let mut context = filled();
        context.system.entries = Arc::new(context.catalog.entries().cloned().collect());
        let found = run_with(text, &context, vec![]).and_then(|batches| lines(&batches));
        assert_eq!(found.unwrap_or_else(|report| panic!("{text}: {report}")), expected, "{text}");
    }
}
