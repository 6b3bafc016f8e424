//! A relation's schema as an Iceberg schema, and whether a table that is there fits it.
//!
//! Columns meet by name. JSON, UUID and the character types are Iceberg strings: Iceberg's own uuid would need an
//! annotation in the Parquet file that the writer cannot give. Types that Iceberg lacks are refused, never guessed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Schema as ArrowSchema, SchemaRef as ArrowSchemaRef};
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::{NestedField, NestedFieldRef, PrimitiveType, Schema, SchemaRef, Type};

use crate::sinks::error::SinkError;
use crate::sinks::iceberg::fault::diverged;
use crate::types::{Column, RelationSchema, Report, SqlState, SqlType};

/// The Iceberg type that holds a column's values.
fn iceberg_type(column: &Column) -> Result<PrimitiveType, Report> {
    Ok(match &column.sql_type {
        SqlType::Boolean => PrimitiveType::Boolean,
        SqlType::SmallInt | SqlType::Integer => PrimitiveType::Int,
        SqlType::BigInt => PrimitiveType::Long,
        SqlType::Real => PrimitiveType::Float,
        SqlType::Double => PrimitiveType::Double,
        SqlType::Numeric { precision, scale } if *scale >= 0 && *scale <= *precision as i8 => {
            PrimitiveType::Decimal { precision: *precision as u32, scale: *scale as u32 }
        }
        SqlType::Text | SqlType::Varchar(_) | SqlType::Name | SqlType::Char | SqlType::Json | SqlType::Jsonb | SqlType::Uuid => {
            PrimitiveType::String
        }
        SqlType::Bytea => PrimitiveType::Binary,
        SqlType::Date => PrimitiveType::Date,
        SqlType::Time => PrimitiveType::Time,
        SqlType::Timestamp => PrimitiveType::Timestamp,
        SqlType::TimestampTz => PrimitiveType::Timestamptz,
        SqlType::Numeric { .. } | SqlType::Interval | SqlType::Oid | SqlType::Array(_) | SqlType::Struct(_) | SqlType::Unknown => {
            let to = match column.sql_type {
                SqlType::Oid => "bigint",
                SqlType::Numeric { .. } => "numeric with another scale",
                _ => "text",
            };
            return Err(Report::unsupported(format!(
                "column \"{}\" has type {}, which an Iceberg table cannot hold",
                column.name, column.sql_type
            ))
            .hint(format!("Cast it in the query that the sink reads: CAST({} AS {to}).", column.name)));
        }
    })
}

/// The schema of a table that floe creates. The key's columns are the table's identifier fields when none of them can be
/// null, as Iceberg asks; floe itself takes NULL for a key value like any other.
pub fn table_schema(relation: &RelationSchema, key: &[usize]) -> Result<Schema, SinkError> {
    let mut fields: Vec<NestedFieldRef> = Vec::new();
    for (position, column) in relation.columns.iter().enumerate() {
        if fields.iter().any(|field| field.name == column.name) {
            return Err(Report::error(SqlState::DUPLICATE_COLUMN, format!("column \"{}\" appears twice", column.name))
                .hint("The columns of an Iceberg table need names of their own.")
                .into());
        }
        let id = position as i32 + 1;
        let field_type = Type::Primitive(iceberg_type(column)?);
        fields.push(NestedField::new(id, &column.name, field_type, !column.nullable).into());
    }
    let identified = key.iter().all(|p| relation.columns.get(*p).is_some_and(|column| !column.nullable));
    let identifier: Vec<i32> = if identified { key.iter().map(|p| *p as i32 + 1).collect() } else { Vec::new() };
    Ok(Schema::builder().with_schema_id(0).with_fields(fields).with_identifier_field_ids(identifier).build().map_err(Report::internal)?)
}

/// What keeps the relation from being written to a table of this schema, one line a column; empty when it fits.
/// Optional columns that only the table has stay null, and are no difference.
fn differences(relation: &RelationSchema, table: &Schema) -> Result<Vec<String>, Report> {
    let mut lines = Vec::new();
    for column in &relation.columns {
        let ours = iceberg_type(column)?;
        match table.as_struct().fields().iter().find(|field| field.name == column.name) {
            None => lines.push(format!("column \"{}\" ({ours}) is not in the table", column.name)),
            Some(field) if *field.field_type != Type::Primitive(ours.clone()) => {
                lines.push(format!("column \"{}\" is {ours} in the sink, {} in the table", column.name, field.field_type));
            }
            Some(_) => {}
        }
    }
    for field in table.as_struct().fields().iter().filter(|field| field.required && relation.position(&field.name).is_none()) {
        lines.push(format!("column \"{}\" ({}) of the table is required and not in the sink", field.name, field.field_type));
    }
    Ok(lines)
}

/// Checks at CREATE SINK that a table that was there before has the relation's columns, and no others.
pub fn check_same(relation: &RelationSchema, table: &Schema, table_name: &str) -> Result<(), Report> {
    let mut lines = differences(relation, table)?;
    for field in table.as_struct().fields().iter().filter(|field| !field.required && relation.position(&field.name).is_none()) {
        lines.push(format!("column \"{}\" ({}) of the table is not in the sink", field.name, field.field_type));
    }
    for column in relation.columns.iter().filter(|column| column.nullable) {
        if table.field_by_name(&column.name).is_some_and(|field| field.required) {
            lines.push(format!("column \"{}\" may be null in the sink and is required in the table", column.name));
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    Err(Report::error(SqlState::DATATYPE_MISMATCH, format!("table \"{table_name}\" has another schema than the sink"))
        .detail(lines.join("; "))
        .hint("Name another table, or cast and rename the columns in the query that the sink reads."))
}

/// How rows of the relation become rows of the table's files.
#[derive(Clone, Debug)]
pub struct Projection {
    /// The relation's columns with the table's field ids.
    pub schema: SchemaRef,
    /// The same in Arrow, field ids in the metadata.
    pub arrow: ArrowSchemaRef,
}

impl Projection {
    /// # Errors
    /// [`SinkError::Diverged`] when someone changed the table so that it no longer fits.
    pub fn new(relation: &RelationSchema, table: &Schema, table_name: &str) -> Result<Projection, SinkError> {
        let lines = differences(relation, table)?;
        if !lines.is_empty() {
            return Err(diverged(
                format!("the schema of table \"{table_name}\" was changed and the sink no longer fits it"),
                lines.join("; "),
                "Change the table back, or drop the sink and create it again with another table.",
            ));
        }
        let fields = relation.columns.iter().filter_map(|column| table.field_by_name(&column.name)).cloned().collect::<Vec<_>>();
        let schema = Schema::builder().with_schema_id(table.schema_id()).with_fields(fields).build().map_err(Report::internal)?;
        let arrow: ArrowSchema = schema_to_arrow_schema(&schema).map_err(Report::internal)?;
        Ok(Projection { schema: Arc::new(schema), arrow: Arc::new(arrow) })
    }

    /// The rows in the table's types.
    pub fn project(&self, rows: &RecordBatch) -> Result<RecordBatch, SinkError> {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(rows.num_columns());
        for (column, field) in rows.columns().iter().zip(self.arrow.fields()) {
            if !field.is_nullable() && column.null_count() > 0 {
                return Err(diverged(
                    format!("null value in column \"{}\", which the table requires", field.name()),
                    "The sink stops before the commit that has the null.",
                    "Filter the rows out in the query that the sink reads, or make the column optional in the table.",
                ));
            }
            columns.push(cast_with_options(column, field.data_type(), &options).map_err(Report::internal)?);
        }
        Ok(RecordBatch::try_new(self.arrow.clone(), columns).map_err(Report::internal)?)
    }
}

#[cfg(test)]
mod tests;
