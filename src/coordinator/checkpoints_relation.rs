//! `floe_checkpoints`: the newest checkpoint, and those that are kept to go back to.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, TimestampMicrosecondArray};

use crate::types::sql_type::UTC;

use super::metrics::Checkpoints;

/// The columns, a row a checkpoint; the newest may be a kept one.
pub fn columns(checkpoints: &Checkpoints) -> Vec<(&'static str, ArrayRef)> {
    let mut rows: BTreeMap<i64, (i64, bool)> = checkpoints.newest.iter().map(|(epoch, at)| (epoch.0 as i64, (*at, false))).collect();
    rows.extend(checkpoints.kept.iter().map(|kept| (kept.epoch.0 as i64, (kept.at, true))));
    let times = TimestampMicrosecondArray::from_iter_values(rows.values().map(|(at, _)| *at));
    vec![
        ("epoch", Arc::new(Int64Array::from_iter_values(rows.keys().copied()))),
        ("time", Arc::new(times.with_timezone(UTC))),
        ("kept", Arc::new(rows.values().map(|(_, kept)| Some(*kept)).collect::<BooleanArray>())),
    ]
}
