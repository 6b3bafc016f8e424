//! Peeks: text in, rows out.

use super::*;

fn check(cases: &[(&str, &[&str])]) {
    let wrong = cases.iter().filter_map(|(text, expected)| match rows(text) {
        Ok(found) if found == *expected => None,
        Ok(found) => Some(format!("{text}\n  gave {found:?}\n  not  {expected:?}")),
        Err(report) => Some(format!("{text}\n  failed: {report}")),
    });
    none(wrong.collect());
}

#[test]
fn literals_and_arithmetic() {
    check(&[
        ("SELECT 1, 'a', NULL, true, 1.50, -3", &["1|a|NULL|true|1.50|-3"]),
        ("SELECT 7 / 2, -7 / 2, 7 % 3, -7 % 3", &["3|-3|1|-1"]),
        ("SELECT 2147483647::bigint + 1", &["2147483648"]),
        ("SELECT 1 + 1.5, 2 * 0.25", &["2.5|0.50"]),
        ("SELECT 1.0 / 3", &["0.3333333333333333"]),
        ("SELECT 2.0 / 3", &["0.6666666666666667"]),
        ("SELECT '5' + 1, 1 = '1'", &["6|true"]),
        ("SELECT 9223372036854775808", &["9223372036854775808"]),
        ("SELECT - - 5, -(-2.5)", &["5|2.5"]),
        ("SELECT round(1234.5678, 2), round(-0.125, 2), round(1.5, 3), round(1234.5, -2), round(2.5)", &["1234.57|-0.13|1.500|1200|3"]),
        ("SELECT round(amount, 1), round(avg(amount), 1) FROM orders WHERE id = 2 GROUP BY amount", &["7.5|7.5"]),
        ("VALUES (-0.25), (1.25), (-10)", &["-0.25", "1.25", "-10.00"]),
        ("SELECT 1e300::float8, 1e300 = 1e300::float8, -1e-300::float8", &["1e+300|true|-1e-300"]),
        ("SELECT -2147483648", &["-2147483648"]),
        ("SELECT 'a' || 1 || 'b'", &["a1b"]),
        ("SELECT NULL || 'x'", &["NULL"]),
    ]);
}

#[test]
fn casts() {
    check(&[
        ("SELECT ' 42 '::int, '4.5'::numeric(4,1), 't'::bool, 'x'::text", &["42|4.5|true|x"]),
        ("SELECT 1.5::int, 2.5::int, -1.5::int, 2.5::float8::int, 3.5::float8::int", &["2|3|-2|2|4"]),
        ("SELECT 1.255::numeric(4,2), 1e3::float8, 1e20::float8, 0.1::float4", &["1.26|1000|1e+20|0.1"]),
        ("SELECT 'abcdef'::varchar(3), 123::text, true::text", &["abc|123|true"]),
        ("SELECT '2026-01-01'::timestamp, '2026-01-01 10:00'::timestamp::text", &["2026-01-01 00:00:00|2026-01-01 10:00:00"]),
        ("SELECT DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:01.5'", &["2026-01-01|2026-01-01 00:00:01.5"]),
        ("SELECT INTERVAL '1 day 2 hours', '90 minutes'::interval, INTERVAL '5' MINUTE", &["1 day 02:00:00|01:30:00|00:05:00"]),
        ("SELECT '{1,2,NULL}'::int[], '\\xDEAD'::bytea FROM n WHERE a = 1", &["{1,2,NULL}|\\xdead"]),
    ]);
}

#[test]
fn time() {
    check(&[
        ("SELECT '2026-01-01'::date + 1, DATE '2026-03-01' - DATE '2026-02-01'", &["2026-01-02|28"]),
        ("SELECT TIMESTAMP '2026-01-31 00:00' + INTERVAL '1 month'", &["2026-02-28 00:00:00"]),
        ("SELECT TIMESTAMP '2026-01-02 01:00' - TIMESTAMP '2026-01-01 00:00'", &["1 day 01:00:00"]),
        ("SELECT DATE '2026-01-01' + INTERVAL '1 hour'", &["2026-01-01 01:00:00"]),
        ("SELECT 2 * INTERVAL '90 minutes'", &["03:00:00"]),
        ("SELECT now(), current_date", &["2026-01-02 03:04:05+00|2026-01-02"]),
        ("SELECT date_trunc('hour', TIMESTAMP '2026-01-01 10:20:30'), extract(year FROM DATE '2026-05-06')", &["2026-01-01 10:00:00|2026"]),
        ("SELECT id FROM orders WHERE created_at > '2026-01-01 00:00:30' ORDER BY 1", &["2", "3"]),
    ]);
}

#[test]
fn predicates() {
    check(&[
        ("SELECT a FROM n WHERE b BETWEEN '0' AND 1", &["1"]),
        ("SELECT a FROM n WHERE a IN ('1', 3) ORDER BY a", &["1", "3"]),
        ("SELECT a FROM n WHERE b IS NOT DISTINCT FROM NULL", &["3"]),
        ("SELECT a FROM n WHERE t ILIKE 'y' OR t ~ '^x$' ORDER BY a", &["1", "2"]),
        (
            "SELECT coalesce(b, '9'), nullif(a, 1), CASE WHEN flag THEN 'yes' ELSE 'no' END FROM n ORDER BY a",
            &["0|NULL|yes", "2|2|no", "9|3|no"],
        ),
        ("SELECT CASE a WHEN 1 THEN 10 WHEN '2' THEN 20.5 END FROM n ORDER BY a", &["10.0", "20.5", "NULL"]),
        ("SELECT a FROM n WHERE NOT flag", &["2"]),
        ("SELECT a FROM n WHERE b <> 0 AND 10 / b > 1", &["2"]),
        ("SELECT a FROM n WHERE 10 / b > 1 AND b <> 0", &["2"]),
        ("SELECT a FROM n WHERE a = ANY(ARRAY[2, 3]) ORDER BY a", &["2", "3"]),
        ("SELECT a FROM n WHERE a = ANY('{1,3}') ORDER BY a", &["1", "3"]),
        ("SELECT a FROM n WHERE t = ANY('{x,\"Y\",NULL}'::text[]) ORDER BY a", &["1", "2"]),
        ("SELECT a FROM n WHERE a <> ALL(ARRAY[2, 3])", &["1"]),
        ("SELECT a FROM n WHERE a > ALL('{1,2}'::int[]) OR a < SOME(ARRAY[2, 0])  ORDER BY a", &["1", "3"]),
        ("SELECT count(*) FROM n WHERE a = ANY('{}') OR a <> ALL('{1,NULL}')", &["0"]),
        ("SELECT a FROM n WHERE (a, b) = (1, 0)", &["1"]),
        ("SELECT a FROM n WHERE (a, b) <> (1, 0)", &["2", "3"]),
        ("SELECT a FROM n WHERE (a, b) >= ROW(2, '1') ORDER BY a", &["2", "3"]),
        ("SELECT a FROM n WHERE (a, t) IN ((1, 'x'), (2, 'x'))", &["1"]),
        ("SELECT a FROM n WHERE t || '%a_' LIKE 'x!%_!_' ESCAPE '!'", &["1"]),
        ("SELECT a FROM n WHERE t LIKE 'x%' ESCAPE '!' OR t ILIKE 'y' ESCAPE '' ORDER BY a", &["1", "2"]),
        ("SELECT a FROM n WHERE t || '\\' NOT LIKE '%\\' ESCAPE '!'", &[]),
        ("SELECT a FROM n WHERE flag IS NOT TRUE ORDER BY a", &["2", "3"]),
        ("SELECT greatest(1, '7'), least(2.5, 1), -a FROM n WHERE a = 1", &["7|1.0|-1"]),
    ]);
}

#[test]
fn aggregates() {
    check(&[
        (
            "SELECT count(*), count(amount), sum(amount), avg(amount), min(amount), max(id) FROM orders",
            &["5|4|462.75|115.6875000000000000|5.00|5"],
        ),
        ("SELECT sum(a), avg(a), sum(id) FROM n, orders WHERE false", &["NULL|NULL|NULL"]),
        ("SELECT tier, count(*) FROM customers GROUP BY tier ORDER BY tier", &["gold|2", "silver|1"]),
        ("SELECT count(DISTINCT tier), sum(DISTINCT 2) FROM customers", &["2|2"]),
        ("SELECT sum(a) FILTER (WHERE b = 0), count(*) FILTER (WHERE a > 1) FROM n", &["1|2"]),
        ("SELECT tier AS t, count(*) AS c FROM customers GROUP BY 1 HAVING count(*) > 1", &["gold|2"]),
        ("SELECT sum(d), avg(d) FROM n", &["-0.5|-0.25"]),
        ("SELECT sum(9223372036854775807) FROM orders", &["46116860184273879035"]),
        ("SELECT DISTINCT tier FROM customers ORDER BY 1 LIMIT 1", &["gold"]),
    ]);
}

#[test]
fn structs() {
    check(&[
        ("SELECT id, bid FROM events ORDER BY id", &[r#"1|(10,"a b","(1.5,""x,y"")")"#, "2|(20,,)", "3|NULL", r#"4|(,"","(,)")"#]),
        ("SELECT (bid).price, (bid).who, (bid).place FROM events WHERE id <= 2 ORDER BY id", &[r#"10|a b|(1.5,"x,y")"#, "20|NULL|NULL"]),
        (
            "SELECT (e.bid).price + 1 AS p, ((bid).place).x, (bid).place.label FROM events e WHERE (bid).price > 5 ORDER BY p",
            &["11|1.5|x,y", "21|NULL|NULL"],
        ),
        (
            "SELECT id, bid IS NULL, (bid).price IS NULL FROM events ORDER BY id",
            &["1|false|false", "2|false|false", "3|true|true", "4|false|true"],
        ),
        ("SELECT e.bid.price, bid.who FROM events e WHERE id = 1", &["10|a b"]),
        ("SELECT sum((bid).price), count(bid), count(DISTINCT (bid).who) FROM events", &["30|3|2"]),
        ("SELECT bid::text FROM events WHERE id = 2", &["(20,,)"]),
        ("SELECT count(*) FROM (SELECT bid FROM events GROUP BY bid) t", &["4"]),
    ]);
}

#[test]
fn ranks() {
    check(&[
        (
            "SELECT customer_id, id, rn FROM (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY amount DESC) AS rn FROM orders) t \
             WHERE rn <= 1 ORDER BY 1",
            &["10|2|1", "20|3|1", "99|4|1", "NULL|5|1"],
        ),
        ("SELECT DISTINCT ON (tier) tier, name FROM customers ORDER BY tier, name DESC", &["gold|eve", "silver|bob"]),
        (
            "SELECT id, rank() OVER (ORDER BY tier), dense_rank() OVER (ORDER BY tier) FROM customers ORDER BY id",
            &["10|1|1", "20|3|2", "30|1|1"],
        ),
    ]);
}

#[test]
fn joins_and_subqueries() {
    check(&[
        ("SELECT o.id, c.name FROM orders o JOIN customers c ON o.customer_id = c.id ORDER BY 1", &["1|ann", "2|ann", "3|bob"]),
        (
            "SELECT o.id, c.name FROM orders o LEFT JOIN customers c ON o.customer_id = c.id WHERE o.id > 3 ORDER BY 1",
            &["4|NULL", "5|NULL"],
        ),
        ("SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) ORDER BY 1", &["ann", "bob"]),
        ("SELECT name FROM customers WHERE id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL)", &["eve"]),
        (
            "SELECT name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.id) FROM customers c ORDER BY 1",
            &["ann|2", "bob|1", "eve|0"],
        ),
        ("SELECT (SELECT max(id) FROM orders)", &["5"]),
        ("SELECT * FROM bigger", &["3"]),
        ("SELECT id, total FROM big ORDER BY id", &["3|300", "4|150.25"]),
        ("SELECT 1 UNION ALL SELECT 2 UNION SELECT 1 ORDER BY 1", &["1", "2"]),
        ("WITH x AS (SELECT id FROM customers) SELECT count(*) FROM x, x AS y", &["9"]),
        ("TABLE customers ORDER BY id DESC LIMIT 1", &["30|eve|gold"]),
    ]);
}

#[test]
fn windows() {
    check(&[
        (
            "SELECT id, window_start, window_end FROM TUMBLE(orders, created_at, INTERVAL '1 minute') ORDER BY id",
            &[
                "1|2026-01-01 00:00:00|2026-01-01 00:01:00",
                "2|2026-01-01 00:00:00|2026-01-01 00:01:00",
                "3|2026-01-01 00:01:00|2026-01-01 00:02:00",
                "4|1969-12-31 23:59:00|1970-01-01 00:00:00",
            ],
        ),
        (
            "SELECT o.window_start, count(*) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(created_at), INTERVAL '1' MINUTE)) o \
             WHERE o.id < 4 GROUP BY o.window_start ORDER BY 1",
            &["2026-01-01 00:00:00|2", "2026-01-01 00:01:00|1"],
        ),
        (
            "SELECT window_start, window_end FROM HOP(orders, created_at, INTERVAL '30 seconds', INTERVAL '1 minute') WHERE id = 1 ORDER BY 1",
            &["2025-12-31 23:59:30|2026-01-01 00:00:30", "2026-01-01 00:00:00|2026-01-01 00:01:00"],
        ),
        ("SELECT count(*) FROM HOP(orders, created_at, SLIDE => 30 SECONDS, SIZE => INTERVAL '1' MINUTE) h WHERE h.id = 1", &["2"]),
        (
            "SELECT TUMBLE_START(created_at, INTERVAL '1' MINUTE), TUMBLE_END(created_at, INTERVAL '1' MINUTE), count(*) FROM orders \
             WHERE id < 3 GROUP BY TUMBLE(created_at, INTERVAL '1' MINUTE)",
            &["2026-01-01 00:00:00|2026-01-01 00:01:00|2"],
        ),
    ]);
}

#[test]
fn parameters() {
    let context = filled();
    let types = |text: &str| bound_with(text, &context, &[]).unwrap().parameters;
    assert_eq!(types("SELECT $1"), vec![SqlType::Text]);
    assert_eq!(types("SELECT $2::int, $1"), vec![SqlType::Text, SqlType::Integer]);
    assert_eq!(types("SELECT * FROM orders WHERE id = $1 AND created_at > $2"), vec![SqlType::BigInt, SqlType::Timestamp]);
    assert_eq!(types("SELECT a FROM n WHERE a IN ($1, $2) AND t LIKE $3").len(), 3);
    let many = (1..=12).map(|i| format!("${i}::{}", if i == 10 { "text" } else { "int" })).collect::<Vec<_>>().join(", ");
    let found = types(&format!("SELECT {many}"));
    assert_eq!((found.len(), found[9].clone(), found[10].clone()), (12, SqlType::Text, SqlType::Integer));
    let declared = bound_with("SELECT $1", &context, &[Some(SqlType::Integer)]).unwrap();
    assert_eq!((declared.parameters, declared.columns[0].sql_type.clone()), (vec![SqlType::Integer], SqlType::Integer));

    let run = |text: &str, values: Vec<ScalarValue>| lines(&run_with(text, &context, values).unwrap_or_else(|r| panic!("{r}"))).unwrap();
    assert_eq!(run("SELECT name FROM customers WHERE id = $1", vec![ScalarValue::Int64(Some(20))]), ["bob"]);
    assert_eq!(run("SELECT $1 || $2", vec![ScalarValue::from("a"), ScalarValue::from("b")]), ["ab"]);
    assert_eq!(run("SELECT name FROM customers ORDER BY id LIMIT $1", vec![ScalarValue::Int64(Some(1))]), ["ann"]);
}
