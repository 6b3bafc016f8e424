//! The guided way against the general one: the same rows and the same reasons, on good records and on bent ones.

use arrow::array::Array;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::sources::format::json::Scanner;
use crate::sources::format::{Decoder, Record};
use crate::sources::testing::{parse, schema, texts};
use crate::types::{Projection, RelationSchema, SqlType};
use crate::zset::ChangeBatch;

const COLUMNS: &str = "id int8, small int2, n int4, name text, code varchar(3), amount numeric(8.2), at timestamp, at_tz timestamptz, \
     ok bool, f float8, j jsonb, tags text[], s struct<a:int8;b:text;t:timestamp;c:numeric(8.2)>";

fn decoder(format: &str, relation: RelationSchema) -> Decoder {
    let with = [("connector", "kafka"), ("topic", "t"), ("properties.bootstrap.server", "x:1")];
    Decoder::new(&parse(&with, format, relation).unwrap()).unwrap()
}

/// A decoder of the parts that are read.
fn reading(format: &str, relation: RelationSchema, read: &Projection) -> Decoder {
    let with = [("connector", "kafka"), ("topic", "t"), ("properties.bootstrap.server", "x:1")];
    Decoder::reading(&parse(&with, format, relation).unwrap(), read).unwrap()
}

/// Some of the columns, and of structs some of the fields.
fn some_of(relation: &RelationSchema, random: &mut ChaCha8Rng) -> Projection {
    let mut read = Projection::nothing(relation.columns.len());
    for (at, column) in relation.columns.iter().enumerate() {
        match &column.sql_type {
            SqlType::Struct(fields) if random.random_bool(0.7) => {
                (0..fields.len()).filter(|_| random.random_bool(0.4)).for_each(|field| read.add_field(at, field));
            }
            _ if random.random_bool(0.4) => read.add(at),
            _ => {}
        }
    }
    read
}

/// All rows of a batch, in some order.
fn rows_of(batch: &ChangeBatch, read: &Projection) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for part in std::iter::once(&batch.rows).chain(&batch.apart) {
        let schema = read.schema(&part.schema());
        assert_eq!(schema, read.schema(&batch.rows.schema()));
        rows.extend(texts(&read.apply(part, &schema).unwrap()));
    }
    rows.sort();
    rows
}

/// Both ways through the same records, in batches; what each record came to must agree. Also where they are lines of one
/// text, and, for rows that are not kept, where only parts of them are read: the same records are refused, with the same words.
fn agree(format: &str, relation: RelationSchema, records: &[Vec<u8>], random: &mut ChaCha8Rng) -> usize {
    let keyed = !relation.primary_key.is_empty();
    let (mut guided, mut general) = (decoder(format, relation.clone()), decoder(format, relation.clone()).blind());
    let everything = Projection::everything(relation.columns.len());
    let read = if keyed { everything.clone() } else { some_of(&relation, random) };
    let (mut parts, mut general_parts) = (reading(format, relation.clone(), &read), reading(format, relation, &read).blind());
    let mut rows = 0;
    let shown = |record: &[u8]| String::from_utf8_lossy(record).into_owned();
    for batch in records.chunks(50) {
        let decoders = [&mut guided, &mut general, &mut parts, &mut general_parts];
        let block = batch.iter().flat_map(|text| [text.as_slice(), b"\n"].concat()).collect::<Vec<u8>>();
        let [(one, refused), others @ ..] = decoders.map(|decoder| {
            let (mut builder, mut from, mut refused) = (decoder.builder().unwrap(), 0, Vec::new());
            for (at, text) in batch.iter().enumerate() {
                let record = Record::of_value(text);
                let followed = if at % 3 == 1 { decoder.follow_line(&block, from, &mut builder) } else { None };
                match followed {
                    Some(end) => {
                        assert_eq!(end, from + text.len(), "{}", shown(text));
                        refused.push(None);
                    }
                    None => refused.push(decoder.decode(&record, &mut builder).err()),
                }
                from += text.len() + 1;
            }
            (builder.finish().unwrap(), refused)
        });
        for (at, (other, also_refused)) in others.into_iter().enumerate() {
            for (text, (one, other)) in batch.iter().zip(refused.iter().zip(&also_refused)) {
                assert_eq!(one, other, "{} in way {at}", shown(text));
            }
            let read = if at == 0 { &everything } else { &read };
            let records: Vec<String> = batch.iter().map(|record| shown(record)).collect();
            assert_eq!(rows_of(&other, read), rows_of(&one, read), "{records:#?}");
            if keyed {
                assert!(one.apart.is_empty() && other.apart.is_empty(), "the order of changes matters");
                assert_eq!((&other.rows, &other.ops, &other.unchanged), (&one.rows, &one.ops, &one.unchanged), "{records:#?}");
            }
        }
        rows += one.len();
    }
    rows
}

/// A record's text with one to three bytes changed, left out, put in or doubled.
fn bend(text: &str, random: &mut ChaCha8Rng) -> Vec<u8> {
    const BYTES: &[u8] = b"{}[],:\"\\ 0123456789-+.eEnulltruefalse\t\x01aZT\xc3\xa7\xff";
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..random.random_range(1..=3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        let byte = *BYTES.choose(random).unwrap();
        match random.random_range(0..5) {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at.max(1)),
            _ => {
                let end = (at + random.random_range(1..12)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

fn value(form: usize, random: &mut ChaCha8Rng) -> String {
    let any = |options: &[&str], random: &mut ChaCha8Rng| options.choose(random).unwrap().to_string();
    if random.random_bool(0.06) {
        let odd = [
            "null",
            "0",
            "-0",
            "01",
            "1.0",
            "1e2",
            "\"7\"",
            "\"\"",
            "{}",
            "[1]",
            "true",
            "99999999999999999999",
            "\"\\u0041\"",
            "\"abcdef\"",
            "1000000",
            "\"2026-02-30 00:00:00\"",
            "1767323045",
        ];
        return any(&odd, random);
    }
    match form {
        0..=2 => random.random_range(-30_000i64..30_000).to_string(),
        3 => any(&["\"plain text of some length\"", "\"çelik ✓\"", "\"\"", "\"a\\\"b\"", "\"tab\\t\""], random),
        4 => any(&["\"abc\"", "\"ççç\"", "\"\""], random),
        5 => any(&["12.50", "-0.01", "7", "999999.99", "1.005", "1.2e1", "\"3.10\""], random),
        6 | 7 => any(&["\"2026-01-02 03:04:05\"", "\"2026-01-02T03:04:05.678\"", "\"2026-01-02T03:04:05Z\"", "\"2026-01-02\""], random),
        8 => any(&["true", "false", "1"], random),
        9 => any(&["1.5", "-0.0", "1e300", "3"], random),
        10 => any(&["{\"a\": [1, {\"b\": null}]}", "[]", "\"x\""], random),
        11 => any(&["[\"a\",\"b\"]", "[]", "[\"\"]"], random),
        _ => any(
            &[
                r#"{"a":1,"b":"x","t":"2026-01-02 03:04:05"}"#,
                r#"{"a":7,"b":"yz","t":"2026-01-03 03:04:05"}"#,
                r#"{"b":"q","other":[1],"A":3}"#,
                r#"{"a":null,"b":"e\"","c":1.5}"#,
                "null",
                "{}",
            ],
            random,
        ),
    }
}

#[test]
fn plain_records_of_several_shapes() {
    for seed in 0..40 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let names: Vec<String> = COLUMNS.split(", ").map(|c| c.trim().split(' ').next().unwrap().to_string()).collect();
        let shapes: Vec<Vec<usize>> = (0..3).map(|_| (0..names.len()).filter(|_| random.random_bool(0.8)).collect()).collect();
        let blank = ["", " ", "  "][random.random_range(0..3)];
        let (mut records, mut same) = (Vec::new(), Vec::new());
        for number in 0..400 {
            // Some columns have one value for a while.
            if number % 80 == 0 {
                same = (0..names.len()).map(|column| random.random_bool(0.3).then(|| value(column, &mut random))).collect();
            }
            let shape = shapes.choose(&mut random).unwrap().clone();
            let mut member = |column: usize| {
                let value = same[column].clone().unwrap_or_else(|| value(column, &mut random));
                format!("\"{}\":{blank}{value}", names[column])
            };
            let mut members: Vec<String> = shape.iter().map(|column| member(*column)).collect();
            if random.random_bool(0.5) {
                members.push("\"other\": {\"x\": [1, \"}\"]}".to_string());
            }
            if random.random_bool(0.05) {
                members.reverse();
            }
            let text = format!("{{{}}}{}", members.join(&format!(",{blank}")), if random.random_bool(0.1) { " " } else { "" });
            records.push(if random.random_bool(0.3) { bend(&text, &mut random) } else { text.into_bytes() });
        }
        let key: &[&str] = if seed % 2 == 0 { &["id"] } else { &[] };
        assert!(agree("plain", schema(COLUMNS, key), &records, &mut random) > 20, "seed {seed}");
    }
}

#[test]
fn debezium_records_as_recorded_and_bent() {
    const ORDERS: &str = "id int4, customer text, amount numeric(12.2), placed timestamp, placed_tz timestamptz, attrs jsonb, note text";
    for file in ["orders.jsonl", "orders-noschema.jsonl", "orders-strings.jsonl"] {
        let path = format!("{}/tests/data/debezium/{file}", env!("CARGO_MANIFEST_DIR"));
        let recorded = std::fs::read_to_string(path).unwrap();
        let values: Vec<&str> =
            recorded.lines().filter_map(|line| line.split_once('\t')).map(|(_, value)| value).filter(|v| *v != "null").collect();
        for seed in 0..20 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let records: Vec<Vec<u8>> = (0..300)
                .map(|_| {
                    let text = *values.choose(&mut random).unwrap();
                    if random.random_bool(0.4) { bend(text, &mut random) } else { text.as_bytes().to_vec() }
                })
                .collect();
            assert!(agree("debezium", schema(ORDERS, &["id"]), &records, &mut random) > 20, "{file}, seed {seed}");
        }
    }
}

/// What the guide is for: after a record of a form and one that shows what changes in it, all others of it follow.
#[test]
fn records_of_known_forms_are_followed() {
    let mut guide = super::Guide::new(usize::MAX, Projection::everything(2), Vec::new());
    let fields = crate::sources::format::fields::Fields::new(&schema("id int8, name text", &[]));
    let relation = decoder("plain", schema("id int8, name text", &[]));
    let mut builder = relation.builder().unwrap();
    let mut surprises = Vec::new();
    for i in 0..100 {
        // The first eight of one form have one name, of which a path need not say more than once what it is.
        let name = if i < 24 { "same".to_string() } else { format!("n{i}") };
        let text = if i % 3 == 0 { format!("{{\"id\":{i},\"name\":\"{name}\"}}") } else { format!("{{\"id\": {i}, \"x\": [{i}]}}") };
        if guide.follow((text.as_bytes(), 0, super::End::At(text.len())), &mut builder, |_, _, _, _| false).is_some() {
            continue;
        }
        surprises.push(i);
        let leaves = fields.leaves(&mut Scanner::new(&text), |at| super::Reading::Column {
            place: at.into(),
            nullable: true,
            form: if at == 0 { super::Form::Integer { least: 0, most: 100, unit: 1 } } else { super::Form::Text { most: 10 } },
        });
        guide.learn(&text, &leaves.unwrap(), crate::zset::ChangeOp::Insert, None, 2);
    }
    assert_eq!(surprises, [0, 1, 2, 3, 24]);
    let rows = builder.finish().unwrap().rows;
    let texts = texts(&rows);
    assert_eq!(texts.len(), 95);
    assert_eq!(texts.iter().filter(|row| row[1] == "same").count(), 6, "{texts:?}");
}

/// Events of several kinds, each in a struct of its own: the rows of a kind come together, with null for what others have.
#[test]
fn rows_of_a_kind_come_together() {
    let relation = |key: &[&str]| schema("kind int4, a struct<x:int8;y:text>, b struct<z:int8>", key);
    let event = |i: i64| match i % 5 {
        0 => format!(r#"{{"kind":0,"a":{{"x":{i},"y":"a{i}"}}}}"#),
        1 => format!(r#"{{"kind":0,"a":{{"x":{i},"y":"a{i}"}},"b":null}}"#),
        2 => format!(r#"{{"kind":2,"a":{{"x":{i}}},"b":{{"z":{i}}}}}"#),
        3 => r#"{"kind":3}"#.to_string(),
        _ => format!(r#"{{"kind":1,"b":{{"z":{i}}}}}"#),
    };
    let decoded = |mut decoder: Decoder| {
        let mut builder = decoder.builder().unwrap();
        (0..100).for_each(|i| decoder.decode(&Record::of_value(event(i).as_bytes()), &mut builder).unwrap());
        builder.finish().unwrap()
    };
    let whole = Projection::everything(3);
    let (apart, together) = (decoded(decoder("plain", relation(&[]))), decoded(decoder("plain", relation(&[])).blind()));
    assert_eq!(rows_of(&apart, &whole), rows_of(&together, &whole));
    assert_eq!((together.len(), together.apart.len()), (100, 0));
    // The first two of each form were read the general way, one of the form in which nothing changes; those that have both
    // structs lack none.
    assert_eq!(apart.rows.num_rows(), 9 + 18);
    let mut nulls: Vec<_> = apart.apart.iter().map(|rows| [1, 2].map(|column| rows.column(column).null_count())).collect();
    nulls.sort();
    assert_eq!(nulls, [[0, 36], [18, 0], [19, 19]]);
    // Where nobody reads a struct, it makes no kind.
    let mut read = Projection::nothing(3);
    read.add_field(2, 0);
    let some = decoded(reading("plain", relation(&[]), &read));
    assert_eq!(rows_of(&some, &read), rows_of(&together, &read));
    assert_eq!(some.apart.iter().map(|rows| rows.num_rows()).collect::<Vec<_>>(), [55]);
    // Changes of keyed rows stay in their order.
    assert_eq!(decoded(decoder("plain", relation(&["kind"]))).rows.num_rows(), 100);
}
