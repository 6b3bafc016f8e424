//! `floe_memory`: what each operator of each object holds in memory, and what of its state is on the disk alone.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};

use crate::catalog::Entry;
use crate::state::{TraceSet, Usage};

use super::published::Published;
use super::relation::ROWS;

/// An operator's place in its circuit, inputs before their consumer, its name, and its state.
struct Holder {
    object: String,
    place: usize,
    operator: String,
    usage: Usage,
}

/// The columns, a row an operator that has state.
pub fn columns(published: &Published, traces: &TraceSet) -> Vec<(&'static str, ArrayRef)> {
    let mut holders: Vec<Holder> = published.catalog.entries().flat_map(|entry| of_object(entry, published, traces)).collect();
    holders.sort_by(|a, b| (&a.object, a.place).cmp(&(&b.object, b.place)));
    let numbers = |number: &dyn Fn(&Usage) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(holders.iter().map(|holder| number(&holder.usage) as i64)))
    };
    vec![
        ("name", Arc::new(StringArray::from_iter_values(holders.iter().map(|holder| &holder.object)))),
        ("place", Arc::new(Int64Array::from_iter_values(holders.iter().map(|holder| holder.place as i64)))),
        ("operator", Arc::new(StringArray::from_iter_values(holders.iter().map(|holder| &holder.operator)))),
        ("entries", numbers(&|usage| usage.entries as u64)),
        ("bytes", numbers(&|usage| usage.bytes as u64)),
        ("evicted_bytes", numbers(&|usage| usage.evicted as u64)),
        ("pages_found", numbers(&|usage| usage.pages.found)),
        ("pages_read", numbers(&|usage| usage.pages.read)),
    ]
}

fn of_object(entry: &Entry, published: &Published, traces: &TraceSet) -> Vec<Holder> {
    let Some(relation) = published.relations.get(&entry.id) else { return Vec::new() };
    let holder = |place, operator: &str, usage| Holder { object: entry.name.clone(), place, operator: operator.to_string(), usage };
    let mut holders = Vec::new();
    let mut known = Usage::default();
    if let Some(profile) = &relation.profile {
        for (place, operator) in profile.operators.iter().enumerate() {
            let usage = traces.usage_of(entry.id, operator.slots.clone());
            known = known.plus(usage);
            holders.push(holder(place, operator.name, usage));
        }
    }
    let rows = traces.usage_of(entry.id, ROWS..ROWS + 1);
    known = known.plus(rows);
    if relation.rows.is_some() {
        holders.push(holder(holders.len(), "Materialize", rows));
    }
    // Errors of rows, and what a keyed source knows of its keys.
    let other = traces.usage(entry.id).minus(known);
    if other.entries > 0 {
        holders.push(holder(holders.len(), "other", other));
    }
    holders.retain(|holder| holder.usage != Usage::default());
    holders
}
