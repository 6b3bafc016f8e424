//! Project: new columns computed from each row. Linear.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use crate::dataflow::error::DataflowError;
use crate::dataflow::evaluate::evaluate;
use crate::dataflow::operator::{Operator, StepContext};
use crate::planner::circuit_plan::ScalarExpr;
use crate::zset::Delta;

pub struct Project {
    expressions: Vec<ScalarExpr>,
    schema: SchemaRef,
}

impl Project {
    pub fn new(expressions: Vec<ScalarExpr>, schema: SchemaRef) -> Project {
        Project { expressions, schema }
    }
}

impl Operator for Project {
    fn name(&self) -> &'static str {
        "Project"
    }

    fn step(&mut self, inputs: &[&Delta], context: &mut StepContext) -> Result<Delta, DataflowError> {
        if inputs[0].is_empty() {
            return Ok(Delta::empty(self.schema.clone()));
        }
        let evaluated = evaluate(&self.expressions, &inputs[0].0, &mut context.errors)?;
        if evaluated.input.is_empty() {
            return Ok(Delta::empty(self.schema.clone()));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(evaluated.input.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), evaluated.values, &options)?;
        Ok(Delta(evaluated.input.with_rows(rows)))
    }
}
