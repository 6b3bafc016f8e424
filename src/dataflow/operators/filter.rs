//! Filter: the rows for which the predicate is true. Linear.

use crate::dataflow::error::DataflowError;
use crate::dataflow::evaluate::holds;
use crate::dataflow::operator::{Operator, StepContext};
use crate::planner::circuit_plan::ScalarExpr;
use crate::zset::Delta;

pub struct Filter {
    predicate: ScalarExpr,
}

impl Filter {
    pub fn new(predicate: ScalarExpr) -> Filter {
        Filter { predicate }
    }
}

impl Operator for Filter {
    fn name(&self) -> &'static str {
        "Filter"
    }

    fn step(&mut self, inputs: &[&Delta], context: &mut StepContext) -> Result<Delta, DataflowError> {
        let input = &inputs[0].0;
        if input.is_empty() {
            return Ok(inputs[0].clone());
        }
        let mask = holds(&self.predicate, input, &mut context.errors)?;
        // Rows that belong together often come together: nothing is copied where all of them stay.
        Ok(match mask.true_count() {
            0 => Delta::empty(input.schema()),
            count if count == input.len() => inputs[0].clone(),
            _ => Delta(input.filter(&mask)?),
        })
    }
}
