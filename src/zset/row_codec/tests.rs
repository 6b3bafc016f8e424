//! Equal rows have equal bytes, bytes come back as rows, a key is a prefix, and the bytes do not change.

use arrow::array::{Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema, TimeUnit};

use super::*;

fn codec(types: &[DataType]) -> RowCodec {
    let fields: Vec<Field> = types.iter().enumerate().map(|(i, t)| Field::new(format!("c{i}"), t.clone(), true)).collect();
    RowCodec::new(Arc::new(Schema::new(fields))).unwrap()
}

#[test]
fn zeros_and_nans_are_one_value() {
    let codec = codec(&[DataType::Float64]);
    let odd_nan = f64::from_bits(0xfff8_0000_0000_0001);
    let column: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, odd_nan]));
    let rows = codec.encode(&[column]).unwrap();
    assert_eq!(rows.row(0), rows.row(1));
    assert_eq!(rows.row(2), rows.row(3));
    let back = codec.decode([rows.row(1).as_ref(), rows.row(3).as_ref()]).unwrap();
    let back = back.column(0).as_primitive::<Float64Type>();
    assert!(back.value(0).is_sign_positive() && back.value(1).is_nan());
}

#[test]
fn a_key_is_a_prefix_of_its_row() {
    let whole = codec(&[DataType::Utf8, DataType::Int64]);
    let key = codec(&[DataType::Utf8]);
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some(""), Some("a"), Some("ab"), None, Some(&"x".repeat(100))]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]));
    let rows = whole.encode(&[names.clone(), numbers]).unwrap();
    let keys = key.encode(&[names]).unwrap();
    for i in 0..5 {
        for k in 0..5 {
            assert_eq!(rows.row(i).as_ref().starts_with(keys.row(k).as_ref()), i == k, "row {i}, key {k}");
        }
    }
}

#[test]
fn golden_bytes() {
    let codec = codec(&[
        DataType::Int64,
        DataType::Utf8,
        DataType::Decimal128(12, 2),
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Boolean,
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(-2), None])),
        Arc::new(StringArray::from(vec!["ab", ""])),
        Arc::new(Decimal128Array::from(vec![1050, -1]).with_precision_and_scale(12, 2).unwrap()),
        Arc::new(TimestampMicrosecondArray::from(vec![1, -1])),
        Arc::new(arrow::array::BooleanArray::from(vec![Some(true), None])),
    ];
    let rows = codec.encode(&columns).unwrap();
    let hex = |i: usize| rows.row(i).as_ref().iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(
        [hex(0), hex(1)],
        [
            "017ffffffffffffffe02616200000000000002018000000000000000000000000000041a0180000000000000010101",
            "ff000000000000000001017fffffffffffffffffffffffffffffff017fffffffffffffffff00",
        ]
    );
    assert_eq!(codec.decode([rows.row(0).as_ref(), rows.row(1).as_ref()]).unwrap().columns(), columns.as_slice());
}
