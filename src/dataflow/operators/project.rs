//! Project: new columns computed from each row. Linear.
//!
//! A column that is only passed on may lack what nobody reads of it ([`Projection`](crate::types::Projection)): its type is
//! that of what came.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use datafusion::physical_expr::expressions::Column;

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

impl Project {
    fn schema_of(&self, values: &[ArrayRef]) -> SchemaRef {
        let mut columns = self.schema.fields().iter().zip(values);
        if columns.all(|(field, values)| field.data_type() == values.data_type()) {
            return self.schema.clone();
        }
        let columns = self.schema.fields().iter().zip(values).zip(&self.expressions);
        let fields = columns.map(|((field, values), expression)| match expression.physical.as_any().is::<Column>() {
            true => Arc::new(field.as_ref().clone().with_data_type(values.data_type().clone()).with_nullable(true)),
            false => field.clone(),
        });
        Arc::new(Schema::new(fields.collect::<Fields>()))
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
        let rows = RecordBatch::try_new_with_options(self.schema_of(&evaluated.values), evaluated.values, &options)?;
        Ok(Delta(evaluated.input.with_rows(rows)))
    }
}
