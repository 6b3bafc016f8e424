//! Schemas as circuits have them: every field nullable, under the name that users see.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::planner::rewrite::shown_name;

/// A schema of nullable fields.
pub fn nullable<'a>(fields: impl IntoIterator<Item = &'a Field>) -> SchemaRef {
    let nullable = |field: &Field| field.clone().with_name(shown_name(field.name())).with_nullable(true);
    Arc::new(Schema::new(fields.into_iter().map(nullable).collect::<Vec<Field>>()))
}
