//! Combine: equal rows as one with the sum of their weights, where there are enough of them to be worth it. Linear.
//!
//! What comes out is the same change as what goes in; that it is shorter only spares those who come after.

use arrow::array::{RecordBatch, RecordBatchOptions};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, ZSet};

#[derive(Default)]
pub struct Combine {
    /// So many changes are passed on as they are: not enough rows were equal.
    rest: u32,
}

/// Fewer rows are not worth a table.
const FEW: usize = 64;
const REST: u32 = 30;

impl Operator for Combine {
    fn name(&self) -> &'static str {
        "Combine"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        let input = &inputs[0].0;
        if input.len() < FEW {
            return Ok(inputs[0].clone());
        }
        if self.rest > 0 {
            self.rest -= 1;
            return Ok(inputs[0].clone());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(input.len()));
        let columns = input.rows().columns().iter().map(canonical).collect();
        let rows = RecordBatch::try_new_with_options(input.schema(), columns, &options)?;
        let combined = ZSet::new(rows, input.weights().clone()).combined()?;
        if combined.len() > input.len() / 4 * 3 {
            self.rest = REST;
        }
        Ok(Delta(combined))
    }
}
