//! Z-sets as text, for tests that read as tables: one row a line, columns apart by blanks, the signed weight last.
//!
//! ```text
//! 1 a +1
//! 2 NULL -1
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::ZSet;

/// A Z-set from `columns` ("k int8, v text") and rows of text. Values have no blanks; `NULL` is null, `''` the empty
/// text; timestamps are written `2026-01-01T00:00:00`.
///
/// # Panics
/// On text that does not fit: it is the test that is wrong.
pub fn parse(columns: &str, text: &str) -> ZSet {
    let fields: Vec<Field> = columns
        .split(", ")
        .map(|column| {
            let (name, sql_type) = column.trim().split_once(' ').expect("name and type");
            Field::new(name, data_type(sql_type), true)
        })
        .collect();
    let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).filter(|l: &Vec<_>| !l.is_empty()).collect();
    let weights = lines.iter().map(|l| l[fields.len()].parse::<i64>().expect("a weight")).collect::<Vec<_>>();
    let arrays: Vec<ArrayRef> = fields
        .iter()
        .enumerate()
        .map(|(i, field)| {
            let texts: StringArray = lines.iter().map(|l| (l[i] != "NULL").then(|| l[i].trim_matches('\''))).collect();
            cast(&texts, field.data_type()).expect("a castable column")
        })
        .collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length");
    ZSet::new(rows, Int64Array::from(weights))
}

fn data_type(name: &str) -> DataType {
    match name {
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" => DataType::Int64,
        "float8" => DataType::Float64,
        "bool" => DataType::Boolean,
        "text" => DataType::Utf8,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "numeric(12,2)" => DataType::Decimal128(12, 2),
        other => panic!("no type {other} in test text"),
    }
}

/// The rows in their order, in the form that [`parse`] reads.
pub fn print(zset: &ZSet) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter> =
        zset.rows().columns().iter().map(|c| ArrayFormatter::try_new(c, &options).expect("a printable column")).collect();
    let mut out = String::new();
    for (row, weight) in zset.weights().values().iter().enumerate() {
        for column in &columns {
            let value = column.value(row).to_string();
            out.push_str(if value.is_empty() { "''" } else { &value });
            out.push(' ');
        }
        out.push_str(&format!("{weight:+}\n"));
    }
    out
}
