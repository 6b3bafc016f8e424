//! Shared by the tests of this folder: definitions in a line, and rows as text.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::error::SourceError;
use super::source::{Budget, Source, SourceBatch};
use super::spec::SourceSpec;
use crate::types::{Column, RelationSchema, SqlType, StructField};
use crate::zset::{ChangeBatch, ChangeOp};

/// A type by its SQL name, as far as the tests name any.
pub fn sql_type(name: &str) -> SqlType {
    if let Some(item) = name.strip_suffix("[]") {
        return SqlType::Array(Box::new(sql_type(item)));
    }
    if let Some(fields) = name.strip_prefix("struct<").and_then(|n| n.strip_suffix('>')) {
        let field = |field: &str| {
            let (name, of_type) = field.split_once(':').expect("name:type");
            StructField { name: name.to_string(), sql_type: sql_type(of_type) }
        };
        return SqlType::Struct(fields.split(';').map(field).collect());
    }
    if let Some(arguments) = name.strip_prefix("numeric(").and_then(|n| n.strip_suffix(')')) {
        let (precision, scale) = arguments.split_once('.').expect("numeric(p.s)");
        return SqlType::Numeric { precision: precision.parse().unwrap(), scale: scale.parse().unwrap() };
    }
    match name {
        "bool" => SqlType::Boolean,
        "int2" => SqlType::SmallInt,
        "int4" => SqlType::Integer,
        "int8" => SqlType::BigInt,
        "float4" => SqlType::Real,
        "float8" => SqlType::Double,
        "numeric" => SqlType::NUMERIC,
        "text" => SqlType::Text,
        "varchar(3)" => SqlType::Varchar(Some(3)),
        "varchar(10)" => SqlType::Varchar(Some(10)),
        "bytea" => SqlType::Bytea,
        "date" => SqlType::Date,
        "time" => SqlType::Time,
        "timestamp" => SqlType::Timestamp,
        "timestamptz" => SqlType::TimestampTz,
        "interval" => SqlType::Interval,
        "uuid" => SqlType::Uuid,
        "json" => SqlType::Json,
        "jsonb" => SqlType::Jsonb,
        "oid" => SqlType::Oid,
        other => panic!("no type {other}"),
    }
}

/// A schema from `id int8, name text` and the names of its key columns.
pub fn schema(columns: &str, key: &[&str]) -> RelationSchema {
    let columns = columns.split(", ").map(|column| {
        let (name, of_type) = column.split_once(' ').expect("name and type");
        Column::new(name, sql_type(of_type))
    });
    let mut schema = RelationSchema::new(columns.collect());
    schema.primary_key = key.iter().map(|k| schema.position(k).expect("a key column")).collect();
    schema
}

pub fn parse(options: &[(&str, &str)], format: &str, schema: RelationSchema) -> Result<SourceSpec, SourceError> {
    let options: BTreeMap<String, String> = options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    SourceSpec::parse("s", &options, format, "json", schema)
}

/// Every value of a batch as text; null is `NULL`.
pub fn texts(rows: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("NULL").with_display_error(true);
    let columns: Vec<_> = rows.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
    (0..rows.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect()).collect()
}

/// A change a line: operation and values; then the rows that were put together apart.
pub fn lines(changes: &ChangeBatch) -> Vec<String> {
    let rows = changes.ops.iter().copied().zip(texts(&changes.rows));
    let apart = changes.apart.iter().flat_map(texts).map(|row| (ChangeOp::Insert, row));
    rows.chain(apart).map(|(op, row)| format!("{op:?} {}", row.join(" "))).collect()
}

pub fn budget(records: usize, bytes: usize) -> Budget {
    Budget { records, bytes, wait: Duration::ZERO }
}

/// Polls until nothing comes.
pub fn drain(source: &mut dyn Source, budget: Budget) -> Vec<SourceBatch> {
    let mut all = Vec::new();
    loop {
        let batches = source.poll(budget).unwrap();
        if batches.is_empty() {
            return all;
        }
        all.extend(batches);
    }
}

/// All that batches say, partition by partition, however it was cut: `partition: change`.
pub fn flat(batches: &[SourceBatch]) -> Vec<String> {
    let mut by_partition: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for batch in batches {
        let lines_of = by_partition.entry(&batch.partition).or_default();
        lines_of.extend(lines(&batch.changes));
        lines_of.extend(batch.dead.iter().map(|dead| format!("dead {} {}", dead.offset, dead.reason)));
    }
    by_partition.into_iter().flat_map(|(name, lines)| lines.into_iter().map(move |l| format!("{name}: {l}"))).collect()
}
