//! A side of a join as others can know it: which rows are kept, by which columns, and how they are divided.
//!
//! Two sides that are the same hold the same rows at every moment, wherever they are: one of them is enough.

use crate::planner::circuit_plan::CircuitPlan;
use crate::types::TraceId;

use super::distribution::Need;

pub struct Side {
    /// What gives the rows.
    pub rows: CircuitPlan,
    pub key: Vec<usize>,
    /// Whether rows with a null in their key are kept.
    pub nulls: bool,
    /// How the rows are divided into shards.
    pub need: Need,
    /// The trace of the first shard, by the circuit's own numbers.
    pub trace: TraceId,
}

impl Side {
    /// Whether both keep the same rows in the same way.
    pub fn is_same(&self, other: &Side) -> bool {
        self.key == other.key && self.nulls == other.nulls && self.need == other.need && self.rows.is_same(&other.rows)
    }
}
