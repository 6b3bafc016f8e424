//! What a node is, as another circuit can have it too: nodes that are the same come to the same rows at every moment, in the same
//! parts, wherever they are.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::datatypes::SchemaRef;

use crate::planner::circuit_plan::{CircuitPlan, needs};
use crate::types::{ObjectId, Projection};

use super::distribution::Need;

pub struct Identity {
    is: Is,
    /// The earlier nodes that it reads.
    feeds: Vec<usize>,
    /// As it comes out: of a relation, without what is not read.
    schema: SchemaRef,
    /// What goes in of relations, where that is not all that the plan could pass on: of what nobody reads there is less.
    part: Vec<SchemaRef>,
    /// Of the plan's text, which differs where plans do in most ways.
    hash: u64,
}

enum Is {
    /// A relation's own change.
    Relation(ObjectId),
    Plan(CircuitPlan),
    /// Rows brought to where they are needed.
    Moved(Need),
    /// What that plan's verb may want of the rows.
    Sifted(CircuitPlan),
}

impl Identity {
    /// `reads` is what the whole circuit reads of relations.
    pub fn of_plan(plan: &CircuitPlan, feeds: Vec<usize>, schema: SchemaRef, reads: &BTreeMap<ObjectId, Projection>) -> Identity {
        let is = match plan {
            CircuitPlan::Input { relation, .. } => Is::Relation(*relation),
            _ => Is::Plan(plan.clone()),
        };
        let wanted = needs::of_relations(plan);
        let is_whole = wanted.iter().all(|(relation, wanted)| reads.get(relation).is_some_and(|read| read.has(wanted)));
        let part = if is_whole { Vec::new() } else { schemas_read(plan, reads) };
        Identity { is, feeds, schema, part, hash: hash(plan) }
    }

    pub fn moved(from: usize, need: Need, schema: SchemaRef) -> Identity {
        Identity { is: Is::Moved(need), feeds: vec![from], schema, part: Vec::new(), hash: 0 }
    }

    pub fn sifted(from: usize, by: &CircuitPlan, schema: SchemaRef) -> Identity {
        Identity { is: Is::Sifted(by.clone()), feeds: vec![from], schema, part: Vec::new(), hash: hash(by) }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The node has rows of that one, moved.
    pub fn is_moved(&self, node: usize, to: &Need) -> bool {
        self.feeds == [node] && matches!(&self.is, Is::Moved(need) if need == to)
    }

    /// The node is the plan's own.
    pub fn is_plan(&self, plan: &CircuitPlan) -> bool {
        match (&self.is, plan) {
            (Is::Relation(known), CircuitPlan::Input { relation, .. }) => known == relation,
            (Is::Plan(known), _) => known.is_same(plan),
            _ => false,
        }
    }

    /// Whether both are the same, given which earlier nodes are.
    fn is_same(&self, other: &Identity, known: &[(usize, usize)]) -> bool {
        let is_same = match (&self.is, &other.is) {
            // What is read of it shows where it is read.
            (Is::Relation(relation), Is::Relation(other)) => return relation == other,
            (Is::Moved(need), Is::Moved(other)) => need == other,
            (Is::Plan(plan), Is::Plan(others)) | (Is::Sifted(plan), Is::Sifted(others)) => self.hash == other.hash && plan.is_same(others),
            _ => false,
        };
        let feeds = || self.feeds.iter().zip(&other.feeds).all(|(here, there)| known.contains(&(*here, *there)));
        is_same && self.schema == other.schema && self.part == other.part && self.feeds.len() == other.feeds.len() && feeds()
    }
}

fn hash(plan: &CircuitPlan) -> u64 {
    let mut hasher = DefaultHasher::new();
    plan.to_string().hash(&mut hasher);
    hasher.finish()
}

/// Of each relation under the plan, what is read of it.
fn schemas_read(plan: &CircuitPlan, reads: &BTreeMap<ObjectId, Projection>) -> Vec<SchemaRef> {
    match plan {
        CircuitPlan::Input { relation, schema, .. } => reads.get(relation).map(|read| read.schema(schema)).into_iter().collect(),
        _ => plan.inputs().into_iter().flat_map(|input| schemas_read(input, reads)).collect(),
    }
}

/// The nodes that both circuits have: the number of each here and there.
pub fn in_common(here: &[Identity], there: &[Identity]) -> Vec<(usize, usize)> {
    let mut same: Vec<(usize, usize)> = Vec::new();
    for (place, node) in here.iter().enumerate() {
        let is_it =
            |(other_place, other): &(usize, &Identity)| node.is_same(other, &same) && !same.iter().any(|(_, taken)| taken == other_place);
        if let Some((other_place, _)) = there.iter().enumerate().find(is_it) {
            same.push((place, other_place));
        }
    }
    same
}
