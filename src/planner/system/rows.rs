//! Rows of a system relation, given column by column by name.
//!
//! What is not given is NULL, or where the column is never null its plain value: false, 0, the empty text. So a
//! relation's code names only what floe has to say about a row, not the many columns that mean nothing to it.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::shape::Shape;
use super::value::{self, Value};
use crate::types::{Column, SqlType};

pub struct Rows {
    shape: &'static Shape,
    columns: Vec<Vec<Value>>,
    rows: usize,
    /// Columns that were given but that the shape lacks: a slip in this folder, which its tests look for.
    pub unknown: Vec<String>,
}

impl Rows {
    pub fn new(shape: &'static Shape) -> Rows {
        Rows { shape, columns: vec![Vec::new(); shape.columns.len()], rows: 0, unknown: Vec::new() }
    }

    pub fn add<const N: usize>(&mut self, given: [(&str, Value); N]) {
        for (cells, column) in self.columns.iter_mut().zip(&self.shape.columns) {
            cells.push(plain(column));
        }
        self.rows += 1;
        for (name, value) in given {
            let place = self.shape.columns.iter().position(|column| column.name == name);
            match place.and_then(|at| self.columns.get_mut(at)).and_then(|cells| cells.last_mut()) {
                Some(cell) => *cell = value,
                None => self.unknown.push(name.to_string()),
            }
        }
    }

    pub fn batch(&self) -> Result<RecordBatch, ArrowError> {
        let typed = self.shape.columns.iter().zip(&self.columns);
        let arrays = typed.map(|(column, cells)| value::column(&column.sql_type, cells)).collect::<Result<_, _>>()?;
        RecordBatch::try_new(self.shape.relation_schema().arrow(), arrays)
    }
}

fn plain(column: &Column) -> Value {
    if column.nullable {
        return Value::Null;
    }
    match column.sql_type {
        SqlType::Boolean => Value::Bool(false),
        SqlType::SmallInt | SqlType::Integer | SqlType::BigInt | SqlType::Oid => Value::Int(0),
        SqlType::Real | SqlType::Double => Value::Float(0.0),
        SqlType::Array(_) => Value::List(Vec::new()),
        _ => Value::Text(String::new()),
    }
}
