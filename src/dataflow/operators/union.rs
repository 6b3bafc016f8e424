//! Union: the sum of its inputs (UNION ALL). Linear.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::zset::{Delta, ZSet};

pub struct Union {
    schema: SchemaRef,
}

impl Union {
    pub fn new(schema: SchemaRef) -> Union {
        Union { schema }
    }
}

impl Operator for Union {
    fn name(&self) -> &'static str {
        "Union"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        let parts = inputs.iter().map(|input| renamed(&input.0, &self.schema)).collect::<Result<Vec<_>, _>>()?;
        Ok(Delta(ZSet::concat(&self.schema, &parts)?))
    }
}

/// The same rows under a schema of the same types.
///
/// # Errors
/// When the types differ.
pub fn renamed(zset: &ZSet, schema: &SchemaRef) -> Result<ZSet, ArrowError> {
    if zset.schema() == *schema {
        return Ok(zset.clone());
    }
    let options = RecordBatchOptions::new().with_row_count(Some(zset.len()));
    Ok(zset.with_rows(RecordBatch::try_new_with_options(schema.clone(), zset.rows().columns().to_vec(), &options)?))
}
