//! What an operator is: changes in, changes out, once an epoch.

use crate::types::{Report, SqlState, Turn};
use crate::zset::Delta;

use super::error::DataflowError;

/// A vertex of a circuit. Summed over all epochs, what comes out is the operator's function of what went in.
pub trait Operator: Send {
    fn name(&self) -> &'static str;

    /// One change an input, in the plan's order; called at most once an epoch, but for each piece where rows are divided into
    /// any pieces. The result need not be consolidated; its floats are canonical when those of the inputs are.
    fn step(&mut self, inputs: &[&Delta], context: &mut StepContext) -> Result<Delta, DataflowError>;

    /// Whether something may come out when nothing has gone in. Otherwise it is not stepped then.
    fn acts_unasked(&self) -> bool {
        false
    }
}

/// What a step knows beside its inputs, and where the errors of rows go.
#[derive(Debug)]
pub struct StepContext {
    pub turn: Turn,
    /// The epoch's time, in microseconds since 1970 UTC.
    pub now: i64,
    pub errors: Vec<ErrorRow>,
}

impl StepContext {
    pub fn new(turn: Turn, now: i64) -> StepContext {
        StepContext { turn, now, errors: Vec::new() }
    }
}

/// A row that could not be computed, in place of the row: added with the row's weight, so that it is taken back with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRow {
    pub sqlstate: SqlState,
    pub message: String,
    pub weight: i64,
}

impl ErrorRow {
    pub fn new(report: &Report, weight: i64) -> ErrorRow {
        ErrorRow { sqlstate: report.sqlstate, message: report.message.clone(), weight }
    }
}
