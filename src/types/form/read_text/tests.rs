//! Text forms read: refusals in PostgreSQL's words, rounding, spellings, and texts that are nothing.

use super::*;
use crate::types::report::Report;

fn refusal(sql_type: SqlType, text: &str) -> (String, &'static str) {
    let error = read_text(text, &sql_type, &Zone::utc()).expect_err(text);
    let report = Report::from(error);
    (report.message, report.sqlstate.0)
}

#[test]
fn refusals_in_the_words_of_postgresql() {
    let numeric = SqlType::Numeric { precision: 4, scale: 2 };
    for (sql_type, text, message, sqlstate) in [
        (SqlType::Integer, "abc", "invalid input syntax for type integer: \"abc\"", "22P02"),
        (SqlType::Integer, "", "invalid input syntax for type integer: \"\"", "22P02"),
        (SqlType::Integer, "2147483648", "value \"2147483648\" is out of range for type integer", "22003"),
        (SqlType::SmallInt, "1.5", "invalid input syntax for type smallint: \"1.5\"", "22P02"),
        (SqlType::Boolean, "maybe", "invalid input syntax for type boolean: \"maybe\"", "22P02"),
        (SqlType::Double, "1e400", "\"1e400\" is out of range for type double precision", "22003"),
        (numeric, "100", "numeric field overflow", "22003"),
        (SqlType::NUMERIC, "1.2.3", "invalid input syntax for type numeric: \"1.2.3\"", "22P02"),
        (SqlType::Varchar(Some(2)), "abc", "value too long for type character varying(2)", "22001"),
        (SqlType::Date, "2024-02-30", "date/time field value out of range: \"2024-02-30\"", "22008"),
        (SqlType::Date, "yesterday", "invalid input syntax for type date: \"yesterday\"", "22007"),
        (SqlType::Timestamp, "2024-01-01 25:00", "date/time field value out of range: \"2024-01-01 25:00\"", "22008"),
        (SqlType::TimestampTz, "2024-01-01 Mars", "invalid input syntax for type timestamp with time zone: \"2024-01-01 Mars\"", "22007"),
        (SqlType::Interval, "soon", "invalid input syntax for type interval: \"soon\"", "22007"),
        (SqlType::Uuid, "123", "invalid input syntax for type uuid: \"123\"", "22P02"),
        (SqlType::Json, "{", "invalid input syntax for type json", "22P02"),
        (SqlType::Array(Box::new(SqlType::Integer)), "1,2", "malformed array literal: \"1,2\"", "22P02"),
        (SqlType::Array(Box::new(SqlType::Integer)), "{1,,2}", "malformed array literal: \"{1,,2}\"", "22P02"),
        (SqlType::Array(Box::new(SqlType::Integer)), "{a}", "invalid input syntax for type integer: \"a\"", "22P02"),
    ] {
        assert_eq!(refusal(sql_type, text), (message.to_string(), sqlstate), "{text}");
    }
}

#[test]
fn decimals_round_half_away_from_zero() {
    for (text, value) in
        [("1.005", 101), ("-1.005", -101), ("1.004999", 100), ("1e1", 1000), ("12e-2", 12), (".5", 50), ("0.005", 1), ("0.0049", 0)]
    {
        assert_eq!(decimal(text, 12, 2), Ok(value), "{text}");
    }
    assert!(decimal("1e2000000000", 38, 10).is_err());
    assert_eq!(decimal("0e2000000000", 38, 10), Ok(0));
    assert_eq!(decimal("1e-2000000000", 38, 10), Ok(0));
}

#[test]
fn intervals_of_many_spellings() {
    for (text, months, days, micros) in [
        ("10 s", 0, 0, 10_000_000),
        ("5 minutes", 0, 0, 300_000_000),
        ("1day", 0, 1, 0),
        ("1.5 days", 0, 1, 43_200_000_000),
        ("@ 1 hour ago", 0, 0, -3_600_000_000),
        ("1 mon -3 days +00:00:01", 1, -3, 1_000_000),
        ("P1DT2H", 0, 1, 7_200_000_000),
        ("7", 0, 0, 7_000_000),
        ("-00:00:00.5", 0, 0, -500_000),
    ] {
        let value = read_text(text, &SqlType::Interval, &Zone::utc()).expect(text);
        assert_eq!(value, ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(months, days, micros * 1000))), "{text}");
    }
}

#[test]
fn arbitrary_text_never_panics() {
    let pieces = [
        "",
        "-",
        "{",
        "}",
        "\"",
        "\\",
        "é",
        "1",
        "e",
        ":",
        ".",
        "T",
        " ",
        "P",
        "2024-01-01",
        "BC",
        "+",
        "\u{0}",
        "9999999999999999999999999999999999999999999",
    ];
    let types = [
        SqlType::Boolean,
        SqlType::Integer,
        SqlType::Double,
        SqlType::NUMERIC,
        SqlType::Bytea,
        SqlType::Date,
        SqlType::Time,
        SqlType::Timestamp,
        SqlType::TimestampTz,
        SqlType::Interval,
        SqlType::Uuid,
        SqlType::Array(Box::new(SqlType::Text)),
    ];
    let mut read = 0;
    for a in pieces {
        for b in pieces {
            for c in pieces {
                let text = format!("{a}{b}{c}");
                for sql_type in &types {
                    read += usize::from(read_text(&text, sql_type, &Zone::utc()).is_ok());
                }
            }
        }
    }
    assert!(read > 0);
}
