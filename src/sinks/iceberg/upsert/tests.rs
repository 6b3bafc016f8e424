//! The plan of an upsert, as tables: a delta and an index in, what goes and what comes out.

use std::collections::BTreeMap;

use super::*;
use crate::types::{Column, SqlType};
use crate::zset::text::parse;

struct Index(BTreeMap<Vec<u8>, Vec<u8>>);

impl KeyIndex for Index {
    fn get_many(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, Report> {
        Ok(keys.iter().map(|key| self.0.get(key).cloned()).collect())
    }
}

/// Keys `k` whose rows are at position `k` of file `f`.
fn plan(present: &[i64], delta: &str) -> Result<String, String> {
    let relation = RelationSchema::new(vec![Column::new("k", SqlType::BigInt), Column::new("v", SqlType::Text)]);
    let key = Key::new(&relation, &[0]).unwrap();
    let bytes = |k: i64| key.codec.encode(&[std::sync::Arc::new(arrow::array::Int64Array::from(vec![k]))]).unwrap().row(0).data().to_vec();
    let index = present.iter().map(|k| (bytes(*k), Place { file: "f".into(), position: *k }.encode())).collect();
    let plan = key.plan(&parse("k int8, v text", delta), &Index(index)).map_err(|e| e.to_string())?;
    let gone: Vec<i64> = plan.gone.iter().map(|place| place.position).collect();
    let come: Vec<u32> = plan.come.iter().map(|(row, _)| *row).collect();
    Ok(format!("gone {gone:?} come {come:?} left {}", plan.left.len()))
}

#[test]
fn one_net_change_a_key() {
    assert_eq!(plan(&[], "1 a +1\n2 b +1").unwrap(), "gone [] come [0, 1] left 0");
    assert_eq!(plan(&[1, 2, 3], "3 a -1\n1 a -1\n1 b +1").unwrap(), "gone [1, 3] come [2] left 1");
    assert_eq!(plan(&[1], "1 b +1\n1 a -1").unwrap(), "gone [1] come [0] left 0", "the order of rows does not matter");
}

#[test]
fn two_live_rows_on_one_key_stop_the_sink() {
    for (present, delta) in [(&[][..], "7 a +1\n7 b +1"), (&[7], "7 b +1"), (&[], "7 a +2"), (&[7], "7 a -1\n7 b +1\n7 c +1")] {
        assert_eq!(plan(present, delta).unwrap_err(), "sink key is not unique: (k)=(7)", "{delta}");
    }
}

#[test]
fn a_row_that_is_not_there_cannot_go() {
    for (present, delta) in [(&[][..], "7 a -1"), (&[7], "7 a -2"), (&[7], "7 a -1\n7 b -1")] {
        assert_eq!(plan(present, delta).unwrap_err(), "the sink's key index does not fit the changes it was given", "{delta}");
    }
}
