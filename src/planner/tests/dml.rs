//! INSERT, UPDATE and DELETE: the rows that they come to.

use super::*;

#[test]
fn changes() {
    let cases = [
        ("INSERT INTO n (a) VALUES (1)", &["1|7|1.5|xy|NULL|2026-01-02|NULL"][..]),
        ("INSERT INTO n VALUES (1, 2)", &["1|2|1.5|xy|NULL|2026-01-02|NULL"]),
        (
            "INSERT INTO n (t, a, b) VALUES ('x', '5', DEFAULT), (NULL, 6, 1)",
            &["5|7|1.5|x|NULL|2026-01-02|NULL", "6|1|1.5|NULL|NULL|2026-01-02|NULL"],
        ),
        ("INSERT INTO n (a, t) SELECT id, name FROM customers WHERE id = 10", &["10|7|1.5|ann|NULL|2026-01-02|NULL"]),
        ("INSERT INTO n DEFAULT VALUES", &["NULL|7|1.5|xy|NULL|2026-01-02|NULL"]),
        ("INSERT INTO orders VALUES (1, 2, 3.456, '2026-01-01')", &["1|2|3.46|2026-01-01 00:00:00"]),
        ("UPDATE customers SET tier = 'x', id = id + 1 WHERE id = 10", &["10|ann|gold|11|ann|x"]),
        ("UPDATE n AS m SET b = DEFAULT WHERE m.a = 2", &["2|2|-1|Y|NULL|NULL|false|2|7|-1|Y|NULL|NULL|false"]),
        ("DELETE FROM customers c WHERE c.id IN (SELECT customer_id FROM orders)", &["10|ann|gold", "20|bob|silver"]),
        ("DELETE FROM customers WHERE id > 20", &["30|eve|gold"]),
    ];
    let wrong = cases.iter().filter_map(|(text, expected)| match rows(text) {
        Ok(found) if found == *expected => None,
        Ok(found) => Some(format!("{text}\n  gave {found:?}\n  not  {expected:?}")),
        Err(report) => Some(format!("{text}\n  failed: {report}")),
    });
    none(wrong.collect());
}

#[test]
fn wrong_changes() {
    let cases = [
        ("INSERT INTO nowhere VALUES (1)", "42P01", "relation \"nowhere\" does not exist"),
        ("INSERT INTO clicks VALUES (1)", "42809", "cannot change rows of \"clicks\": it is a source"),
        ("INSERT INTO n (x) VALUES (1)", "42703", "column \"x\" of relation \"n\" does not exist"),
        ("INSERT INTO n (a, a) VALUES (1, 2)", "42701", "column \"a\" specified more than once"),
        ("INSERT INTO customers VALUES (1, 'a', 'b', 4)", "42601", "INSERT has more expressions than target columns (4 for 3)"),
        ("INSERT INTO customers (id, name) VALUES (1)", "42601", "INSERT has more target columns than expressions"),
        (
            "INSERT INTO n (a) SELECT name FROM customers",
            "42804",
            "column \"a\" is of type integer but expression is of type character varying",
        ),
        ("INSERT INTO n (a) VALUES ('x')", "22P02", "invalid input syntax for type integer: \"x\""),
        ("INSERT INTO n (a) VALUES (true)", "42804", "column \"a\" is of type integer but expression is of type boolean"),
        ("INSERT INTO n (v) VALUES ('abcd')", "22001", "value too long for type character varying(3)"),
        ("INSERT INTO n (a) VALUES (3000000000)", "22003", "integer out of range"),
        ("UPDATE n SET a = 1, a = 2", "42601", "multiple assignments to same column \"a\""),
        ("DELETE FROM customers RETURNING id", "0A000", "RETURNING is not supported"),
    ];
    let wrong = cases.iter().filter_map(|(text, state, message)| match rows(text) {
        Ok(rows) => Some(format!("{text}\n  gave {rows:?}")),
        Err(report) => (report.sqlstate.0 != *state || report.message != *message)
            .then(|| format!("{text}\n  gave {report}\n  not  {state} {message}")),
    });
    none(wrong.collect());
}

#[test]
fn copied_rows_come_as_parameters() {
    let context = filled();
    let Statement::Copy(copy) = statement("COPY n (t, a) FROM STDIN") else { panic!() };
    let crate::sql::statement::CopySource::Relation { name, columns } = &copy.from else { panic!() };
    let bound = plan_copy_in(name, columns, &context).unwrap_or_else(|e| panic!("{}", e.report()));
    assert_eq!(bound.parameters, vec![SqlType::Text, SqlType::Integer]);
    assert_eq!(bound.columns.len(), 7);
}
