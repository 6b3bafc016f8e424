//! From a plan to its circuit: one match, one call an arm.
//!
//! Trace slots are given out in a depth-first walk, inputs before their consumer, so the same plan finds the state that
//! it left. How many an operator takes is its own affair; it depends on the plan alone.

use std::collections::BTreeMap;

use crate::planner::circuit_plan::{CircuitPlan, needs};
use crate::state::TraceSet;
use crate::types::{ObjectId, Projection, TraceId};

use super::circuit::{Circuit, Feed, Node};
use super::error::DataflowError;
use super::operator::Operator;
use super::operators::aggregate::Aggregate;
use super::operators::combine::Combine;
use super::operators::constant::Constant;
use super::operators::filter::Filter;
use super::operators::input::Input;
use super::operators::join::{Join, JoinSpec};
use super::operators::project::Project;
use super::operators::slots::Slots;
use super::operators::top_n::{TopN, TopNSpec};
use super::operators::union::Union;
use super::operators::unnest::Unnest;
use super::profile::{Counts, OperatorProfile};

impl Circuit {
    /// The circuit of a plan, with the state that `traces` holds for `object` from slot `first_slot` on.
    ///
    /// # Errors
    /// When the plan asks for what no operator does, or the stored state is of another plan.
    pub fn render(plan: &CircuitPlan, object: ObjectId, traces: &TraceSet, first_slot: u16) -> Result<Circuit, DataflowError> {
        let mut slots = Slots::new(traces, TraceId::new(object, first_slot));
        let reads = needs::of_relations(plan);
        let mut rendered = Rendered { nodes: Vec::new(), plans: Vec::new(), profiles: Vec::new(), reads };
        render(plan, &mut slots, &mut rendered)?;
        Ok(Circuit::new(rendered.nodes, rendered.profiles, slots.next()))
    }
}

struct Rendered<'a> {
    nodes: Vec<Node>,
    profiles: Vec<OperatorProfile>,
    /// The plan of each node.
    plans: Vec<&'a CircuitPlan>,
    /// What is read of each relation, wherever in the plan: an input may have several readers.
    reads: BTreeMap<ObjectId, Projection>,
}

/// The node of the plan, which is the last one unless it was there before.
fn render<'a>(plan: &'a CircuitPlan, slots: &mut Slots, rendered: &mut Rendered<'a>) -> Result<usize, DataflowError> {
    if let Some(node) = rendered.plans.iter().position(|known| known.is_same(plan)) {
        return Ok(node);
    }
    let mut feeds = Vec::new();
    for input in plan.inputs() {
        feeds.push(render(input, slots, rendered)?);
    }
    let (inputs, first) = (feeds.clone(), slots.next());
    let mut feed = Feed::Nodes(feeds);
    let operator: Box<dyn Operator> = match plan {
        CircuitPlan::Input { relation, schema, .. } => {
            feed = Feed::Relation(*relation, schema.clone());
            let read = rendered.reads.get(relation).ok_or_else(|| DataflowError::Plan("an input that nothing is known of".into()))?;
            Box::new(Input::new(schema, read.clone()))
        }
        CircuitPlan::Constant { rows } => Box::new(Constant::new(rows, slots)?),
        CircuitPlan::Filter { predicate, .. } => Box::new(Filter::new(predicate.clone())),
        CircuitPlan::Project { expressions, schema, .. } => Box::new(Project::new(expressions.clone(), schema.clone())),
        CircuitPlan::Combine { .. } => Box::new(Combine::default()),
        CircuitPlan::Unnest { column, schema, .. } => Box::new(Unnest::new(*column, schema.clone())),
        CircuitPlan::Join { left, right, kind, on, null_equal, residual, schema } => {
            let (null_equal, residual, schema) = (*null_equal, residual.clone(), schema.clone());
            let spec = JoinSpec { kind: *kind, on: on.clone(), null_equal, residual, schema };
            Box::new(Join::new(spec, &left.schema(), &right.schema(), slots)?)
        }
        CircuitPlan::Aggregate { input, group, calls, schema } => {
            Box::new(Aggregate::new(&input.schema(), group.clone(), calls, schema.clone(), input.is_append_only(), slots)?)
        }
        CircuitPlan::TopN { input, partition, order, limit, rank, schema } => {
            let (partition, order, schema) = (partition.clone(), order.clone(), schema.clone());
            let spec = TopNSpec { partition, order, limit: *limit, rank: *rank, schema, append_only: input.is_append_only() };
            Box::new(TopN::new(spec, &input.schema(), slots)?)
        }
        CircuitPlan::Union { schema, .. } => Box::new(Union::new(schema.clone())),
    };
    let (name, slots) = (operator.name(), first..slots.next());
    rendered.profiles.push(OperatorProfile { label: plan.label(), name, inputs, slots, counts: Counts::default() });
    rendered.nodes.push(Node { feed, operator });
    rendered.plans.push(plan);
    Ok(rendered.nodes.len() - 1)
}
