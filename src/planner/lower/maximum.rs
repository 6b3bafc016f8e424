//! The one maximum of groups that a plan is.

use crate::planner::circuit_plan::{AggregateCall, AggregateFunction, CircuitPlan};
use crate::planner::error::PlanResult;

use super::composed::{Composed, composed};

/// An aggregate of one maximum, through the projections on top of it.
pub struct Maximum<'a> {
    /// The plan over the aggregate's result: the groups, and the maximum behind them.
    pub plan: Composed<'a>,
    pub input: &'a CircuitPlan,
    pub group: &'a [usize],
    /// The column of the input whose maximum it is.
    pub argument: usize,
    pub call: &'a AggregateCall,
}

impl Maximum<'_> {
    /// `None` where the plan is another, or the maximum one of some of a group's rows.
    pub fn of(plan: &CircuitPlan) -> PlanResult<Option<Maximum<'_>>> {
        let plan = composed(plan)?;
        let CircuitPlan::Aggregate { input, group, windows: None, calls, .. } = plan.base else { return Ok(None) };
        let [call] = calls.as_slice() else { return Ok(None) };
        let (AggregateFunction::Max, Some(argument), None) = (call.function, call.argument, call.filter) else { return Ok(None) };
        Ok(Some(Maximum { plan, input, group, argument, call }))
    }
}
