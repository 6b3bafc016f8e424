//! What stops a circuit. The failure of a row does not: that is data.

use arrow::error::ArrowError;
use thiserror::Error;

use crate::state::StateError;
use crate::types::{Report, SqlState};

/// After an error in a step the circuit's state may hold half of the epoch: the circuit has to be rendered again from
/// the last checkpoint.
#[derive(Debug, Error)]
pub enum DataflowError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("rows do not fit the plan: {0}")]
    Arrow(#[from] ArrowError),
    /// Something the plan asks for that no operator does.
    #[error("{0}")]
    Unsupported(String),
    /// A plan that contradicts itself: a defect of the planner.
    #[error("plan is inconsistent: {0}")]
    Plan(String),
    /// An input took back more than it gave.
    #[error("relation is inconsistent: {operator} counts {weight} rows for a key")]
    NegativeWeight { operator: &'static str, weight: i64, key: String },
    #[error("weight of a row out of range")]
    WeightOutOfRange,
    /// Accumulators that this floe did not write.
    #[error("state is corrupted")]
    Corrupted { detail: String },
}

impl DataflowError {
    pub fn report(&self) -> Report {
        let text = self.to_string();
        match self {
            DataflowError::State(error) => error.report(),
            DataflowError::Unsupported(_) => Report::unsupported(text),
            DataflowError::NegativeWeight { key, .. } => Report::error(SqlState::DATA_CORRUPTED, text)
                .detail(format!("The key: {key}."))
                .hint("A source took back a row that it never gave, or this is a defect of floe; creating the relation again rebuilds it."),
            DataflowError::WeightOutOfRange => Report::error(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, text),
            DataflowError::Corrupted { detail } => Report::error(SqlState::DATA_CORRUPTED, text).detail(detail),
            DataflowError::Arrow(_) | DataflowError::Plan(_) => Report::internal(text),
        }
    }
}

impl From<DataflowError> for Report {
    fn from(error: DataflowError) -> Report {
        error.report()
    }
}
