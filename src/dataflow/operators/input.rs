//! Input: the changes of a relation as they are, under the plan's column names.

use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::dataflow::operators::union::renamed;
use crate::zset::Delta;

pub struct Input {
    schema: SchemaRef,
}

impl Input {
    pub fn new(schema: SchemaRef) -> Input {
        Input { schema }
    }
}

impl Operator for Input {
    fn name(&self) -> &'static str {
        "Input"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        Ok(Delta(renamed(&inputs[0].0, &self.schema)?))
    }
}
