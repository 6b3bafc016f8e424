//! What of a relation is read: its columns, and of columns that are structs the fields.
//!
//! Rows that were made for a projection lack the rest: a column or a field that nobody reads is there by name and of
//! Arrow's type Null. So nobody can take what is missing for values: its type is another.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, NullArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

/// What is read of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Nothing,
    /// These fields of a struct, and whether the struct is null.
    Fields(BTreeSet<usize>),
    Whole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    parts: Vec<Part>,
}

impl Projection {
    pub fn nothing(columns: usize) -> Projection {
        Projection { parts: vec![Part::Nothing; columns] }
    }

    pub fn everything(columns: usize) -> Projection {
        Projection { parts: vec![Part::Whole; columns] }
    }

    pub fn is_everything(&self) -> bool {
        self.parts.iter().all(|part| *part == Part::Whole)
    }

    /// What is read of a column; nothing of one that is not there.
    pub fn part(&self, column: usize) -> &Part {
        self.parts.get(column).unwrap_or(&Part::Nothing)
    }

    /// Whether all of that is read too.
    pub fn has(&self, other: &Projection) -> bool {
        let mut both = self.clone();
        both.merge(other);
        both == *self
    }

    pub fn add(&mut self, column: usize) {
        if let Some(part) = self.parts.get_mut(column) {
            *part = Part::Whole;
        }
    }

    pub fn add_field(&mut self, column: usize, field: usize) {
        match self.parts.get_mut(column) {
            Some(part @ Part::Nothing) => *part = Part::Fields(BTreeSet::from([field])),
            Some(Part::Fields(fields)) => {
                fields.insert(field);
            }
            Some(Part::Whole) | None => {}
        }
    }

    pub fn add_part(&mut self, column: usize, part: &Part) {
        match part {
            Part::Nothing => {}
            Part::Fields(fields) => fields.iter().for_each(|field| self.add_field(column, *field)),
            Part::Whole => self.add(column),
        }
    }

    /// What both read together.
    pub fn merge(&mut self, other: &Projection) {
        other.parts.iter().enumerate().for_each(|(column, part)| self.add_part(column, part));
    }

    /// The schema of rows that have no more than this.
    pub fn schema(&self, whole: &SchemaRef) -> SchemaRef {
        if self.is_everything() {
            return whole.clone();
        }
        let fields = whole.fields().iter().zip(&self.parts).map(|(field, part)| match (part, field.data_type()) {
            (Part::Whole, _) => field.clone(),
            (Part::Fields(wanted), DataType::Struct(inner)) => {
                let inner = inner.iter().enumerate().map(|(at, inner)| match wanted.contains(&at) {
                    true => inner.clone(),
                    false => absent(inner),
                });
                Arc::new(field.as_ref().clone().with_data_type(DataType::Struct(inner.collect())))
            }
            _ => absent(field),
        });
        Arc::new(Schema::new(fields.collect::<Fields>()))
    }

    /// The rows with no more than this, under `schema`, which is [`Projection::schema`] of the names wanted.
    ///
    /// # Errors
    /// When the rows lack what is read, or have it in another type.
    pub fn apply(&self, rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let columns = rows.columns().iter().zip(&self.parts).zip(schema.fields());
        let columns = columns.map(|((column, part), field)| match (part, field.data_type()) {
            (Part::Whole, _) => Ok(column.clone()),
            (Part::Fields(_), DataType::Struct(fields)) => with_fields(column, fields),
            _ => Ok(Arc::new(NullArray::new(rows.num_rows())) as ArrayRef),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_, _>>()?, &options)
    }
}

fn absent(field: &Field) -> Arc<Field> {
    Arc::new(Field::new(field.name(), DataType::Null, true))
}

/// The struct without the values of fields that are to be absent.
fn with_fields(column: &ArrayRef, fields: &Fields) -> Result<ArrayRef, ArrowError> {
    let whole = column.as_struct_opt().ok_or_else(|| ArrowError::SchemaError("fields of what is no struct".into()))?;
    let values = whole.columns().iter().zip(fields).map(|(values, field)| match field.data_type() {
        DataType::Null => Arc::new(NullArray::new(whole.len())) as ArrayRef,
        _ => values.clone(),
    });
    let rows = StructArray::try_new_with_length(fields.clone(), values.collect(), whole.nulls().cloned(), whole.len())?;
    Ok(Arc::new(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};

    fn rows() -> RecordBatch {
        let inner = Fields::from(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]);
        let fields = vec![Field::new("id", DataType::Int64, true), Field::new("s", DataType::Struct(inner.clone()), true)];
        let values: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![7, 8])), Arc::new(StringArray::from(vec!["x", "y"]))];
        let nulls = Some(arrow::buffer::NullBuffer::from(vec![true, false]));
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![1, 2])), Arc::new(StructArray::new(inner, values, nulls))];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    #[test]
    fn what_is_not_read_is_not_there() {
        let whole = rows();
        let mut projection = Projection::nothing(2);
        projection.add_field(1, 0);
        let schema = projection.schema(&whole.schema());
        let some = projection.apply(&whole, &schema).unwrap();
        assert_eq!(some.column(0).data_type(), &DataType::Null);
        let (before, after) = (whole.column(1).as_struct(), some.column(1).as_struct());
        assert_eq!((after.column(0), after.nulls()), (before.column(0), before.nulls()));
        assert_eq!(after.column(1).data_type(), &DataType::Null);
        // The same of what has no more already.
        assert_eq!(projection.apply(&some, &schema).unwrap(), some);

        let mut more = projection.clone();
        more.add(0);
        assert!(more.apply(&some, &more.schema(&whole.schema())).is_err(), "a column that is read is not there");
        more = projection.clone();
        more.add_field(1, 1);
        assert!(more.apply(&some, &more.schema(&whole.schema())).is_err(), "a field that is read is not there");
    }

    #[test]
    fn sums_of_projections() {
        let whole = rows();
        let mut projection = Projection::nothing(2);
        projection.add(0);
        let mut fields = Projection::nothing(2);
        fields.add_field(1, 1);
        projection.merge(&fields);
        fields.add_field(1, 0);
        assert_ne!(projection, fields);
        assert!(!projection.is_everything());
        projection.merge(&Projection::everything(2));
        assert!(projection.is_everything());
        assert_eq!(projection.schema(&whole.schema()), whole.schema());
        projection.merge(&fields);
        assert_eq!(projection.part(1), &Part::Whole);
        assert_eq!(projection.part(9), &Part::Nothing);
    }
}
