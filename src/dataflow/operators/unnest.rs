//! Unnest: a row for each element of a list, which takes the list's place; none for a null or empty list. Linear.

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::zset::Delta;
use crate::zset::row_codec::canonical;

pub struct Unnest {
    column: usize,
    schema: SchemaRef,
}

impl Unnest {
    pub fn new(column: usize, schema: SchemaRef) -> Unnest {
        Unnest { column, schema }
    }
}

impl Operator for Unnest {
    fn name(&self) -> &'static str {
        "Unnest"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        let input = &inputs[0].0;
        if input.is_empty() {
            return Ok(Delta::empty(self.schema.clone()));
        }
        let column = input.column(self.column);
        if !matches!(column.data_type(), DataType::List(_)) {
            return Err(DataflowError::Plan(format!("unnest of {}", column.data_type())));
        }
        let list = column.as_list::<i32>();
        let (mut rows, mut elements) = (Vec::new(), Vec::new());
        for row in (0..list.len()).filter(|row| list.is_valid(*row)) {
            for element in list.value_offsets()[row]..list.value_offsets()[row + 1] {
                rows.push(row as u32);
                elements.push(element as u32);
            }
        }
        let (rows, elements) = (UInt32Array::from(rows), UInt32Array::from(elements));
        let columns = input.rows().columns().iter().enumerate().map(|(i, values)| match i == self.column {
            true => Ok(canonical(&take(list.values(), &elements, None)?)),
            false => take(values, &rows, None),
        });
        let unnested = RecordBatch::try_new(self.schema.clone(), columns.collect::<Result<_, _>>()?)?;
        let weights = take(input.weights(), &rows, None)?;
        Ok(Delta(crate::zset::ZSet::new(unnested, weights.as_primitive().clone())))
    }
}
