//! Constant: rows that are there from the first epoch on. That they were given is remembered, so that a restart does
//! not give them again.

use arrow::array::RecordBatch;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::dataflow::operators::slots::Slots;
use crate::state::Cells;
use crate::zset::Delta;
use crate::zset::row_codec::canonical;

pub struct Constant {
    rows: RecordBatch,
    given: Cells,
}

impl Constant {
    pub fn new(rows: &RecordBatch, slots: &mut Slots) -> Result<Constant, DataflowError> {
        let columns: Vec<_> = rows.columns().iter().map(canonical).collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(rows.schema(), columns, &options)?;
        Ok(Constant { rows, given: slots.cells()? })
    }
}

impl Operator for Constant {
    fn name(&self) -> &'static str {
        "Constant"
    }

    fn acts_unasked(&self) -> bool {
        true
    }

    fn step(&mut self, _: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        if !self.given.is_empty() {
            return Ok(Delta::empty(self.rows.schema()));
        }
        self.given.set(b"given", Some(b""))?;
        Ok(Delta::inserts(self.rows.clone()))
    }
}
