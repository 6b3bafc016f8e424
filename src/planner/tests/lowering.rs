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
        (
            "SELECT url, count(*) FROM HOP(clicks, ts, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY url, window_start",
            "Aggregate by [#0, #1] in 5 windows every 60000000 us of [CountStar]\n",
        ),
        (
            "SELECT count(*) FROM HOP(clicks, ts, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY window_end, url",
            "Aggregate by [#0, #1] in 5 windows every 60000000 us of [CountStar]\n",
        ),
        // Each row a window by itself: several slides in none, calls that do not add up, groups that are not windows.
        (
            "SELECT count(DISTINCT url) FROM HOP(clicks, ts, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY window_start, user_id",
            "Unnest",
        ),
        ("SELECT url, count(*) FROM HOP(clicks, ts, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY url", "Unnest"),
        ("SELECT max(window_end) FROM HOP(clicks, ts, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY window_start", "Unnest"),
        ("SELECT min(url) FROM HOP(clicks, ts, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY window_start", "Unnest"),
        ("SELECT max(id) FROM HOP(orders, created_at, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY window_start", "Unnest"),
        (
            "SELECT sum(id) FROM HOP(orders, created_at, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY window_start",
            "Aggregate by [#1] in 5 windows every 60000000 us of [Sum(#0)]\n",
        ),
        ("SELECT count(*) FROM HOP(clicks, ts, INTERVAL '2 minutes', INTERVAL '5 minutes') GROUP BY window_start", "hop_starts(clicks.ts,"),
        ("SELECT 1 AS a UNION ALL SELECT 2", "Union"),
        ("SELECT id FROM events WHERE (bid).price > 5 AND (bid).who = 'a'", "Filter field price(events.bid) > Int64(5) AND "),
        (
            "SELECT (bid).who AS w, max((bid).price) AS p, count(*) AS c FROM events WHERE bid IS NOT NULL GROUP BY 1",
            "Project field who(events.bid), field price(events.bid)",
        ),
        ("SELECT count(DISTINCT url) FROM clicks", "Aggregate by [#0] of []"),
        ("SELECT url, sum(user_id) FILTER (WHERE user_id > 3) AS s FROM clicks GROUP BY url", "of [Sum(#1) where #2]"),
        ("SELECT sum(10 / user_id) FILTER (WHERE user_id <> 0) AS s FROM clicks", "CASE WHEN clicks.user_id != Int64(0) THEN"),
        ("SELECT count(*) FILTER (WHERE url > 'a'), count(*) FROM clicks", "of [CountStar where #0, CountStar]"),
        (
            "SELECT url, count(DISTINCT user_id) AS u, count(DISTINCT ts) FILTER (WHERE user_id = 1) AS t, max(DISTINCT ts) AS m, \
             sum(DISTINCT user_id) AS s, avg(DISTINCT user_id) FILTER (WHERE user_id = 1) AS a FROM clicks GROUP BY url",
            "of [Count(distinct #1), Count(distinct #2) where #3, Max(#2), Sum(distinct #1), Avg(distinct #1) where #3]",
        ),
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

/// A relation joined to its own maximum: the rows that have it, where the maximum never falls.
#[test]
fn greatest_rows() {
    let counts = "(SELECT url, user_id, count(*) AS n FROM clicks GROUP BY url, user_id)";
    let joined = |rows: &str, max: &str, condition: &str| format!("SELECT c.*, m.* FROM {rows} c JOIN ({max}) m ON {condition}");
    let max = format!("SELECT user_id AS u, max(n) AS m FROM {counts} x GROUP BY user_id");
    let cases = [
        (joined(counts, &max, "c.user_id = m.u AND c.n >= m.m"), Some("Greatest #2 by [#1]\n")),
        (joined(counts, &max, "c.user_id = m.u AND m.m <= c.n"), Some("Greatest #2 by [#1]\n")),
        (joined(counts, &max, "c.user_id = m.u AND c.n = m.m"), Some("Greatest #2 by [#1]\n")),
        (joined(counts, &format!("SELECT max(n) AS m FROM {counts} x"), "c.n = m.m"), Some("Greatest #2 by []\n")),
        (joined("clicks", "SELECT url AS k, max(ts) AS m FROM clicks GROUP BY url", "c.url = m.k AND c.ts = m.m"), Some("Greatest #")),
        (
            joined(
                "orders",
                "SELECT customer_id AS k, max(amount) AS m FROM orders GROUP BY customer_id",
                "c.customer_id = m.k AND c.amount = m.m",
            ),
            None,
        ),
        (joined(counts, &max, "c.user_id = m.u AND c.n > m.m"), None),
        (joined(counts, &max, "c.user_id = m.u AND c.n <= m.m"), None),
        (joined(counts, &max, "c.n = m.u AND c.n >= m.m"), None),
        (joined(counts, &max, "c.n >= m.m AND c.user_id = m.u AND c.url <> 'a'"), None),
        (joined(counts, &format!("{max} HAVING max(n) > 5"), "c.user_id = m.u AND c.n >= m.m"), None),
        (joined(counts, &max.replace("max(n)", "min(n)"), "c.user_id = m.u AND c.n >= m.m"), None),
        (joined(counts, &max.replace("max(n)", "max(n) FILTER (WHERE n > 1)"), "c.user_id = m.u AND c.n >= m.m"), None),
        (joined(counts, &max.replace(" x ", " x WHERE url = 'a' "), "c.user_id = m.u AND c.n >= m.m"), None),
        (joined("clicks", "SELECT user_id AS u, max(url) AS m FROM clicks GROUP BY user_id", "c.user_id = m.u AND c.url = m.m"), None),
    ];
    let wrong = cases.iter().filter_map(|(text, expected)| match lowered(text) {
        Ok((plan, schema)) => {
            let printed = plan.to_string();
            let right = plan.schema() == schema.arrow()
                && expected.map_or(!printed.contains("Greatest"), |expected| printed.contains(expected) && !printed.contains("Join"));
            (!right).then(|| format!("{text}\n  gave\n{plan}"))
        }
        Err(report) => Some(format!("{text}\n  failed: {report}")),
    });
    none(wrong.collect());
}

/// Rows are joined to the maximum of their window, and, where its end belongs to it, of the one before.
#[test]
fn rows_of_a_windows_maximum() {
    let window = "SELECT window_start AS s, window_end AS e, max(user_id) AS m FROM TUMBLE(clicks, ts, INTERVAL '10 seconds') \
         GROUP BY window_start, window_end";
    let joined = |rows: &str, max: &str, condition: &str| {
        format!("SELECT c.url, m.* FROM {rows} c JOIN ({max}) m ON c.user_id = m.m AND {condition}")
    };
    let plain = |condition: &str| joined("clicks", window, condition);
    let some = "(SELECT * FROM clicks WHERE url <> 'a')";
    let (of_own, of_both, neither) = ((true, false), (true, true), (false, true));
    let cases = [
        (plain("c.ts BETWEEN m.e - INTERVAL '10 seconds' AND m.e"), of_both),
        (plain("c.ts BETWEEN m.s AND m.s + INTERVAL '10 seconds'"), of_both),
        (plain("m.s <= c.ts AND m.e >= c.ts"), of_both),
        (plain("c.ts >= m.s AND c.ts < m.e"), of_own),
        (plain("c.ts >= m.s AND c.ts < m.e AND c.ts <= m.e"), of_own),
        (joined(some, &window.replace("clicks", some), "c.ts BETWEEN m.s AND m.e"), of_both),
        (joined("clicks", &window.replace("clicks", some), "c.ts BETWEEN m.s AND m.e"), neither),
        (joined(some, window, "c.ts BETWEEN m.s AND m.e"), neither),
        (plain("c.ts BETWEEN m.s - INTERVAL '1 second' AND m.e"), neither),
        (plain("c.ts BETWEEN m.s AND m.e + INTERVAL '1 second'"), neither),
        (plain("c.ts BETWEEN m.s + INTERVAL '1 second' AND m.e"), neither),
        (plain("c.ts > m.s AND c.ts <= m.e"), neither),
        (plain("c.ts >= m.s"), neither),
        (plain("c.ts <= m.e"), neither),
        (plain("c.ts BETWEEN m.s AND m.e AND c.url <> 'a'").replace("SELECT c.url, m.*", "SELECT c.url, c.ts, m.*"), neither),
        (joined("clicks", &window.replace("max(", "min("), "c.ts BETWEEN m.s AND m.e"), neither),
        (
            joined("clicks", &window.replace("TUMBLE(clicks, ts,", "HOP(clicks, ts, INTERVAL '5 seconds',"), "c.ts BETWEEN m.s AND m.e"),
            neither,
        ),
        (plain("c.ts BETWEEN m.s AND m.e").replace("c.user_id = m.m", "c.user_id >= m.m AND c.user_id = 1"), neither),
        (plain("c.ts BETWEEN m.s AND m.e").replace(" JOIN ", " LEFT JOIN "), neither),
        (plain("c.ts BETWEEN m.s AND m.e").replace("window_start, window_end", "window_start, window_end, url"), neither),
    ];
    let wrong = cases.iter().filter_map(|(text, expected)| match lowered(text) {
        Ok((plan, schema)) => {
            let printed = plan.to_string();
            let found = (printed.contains("Greatest"), printed.contains("Join"));
            (plan.schema() != schema.arrow() || found != *expected).then(|| format!("{text}\n  gave\n{plan}"))
        }
        Err(report) => Some(format!("{text}\n  failed: {report}")),
    });
    none(wrong.collect());
}

/// The maximum of what grows is kept without what is less.
#[test]
fn lasting_maxima() {
    let cases = [
        ("SELECT user_id, max(n) FROM (SELECT url, user_id, count(*) AS n FROM clicks GROUP BY url, user_id) x GROUP BY user_id", true),
        ("SELECT user_id, min(n) FROM (SELECT url, user_id, count(*) AS n FROM clicks GROUP BY url, user_id) x GROUP BY user_id", false),
        (
            "SELECT c, max(n) FROM (SELECT customer_id AS c, tier, count(*) AS n FROM orders o JOIN customers k ON o.customer_id = k.id GROUP BY 1, 2) x GROUP BY c",
            false,
        ),
        ("SELECT n, max(n) FROM (SELECT url, count(*) AS n FROM clicks GROUP BY url) x GROUP BY n", false),
        ("SELECT url, max(ts) FROM clicks GROUP BY url", false),
    ];
    let wrong = cases.iter().filter_map(|(text, lasting)| match lowered(text) {
        Ok((plan, _)) => (plan.to_string().contains(", lasting]") != *lasting).then(|| format!("{text}\n  gave\n{plan}")),
        Err(report) => Some(format!("{text}\n  failed: {report}")),
    });
    none(wrong.collect());
}

#[test]
fn refusals_name_what_they_refuse() {
    let cases = [
        ("SELECT id FROM orders LIMIT 5", "LIMIT without ORDER BY, or with OFFSET, in a view is not supported"),
        ("SELECT id FROM orders ORDER BY id LIMIT 5 OFFSET 2", "LIMIT without ORDER BY, or with OFFSET, in a view is not supported"),
        ("SELECT row_number() OVER (ORDER BY id) FROM orders", "a window function (OVER) in a view is not supported"),
        (
            "SELECT id FROM (SELECT id, rank() OVER (ORDER BY id) AS r FROM orders) t WHERE r <= 3",
            "a window function (OVER) in a view is not supported",
        ),
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

#[test]
fn first_rows() {
    let ranked = |more: &str, outside: &str| {
        format!(
            "SELECT {more} FROM (SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY amount DESC, id) AS rn FROM orders) t \
             WHERE {outside}"
        )
    };
    let cases: [(String, &str, Option<&[usize]>); 13] = [
        (ranked("customer_id, id, amount", "rn <= 3"), "TopN 3 by [#1] order [#2 desc, #0]\n", Some(&[1])),
        (ranked("customer_id, id, amount", "rn = 1"), "TopN 1 by [#1] order [#2 desc, #0]\n", Some(&[0])),
        (ranked("customer_id, id, amount", "4 > rn AND rn < 10"), "TopN 3 by [#1] order [#2 desc, #0]\n", Some(&[1])),
        (ranked("customer_id, rn", "rn <= 3"), "TopN 3 by [#1] order [#2 desc, #0] with rank\n", None),
        (ranked("customer_id, amount", "rn BETWEEN 2 AND 3"), "with rank\n", None),
        (ranked("customer_id, amount", "rn = 2"), "TopN 2 by [#1] order [#2 desc, #0] with rank\n", None),
        (ranked("id", "rn <= 3 AND amount > 5 AND 10 / amount > 1"), "TopN 3 by [#1] order [#2 desc, #0]\n", Some(&[0])),
        (ranked("id", "rn <= 3 AND customer_id = 5"), "TopN 3 by [#1] order [#2 desc, #0]\n", Some(&[0])),
        ("SELECT id FROM orders ORDER BY amount DESC NULLS LAST LIMIT 10".into(), "TopN 10 by [] order [#1 desc nulls last]\n", Some(&[0])),
        (
            "SELECT DISTINCT ON (customer_id) customer_id, amount, id FROM orders ORDER BY customer_id, created_at DESC, id".into(),
            "TopN 1 by [#1] order [#1, #3 desc, #0]\n",
            Some(&[0]),
        ),
        ("SELECT DISTINCT ON (id % 2) id FROM orders".into(), "TopN 1 by [#1] order []\n", None),
        (
            "SELECT x FROM (SELECT amount AS x, row_number() OVER (ORDER BY amount + 1) AS n FROM orders) t WHERE n <= 2".into(),
            "TopN 2 by [] order [#1]\n",
            None,
        ),
        (
            "SELECT n.id FROM (SELECT *, row_number() OVER (PARTITION BY tier ORDER BY name) AS rn FROM customers) n \
             JOIN orders o ON o.customer_id = n.id AND o.id = n.rn WHERE n.rn <= 5"
                .into(),
            "TopN 5 by [#2] order [#1] with rank\n",
            None,
        ),
    ];
    let wrong = cases.iter().filter_map(|(text, contains, key)| match lowered(text) {
        Ok((plan, schema)) => {
            let keyed = key.is_none_or(|key| schema.primary_key == key);
            let right = keyed && plan.to_string().contains(contains) && plan.schema() == schema.arrow();
            (!right).then(|| format!("{text}\n  gave\n{plan}\n  key {:?}\n  {:?}", schema.primary_key, schema.arrow()))
        }
        Err(report) => Some(format!("{text}\n  failed: {report}")),
    });
    none(wrong.collect());
}
