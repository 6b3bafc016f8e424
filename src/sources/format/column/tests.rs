//! JSON values into columns: what fits, and the reason given for what does not.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::Column;
use crate::sources::format::scalar::Scalar;
use crate::sources::testing::{sql_type, texts};

/// The value as its column prints it, or the reason against it.
fn push(type_name: &str, raw: &str) -> Result<String, String> {
    let sql_type = sql_type(type_name);
    let mut column = Column::new(&sql_type).unwrap();
    let value = Scalar::of_json(raw)?;
    column.push(value)?;
    let array = column.finish(0).unwrap();
    let schema = Arc::new(Schema::new(vec![sql_type.field("c")]));
    Ok(texts(&RecordBatch::try_new(schema, vec![array]).unwrap())[0][0].clone())
}

#[test]
fn what_fits() {
    for (type_name, raw, expected) in [
        ("bool", "true", "true"),
        ("bool", "\"off\"", "false"),
        ("bool", "1", "true"),
        ("int2", "-32768", "-32768"),
        ("int4", "\" 7 \"", "7"),
        ("int4", "1e3", "1000"),
        ("int4", "7.0", "7"),
        ("int8", "9223372036854775807", "9223372036854775807"),
        ("float4", "1.1", "1.1"),
        ("float8", "\"NaN\"", "NaN"),
        ("float8", "\"-Infinity\"", "-inf"),
        ("float8", "1e-400", "0.0"),
        ("numeric(12.2)", "0.1", "0.10"),
        ("numeric(12.2)", "\"-1.005\"", "-1.01"),
        ("numeric(12.2)", "1.004", "1.00"),
        ("numeric(38.10)", "12345678901234567890.12345678901", "12345678901234567890.1234567890"),
        ("text", "\"a\\u00e7\"", "a\u{e7}"),
        ("text", "5.0", "5.0"),
        ("text", "[1, {\"a\" : 2}]", "[1, {\"a\" : 2}]"),
        ("varchar(3)", "\"\u{e7}\u{e7}\u{e7}\"", "\u{e7}\u{e7}\u{e7}"),
        ("bytea", "\"\\\\x00ff\"", "00ff"),
        ("bytea", "\"AP8=\"", "00ff"),
        ("date", "\"2026-02-28\"", "2026-02-28"),
        ("time", "\"23:59:59.5\"", "23:59:59.500"),
        ("timestamp", "\"2026-02-28 12:00:00+02\"", "2026-02-28T12:00:00"),
        ("timestamptz", "\"2026-02-28T12:00:00+02:00\"", "2026-02-28T10:00:00Z"),
        ("timestamptz", "\"2026-02-28T12:00:00\"", "2026-02-28T12:00:00Z"),
        ("uuid", "\"6B29FC40-CA47-1067-B31D-00DD010662DA\"", "6b29fc40-ca47-1067-b31d-00dd010662da"),
        ("json", "{\"a\":  1}", "{\"a\":  1}"),
        ("jsonb", "5", "5"),
        ("int4[]", "[1, null, \"3\"]", "[1, NULL, 3]"),
        ("text[]", "[]", "[]"),
        ("text[]", "[[1],\"a\"]", "[[1], a]"),
        ("int4", "null", "NULL"),
        ("int4[]", "null", "NULL"),
    ] {
        assert_eq!(push(type_name, raw).as_deref(), Ok(expected), "{raw} as {type_name}");
    }
}

#[test]
fn what_does_not() {
    for (type_name, raw, expected) in [
        ("bool", "2", "neither true nor false"),
        ("bool", "\"maybe\"", "neither true nor false"),
        ("int2", "32768", "out of range"),
        ("int4", "1.5", "not a whole number"),
        ("int4", "\"abc\"", "not a number"),
        ("int4", "true", "not a whole number"),
        ("int8", "9223372036854775808", "out of range"),
        ("int8", "1e400", "out of range"),
        ("float4", "1e39", "out of range"),
        ("float8", "1e400", "out of range"),
        ("float8", "\"\"", "not a number"),
        ("float8", "{}", "not a number"),
        ("numeric(12.2)", "10000000000", "out of range"),
        ("numeric(12.2)", "9999999999.995", "out of range"),
        ("numeric(12.2)", "\"NaN\"", "neither NaN nor infinity"),
        ("numeric(12.2)", "\"1,5\"", "not a number"),
        ("text", "\"a\\u0000b\"", "NUL"),
        ("varchar(3)", "\"abcd\"", "value too long for type character varying(3)"),
        ("bytea", "\"not base64!\"", "not base64"),
        ("bytea", "5", "a number where bytea is expected"),
        ("date", "20512", "unit is not known"),
        ("date", "\"2026-02-30\"", "does not exist"),
        ("time", "\"25:00\"", "does not exist"),
        ("timestamp", "\"infinity\"", "infinity"),
        ("timestamp", "true", "not a timestamp"),
        ("interval", "\"soon\"", "not an interval"),
        ("interval", "5", "not an interval"),
        ("uuid", "\"6b29fc40\"", "not a uuid"),
        ("int4[]", "[1, \"x\"]", "not a number"),
        ("int4[]", "7", "not an array"),
    ] {
        let reason = push(type_name, raw).expect_err(&format!("{raw} as {type_name}"));
        assert!(reason.contains(expected), "{raw} as {type_name}: {reason}");
    }
}

#[test]
fn a_refused_value_leaves_the_column_as_it_was_and_truncate_goes_back() {
    for (type_name, good, bad) in [("int4[]", "[1,2]", "[3,\"x\"]"), ("text", "\"ab\"", "\"\\u0000\""), ("numeric(3.1)", "1.5", "1000")] {
        let sql_type = sql_type(type_name);
        let mut column = Column::new(&sql_type).unwrap();
        column.push(Scalar::of_json(good).unwrap()).unwrap();
        column.push_null();
        assert!(column.push(Scalar::of_json(bad).unwrap()).is_err());
        assert_eq!(column.len(), 2);
        column.push(Scalar::of_json(good).unwrap()).unwrap();
        column.truncate(1);
        column.push(Scalar::of_json(good).unwrap()).unwrap();
        let array = column.finish(0).unwrap();
        assert_eq!((array.len(), array.null_count(), array.data_type()), (2, 0, &sql_type.arrow()));
        assert_eq!(array.slice(0, 1).as_ref(), array.slice(1, 1).as_ref());
        assert!(column.is_empty());
    }
}

#[test]
fn types_that_no_record_holds() {
    assert!(Column::new(&sql_type("oid")).is_none());
    assert!(Column::new(&sql_type("int4[][]")).is_none());
}
