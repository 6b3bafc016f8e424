//! From a plan to its circuit: one match, one call an arm.
//!
//! Trace slots are given out in a depth-first walk, inputs before their consumer, so the same plan finds the state that
//! it left. How many an operator takes is its own affair; it depends on the plan alone.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;

use crate::planner::circuit_plan::{CircuitPlan, growth, needs, numbered};
use crate::state::TraceSet;
use crate::types::{ObjectId, Projection, TraceId};
use crate::zset::shards::SHARDS;

use super::circuit::{Circuit, ResultOf, StateOf};
use super::distribution::{self, Distribution, Need};
use super::error::DataflowError;
use super::identity::Identity;
use super::node::{Feed, Node, Work};
use super::operator::Operator;
use super::operators::aggregate::Aggregate;
use super::operators::combine::Combine;
use super::operators::constant::Constant;
use super::operators::filter::Filter;
use super::operators::greatest::Greatest;
use super::operators::greatest::sift::Sift;
use super::operators::input::Input;
use super::operators::join::{Join, JoinSpec};
use super::operators::project::Project;
use super::operators::slots::Slots;
use super::operators::top_n::first_row::FirstRow;
use super::operators::top_n::{TopN, TopNSpec};
use super::operators::union::Union;
use super::operators::unnest::Unnest;
use super::profile::{Counts, OperatorProfile};
use super::side::Side;
use super::staged::Staged;
use super::workers::Workers;

impl Circuit {
    /// The circuit of a plan, with the state that `traces` holds for `object` from slot `first_slot` on. Those make its shards who
    /// are to step them ([`Circuit::on`]).
    ///
    /// # Errors
    /// When the plan asks for what no operator does, or the stored state is of another plan.
    pub fn render(
        plan: &CircuitPlan,
        object: ObjectId,
        traces: &TraceSet,
        first_slot: u16,
        workers: &Workers,
    ) -> Result<Circuit, DataflowError> {
        let mut slots = Slots::new(traces, TraceId::new(object, first_slot)).by(workers);
        let reads = needs::of_relations(plan);
        let mut rendered = Rendered { nodes: Vec::new(), places: Vec::new(), profiles: Vec::new(), sides: Vec::new(), object, reads };
        let last = render(plan, &mut slots, &mut rendered)?;
        let result = ResultOf { schema: plan.schema(), gathers_equals: rendered.places[last].distribution.gathers_equals() };
        let identities = rendered.places.into_iter().map(|place| place.identity).collect();
        let state = StateOf { next_slot: slots.next(), sides: rendered.sides, identities };
        Ok(Circuit::new(rendered.nodes, rendered.profiles, result, state))
    }
}

struct Rendered {
    nodes: Vec<Node>,
    profiles: Vec<OperatorProfile>,
    /// What is at each node.
    places: Vec<Place>,
    /// Of the joins.
    sides: Vec<Side>,
    object: ObjectId,
    /// What is read of each relation, wherever in the plan: an input may have several readers.
    reads: BTreeMap<ObjectId, Projection>,
}

/// What is at a node.
struct Place {
    identity: Identity,
    distribution: Distribution,
}

/// The node of the plan, which is the last one unless it was there before.
fn render(plan: &CircuitPlan, slots: &mut Slots, rendered: &mut Rendered) -> Result<usize, DataflowError> {
    if let Some(node) = rendered.places.iter().position(|place| place.identity.is_plan(plan)) {
        return Ok(node);
    }
    let mut feeds = Vec::new();
    for input in plan.inputs() {
        feeds.push(render(input, slots, rendered)?);
    }
    let divided: Vec<Distribution> = feeds.iter().map(|feed| rendered.places[*feed].distribution.clone()).collect();
    let needs = distribution::needs(plan, &divided);
    let first = slots.next();
    let staged = match (feeds.as_slice(), needs.as_slice()) {
        ([feed], [need]) => staged(plan, &rendered.places[*feed], need, slots)?,
        _ => None,
    };
    let (work, feed, inputs, schema, distribution) = if let Some((staged, distribution)) = staged {
        (Work::Staged(staged), Feed::Nodes(feeds.clone()), Vec::new(), plan.schema(), distribution)
    } else {
        rendered.note_sides(plan, &needs, first);
        for (feed, need) in feeds.iter_mut().zip(needs) {
            *feed = rendered.sifted(plan, *feed, &need, slots)?;
            *feed = rendered.moved(*feed, need);
        }
        let divided: Vec<Distribution> = feeds.iter().map(|feed| rendered.places[*feed].distribution.clone()).collect();
        let inputs: Vec<SchemaRef> = feeds.iter().map(|feed| rendered.places[*feed].identity.schema().clone()).collect();
        let shards = if divided.iter().all(|input| *input == Distribution::One) { 1 } else { SHARDS };
        let distribution = distribution::result(plan, &divided);
        match plan {
            CircuitPlan::Input { relation, schema, .. } => {
                let read = rendered.reads.get(relation).ok_or_else(|| DataflowError::Plan("an input that nothing is known of".into()))?;
                let operator: Box<dyn Operator> = Box::new(Input::new(schema, read.clone()));
                (Work::Operators(vec![operator]), Feed::Relation(*relation), vec![schema.clone()], read.schema(schema), distribution)
            }
            _ => {
                let operators = slots.sharded(shards, |slots| operator(plan, slots))?;
                let schema = match plan {
                    CircuitPlan::Filter { .. } | CircuitPlan::Combine { .. } => inputs.first().cloned().unwrap_or_else(|| plan.schema()),
                    _ => plan.schema(),
                };
                (Work::Operators(operators), Feed::Nodes(feeds.clone()), inputs, schema, distribution)
            }
        }
    };
    let node = Node::new(feed, work, &inputs, schema.clone());
    let (name, slots) = (node.name(), first..slots.next());
    let identity = Identity::of_plan(plan, feeds.clone(), schema, &rendered.reads);
    rendered.profiles.push(OperatorProfile { label: plan.label(), name, inputs: feeds, slots, counts: Counts::default() });
    rendered.nodes.push(node);
    rendered.places.push(Place { identity, distribution });
    Ok(rendered.nodes.len() - 1)
}

/// The plan as an aggregate of two stages, and how its result is divided; `None` where one does it.
fn staged(plan: &CircuitPlan, input: &Place, need: &Need, slots: &mut Slots) -> Result<Option<(Staged, Distribution)>, DataflowError> {
    let CircuitPlan::Aggregate { input: from, group, windows, calls, schema } = plan else { return Ok(None) };
    let (key, shards, after) = match need {
        _ if input.distribution.meets(need) => return Ok(None),
        Need::Any => return Ok(None),
        Need::One => (Vec::new(), 1, Distribution::One),
        Need::Shards(key) => (key.clone(), SHARDS, Distribution::by(key)),
    };
    // Records have the group's columns only, in their order.
    if key != CircuitPlan::key_of_groups(group, windows) || !Aggregate::adds_up(&from.schema(), calls, from.is_append_only())? {
        return Ok(None);
    }
    let one =
        |slots: &mut Slots| Aggregate::new(&from.schema(), group.clone(), *windows, calls, schema.clone(), from.is_append_only(), slots);
    let shards = slots.sharded(shards, one)?;
    Ok(Some((Staged::new(key, shards, input.identity.schema().clone()), distribution::result(plan, &[after]))))
}

impl Rendered {
    /// The sides of a join whose operator takes its slots from `first` on.
    fn note_sides(&mut self, plan: &CircuitPlan, needs: &[Need], first: u16) {
        let (CircuitPlan::Join { left, right, on, null_equal, .. }, [need_left, need_right]) = (plan, needs) else { return };
        let (left_key, right_key): (Vec<usize>, Vec<usize>) = on.iter().copied().unzip();
        for (rows, key, need, slot) in [(left, left_key, need_left, Join::LEFT), (right, right_key, need_right, Join::RIGHT)] {
            let (rows, trace) = ((**rows).clone(), TraceId::new(self.object, first + slot));
            self.sides.push(Side { rows, key, nulls: *null_equal, need: need.clone(), trace });
        }
    }

    /// The node that has of `feed` what the plan may want, before its rows move: the greatest rows of all parts are among the
    /// greatest of each.
    fn sifted(&mut self, plan: &CircuitPlan, feed: usize, need: &Need, slots: &mut Slots) -> Result<usize, DataflowError> {
        let CircuitPlan::Greatest { input, partition, column } = plan else { return Ok(feed) };
        let place = &self.places[feed];
        // A row is followed by one in the same part where rows are divided by what stays the same.
        let steady = growth::steady(input, *column).unwrap_or_default();
        let by_steady = match &place.distribution {
            Distribution::Shards(hashed) => hashed.iter().all(|columns| columns.iter().any(|column| steady.get(*column) == Some(&true))),
            _ => false,
        };
        if place.distribution.meets(need) || !(by_steady || input.is_append_only()) {
            return Ok(feed);
        }
        let (distribution, schema, first) = (place.distribution.clone(), place.identity.schema().clone(), slots.next());
        let one = |slots: &mut Slots| -> Result<Box<dyn Operator>, DataflowError> {
            Ok(match by_steady {
                true => Box::new(Greatest::new(&input.schema(), partition.clone(), *column, slots)?),
                false => Box::new(Sift::new(partition.clone(), *column)),
            })
        };
        let work = Work::Operators(slots.sharded(SHARDS, one)?);
        let node = Node::new(Feed::Nodes(vec![feed]), work, std::slice::from_ref(&schema), schema.clone());
        let of = if by_steady { "each part" } else { "each change" };
        let (label, slots) = (format!("{}, of {of}", plan.label()), first..slots.next());
        self.profiles.push(OperatorProfile { label, name: node.name(), inputs: vec![feed], slots, counts: Counts::default() });
        self.nodes.push(node);
        self.places.push(Place { identity: Identity::sifted(feed, plan, schema), distribution });
        Ok(self.nodes.len() - 1)
    }

    /// The node that has the rows of `feed` where they are needed.
    fn moved(&mut self, feed: usize, need: Need) -> usize {
        let place = &self.places[feed];
        if place.distribution.meets(&need) {
            return feed;
        }
        if let Some(node) = self.places.iter().position(|place| place.identity.is_moved(feed, &need)) {
            return node;
        }
        let to = need.clone();
        let (work, distribution, label) = match need {
            Need::Shards(key) => {
                let label = format!("Exchange by [{}]", numbered(&key));
                (Work::Exchange(key.clone()), Distribution::by(&key), label)
            }
            Need::One | Need::Any => (Work::Gather, Distribution::One, "Gather".to_string()),
        };
        let schema = place.identity.schema().clone();
        let node = Node::new(Feed::Nodes(vec![feed]), work, std::slice::from_ref(&schema), schema.clone());
        self.profiles.push(OperatorProfile { label, name: node.name(), inputs: vec![feed], slots: 0..0, counts: Counts::default() });
        self.nodes.push(node);
        self.places.push(Place { identity: Identity::moved(feed, to, schema), distribution });
        self.nodes.len() - 1
    }
}

/// The operator of the plan's own verb, for one shard.
fn operator(plan: &CircuitPlan, slots: &mut Slots) -> Result<Box<dyn Operator>, DataflowError> {
    Ok(match plan {
        CircuitPlan::Input { .. } => return Err(DataflowError::Plan("an input has no operator of its own".into())),
        CircuitPlan::Constant { rows } => Box::new(Constant::new(rows, slots)?),
        CircuitPlan::Filter { predicate, .. } => Box::new(Filter::new(predicate.clone())),
        CircuitPlan::Project { expressions, schema, .. } => Box::new(Project::new(expressions.clone(), schema.clone())),
        CircuitPlan::Combine { .. } => Box::new(Combine::default()),
        CircuitPlan::Unnest { column, schema, .. } => Box::new(Unnest::new(*column, schema.clone())),
        CircuitPlan::Join { left, right, kind, on, null_equal, residual, schema } => {
            let (null_equal, residual, schema) = (*null_equal, residual.clone(), schema.clone());
            let append_only = (left.is_append_only(), right.is_append_only());
            let spec = JoinSpec { kind: *kind, on: on.clone(), null_equal, residual, schema, append_only };
            Box::new(Join::new(spec, &left.schema(), &right.schema(), slots)?)
        }
        CircuitPlan::Aggregate { input, group, windows, calls, schema } => {
            let append_only = input.is_append_only();
            Box::new(Aggregate::new(&input.schema(), group.clone(), *windows, calls, schema.clone(), append_only, slots)?)
        }
        CircuitPlan::Greatest { input, partition, column } => Box::new(Greatest::new(&input.schema(), partition.clone(), *column, slots)?),
        CircuitPlan::TopN { input, partition, order, limit, rank, schema } => {
            let (partition, order, schema) = (partition.clone(), order.clone(), schema.clone());
            let spec = TopNSpec { partition, order, limit: *limit, rank: *rank, schema, append_only: input.is_append_only() };
            match (spec.append_only, spec.limit) {
                (true, 1) => Box::new(FirstRow::new(spec, &input.schema(), slots)?),
                _ => Box::new(TopN::new(spec, &input.schema(), slots)?),
            }
        }
        CircuitPlan::Union { schema, .. } => Box::new(Union::new(schema.clone())),
    })
}
