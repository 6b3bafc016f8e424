//! Sift: of rows that only come, those of each change that may be a group's greatest. Before they move to where their groups are.
//!
//! Nothing is kept: what is less than another row of the same change and group is not the greatest, whatever else there is.

use arrow::array::BooleanArray;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{Operator, StepContext};
use crate::zset::Delta;

use super::{Coming, without_nulls};

pub struct Sift {
    partition: Vec<usize>,
    column: usize,
}

impl Sift {
    pub fn new(partition: Vec<usize>, column: usize) -> Sift {
        Sift { partition, column }
    }
}

impl Operator for Sift {
    fn name(&self) -> &'static str {
        "Sift"
    }

    fn step(&mut self, inputs: &[&Delta], _: &mut StepContext) -> Result<Delta, DataflowError> {
        let [Delta(delta)] = inputs else { return Err(DataflowError::Plan("rows to sift have one input".into())) };
        // A row that goes may be one that was let through: that is for the next one to find out.
        if delta.is_empty() || delta.weights().values().iter().any(|weight| *weight < 0) {
            return Ok(inputs[0].clone());
        }
        let rows = without_nulls(delta, &self.partition, self.column)?;
        let Coming { groups, values, greatest, .. } = Coming::of(&rows, &self.partition, self.column)?;
        let best = values.iter().zip(&groups.ids).map(|(value, group)| Some(greatest[*group as usize] == Some(*value)));
        Ok(Delta(rows.filter(&best.collect::<BooleanArray>())?))
    }
}
