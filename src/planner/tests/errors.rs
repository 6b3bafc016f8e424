//! What is said about queries that are wrong: SQLSTATE, message and place.

use super::*;

#[test]
fn planning() {
    let cases = [
        ("SELECT * FROM nowhere", "42P01", "relation \"nowhere\" does not exist", Some(15)),
        ("SELECT nam FROM customers", "42703", "column \"nam\" does not exist", Some(8)),
        ("SELECT c.nam FROM customers c", "42703", "column c.nam does not exist", Some(8)),
        ("SELECT x.name FROM customers c", "42P01", "missing FROM-clause entry for table \"x\"", Some(8)),
        ("SELECT id FROM orders, customers", "42702", "column reference \"id\" is ambiguous", Some(8)),
        (
            "SELECT tier, count(*) FROM customers",
            "42803",
            "column \"customers.tier\" must appear in the GROUP BY clause or be used in an aggregate function",
            Some(8),
        ),
        ("SELECT nofn(1)", "42883", "function nofn does not exist", Some(8)),
        ("SELECT name + 1 FROM customers", "42883", "operator does not exist: character varying + integer", None),
        ("SELECT * FROM customers WHERE id = name", "42883", "operator does not exist: bigint = character varying", None),
        ("SELECT 'a' + 'b'", "42725", "operator is not unique: unknown + unknown", None),
        ("SELECT sum(name) FROM customers", "42883", "function sum(text) does not exist", None),
        ("SELECT * FROM customers WHERE id", "42804", "argument of WHERE must be type boolean, not type bigint", None),
        ("SELECT * FROM customers WHERE id AND true", "42804", "argument of AND must be type boolean, not type bigint", None),
        (
            "SELECT CASE WHEN true THEN 1 ELSE name END FROM customers",
            "42804",
            "CASE types integer and character varying cannot be matched",
            None,
        ),
        ("SELECT 'x'::int", "22P02", "invalid input syntax for type integer: \"x\"", None),
        ("SELECT * FROM orders WHERE created_at > 'soon'", "22007", "invalid input syntax for type timestamp: \"soon\"", None),
        ("SELECT 1::date", "42846", "cannot cast type integer to date", None),
        ("SELECT 1::nothing", "42704", "type \"nothing\" does not exist", None),
        ("SELECT 1 UNION SELECT 1, 2", "42601", "each UNION query must have the same number of columns", None),
        ("SELECT id FROM orders GROUP BY 7", "42P10", "position 7 is not in select list", None),
        ("SELECT * FROM orders FOR UPDATE", "0A000", "SELECT ... FOR UPDATE is not supported", None),
        (
            "SELECT * FROM TUMBLE(orders, created_at, INTERVAL '1 month')",
            "0A000",
            "time windows of months or years are not supported: they have no fixed length",
            None,
        ),
        ("SELECT * FROM TUMBLE(orders, created_at, INTERVAL '0 seconds')", "22023", "the size of a time window must be positive", None),
        (
            "SELECT * FROM TUMBLE(orders, amount, INTERVAL '1 minute')",
            "42804",
            "a time window needs a column of type timestamp, timestamptz or date, not numeric(12,2)",
            None,
        ),
        ("SELECT * FROM TUMBLE(orders, created_at)", "42601", "TUMBLE takes a relation, a column and a size", None),
        ("SELECT * FROM nofn(1)", "42883", "function nofn does not exist", None),
        ("SELECT (bid).nothing FROM events", "42703", "field \"nothing\" not found in struct", None),
        ("SELECT (id).x FROM events", "42809", "column notation .x applied to type bigint, which is not a composite type", None),
        ("SELECT * FROM events WHERE (id, id) = (1, 2, 3)", "42601", "unequal number of entries in row expressions", None),
        ("SELECT * FROM n WHERE t LIKE 'a!' ESCAPE '!'", "22025", "LIKE pattern must not end with escape character", None),
        ("SELECT (SELECT id, name FROM customers)", "42601", "subquery must return only one column", None),
    ];
    let wrong = cases.iter().filter_map(|(text, state, message, position)| match bound(text) {
        Ok(bound) => Some(format!("{text}\n  was planned: {}", bound.plan.display_indent())),
        Err(report) => {
            let right = report.sqlstate.0 == *state && report.message == *message && (position.is_none() || report.position == *position);
            (!right).then(|| {
                format!(
                    "{text}\n  gave {} {} at {:?}\n  not  {state} {message} at {position:?}",
                    report.sqlstate.0, report.message, report.position
                )
            })
        }
    });
    none(wrong.collect());
}

#[test]
fn similar_columns_are_hinted() {
    let hint = bound("SELECT nme FROM customers").unwrap_err().hint;
    assert_eq!(hint.as_deref(), Some("Perhaps you meant to reference the column \"customers.name\"."));
}

#[test]
fn running() {
    let cases = [
        ("SELECT 1 / 0", "22012", "division by zero"),
        ("SELECT a / b FROM n", "22012", "division by zero"),
        ("SELECT 1.5 / 0", "22012", "division by zero"),
        ("SELECT d / 0 FROM n", "22012", "division by zero"),
        ("SELECT 2147483647 + a FROM n", "22003", "integer out of range"),
        ("SELECT 9223372036854775807 + id FROM orders", "22003", "bigint out of range"),
        ("SELECT (id * 40000)::smallint FROM orders", "22003", "smallint out of range"),
        ("SELECT t::int FROM n", "22P02", "invalid input syntax for type integer: \"x\""),
        ("SELECT 1234.5::numeric(4,2)", "22003", "numeric field overflow"),
        ("SELECT (SELECT id FROM customers)", "21000", "more than one row returned by a subquery used as an expression"),
    ];
    let wrong = cases.iter().filter_map(|(text, state, message)| match rows(text) {
        Ok(rows) => Some(format!("{text}\n  gave {rows:?}")),
        Err(report) => (report.sqlstate.0 != *state || report.message != *message)
            .then(|| format!("{text}\n  gave {report}\n  not  {state} {message}")),
    });
    none(wrong.collect());
    // Nothing fails for rows that are not there.
    for text in
        ["SELECT 1 / a FROM n WHERE false", "SELECT 1 / 0 FROM n WHERE a > 100", "SELECT CASE WHEN b = 0 THEN 0 ELSE a / b END FROM n"]
    {
        assert!(rows(text).is_ok(), "{text}: {}", rows(text).unwrap_err());
    }
}

#[test]
fn long_and_deep_queries() {
    let long = format!("SELECT {}", vec!["a"; 390].join(" + ") + " FROM n WHERE a = 2");
    assert_eq!(rows(&long).unwrap(), ["780"]);
    let either = format!("SELECT a FROM n WHERE {} ORDER BY a", (0..2_000).map(|i| format!("a = {i}")).collect::<Vec<_>>().join(" OR "));
    assert_eq!(rows(&either).unwrap(), ["1", "2", "3"]);
}

#[test]
fn views_over_many_views() {
    let mut context = context(vec![]);
    let mut catalog = catalog();
    for i in 0..70u32 {
        let from = if i == 0 { "orders".to_string() } else { format!("v{}", i - 1) };
        let query = format!("SELECT id FROM {from}");
        catalog = catalog.add(relation(1000 + i, &format!("v{i}"), &[("id", SqlType::BigInt)], &[], view(&query))).unwrap();
    }
    context.catalog = Arc::new(catalog);
    let bound = bound_with("SELECT * FROM v62", &context, &[]).unwrap();
    assert!(lower(&bound, &context).is_ok());
    let report = bound_with("SELECT * FROM v69", &context, &[]).unwrap_err();
    assert_eq!((report.sqlstate.0, report.message.as_str()), ("54000", "views are nested more than 64 deep"));
}
