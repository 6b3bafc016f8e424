//! The shape of a relation: its columns in order, which of them are the key, and whether rows are ever taken back.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::sql_type::SqlType;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub sql_type: SqlType,
    pub nullable: bool,
}

impl Column {
    pub fn new(name: impl Into<String>, sql_type: SqlType) -> Column {
        Column { name: name.into(), sql_type, nullable: true }
    }
}

/// The resolved schema of a source, table, view or sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationSchema {
    pub columns: Vec<Column>,
    /// Positions of the key's columns, in key order; empty when rows have no key.
    pub primary_key: Vec<usize>,
    /// True when no row is ever retracted: the relation only grows.
    pub append_only: bool,
}

impl RelationSchema {
    pub fn new(columns: Vec<Column>) -> RelationSchema {
        RelationSchema { columns, primary_key: Vec::new(), append_only: false }
    }

    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// The Arrow form that batches of this relation have. All fields are nullable: nullability is a promise about
    /// values, checked where they enter, and never a reason for two batches not to fit together.
    pub fn arrow(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(|c| c.sql_type.field(&c.name)).collect::<Vec<_>>()))
    }
}
