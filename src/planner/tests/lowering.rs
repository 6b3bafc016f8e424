//! Views as circuits.

use super::*;

fn lowered(text: &str) -> Result<(CircuitPlan, RelationSchema), Report> {
    let context = context(vec![]);
    lower(&bound_with(text, &context, &[])?, &context).map_err(|error| error.report())
}

/// What differs, if anything.
fn differs(text: &str, expected: &str, key: &[usize], append_only: bool) -> Option<String> {
    let (plan, schema) = match lowered(text) {
        Ok(lowered) => lowered,
        Err(report) => return Some(format!("{text}\n  failed: {report}")),
    };
    let found = (plan.to_string().trim_end().to_string(), schema.primary_key.clone(), schema.append_only);
    if plan.schema() != schema.arrow() {
        return Some(format!("{text}\n  has schema {:?}", plan.schema()));
    }
    (found != (expected.to_string(), key.to_vec(), append_only)).then(|| format!("{text}\n  gave {found:#?}"))
}

const REVENUE: &str = "SELECT window_start, window_end, c.tier, count(*) AS orders, sum(o.amount) AS revenue, avg(o.amount) AS mean, \
     min(o.amount) AS low, max(o.amount) AS high \
     FROM TUMBLE(orders, created_at, INTERVAL '1 minute') o JOIN customers c ON o.customer_id = c.id \
     GROUP BY window_start, window_end, c.tier";

#[test]
fn the_example() {
    let (plan, schema) = lowered(REVENUE).unwrap_or_else(|report| panic!("{report}"));
    let text = plan.to_string();
    assert!(text.contains("InnerJoin on left#") && text.contains("Input orders") && text.contains("Input customers"), "{text}");
    assert!(text.contains("of [CountStar, Sum(#3), Avg(#3), Min(#3), Max(#3)]"), "{text}");
    assert_eq!(schema.primary_key, vec![0, 1, 2]);
    assert!(!schema.append_only);
    let columns: Vec<String> = schema.columns.iter().map(|c| format!("{} {}", c.name, c.sql_type)).collect();
    assert_eq!(
        columns[2..],
        [
            "tier character varying",
            "orders bigint",
            "revenue numeric(38,2)",
            "mean numeric(38,16)",
            "low numeric(12,2)",
            "high numeric(12,2)"
        ]
    );
    assert_eq!(plan.relations(), vec![ObjectId(1), ObjectId(2)]);
    assert_eq!(fingerprint(&plan), fingerprint(&lowered(REVENUE).unwrap().0));
    assert_ne!(fingerprint(&plan), fingerprint(&lowered("SELECT * FROM orders").unwrap().0));
}

#[test]
fn shapes() {
    let wrong = [
        differs("SELECT * FROM clicks", "Input clicks, append-only", &[], true),
        differs("SELECT * FROM orders", "Input orders", &[0], false),
        differs(
            "SELECT url FROM clicks WHERE user_id > 5",
            "Project clicks.url\n  Filter clicks.user_id > Int64(5)\n    Project user_id, url\n      Input clicks, append-only",
            &[],
            true,
        ),
        differs(
            "SELECT count(*) FROM clicks",
            "Project count(Int64(1)) AS count(*)\n  Aggregate by [] of [CountStar]\n    Input clicks, append-only",
            &[],
            false,
        ),
        differs("SELECT DISTINCT url FROM clicks", "Aggregate by [#0] of []\n  Project url\n    Input clicks, append-only", &[0], true),
        differs("SELECT id FROM orders ORDER BY amount", "Project orders.id\n  Project id, amount\n    Input orders", &[0], false),
    ];
    none(wrong.into_iter().flatten().collect());
}

#[test]
fn joins() {
    let cases = [
        ("SELECT o.id FROM orders o LEFT JOIN customers c ON o.customer_id = c.id AND c.tier > 'a'", "LeftJoin"),
        ("SELECT c.name FROM orders o RIGHT JOIN customers c ON o.customer_id = c.id", "LeftJoin"),
        ("SELECT o.id FROM orders o, customers c", "InnerJoin on nothing"),
        ("SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)", "InnerJoin"),
        ("SELECT name FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)", "found IS NULL"),
        ("SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders)", "InnerJoin"),
        ("SELECT o.id FROM orders o JOIN n ON o.id = n.a", "InnerJoin"),
        ("SELECT o.id, p.id AS other FROM orders o JOIN orders p ON o.amount + 1 = p.amount", "InnerJoin"),
        ("SELECT o.id FROM orders o JOIN customers c ON o.customer_id = c.id AND o.amount > c.id", " where "),
        ("SELECT * FROM HOP(clicks, ts, INTERVAL '1 minute', INTERVAL '5 minutes')", "Unnest"),
        ("SELECT 1 AS a UNION ALL SELECT 2", "Union"),
        ("SELECT count(DISTINCT url) FROM clicks", "Aggregate by [#0] of []"),
        ("SELECT url, sum(user_id) FILTER (WHERE user_id > 3) AS s FROM clicks GROUP BY url", "CASE WHEN"),
    ];
    let wrong = cases.iter().filter_map(|(text, contains)| match lowered(text) {
        Ok((plan, schema)) => {
            let right = plan.to_string().contains(contains) && plan.schema() == schema.arrow();
            (!right).then(|| format!("{text}\n  gave\n{plan}\n  {:?}\n  {:?}", plan.schema(), schema.arrow()))
        }
        Err(report) => Some(format!("{text}\n  failed: {report}")),
    });
    none(wrong.collect());
}

#[test]
fn refusals_name_what_they_refuse() {
    let cases = [
        ("SELECT id FROM orders LIMIT 5", "LIMIT in a view is not supported"),
        ("SELECT id FROM orders WHERE created_at > now()", "a view that asks for the time is not supported"),
        ("SELECT random() FROM orders", "random() in a view is not supported: it has another value each time"),
        ("SELECT * FROM orders o FULL JOIN customers c ON o.id = c.id", "FULL JOIN in a view is not supported"),
        ("SELECT rank() OVER (ORDER BY id) FROM orders", "a window function (OVER) in a view is not supported"),
        ("SELECT stddev(id) FROM orders", "the aggregate stddev() in a view is not supported"),
        ("SELECT id, (SELECT name FROM customers) FROM orders", "a scalar subquery that may have several rows in a view is not supported"),
        ("SELECT id FROM orders WHERE id NOT IN (SELECT id FROM customers)", "NOT IN (SELECT ...) in a view is not supported"),
    ];
    let wrong = cases.iter().filter_map(|(text, message)| match lowered(text) {
        Ok((plan, _)) => Some(format!("{text}\n  gave\n{plan}")),
        Err(report) => {
            let right = report.sqlstate.0 == "0A000" && report.message == *message && report.hint.is_some();
            (!right).then(|| format!("{text}\n  gave {report}\n  not  {message}"))
        }
    });
    none(wrong.collect());
}
