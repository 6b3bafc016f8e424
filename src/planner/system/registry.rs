//! All system relations by name: their shapes and their rows.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::rows::Rows;
use super::shape::{self, FLOE_SCHEMA, Shape};
use super::view::SystemView;
use super::{cluster, columns, information_schema, keys, oids, relations, routines, types};
use crate::types::{Column, RelationSchema, SqlType};

type Fill = fn(&SystemView, &mut Rows);

/// What fills a relation; `None` for one that never has rows, because floe has nothing of its kind.
fn fill(shape: &Shape) -> Option<Fill> {
    let fill = relations::fill(&shape.schema, &shape.name);
    let fill = fill.or_else(|| columns::fill(&shape.schema, &shape.name));
    let fill = fill.or_else(|| keys::fill(&shape.schema, &shape.name));
    let fill = fill.or_else(|| types::fill(&shape.schema, &shape.name));
    let fill = fill.or_else(|| routines::fill(&shape.schema, &shape.name));
    let fill = fill.or_else(|| cluster::fill(&shape.schema, &shape.name));
    fill.or_else(|| information_schema::fill(&shape.schema, &shape.name))
}

pub(super) fn rows(shape: &'static Shape, view: &SystemView) -> Rows {
    let mut rows = Rows::new(shape);
    if let Some(fill) = fill(shape) {
        fill(view, &mut rows);
    }
    rows
}

/// Schema and name of every system relation.
pub fn relation_names(view: &SystemView) -> Vec<(String, String)> {
    let fixed = shape::all().iter().map(|shape| (shape.schema.clone(), shape.name.clone()));
    fixed.chain(view.runtime.names().iter().map(|name| (FLOE_SCHEMA.to_string(), (*name).to_string()))).collect()
}

pub fn relation_schema(schema: &str, name: &str, view: &SystemView) -> Option<RelationSchema> {
    if schema == FLOE_SCHEMA
        && let Some(batch) = view.runtime.get(name)
    {
        let fields = batch.schema();
        return Some(RelationSchema::new(fields.fields().iter().map(|f| Column::new(f.name(), SqlType::of_field(f))).collect()));
    }
    shape::find(schema, name).map(Shape::relation_schema)
}

/// The whole content of a system relation; `None` when there is no such relation.
///
/// # Errors
/// Only when a column of this folder's making has another length than its neighbours: a defect.
pub fn relation(schema: &str, name: &str, view: &SystemView) -> Option<Result<RecordBatch, ArrowError>> {
    if schema == FLOE_SCHEMA
        && let Some(batch) = view.runtime.get(name)
    {
        return Some(Ok(batch.clone()));
    }
    shape::find(schema, name).map(|shape| rows(shape, view).batch())
}

/// The OID that `pg_class` gives a system relation, for a name and a schema that [`resolve`] knows.
pub fn relation_oid(schema: &str, name: &str) -> u32 {
    shape::find(schema, name).map_or_else(|| oids::runtime_relation(name), |shape| shape.oid)
}

/// Where a name leads to a system relation: the schema it is in. A name without a schema is looked up in
/// `pg_catalog` before the user's schemas, as PostgreSQL does.
pub fn resolve(schema: Option<&str>, name: &str, view: &SystemView) -> Option<&'static str> {
    match schema {
        None | Some(FLOE_SCHEMA) => (shape::find(FLOE_SCHEMA, name).is_some() || view.runtime.has(name)).then_some(FLOE_SCHEMA),
        Some("information_schema") => shape::find("information_schema", name).map(|_| "information_schema"),
        Some(_) => None,
    }
}

/// True for a relation that has no rows whatever the catalog holds.
pub fn is_always_empty(schema: &str, name: &str) -> bool {
    shape::find(schema, name).is_some_and(|shape| fill(shape).is_none())
}
