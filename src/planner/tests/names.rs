//! Output columns: their names and their types.

use super::*;

#[test]
fn names_and_types_as_postgresql_gives_them() {
    let cases = [
        ("SELECT 1", "?column? integer"),
        ("SELECT 'a', NULL", "?column? text, ?column? text"),
        ("SELECT 1+1 AS x, 2+2", "x integer, ?column? integer"),
        (
            "SELECT count(*), sum(amount), avg(id), min(created_at) FROM orders",
            "count bigint, sum numeric(38,2), avg numeric(38,16), min timestamp without time zone",
        ),
        ("SELECT id::int, 'a'::text, 1::smallint, created_at::date FROM orders", "id integer, text text, int2 smallint, created_at date"),
        ("SELECT o.id, id AS x FROM orders o", "id bigint, x bigint"),
        ("SELECT id, id, 1, 1 FROM orders", "id bigint, id bigint, ?column? integer, ?column? integer"),
        ("SELECT 1 AS a, 2 AS a", "a integer, a integer"),
        ("SELECT *, id FROM customers", "id bigint, name character varying, tier character varying, id bigint"),
        (
            "SELECT o.*, c.id FROM orders o, customers c",
            "id bigint, customer_id bigint, amount numeric(12,2), created_at timestamp without time zone, id bigint",
        ),
        (
            "SELECT * FROM orders o JOIN customers c ON o.id = c.id",
            "id bigint, customer_id bigint, amount numeric(12,2), created_at timestamp without time zone, id bigint, name character varying, tier character varying",
        ),
        ("SELECT CASE WHEN true THEN 1 END, COALESCE(1, 2), now()", "case integer, coalesce integer, now timestamp with time zone"),
        ("SELECT v, v || 'x', upper(v) FROM n", "v character varying(3), ?column? text, upper text"),
        (
            "SELECT 1.5, 1e3, 3000000000, '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid",
            "?column? numeric(2,1), ?column? numeric(4,0), ?column? bigint, uuid uuid",
        ),
        ("SELECT (SELECT max(id) FROM orders), EXISTS (SELECT 1), ARRAY[1,2]", "max bigint, exists boolean, array integer[]"),
        ("SELECT \"X\" FROM (SELECT 1 AS \"X\") s", "X integer"),
        (
            "SELECT sum(a), sum(a::bigint), sum(d), sum(d::real), avg(d) FROM n",
            "sum bigint, sum numeric(38,0), sum double precision, sum real, avg double precision",
        ),
        (
            "SELECT window_start, window_end FROM TUMBLE(clicks, ts, INTERVAL '1 minute')",
            "window_start timestamp without time zone, window_end timestamp without time zone",
        ),
        ("SELECT * FROM big", "id bigint, total numeric"),
        ("SELECT (bid).price, ((bid).place).x, (bid).who AS w FROM events", "price bigint, x double precision, w character varying"),
    ];
    let wrong = cases.iter().filter_map(|(text, expected)| match bound(text) {
        Ok(bound) => {
            let columns: Vec<String> = bound.columns.iter().map(|c| format!("{} {}", c.name, c.sql_type)).collect();
            (columns.join(", ") != *expected).then(|| format!("{text}\n  gave {}\n  not  {expected}", columns.join(", ")))
        }
        Err(report) => Some(format!("{text}\n  failed: {report}")),
    });
    none(wrong.collect());
}

#[test]
fn relations_are_those_that_are_named() {
    let relations = |text: &str| bound(text).unwrap().relations.iter().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!(relations("SELECT 1"), Vec::<u32>::new());
    assert_eq!(relations("SELECT * FROM bigger b JOIN orders o ON o.id = b.id JOIN orders p ON p.id = b.id"), vec![6, 1]);
    assert_eq!(relations("SELECT * FROM TUMBLE(clicks, ts, INTERVAL '1 minute') WHERE user_id IN (SELECT id FROM customers)"), vec![3, 2]);
}
