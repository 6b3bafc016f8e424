//! What a new circuit keeps that is kept already, by another or by itself: it is kept once, and computed once.
//!
//! A circuit is filled with state of its own. Once it is where the database is, a part of its plan that another circuit has too holds
//! what that one holds, and so does a side of a join that is the same as another: from then on its state is the other's. So
//! nothing is special about filling one, and a circuit that is never installed has touched nobody's state. In each turn the first
//! circuit that comes to such a part steps it, and the others take what it has made.

use std::collections::BTreeMap;

use crate::dataflow::Side;
use crate::state::Writes;
use crate::types::{Report, TraceId};

use super::driver::Driver;
use super::relation::{Relation, RelationKind, ViewRelation};

impl Driver {
    /// Of the circuit, which is filled, what others keep as well, or it keeps twice, is theirs from now on, and what it kept for
    /// that itself is forgotten.
    pub fn keep_together(&mut self, view: &mut ViewRelation, writes: &mut Writes) -> Result<(), Report> {
        let same = self.kept_already(view);
        if !same.is_empty() {
            self.finish_checkpoint()?;
            for (trace, with) in same {
                self.traces.keep_together(trace, with, writes).map_err(|e| e.report())?;
            }
            view.take_state_again(&self.traces, &self.workers)?;
        }
        self.have_in_common(view);
        Ok(())
    }

    /// The traces of the circuit that hold the same as others, with those.
    fn kept_already(&self, view: &ViewRelation) -> BTreeMap<TraceId, TraceId> {
        let others: Vec<&ViewRelation> = self.relations.values().filter_map(running).collect();
        let mut same: BTreeMap<TraceId, TraceId> = BTreeMap::new();
        for other in &others {
            let pair = |slot, other_slot| (TraceId::new(view.id, slot), TraceId::new(other.id, other_slot));
            // What has become one with another's already goes on with that one alone.
            let alike = |slot, other_slot| match pair(slot, other_slot) {
                (own, theirs) if same.contains_key(&own) => self.traces.are_one(same[&own], theirs),
                (own, theirs) => self.traces.hold_alike(own, theirs),
            };
            for node in view.circuit.in_common(&other.circuit, alike) {
                for (slot, other_slot) in node.slots.zip(node.other_slots) {
                    let (own, theirs) = pair(slot, other_slot);
                    same.entry(own).or_insert(theirs);
                }
            }
        }
        let own = view.circuit.sides();
        let others: Vec<&Side> = others.iter().flat_map(|other| other.circuit.sides()).collect();
        for (place, side) in own.iter().enumerate() {
            if !same.contains_key(&side.trace)
                && let Some(other) = others.iter().copied().chain(&own[..place]).find(|other| other.is_same(side))
                && self.traces.hold_alike(side.trace, other.trace)
            {
                same.insert(side.trace, other.trace);
            }
        }
        same
    }

    /// Parts of the circuit's plan that others have too, with the same state, are stepped once a turn.
    pub fn have_in_common(&mut self, view: &mut ViewRelation) {
        for relation in self.relations.values_mut().filter(|relation| relation.failed.is_none()) {
            let RelationKind::View(other) = &mut relation.kind else { continue };
            let are_one = |slot, other_slot| self.traces.are_one(TraceId::new(view.id, slot), TraceId::new(other.id, other_slot));
            let nodes = view.circuit.in_common(&other.circuit, are_one);
            view.circuit.have_in_common(&nodes, &mut other.circuit);
        }
    }
}

fn running(relation: &Relation) -> Option<&ViewRelation> {
    match &relation.kind {
        RelationKind::View(view) if relation.failed.is_none() => Some(view),
        _ => None,
    }
}
