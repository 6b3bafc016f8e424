//! Input: the changes of a relation under the plan's column names, without what the plan does not read. Linear.

use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::types::Projection;
use crate::zset::Delta;

pub struct Input {
    read: Projection,
    schema: SchemaRef,
}

impl Input {
    /// `schema` is the whole relation's, as the plan has it.
    pub fn new(schema: &SchemaRef, read: Projection) -> Input {
        Input { schema: read.schema(schema), read }
    }
}

impl Operator for Input {
    fn name(&self) -> &'static str {
        "Input"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        let input = &inputs[0].0;
        Ok(Delta(input.with_rows(self.read.apply(input.rows(), &self.schema)?)))
    }
}
