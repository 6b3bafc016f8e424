//! What reading and decoding alone cost: CPU seconds of one thread per million records, from files in the page cache.
//!
//!     cargo bench --bench decode [-- RECORDS]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use floe::sources::datagen::nexmark::{Kind, Nexmark};
use floe::sources::{Budget, Reading, SourceSpec, open};
use floe::types::{Column, Offsets, Projection, RelationSchema, SqlType, StructField};

const BUDGET: Budget = Budget { records: 65_536, bytes: 8 << 20, wait: Duration::ZERO };
const ROUNDS: usize = 5;

fn main() {
    // As a test, run with a few records: that it works at all.
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let records = asked.unwrap_or(if std::env::args().any(|argument| argument == "--bench") { 200_000 } else { 1000 });
    let folder = tempfile::tempdir().expect("a folder for the records");
    let (mut bids, mut mixed) = (Vec::new(), Vec::new());
    let mut stream = Nexmark::new(10_000);
    for _ in 0..records {
        let start = bids.len();
        let kind = stream.write(&mut bids).expect("an event");
        mixed.extend_from_slice(format!("{{\"event_type\":{},\"{}\":", kind.number(), kind.name()).as_bytes());
        mixed.extend_from_slice(&bids[start..]);
        mixed.extend_from_slice(b"}\n");
        bids.push(b'\n');
        if kind != Kind::Bid {
            bids.truncate(start);
        }
    }
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).expect("records written");
    write("bids", &bids);
    write("mixed", &mixed);
    write("changes", changes(records).as_bytes());
    let (bid, all) = (relation(BID), relation("event_type INT"));
    let mut events = all;
    for (name, columns) in [("person", PERSON), ("auction", AUCTION), ("bid", BID)] {
        let field = |column: &Column| StructField { name: column.name.clone(), sql_type: column.sql_type.clone() };
        let fields = relation(columns).columns.iter().map(field).collect();
        events.columns.push(Column::new(name, SqlType::Struct(fields)));
    }
    let some = |columns: usize, wanted: &[(usize, Option<usize>)]| {
        let mut read = Projection::nothing(columns);
        wanted.iter().for_each(|(column, field)| match field {
            Some(field) => read.add_field(*column, *field),
            None => read.add(*column),
        });
        read
    };
    measure(folder.path(), "bids", "plain", "all columns", &bid, Projection::everything(7));
    measure(folder.path(), "bids", "plain", "two columns", &bid, some(7, &[(0, None), (2, None)]));
    measure(folder.path(), "bids", "plain", "no column", &bid, Projection::nothing(7));
    measure(folder.path(), "mixed", "plain", "all columns", &events, Projection::everything(4));
    measure(folder.path(), "mixed", "plain", "two fields", &events, some(4, &[(0, None), (3, Some(0)), (3, Some(2))]));
    let mut orders = relation("id BIGINT, customer_id BIGINT, amount BIGINT, created_at TIMESTAMP, status TEXT, note TEXT");
    orders.primary_key = vec![0];
    measure(folder.path(), "changes", "debezium", "all columns", &orders, Projection::everything(6));
}

const PERSON: &str = "id BIGINT, name TEXT, emailAddress TEXT, creditCard TEXT, city TEXT, state TEXT, dateTime TIMESTAMP, extra TEXT";
const AUCTION: &str = "id BIGINT, itemName TEXT, description TEXT, initialBid BIGINT, reserve BIGINT, dateTime TIMESTAMP, \
     expires TIMESTAMP, seller BIGINT, category BIGINT, extra TEXT";
const BID: &str = "auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT, dateTime TIMESTAMP, extra TEXT";

fn relation(columns: &str) -> RelationSchema {
    let column = |column: &str| {
        let (name, of_type) = column.split_once(' ').expect("a name and a type");
        let of_type = match of_type {
            "INT" => SqlType::Integer,
            "BIGINT" => SqlType::BigInt,
            "TIMESTAMP" => SqlType::Timestamp,
            _ => SqlType::Text,
        };
        Column::new(name, of_type)
    };
    RelationSchema::new(columns.split(", ").map(column).collect())
}

/// Updates as Debezium ships them with its default converter, about 2.9 KB each.
fn changes(count: usize) -> String {
    let field = |of_type: &str, name: &str| format!(r#"{{"type":"{of_type}","optional":true,"field":"{name}"}}"#);
    let fields = |fields: &[(&str, &str)]| fields.iter().map(|(name, of_type)| field(of_type, name)).collect::<Vec<_>>().join(",");
    let mut row = fields(&[("id", "int64"), ("customer_id", "int64"), ("amount", "int64")]);
    row += r#",{"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1,"field":"created_at"},"#;
    row += &fields(&[("status", "string"), ("note", "string")]);
    let of =
        |name: &str, fields: &str| format!(r#"{{"type":"struct","fields":[{fields}],"optional":true,"name":"{name}","field":"{name}"}}"#);
    let of_source = [
        ("version", "string"),
        ("connector", "string"),
        ("name", "string"),
        ("ts_ms", "int64"),
        ("snapshot", "string"),
        ("db", "string"),
        ("sequence", "string"),
        ("ts_us", "int64"),
        ("ts_ns", "int64"),
        ("schema", "string"),
        ("table", "string"),
        ("txId", "int64"),
        ("lsn", "int64"),
        ("xmin", "int64"),
    ];
    let of_transaction = [("id", "string"), ("total_order", "int64"), ("data_collection_order", "int64")];
    let parts = [of("before", &row), of("after", &row), of("source", &fields(&of_source)), of("transaction", &fields(&of_transaction))];
    let times = fields(&[("op", "string"), ("ts_ms", "int64"), ("ts_us", "int64"), ("ts_ns", "int64")]);
    let schema = format!(r#"{{"type":"struct","fields":[{},{times}],"optional":false,"name":"shop.orders.Envelope"}}"#, parts.join(","));
    let mut text = String::new();
    for n in 0..count {
        let micros = 1_767_225_600_000_000 + n * 100;
        let row = |amount: usize, status: &str| {
            let note = "n".repeat(5 + n % 55);
            let ids = format!(r#""id":{},"customer_id":{},"amount":{amount}"#, n * 7919 % 100_000, n % 50_000);
            format!(r#"{{{ids},"created_at":{micros},"status":"{status}","note":"{note}"}}"#)
        };
        let (before, after, op) = match n % 20 {
            0..5 => ("null".to_string(), row(n % 1000, "new"), "c"),
            5 => (row(n % 999, "done"), "null".to_string(), "d"),
            _ => (row(n % 1000, "new"), row(n % 998, "paid"), "u"),
        };
        let times = format!(r#""ts_ms":{},"ts_us":{micros},"ts_ns":{}"#, micros / 1000, micros * 1000);
        let place = format!(r#""schema":"public","table":"orders","txId":{},"lsn":{},"xmin":null"#, 1000 + n / 3, n * 50);
        let sequence = format!(r#""sequence":"[\"{}\",\"{}\"]""#, n * 50, n * 50 + 48);
        let origin = format!(
            r#""version":"3.6.1.Final","connector":"postgresql","name":"shop","snapshot":"false","db":"shop",{sequence},{times},{place}"#
        );
        let payload = format!(r#""before":{before},"after":{after},"source":{{{origin}}},"transaction":null,"op":"{op}",{times}"#);
        writeln!(text, r#"{{"schema":{schema},"payload":{{{payload}}}}}"#).expect("text grows");
    }
    text
}

/// The median of several rounds, each over the whole file.
fn measure(folder: &Path, file: &str, format: &str, what: &str, relation: &RelationSchema, columns: Projection) {
    let options = [("connector", "file"), ("follow", "false"), ("timestamp.unit", "millis")];
    let mut options: BTreeMap<String, String> = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    options.insert("path".into(), folder.join(file).to_string_lossy().into_owned());
    if format == "debezium" {
        options.remove("timestamp.unit");
    }
    let spec = SourceSpec::parse(file, &options, format, "json", relation.clone()).expect("a source");
    let mut costs: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let mut source = open(&spec, &Reading { columns: columns.clone(), threads: 1 }).expect("a source");
            source.resume(&Offsets::default(), None).expect("a start");
            let (mut records, before) = (0, cpu_nanos());
            loop {
                let batches = source.poll(BUDGET).expect("records");
                if batches.is_empty() {
                    break;
                }
                for batch in batches {
                    assert!(batch.dead.is_empty(), "{:?}", batch.dead[0]);
                    records += batch.records;
                }
            }
            (cpu_nanos() - before) as f64 / 1000.0 / records as f64
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    println!("{file:8} {what:12} {:.3} CPU s per million ({:.3} to {:.3})", costs[ROUNDS / 2], costs[0], costs[ROUNDS - 1]);
}

/// What the thread has worked.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells what a thread has worked");
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds")
}
