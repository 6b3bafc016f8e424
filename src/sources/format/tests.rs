//! Records as connectors ship them, decoded and applied.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Decoder, Record};
use crate::sources::testing::{lines, parse, schema, texts};
use crate::types::RelationSchema;
use crate::zset::{ChangeBatch, ChangeOp};

const ORDERS: &str = "id int4, customer text, amount numeric(12.2), placed timestamp, placed_tz timestamptz, attrs jsonb, note text";
const TYPES: &str = "id int4, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, n38 numeric(38.10), n0 numeric(5.0), \
     d date, t time, t0 time, ttz time, ts0 timestamp, ts3 timestamp, ts6 timestamp, tstz timestamptz, iv interval, u uuid, \
     c text, vc varchar(10), j json, jb jsonb, ai int4[], at text[], an numeric(6.2)[], m text, ip text, r text, p jsonb, x text, \
     mon numeric(19.2), def int4";

/// A recorded message, with the headers that tie the halves of a key change.
struct Message {
    key: Option<String>,
    value: Option<String>,
    old_key: Option<String>,
    new_key: Option<String>,
}

impl Message {
    fn record(&self) -> Record<'_> {
        let bytes = |text: &'_ Option<String>| text.as_ref().map(|t| t.clone().into_bytes().leak() as &[u8]);
        Record { key: bytes(&self.key), value: bytes(&self.value), old_key: bytes(&self.old_key), new_key: bytes(&self.new_key) }
    }
}

fn path(name: &str) -> String {
    format!("{}/tests/data/debezium/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The messages of a file. Every recording of `orders` had the same headers, which only one of the files has beside it.
fn messages(name: &str) -> Vec<Message> {
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let headers: Vec<String> = read("orders-headers.txt").lines().map(str::to_string).collect();
    let header = |at: usize, header: &str| {
        let line = headers.get(at).filter(|_| name.starts_with("orders"))?;
        let start = line.find(header)? + header.len() + 1;
        let end = line[start..].find('}')?;
        Some(line[start..start + end + 1].to_string())
    };
    let present = |text: &str| (text != "null").then(|| text.to_string());
    let text = read(name);
    let lines = text.lines().enumerate().map(|(at, line)| {
        let (key, value) = line.split_once('\t').unwrap();
        let (old_key, new_key) = (header(at, Record::OLD_KEY), header(at, Record::NEW_KEY));
        Message { key: present(key), value: present(value), old_key, new_key }
    });
    lines.collect()
}

fn decoder(schema: RelationSchema, options: &[(&str, &str)]) -> Decoder {
    let mut with = vec![("connector", "kafka"), ("topic", "t"), ("properties.bootstrap.server", "x:1")];
    with.extend(options);
    let spec = parse(&with, "debezium", schema).unwrap();
    crate::sources::validate(&spec).unwrap();
    Decoder::new(&spec).unwrap()
}

/// The changes of the messages, and the reasons of the dead ones.
fn decode(decoder: &mut Decoder, messages: &[Message]) -> (ChangeBatch, Vec<String>) {
    let mut builder = decoder.builder().unwrap();
    let dead = messages.iter().filter_map(|m| decoder.decode(&m.record(), &mut builder).err()).collect();
    (builder.finish().unwrap(), dead)
}

/// The table that the changes make, applied one by one as the simplest reader would.
fn table(changes: &ChangeBatch, key: &[usize]) -> Vec<String> {
    let rows = texts(&changes.rows);
    let moved_keys = changes.moved_keys.as_ref().map(texts).unwrap_or_default();
    let mut table: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    let mut departed: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (at, (op, row)) in changes.ops.iter().zip(rows).enumerate() {
        let row_key: Vec<String> = key.iter().map(|k| row[*k].clone()).collect();
        let moved = changes.moved.iter().position(|m| *m as usize == at).map(|m| moved_keys[m].clone());
        match op {
            ChangeOp::Truncate => table.clear(),
            ChangeOp::Delete => {
                let old = table.remove(&row_key);
                if let (Some(_), Some(old)) = (moved, old) {
                    departed.insert(row_key, old);
                }
            }
            ChangeOp::Insert | ChangeOp::Upsert => {
                let before = moved.and_then(|old| departed.remove(&old)).or_else(|| table.get(&row_key).cloned());
                let merged = row.into_iter().enumerate().map(|(column, value)| {
                    let is_unchanged = changes.unchanged[column].as_ref().is_some_and(|bits| bits.value(at));
                    if is_unchanged { before.as_ref().expect("a row before")[column].clone() } else { value }
                });
                let merged = merged.collect();
                table.insert(row_key, merged);
            }
        }
    }
    table.into_values().map(|row| row.join(" | ")).collect()
}

/// What PostgreSQL held when everything but the truncate had happened.
const ORDERS_AT_THE_END: &[&str] = &[
    r#"30 | çelik "q" \ ✓ 😀 | 9999999999.99 | 2026-03-29T02:30:00 | 2026-03-29T01:30:00Z | {"n": 12345678901234567890.1} | NULL"#,
    r#"31 | ann | 11.50 | 2026-01-02T03:04:05.678901 | 2026-01-02T01:04:05.678901Z | {"a": [1, 2.50, null], "b": {"c": "x\ty"}} | moved"#,
    "4 | cem | 2.00 | NULL | NULL | NULL | NULL",
    "8 | kept | 5.00 | NULL | NULL | NULL | NULL",
    "9 | after drop | NULL | NULL | NULL | NULL | NULL",
    "999 | end | NULL | NULL | NULL | NULL | NULL",
];

#[test]
fn a_table_comes_back_with_default_settings() {
    let (changes, dead) = decode(&mut decoder(schema(ORDERS, &["id"]), &[]), &messages("orders.jsonl"));
    assert_eq!(dead, [""; 0]);
    assert_eq!(table(&changes, &[0]), ORDERS_AT_THE_END);
}

#[test]
fn and_without_the_schema() {
    let (changes, dead) = decode(&mut decoder(schema(ORDERS, &["id"]), &[]), &messages("orders-noschema.jsonl"));
    assert_eq!(dead, [""; 0]);
    assert_eq!(table(&changes, &[0]), ORDERS_AT_THE_END);
}

#[test]
fn and_with_decimals_as_text_and_times_in_milliseconds() {
    let (changes, dead) = decode(&mut decoder(schema(ORDERS, &["id"]), &[]), &messages("orders-strings.jsonl"));
    assert_eq!(dead, [""; 0]);
    // The connector itself has cut the timestamp.
    let cut: Vec<String> = ORDERS_AT_THE_END.iter().map(|row| row.replace("T03:04:05.678901 ", "T03:04:05.678 ")).collect();
    assert_eq!(table(&changes, &[0]), cut);
}

#[test]
fn a_truncate_empties_the_table() {
    let (changes, dead) = decode(&mut decoder(schema(ORDERS, &["id"]), &[]), &messages("orders-truncate.jsonl"));
    assert_eq!(dead, [""; 0]);
    assert_eq!(table(&changes, &[0]), ["999 | end | NULL | NULL | NULL | NULL | NULL"]);

    let mut several = decoder(schema(ORDERS, &["id"]), &[]);
    several.set_partitions(2);
    let (_, dead) = decode(&mut several, &messages("orders-truncate.jsonl"));
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert!(dead[0].contains("truncate"), "{dead:?}");
}

#[test]
fn flattened_records_say_so() {
    let (changes, dead) = decode(&mut decoder(schema(ORDERS, &["id"]), &[]), &messages("orders-unwrap.jsonl"));
    assert_eq!(changes.len(), 0);
    assert!(dead[0].contains("FORMAT PLAIN"), "{}", dead[0]);
}

#[test]
fn a_toasted_value_stays_and_moves_with_its_key() {
    for file in ["orders.jsonl", "orders-noschema.jsonl"] {
        let messages = messages(file);
        let note = |count: usize, id: &str| {
            let (changes, _) = decode(&mut decoder(schema(ORDERS, &["id"]), &[]), &messages[..count]);
            let rows = table(&changes, &[0]);
            let row = rows.iter().find(|row| row.starts_with(&format!("{id} | "))).unwrap_or_else(|| panic!("{id} in {rows:?}"));
            row.rsplit(" | ").next().unwrap().to_string()
        };
        // Record 4 updates the amount of 1 alone, record 5 the note, record 21 is 31, which was 1.
        assert!(note(5, "1").starts_with("c4ca4238a0b923820dcc509a6f75849b"));
        assert_eq!(note(6, "1"), "z".repeat(3000));
        assert_eq!(note(22, "31"), "z".repeat(3000));
    }
}

#[test]
fn a_key_change_names_both_keys() {
    let (changes, _) = decode(&mut decoder(schema(ORDERS, &["id"]), &[]), &messages("orders.jsonl"));
    let keys = texts(changes.moved_keys.as_ref().unwrap()).concat();
    let moves: Vec<String> = changes
        .moved
        .iter()
        .zip(&keys)
        .map(|(at, other)| {
            let at = *at as usize;
            format!("{:?} {} {other}", changes.ops[at], texts(&changes.rows)[at][0])
        })
        .collect();
    assert_eq!(moves, ["Delete 3 30", "Upsert 30 3", "Delete 1 31", "Upsert 31 1"]);
}

#[test]
fn a_key_of_two_columns_with_full_replica_identity() {
    let lines_schema = || schema("order_id int4, line int2, sku varchar(10), qty int4", &["order_id", "line"]);
    let (changes, dead) = decode(&mut decoder(lines_schema(), &[]), &messages("lines-full.jsonl"));
    assert_eq!(dead, [""; 0]);
    assert_eq!(table(&changes, &[0, 1]), ["1 | 1 | sku-1 | 4", "3 | 1 | sku-3 | 1", "999 | 1 | end | 0"]);
    // A key in another order than the columns.
    let mut reversed = lines_schema();
    reversed.primary_key.reverse();
    let (changes, dead) = decode(&mut decoder(reversed, &[]), &messages("lines-full.jsonl"));
    assert_eq!(dead, [""; 0]);
    assert_eq!(table(&changes, &[1, 0]).len(), 3);
}

#[test]
fn a_column_that_vanished_is_dead_not_null() {
    let with_raw = "id int4, raw bytea";
    for file in ["orders.jsonl", "orders-noschema.jsonl"] {
        let (changes, dead) = decode(&mut decoder(schema(with_raw, &["id"]), &[]), &messages(file));
        assert_eq!(dead, ["column \"raw\" (bytea) is no longer in the record"; 2], "the inserts of 9 and 999 in {file}");
        assert_eq!(table(&changes, &[0])[1], "31 | 00ff10");
        let (_, dead) = decode(&mut decoder(schema("id int4, extra int4", &["id"]), &[]), &messages(file));
        assert!(dead.iter().all(|reason| reason.contains("\"extra\"")), "{dead:?}");
        assert!(!dead.is_empty());
    }
}

#[test]
fn every_type_with_default_settings() {
    let (changes, dead) = decode(&mut decoder(schema(TYPES, &["id"]), &[]), &messages("types.jsonl"));
    assert_eq!(dead.len(), 2, "{dead:?}");
    for reason in &dead {
        assert!(reason.contains("column \"d\" (date)") && reason.contains("infinity"), "{reason}");
    }
    let rows = table(&changes, &[0]);
    let all_null = |id: &str| format!("{id} |{} 7", " NULL |".repeat(31));
    let full = "true | -32768 | 9223372036854775807 | 1.1 | 0.1 | 1234567890.1234567890 | 1.5000000000 | 12345 | 2026-02-28 | \
         23:59:59.999999 | 12:00:00 | 10:30:00 | 2026-02-28T12:34:56 | 2026-02-28T12:34:56.789 | 2026-02-28T12:34:56.789012 | \
         2026-02-28T07:04:56.789012Z | 10303 hours 5 mins 6.789000000 secs | 6b29fc40-ca47-1067-b31d-00dd010662da | ab    | xyz | \
         {\"a\":  1, \"a\": 2} | {\"a\": 2} | [1, NULL, 3] | [a, b c, NULL] | [1.50, -2.25] | ok | 192.168.0.1/24 | [1,5) | \
         {\"x\":1.5,\"y\":-2.0,\"wkb\":\"AQEAAAAAAAAAAAD4PwAAAAAAAADA\",\"srid\":null} | <a/> | 12.34 | 7";
    let edges = "NULL | NULL | -9223372036854775808 | NaN | -inf | 0.0000000000 | -9999999999999999999999999999.9999999999 | NULL | \
         0001-01-01 | 00:00:00 | NULL | NULL | 0001-01-01T00:00:00 | 9999-12-31T23:59:59.999 | 1582-10-15T00:00:00.000001 | \
         9999-12-31T23:59:59.999999Z | -24 hours -1.000000000 secs | NULL | NULL | NULL | NULL | NULL | [] | [] | NULL | NULL | \
         NULL | NULL | NULL | NULL | NULL | 7";
    let mut expected = vec![
        format!("-1 | {full}"),
        format!("1 | {full}"),
        format!("-3 | {edges}"),
        format!("3 | {edges}"),
        all_null("2"),
        // NaN comes as null: nothing in the message tells it from one.
        all_null("-5"),
        all_null("5"),
        all_null("999"),
    ];
    expected.sort_by_key(|row| row.split(' ').next().unwrap().to_string());
    assert_eq!(rows, expected);

    let units = [("time.unit.ts0", "millis"), ("time.unit.ts3", "millis"), ("time.unit.t0", "millis")];
    let (changes, dead) = decode(&mut decoder(schema(TYPES, &["id"]), &units), &messages("types-noschema.jsonl"));
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert_eq!(table(&changes, &[0]), expected, "the units given, the same without the schema");

    let (changes, dead) = decode(&mut decoder(schema(TYPES, &["id"]), &[]), &messages("types-strings.jsonl"));
    assert_eq!(dead.len(), 4, "{dead:?}");
    assert_eq!(dead.iter().filter(|reason| reason.contains("neither NaN nor infinity")).count(), 2, "{dead:?}");
    let cut = |row: &String| {
        row.replace("789012 |", "789 |")
            .replace("59.999999 | 12", "59.999 | 12")
            .replace("1582-10-15T00:00:00.000001", "1582-10-15T00:00:00")
    };
    let without_nan: Vec<String> = expected.iter().filter(|r| !r.starts_with("5 ") && !r.starts_with("-5 ")).map(cut).collect();
    assert_eq!(table(&changes, &[0]), without_nan, "the connector cut to milliseconds, and floe nothing");
}

#[test]
fn bits_need_the_schema() {
    let (changes, _) = decode(&mut decoder(schema("id int4, bits text", &["id"]), &[]), &messages("types.jsonl"));
    assert_eq!(table(&changes, &[0])[0], "-1 | 101");
}

#[test]
fn a_missing_null_or_foreign_part_is_dead() {
    let mut decoder = decoder(schema("id int4, name text", &["id"]), &[]);
    for (value, expected) in [
        ("", "not valid JSON"),
        ("[]", "not valid JSON"),
        ("{", "not valid JSON"),
        ("{}", "no \"op\""),
        (r#"{"before":null,"after":null,"op":"c"}"#, "without \"after\""),
        (r#"{"before":null,"after":7,"op":"u"}"#, "without \"after\""),
        (r#"{"before":null,"after":null,"op":"d"}"#, "a delete without \"before\""),
        (r#"{"before":{"id":null},"after":null,"op":"d"}"#, "a delete without \"before\""),
        (r#"{"after":{"id":1,"name":"a"},"op":"x"}"#, "unknown \"op\""),
        (r#"{"after":{"id":1,"name":"a"},"op":1}"#, "unknown \"op\""),
        (r#"{"after":{"id":null,"name":"a"},"op":"c"}"#, "part of the key"),
        (r#"{"after":{"id":1},"op":"c"}"#, "\"name\" (text) is no longer"),
        (r#"{"after":{"id":1.5,"name":"a"},"op":"c"}"#, "column \"id\" (integer): not a whole number: 1.5"),
        (r#"{"after":{"id":"__debezium_unavailable_value","name":"a"},"op":"c"}"#, "placeholder"),
        (r#"{"after":{"id":1,"name":"a"},"op":"c"} x"#, "text after the value"),
        (r#"{"schema":{"fields":5},"payload":{"after":{"id":1,"name":"a"},"op":"c"}}"#, "no longer in the record"),
        (
            r#"{"schema":{"type":"struct","fields":[{"field":"id","type":"int32"},{"field":"name","type":"int32","name":"acme.Name"}]},"payload":{"after":{"id":1,"name":5},"op":"c"}}"#,
            "acme.Name",
        ),
    ] {
        let mut builder = decoder.builder().unwrap();
        let reason = decoder.decode(&Record::of_value(value.as_bytes()), &mut builder).expect_err(value);
        assert!(reason.contains(expected), "{value}: {reason}");
        assert!(builder.is_empty());
    }
    let mut builder = decoder.builder().unwrap();
    for quiet in ["null", r#"{"op":"m"}"#] {
        assert_eq!(decoder.decode(&Record::of_value(quiet.as_bytes()), &mut builder), Ok(()));
    }
    assert_eq!(decoder.decode(&Record { key: Some(b"{\"id\":1}"), ..Record::default() }, &mut builder), Ok(()), "a tombstone");
    assert!(builder.is_empty());
}

#[test]
fn a_delete_falls_back_on_the_records_key() {
    let mut decoder = decoder(schema("id int4, name text", &["id"]), &[]);
    let mut builder = decoder.builder().unwrap();
    let value = br#"{"before":null,"after":null,"op":"d"}"#;
    let schema = r#"{"type":"struct","fields":[{"type":"int32","field":"id"}]}"#;
    let with_schema = format!(r#"{{"schema":{schema},"payload":{{"id":8}}}}"#);
    for key in [r#"{"id":7}"#, &with_schema] {
        let record = Record { key: Some(key.as_bytes()), value: Some(value), ..Record::default() };
        assert_eq!(decoder.decode(&record, &mut builder), Ok(()));
    }
    assert_eq!(lines(&builder.finish().unwrap()), ["Delete 7 NULL", "Delete 8 NULL"]);
}

#[test]
fn plain_records() {
    let spec = parse(&[("connector", "file"), ("path", "x")], "plain", schema("id int4, name text, at timestamp", &[])).unwrap();
    let mut decoder = Decoder::new(&spec).unwrap();
    let mut builder = decoder.builder().unwrap();
    let mut dead = Vec::new();
    for value in [
        r#"{"id":1,"name":"a","at":"2026-01-01T00:00:00Z","more":{"x":[1]}}"#,
        r#"{"ID":"2","NAME":{"a": 1}}"#,
        r#"{"id":1,"name":"half","at":1767225600}"#,
        "{}",
        r#"{"id":2147483648}"#,
        "5",
    ] {
        dead.extend(decoder.decode(&Record::of_value(value.as_bytes()), &mut builder).err());
    }
    assert_eq!(lines(&builder.finish().unwrap()), ["Insert 1 a 2026-01-01T00:00:00", "Insert 2 {\"a\": 1} NULL", "Insert NULL NULL NULL"]);
    assert_eq!(
        dead,
        [
            "column \"at\" (timestamp without time zone): a number, whose unit is not known, where a timestamp is expected: 1767225600",
            "column \"id\" (integer): out of range: 2147483648",
            "not valid JSON: an object was expected at byte 0",
        ]
    );
}

#[test]
fn plain_numbers_are_times_when_their_unit_is_known() {
    let options = [("connector", "file"), ("path", "x"), ("timestamp.unit", "millis")];
    let spec = parse(&options, "plain", schema("at timestamp, n int4", &[])).unwrap();
    let mut decoder = Decoder::new(&spec).unwrap();
    let mut builder = decoder.builder().unwrap();
    for value in [r#"{"at":1767225600001,"n":5}"#, r#"{"at":"2026-01-01","n":-1}"#] {
        decoder.decode(&Record::of_value(value.as_bytes()), &mut builder).unwrap();
    }
    assert_eq!(
        lines(&builder.finish().unwrap()),
        ["Upsert", "Upsert"]
            .iter()
            .map(|_| "")
            .collect::<Vec<_>>()
            .len()
            .to_string()
            .lines()
            .map(|_| "")
            .collect::<Vec<_>>()
            .iter()
            .map(|_| String::new())
            .collect::<Vec<_>>()
            .into_iter()
            .chain(["Insert 2026-01-01T00:00:00.001 5".into(), "Insert 2026-01-01T00:00:00 -1".into()])
            .skip(1)
            .collect::<Vec<String>>()
    );
}

#[test]
fn plain_records_with_a_key_replace_and_tombstones_delete() {
    let spec = parse(&[("connector", "file"), ("path", "x")], "plain", schema("id text, n int4", &["id"])).unwrap();
    let mut decoder = Decoder::new(&spec).unwrap();
    let mut builder = decoder.builder().unwrap();
    decoder.decode(&Record::of_value(br#"{"id":"a","n":1}"#), &mut builder).unwrap();
    for key in ["{\"id\":\"a\"}", "{\"schema\":null,\"payload\":{\"id\":\"b\"}}", "\"c\"", "user-4", "{\"other\":1}", "{", "null"] {
        let record = Record { key: Some(key.as_bytes()), ..Record::default() };
        assert_eq!(decoder.decode(&record, &mut builder), Ok(()), "{key}");
    }
    assert_eq!(lines(&builder.finish().unwrap()), ["Upsert a 1", "Delete a NULL", "Delete b NULL", "Delete c NULL", "Delete user-4 NULL"]);
    assert!(decoder.decode(&Record::of_value(br#"{"n":1}"#), &mut builder).unwrap_err().contains("part of the key"));
}

/// Random damage, the same in every run: no panic, and what does not decode leaves nothing behind.
#[test]
fn damaged_records_decode_or_are_dead() {
    let mut rng = ChaCha8Rng::seed_from_u64(20_260_101);
    let (mut alive, mut dead) = (0, 0);
    for (file, columns, key) in [
        ("orders.jsonl", ORDERS, &["id"][..]),
        ("orders-noschema.jsonl", ORDERS, &["id"]),
        ("types.jsonl", TYPES, &["id"]),
        ("types-noschema.jsonl", TYPES, &["id"]),
        ("lines-full.jsonl", "order_id int4, line int2, sku text, qty int4", &["order_id", "line"]),
    ] {
        let mut decoder = decoder(schema(columns, key), &[]);
        for message in messages(file) {
            let record = message.record();
            for round in 0..40 {
                let mut value = record.value.unwrap_or_default().to_vec();
                let mut header = record.old_key.map(<[u8]>::to_vec);
                match round % 4 {
                    0 => value.truncate(rng.random_range(0..=value.len())),
                    1 if !value.is_empty() => {
                        let at = rng.random_range(0..value.len());
                        let end = rng.random_range(at..=value.len().min(at + 20));
                        value.drain(at..end);
                    }
                    2 => {
                        if let Some(header) = header.as_mut() {
                            let at = rng.random_range(0..header.len());
                            header[at] = rng.random();
                        }
                    }
                    _ => {
                        for _ in 0..rng.random_range(1..4) {
                            if !value.is_empty() {
                                // Most of a message is its schema: half of the flips go to the payload.
                                let from = if rng.random() { value.len() * 4 / 5 } else { 0 };
                                let at = rng.random_range(from..value.len());
                                value[at] ^= 1 << rng.random_range(0..8u8);
                            }
                        }
                    }
                }
                let mut builder = decoder.builder().unwrap();
                let damaged = Record { value: Some(&value), old_key: header.as_deref(), ..record };
                let decoded = decoder.decode(&damaged, &mut builder);
                let batch = builder.finish().unwrap();
                match decoded {
                    Ok(()) => alive += 1,
                    Err(reason) => {
                        dead += 1;
                        assert!(!reason.is_empty());
                        assert!(batch.is_empty() && batch.unchanged.iter().all(Option::is_none) && batch.moved.is_empty());
                    }
                }
            }
        }
    }
    assert!(alive > 500 && dead > 500, "{alive} alive, {dead} dead");
}
