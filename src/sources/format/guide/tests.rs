//! The guided way against the general one: the same rows and the same reasons, on good records and on bent ones.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::sources::format::{Decoder, Record};
use crate::sources::testing::{parse, schema, texts};
use crate::types::{Projection, RelationSchema, SqlType};

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

/// Both ways through the same records, in batches; what each record came to must agree. Also where they are lines of one
/// text, and, for rows that are not kept, where only parts of them are read: the same records are refused, with the same words.
fn agree(format: &str, relation: RelationSchema, records: &[String], random: &mut ChaCha8Rng) -> usize {
    let (mut guided, mut general) = (decoder(format, relation.clone()), decoder(format, relation.clone()).blind());
    let read = if relation.primary_key.is_empty() { some_of(&relation, random) } else { Projection::everything(relation.columns.len()) };
    let (mut parts, mut general_parts) = (reading(format, relation.clone(), &read), reading(format, relation, &read).blind());
    let mut rows = 0;
    for batch in records.chunks(50) {
        let decoders = [&mut guided, &mut general, &mut parts, &mut general_parts];
        let block = batch.iter().map(|text| text.clone() + "\n").collect::<String>();
        let [(one, refused), others @ ..] = decoders.map(|decoder| {
            let (mut builder, mut from, mut refused) = (decoder.builder().unwrap(), 0, Vec::new());
            for (at, text) in batch.iter().enumerate() {
                let stretch = Record::stretch(&block, from, from + text.len());
                let record = if at % 3 == 0 { Record::of_value(text.as_bytes()) } else { stretch };
                let followed = if at % 3 == 1 { decoder.follow_line(&block, from, &mut builder) } else { None };
                match followed {
                    Some(end) => {
                        assert_eq!(end, from + text.len(), "{text}");
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
                assert_eq!(one, other, "{text} in way {at}");
            }
            let expected = match at {
                0 => one.rows.clone(),
                _ => read.apply(&one.rows, &read.schema(&one.rows.schema())).unwrap(),
            };
            assert_eq!(texts(&other.rows), texts(&expected), "{batch:#?}");
            assert_eq!((&other.rows, &other.ops, &other.unchanged), (&expected, &one.ops, &one.unchanged), "{batch:#?}");
        }
        rows += one.len();
    }
    rows
}

/// A record's text with one to three bytes changed, left out, put in or doubled.
fn bend(text: &str, random: &mut ChaCha8Rng) -> String {
    const BYTES: &[u8] = b"{}[],:\"\\ 0123456789-+.eEnulltruefalse\t\x01aZT\xc3";
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
    String::from_utf8_lossy(&bytes).into_owned()
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
        let mut records = Vec::new();
        for _ in 0..400 {
            let shape = shapes.choose(&mut random).unwrap().clone();
            let mut members: Vec<String> =
                shape.iter().map(|column| format!("\"{}\":{blank}{}", names[*column], value(*column, &mut random))).collect();
            if random.random_bool(0.5) {
                members.push("\"other\": {\"x\": [1, \"}\"]}".to_string());
            }
            if random.random_bool(0.05) {
                members.reverse();
            }
            let text = format!("{{{}}}{}", members.join(&format!(",{blank}")), if random.random_bool(0.1) { " " } else { "" });
            records.push(if random.random_bool(0.3) { bend(&text, &mut random) } else { text });
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
            let records: Vec<String> = (0..300)
                .map(|_| {
                    let text = *values.choose(&mut random).unwrap();
                    if random.random_bool(0.4) { bend(text, &mut random) } else { text.to_string() }
                })
                .collect();
            assert!(agree("debezium", schema(ORDERS, &["id"]), &records, &mut random) > 20, "{file}, seed {seed}");
        }
    }
}

/// What the guide is for: after the first record of a form, all others of it follow.
#[test]
fn records_of_known_forms_are_followed() {
    let mut guide = super::Guide::new(usize::MAX, Projection::everything(2));
    let fields = crate::sources::format::fields::Fields::new(&schema("id int8, name text", &[]));
    let relation = decoder("plain", schema("id int8, name text", &[]));
    let mut builder = relation.builder().unwrap();
    let mut surprises = 0;
    for i in 0..100 {
        let text = if i % 3 == 0 { format!("{{\"id\":{i},\"name\":\"n{i}\"}}") } else { format!("{{\"id\": {i}, \"x\": [{i}]}}") };
        if guide.follow((&text, 0, super::End::At(text.len())), &mut builder, |_, _, _, _| false).is_some() {
            continue;
        }
        surprises += 1;
        let leaves = fields.leaves(&mut super::Scanner::new(&text), |at| super::Reading::Column {
            place: at.into(),
            nullable: true,
            form: if at == 0 { super::Form::Integer { least: 0, most: 100 } } else { super::Form::Text { most: 10 } },
        });
        guide.learn(&text, &leaves.unwrap(), crate::zset::ChangeOp::Insert, None, 2);
    }
    assert_eq!(surprises, 2);
    assert_eq!(builder.len(), 98);
}
