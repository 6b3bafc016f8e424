//! What a generator's rows depend on, and that a stretch comes again as it was.

use std::collections::BTreeMap;

use super::DatagenSource;
use crate::sources::datagen::{ShopOptions, write_shop_events};
use crate::sources::file::FileSource;
use crate::sources::side_by_side::Reading;
use crate::sources::source::Source;
use crate::sources::testing::{budget, drain, flat, parse, schema, texts};
use crate::types::Offsets;
use crate::zset::ChangeOp;

const COLUMNS: &str = "id int8, n int4, a numeric(12.2), f float8, t text, v varchar(3), at timestamp, d date, b bool, u uuid, xs int4[]";

fn source(format: &str, options: &[(&str, &str)]) -> DatagenSource {
    let mut with = vec![("connector", "datagen"), ("rows.per.second", "1e9"), ("number.of.rows", "2000")];
    with.extend(options);
    let key: &[&str] = if format == "debezium" { &["id"] } else { &[] };
    let spec = parse(&with, format, schema(COLUMNS, key)).unwrap();
    crate::sources::validate(&spec).unwrap();
    DatagenSource::new(&spec, &Reading::everything(&spec)).unwrap()
}

fn offset(row: i64) -> Offsets {
    Offsets(BTreeMap::from([("0".to_string(), row)]))
}

/// All rows; the clock decides how they are cut, nothing else.
fn all(source: &mut DatagenSource) -> Vec<String> {
    source.resume(&offset(0), Some(&offset(2000))).unwrap();
    flat(&drain(source, budget(300, 1 << 20)))
}

#[test]
fn rows_follow_from_the_seed() {
    for format in ["plain", "debezium"] {
        let rows = all(&mut source(format, &[("seed", "7")]));
        assert_eq!(rows.len(), 2000);
        assert!(!rows.iter().any(|row| row.contains("dead")), "{:?}", rows.iter().find(|row| row.contains("dead")));
        assert_eq!(rows, all(&mut source(format, &[("datagen.seed", "7")])));
        assert_ne!(rows, all(&mut source(format, &[("seed", "8")])));
        let mut again = source(format, &[("seed", "7")]);
        again.resume(&offset(700), Some(&offset(1300))).unwrap();
        assert_eq!(flat(&drain(&mut again, budget(111, 1 << 20))), rows[700..1300]);
    }
}

#[test]
fn it_ends_with_its_last_row() {
    let mut source = source("plain", &[]);
    let start = source.start().unwrap();
    source.resume(&start, None).unwrap();
    let mut rows = 0;
    while !source.finished() {
        rows += source.poll(budget(300, 1 << 20)).unwrap().iter().map(|b| b.changes.len()).sum::<usize>();
    }
    assert_eq!(rows, 2000);
    assert_eq!(source.ends().unwrap(), offset(2000));
}

#[test]
fn fields_are_as_asked() {
    let mut source = source(
        "plain",
        &[
            ("fields.n.min", "5"),
            ("fields.n.max", "6"),
            ("fields.t.length", "2"),
            ("fields.id.kind", "sequence"),
            ("fields.id.start", "100"),
        ],
    );
    source.resume(&offset(0), Some(&offset(50))).unwrap();
    let batches = drain(&mut source, budget(300, 1 << 20));
    for (i, row) in texts(&batches[0].changes.rows).iter().enumerate() {
        assert_eq!(row[0], (100 + i).to_string());
        assert!(["5", "6"].contains(&row[1].as_str()) && row[4].len() == 2, "{row:?}");
    }
}

#[test]
fn changes_make_sense_of_each_key() {
    let mut source = source("debezium", &[("datagen.keys", "10")]);
    source.resume(&offset(0), Some(&offset(2000))).unwrap();
    let mut alive: BTreeMap<String, bool> = BTreeMap::new();
    let mut deletes = 0;
    for batch in drain(&mut source, budget(300, 1 << 20)) {
        for (op, row) in batch.changes.ops.iter().zip(texts(&batch.changes.rows)) {
            let was = alive.insert(row[0].clone(), *op == ChangeOp::Upsert);
            if *op == ChangeOp::Delete {
                deletes += 1;
                assert_eq!(was, Some(true), "only what is there goes");
            }
        }
    }
    assert_eq!(alive.len(), 10);
    assert!(deletes > 100, "{deletes}");
}

#[test]
fn options_are_checked() {
    for (name, value, expected) in [
        ("fields.x.min", "1", "unknown option \"fields.x.min\""),
        ("fields.n.mean", "1", "unknown option \"fields.n.mean\""),
        ("rows.per.second", "0", "invalid value"),
        ("number.of.rows", "-1", "invalid value"),
        ("datagen.keys", "0", "invalid value"),
        ("fields.n.max", "-5", "invalid value"),
        ("fields.n.kind", "magic", "invalid value"),
        ("speed", "1", "unknown option \"speed\" for connector \"datagen\""),
    ] {
        let options = [("connector", "datagen"), (name, value)];
        let spec = parse(&options, "plain", schema(COLUMNS, &[])).unwrap();
        let report = crate::sources::validate(&spec).expect_err(name).report();
        assert!(report.message.contains(expected), "{name}: {}", report.message);
    }
}

#[test]
fn the_shop_is_read_back_by_the_file_connector() {
    let directory = tempfile::tempdir().unwrap();
    let read = |name: &str, columns: &str| {
        let path = directory.path().join(name).to_string_lossy().into_owned();
        let options = [("connector", "file"), ("path", path.as_str()), ("follow", "false")];
        let spec = parse(&options, "debezium", schema(columns, &["id"])).unwrap();
        let mut source = FileSource::new(&spec, &Reading::everything(&spec)).unwrap();
        source.resume(&Offsets::default(), None).unwrap();
        drain(&mut source, budget(100_000, 1 << 20))
    };
    for with_schema in [true, false] {
        let options = ShopOptions { with_schema, ..ShopOptions::default() };
        let (mut orders, mut customers) = (Vec::new(), Vec::new());
        write_shop_events(&options, 2000, &mut orders, &mut customers).unwrap();
        std::fs::write(directory.path().join("orders"), &orders).unwrap();
        std::fs::write(directory.path().join("customers"), &customers).unwrap();
        let batches = read("orders", "id int8, customer_id int8, amount numeric(12.2), created_at timestamp");
        assert_eq!(batches.iter().map(|b| b.dead.len()).sum::<usize>(), 0, "{:?}", batches.iter().find_map(|b| b.dead.first()));
        let of = |op| batches.iter().flat_map(|b| &b.changes.ops).filter(|o| **o == op).count();
        assert!(of(ChangeOp::Upsert) > 1500 && of(ChangeOp::Delete) > 50);
        assert!(batches.iter().map(|b| b.changes.moved.len()).sum::<usize>() > 10);
        let customers = read("customers", "id int8, name text, tier text");
        assert_eq!(customers.iter().map(|b| b.dead.len()).sum::<usize>(), 0);
        assert!(texts(&customers[0].changes.rows)[0][1].starts_with("Ada "));

        let (mut again, mut nowhere) = (Vec::new(), Vec::new());
        write_shop_events(&options, 2000, &mut again, &mut nowhere).unwrap();
        assert_eq!(orders, again, "everything follows from the seed");
    }
}
