//! Every type, with its ends and with nulls, written and read back.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, new_null_array,
};

use super::lake::{Lake, print, read, spec};
use crate::types::{Column, RelationSchema, SqlType};
use crate::zset::ZSet;

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back() {
    let columns: Vec<(SqlType, ArrayRef)> = vec![
        (SqlType::Boolean, Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        (SqlType::SmallInt, Arc::new(Int16Array::from(vec![Some(i16::MIN), Some(i16::MAX), None]))),
        (SqlType::Integer, Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(i32::MAX), None]))),
        (SqlType::BigInt, Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), None]))),
        (SqlType::Real, Arc::new(Float32Array::from(vec![Some(f32::NAN), Some(-0.0), None]))),
        (SqlType::Double, Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(f64::INFINITY), None]))),
        (
            SqlType::Numeric { precision: 12, scale: 2 },
            Arc::new(Decimal128Array::from(vec![Some(-999_999_999_999), Some(1), None]).with_precision_and_scale(12, 2).unwrap()),
        ),
        (
            SqlType::NUMERIC,
            Arc::new(Decimal128Array::from(vec![Some(-(10i128.pow(38) - 1)), Some(1), None]).with_precision_and_scale(38, 10).unwrap()),
        ),
        (SqlType::Text, Arc::new(StringArray::from(vec![Some(""), Some("ä\u{10ffff}"), None]))),
        (SqlType::Varchar(Some(300)), Arc::new(StringArray::from(vec![Some("x".repeat(300)), Some("y".into()), None]))),
        (SqlType::Uuid, Arc::new(StringArray::from(vec![Some("018f0000-0000-7000-8000-000000000000"), None, None]))),
        (SqlType::Jsonb, Arc::new(StringArray::from(vec![Some("{\"a\": 1}"), Some("null"), None]))),
        (SqlType::Bytea, Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), Some(b""), None]))),
        (SqlType::Date, Arc::new(Date32Array::from(vec![Some(-719_162), Some(2_932_896), None]))),
        (SqlType::Time, Arc::new(Time64MicrosecondArray::from(vec![Some(0), Some(86_399_999_999), None]))),
        (SqlType::Timestamp, Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), Some(13_569_465_600_000_000), None]))),
        (
            SqlType::TimestampTz,
            Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), Some(1_700_000_000_000_000), None]).with_timezone("+00:00")),
        ),
    ];
    let schema = RelationSchema {
        columns: columns.iter().enumerate().map(|(i, (sql_type, _))| Column::new(format!("c{i}"), sql_type.clone())).collect(),
        primary_key: Vec::new(),
        append_only: true,
    };
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec(folder.path(), "append-only");
    spec.schema = schema.clone();
    let mut lake = Lake::create(spec).await;
    let rows = RecordBatch::try_new(schema.arrow(), columns.into_iter().map(|(_, array)| array).collect()).unwrap();
    let prepared = lake.prepare(ZSet::of_rows(rows.clone())).await.unwrap();
    lake.commit(&prepared).await.unwrap();
    // A file whose columns are all null has no bounds.
    let nulls = rows.schema().fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    let nulls = RecordBatch::try_new(rows.schema(), nulls).unwrap();
    let prepared = lake.prepare(ZSet::of_rows(nulls.clone())).await.unwrap();
    lake.commit(&prepared).await.unwrap();
    let table = lake.table().await;
    let found = read(&table, table.metadata.current_snapshot_id().unwrap()).await;
    assert_eq!(print(&found), print(&[rows, nulls]));
    let kinds: Vec<String> = table.metadata.current_schema().as_struct().fields().iter().map(|f| f.field_type.to_string()).collect();
    assert_eq!(
        kinds.join(" "),
        "boolean int int long float double decimal(12, 2) decimal(38, 10) string string string string binary date time timestamp timestamptz"
    );
}
