//! The queries of `examples/nexmark`, as views over sources and run over a few rows.

use super::*;

fn nexmark() -> PlanContext {
    use SqlType::*;
    let text = || Varchar(None);
    let bid = [
        ("auction", BigInt),
        ("bidder", BigInt),
        ("price", BigInt),
        ("channel", text()),
        ("url", text()),
        ("ts", Timestamp),
        ("extra", text()),
    ];
    let auction = [
        ("id", BigInt),
        ("itemname", text()),
        ("description", text()),
        ("initialbid", BigInt),
        ("reserve", BigInt),
        ("ts", Timestamp),
        ("expires", Timestamp),
        ("seller", BigInt),
        ("category", BigInt),
        ("extra", text()),
    ];
    let person = [
        ("id", BigInt),
        ("name", text()),
        ("emailaddress", text()),
        ("creditcard", text()),
        ("city", text()),
        ("state", text()),
        ("ts", Timestamp),
        ("extra", text()),
    ];
    let entries = [
        relation(1, "bid", &bid, &[], source()),
        relation(2, "auction", &auction, &[], source()),
        relation(3, "person", &person, &[], source()),
    ];
    let catalog = entries.into_iter().fold(Catalog::new(), |catalog, entry| catalog.add(entry).unwrap());
    PlanContext { catalog: Arc::new(catalog), ..context(vec![]) }
}

/// Rows of the three relations: two auctions, three bids, two people.
fn filled() -> PlanContext {
    let nothing = nexmark();
    let made = |id: u32, values: &str| {
        let entry = nothing.catalog.get(ObjectId(id)).unwrap().clone();
        let columns = entry.schema.columns.iter().enumerate().map(|(i, c)| format!("column{}::{}", i + 1, c.sql_type));
        let text = format!("SELECT {} FROM (VALUES {values}) v", columns.collect::<Vec<_>>().join(", "));
        let batches = run_with(&text, &nothing, vec![]).unwrap_or_else(|report| panic!("{report}"));
        (ObjectId(id), RecordBatch::try_new(entry.schema.arrow(), batches[0].columns().to_vec()).unwrap())
    };
    let rows = vec![
        made(
            1,
            "(123, 1, 100, 'web', 'https://floe/a/b/c', '2026-01-01 00:00:01', 'x'), \
             (123, 2, 2000000, 'web', 'https://floe/a', '2026-01-01 00:00:02', 'x'), \
             (124, 1, 10000, 'app', 'https://floe/d/e/f', '2026-01-01 00:00:03', 'y')",
        ),
        made(
            2,
            "(123, 'i', 'd', 1, 2, '2026-01-01 00:00:00', '2026-01-01 00:10:00', 7, 10, 'e'), \
             (124, 'j', 'd', 1, 2, '2026-01-01 00:00:00', '2026-01-01 00:10:00', 8, 11, 'e')",
        ),
        made(
            3,
            "(7, 'ann', 'a@b', '1', 'Bend', 'OR', '2026-01-01 00:00:00', 'p'), (8, 'bob', 'b@b', '2', 'Rome', 'IT', '2026-01-01 00:00:00', 'p')",
        ),
    ];
    PlanContext { tables: Arc::new(Memory(rows)), ..nothing }
}

/// Each query's name, a part of its circuit, and its rows over `filled`.
const QUERIES: &[(&str, &str, &[&str])] = &[
    ("q0", "Input bid", &["123|1|100|web|https://floe/a/b/c|2026-01-01 00:00:01|x"]),
    ("q1", "Project", &["123|1|90.800|2026-01-01 00:00:01|x"]),
    ("q2", "Filter", &["123|100", "123|2000000"]),
    ("q3", "InnerJoin", &["ann|Bend|OR|123"]),
    ("q4", " where ", &["10|2000000.0000000000000000", "11|10000.0000000000000000"]),
    ("q5", "Greatest #", &["123|2"]),
    ("q7", "Greatest #", &["123|2000000|2|2026-01-01 00:00:02|x"]),
    ("q8", "InnerJoin", &["7|ann|2026-01-01 00:00:00", "8|bob|2026-01-01 00:00:00"]),
    ("q9", "TopN 1 by ", &["123|i|d|1|2|2026-01-01 00:00:00|2026-01-01 00:10:00|7|10|e|123|2|2000000|2026-01-01 00:00:02|x"]),
    ("q12", "of [CountStar]", &["1|2|2026-01-01 00:00:00|2026-01-01 00:00:10"]),
    ("q15", "Count(distinct #", &["2026-01-01|3|1|1|1|2|1|1|1|2|1|1|1"]),
    ("q16", "Count(distinct #", &["web|2026-01-01|00:00|2|1|0|1|2|1|0|1|1|1|0|1"]),
    ("q17", "CountStar where #", &["123|2026-01-01|2|1|0|1|100|2000000|1000050.0000000000000000|2000100"]),
    ("q18", "TopN 1 by ", &["123|1|100|web|https://floe/a/b/c|2026-01-01 00:00:01|x"]),
    (
        "q20",
        "InnerJoin",
        &["123|1|100|web|https://floe/a/b/c|2026-01-01 00:00:01|x|i|d|1|2|2026-01-01 00:00:00|2026-01-01 00:10:00|7|10|e"],
    ),
    ("q22", "Project", &["123|1|100|web|a|b|c", "123|2|2000000|web|a||"]),
];

fn text(name: &str) -> String {
    std::fs::read_to_string(format!("{}/examples/nexmark/{name}.sql", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_query_is_a_view() {
    let context = nexmark();
    let wrong = QUERIES.iter().filter_map(|(name, contains, _)| {
        let lowered = bound_with(&text(name), &context, &[]).and_then(|bound| lower(&bound, &context).map_err(|error| error.report()));
        match lowered {
            Ok((plan, schema)) if plan.schema() == schema.arrow() && plan.to_string().contains(contains) => None,
            Ok((plan, schema)) => Some(format!("{name}\n  gave\n{plan}\n  {:?}\n  {:?}", plan.schema(), schema.arrow())),
            Err(report) => Some(format!("{name}\n  failed: {report}")),
        }
    });
    none(wrong.collect());
}

#[test]
fn every_query_has_these_rows() {
    let context = filled();
    let wrong = QUERIES.iter().filter_map(|(name, _, expected)| {
        let found = run_with(&text(name), &context, vec![]).and_then(|batches| lines(&batches));
        match found {
            Ok(found) if expected.iter().all(|row| found.iter().any(|found| found == row)) => None,
            Ok(found) => Some(format!("{name}\n  gave {found:#?}\n  not  {expected:#?}")),
            Err(report) => Some(format!("{name}\n  failed: {report}")),
        }
    });
    none(wrong.collect());
}
