//! Each type's text and binary form against what PostgreSQL 15 gives for the same value.

use std::sync::Arc;

use arrow::array::Array;
use datafusion::scalar::ScalarValue;

use super::*;
use crate::types::StructField;
use crate::types::form::read_text::read_text;

fn numeric(precision: u8, scale: i8) -> SqlType {
    SqlType::Numeric { precision, scale }
}

fn array_of(element: SqlType) -> SqlType {
    SqlType::Array(Box::new(element))
}

/// Reads `input` as the type, and gives the text and the binary (in hex) that come out.
fn forms(sql_type: &SqlType, input: &str, zone: &str) -> (String, String) {
    let zone = Zone::parse(zone).expect("a zone");
    let scalar = read_text(input, sql_type, &zone).unwrap_or_else(|e| panic!("{input}: {e}"));
    let array = scalar.to_array().expect("an array");
    assert_eq!(array.data_type(), &sql_type.arrow(), "{input}");
    let values = Values::new(&array, sql_type).expect("showable");
    let (mut text, mut binary) = (BytesMut::new(), BytesMut::new());
    values.write_text(0, &zone, &mut text);
    values.write_binary(0, &mut binary).expect("a binary form");
    let reread = crate::types::form::read_binary(&binary, sql_type).unwrap_or_else(|e| panic!("{input}: {e}"));
    assert_eq!(reread, scalar, "{input}: the binary form reads back");
    (String::from_utf8(text.to_vec()).expect("UTF-8"), binary.iter().map(|b| format!("{b:02x}")).collect())
}

#[test]
fn text_and_binary_of_every_type() {
    let table: Vec<(SqlType, &str, &str, &str)> = vec![
        (SqlType::Boolean, "yes", "t", "01"),
        (SqlType::Boolean, "off", "f", "00"),
        (SqlType::SmallInt, "-7", "-7", "fff9"),
        (SqlType::Integer, " 42 ", "42", "0000002a"),
        (SqlType::BigInt, "-9223372036854775808", "-9223372036854775808", "8000000000000000"),
        (SqlType::Oid, "4294967295", "4294967295", "ffffffff"),
        (SqlType::Real, "1.5", "1.5", "3fc00000"),
        (SqlType::Double, "1e20", "1e+20", "4415af1d78b58c40"),
        (SqlType::Double, "-Infinity", "-Infinity", "fff0000000000000"),
        (numeric(12, 2), "5", "5.00", "0001000000000002 0005"),
        (numeric(12, 2), "-12345.678", "-12345.68", "0003000140000002 0001 0929 1a90"),
        (numeric(10, 4), "0.0001", "0.0001", "0001ffff00000004 0001"),
        (numeric(38, 0), "100000000", "100000000", "0001000200000000 0001"),
        (numeric(12, 2), "0", "0.00", "0000000000000002"),
        (SqlType::NUMERIC, "1.5", "1.5", "0002000000000001 0001 1388"),
        (SqlType::Text, "a b\"c", "a b\"c", "6120622263"),
        (SqlType::Varchar(Some(3)), "abc  ", "abc", "616263"),
        (SqlType::Bytea, "\\xDEad", "\\xdead", "dead"),
        (SqlType::Bytea, "a\\\\\\001", "\\x615c01", "615c01"),
        (SqlType::Date, "2024-02-29", "2024-02-29", "00002279"),
        (SqlType::Date, "0044-03-15 BC", "0044-03-15 BC", "fff49d7b"),
        (SqlType::Date, "infinity", "infinity", "7fffffff"),
        (SqlType::Time, "10:00", "10:00:00", "0000000861c46800"),
        (SqlType::Time, "23:59:59.120", "23:59:59.12", "000000141dc9f280"),
        (SqlType::Timestamp, "2024-01-01", "2024-01-01 00:00:00", "0002b0d5d4e94000"),
        (SqlType::Timestamp, "1969-12-31T23:59:59.5", "1969-12-31 23:59:59.5", "fffca2fec4c07ee0"),
        (SqlType::Timestamp, "12024-01-01 01:02:03.000001", "12024-01-01 01:02:03.000001", "0463d1a5285c18c1"),
        (SqlType::TimestampTz, "2024-01-01 02:00+02", "2024-01-01 00:00:00+00", "0002b0d5d4e94000"),
        (SqlType::Interval, "1 day 02:03:04", "1 day 02:03:04", "00000001b81ee600 00000001 00000000"),
        (SqlType::Interval, "P1Y2M3DT4.5S", "1 year 2 mons 3 days 00:00:04.5", "000000000044aa20 00000003 0000000e"),
        (
            SqlType::Uuid,
            "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        ),
        (SqlType::Json, "{\"a\": 1}", "{\"a\": 1}", "7b2261223a20317d"),
        (SqlType::Jsonb, "[1]", "[1]", "015b315d"),
        (
            array_of(SqlType::Integer),
            "{1,NULL, 3}",
            "{1,NULL,3}",
            "00000001 00000001 00000017 00000003 00000001 00000004 00000001 ffffffff 00000004 00000003",
        ),
        (
            array_of(SqlType::Text),
            "{a,\"b c\",\"\",\"NULL\",\"q\\\"\\\\\"}",
            "{a,\"b c\",\"\",\"NULL\",\"q\\\"\\\\\"}",
            "00000001 00000000 00000019 00000005 00000001 00000001 61 00000003 622063 00000000 00000004 4e554c4c 00000003 71225c",
        ),
        (array_of(SqlType::Integer), "{}", "{}", "00000000 00000000 00000017"),
    ];
    for (sql_type, input, text, binary) in table {
        let (shown, sent) = forms(&sql_type, input, "UTC");
        assert_eq!(shown, text, "text of {sql_type} {input}");
        assert_eq!(sent, binary.replace(' ', ""), "binary of {sql_type} {input}");
    }
}

#[test]
fn structs_as_postgresql_writes_composites() {
    let field = |name: &str, sql_type| StructField { name: name.to_string(), sql_type };
    let sql_type = SqlType::Struct(vec![field("n", SqlType::Integer), field("t", SqlType::Text), field("d", SqlType::Date)]);
    for (input, text) in [
        ("(1,a,2024-01-01)", "(1,a,2024-01-01)"),
        (" ( 1 ,\"a b\",)", "(1,\"a b\",)"),
        ("(,\"\",)", "(,\"\",)"),
        ("(,\"q\"\"\\\\,()\",)", "(,\"q\"\"\\\\,()\",)"),
    ] {
        let value = read_text(input, &sql_type, &Zone::utc()).unwrap_or_else(|e| panic!("{input}: {e}"));
        let values = Values::new(&value.to_array().expect("an array"), &sql_type).expect("showable");
        let (mut shown, mut sent) = (BytesMut::new(), BytesMut::new());
        values.write_text(0, &Zone::utc(), &mut shown);
        values.write_binary(0, &mut sent).expect("a binary form");
        assert_eq!(shown, text, "{input}");
        assert_eq!(sent[..8], [0, 0, 0, 3, 0, 0, 0, 23], "the number of fields, then each with its type");
    }
    for wrong in ["1,a,", "(1,a)", "(1,a,,)", "(1,a,", "(1,\"a,)", "(1,a,) x", "(x,a,)"] {
        assert!(read_text(wrong, &sql_type, &Zone::utc()).is_err(), "{wrong}");
    }
}

#[test]
fn timestamptz_in_the_zone_of_the_session() {
    for (zone, input, text) in [
        ("Europe/Paris", "2024-07-01 12:00", "2024-07-01 12:00:00+02"),
        ("Asia/Kolkata", "2024-07-01 12:00:00Z", "2024-07-01 17:30:00+05:30"),
        ("-03:30", "2024-07-01 12:00:00Z", "2024-07-01 15:30:00+03:30"),
        ("UTC", "2024-07-01 12:00:00 America/New_York", "2024-07-01 16:00:00+00"),
    ] {
        assert_eq!(forms(&SqlType::TimestampTz, input, zone).0, text);
    }
}

#[test]
fn other_arrow_forms_are_cast() {
    let array: ArrayRef = Arc::new(arrow::array::LargeStringArray::from(vec!["x"]));
    let mut out = BytesMut::new();
    Values::new(&array, &SqlType::Text).expect("showable").write_text(0, &Zone::utc(), &mut out);
    assert_eq!(&out[..], b"x");
    let nulls = ScalarValue::Null.to_array().expect("an array");
    assert!(Values::new(&nulls, &SqlType::Unknown).expect("showable").is_null(0));
    assert_eq!(nulls.len(), 1);
}
