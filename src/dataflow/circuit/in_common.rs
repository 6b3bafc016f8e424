//! What two circuits have in common: nodes that are the same, stepped once a turn.

use std::ops::Range;

use crate::dataflow::identity;
use crate::dataflow::node::Feed;

use super::Circuit;

/// A node of two circuits.
pub struct InCommon {
    here: usize,
    there: usize,
    /// Of its state, as many for both.
    pub slots: Range<u16>,
    pub other_slots: Range<u16>,
}

impl Circuit {
    /// The nodes that the other circuit has too and that hold the same there, as `alike` says of slots here and there; and so do all
    /// that they read.
    pub fn in_common(&self, other: &Circuit, alike: impl Fn(u16, u16) -> bool) -> Vec<InCommon> {
        let slots = |circuit: &Circuit, place: usize| circuit.profile.operators[place].slots.clone();
        let mut common: Vec<InCommon> = Vec::new();
        for (here, there) in identity::in_common(&self.identities, &other.identities) {
            let node = InCommon { here, there, slots: slots(self, here), other_slots: slots(other, there) };
            let reads_alike = match &self.nodes[here].feed {
                Feed::Relation(_) => true,
                Feed::Nodes(feeds) => feeds.iter().all(|feed| common.iter().any(|node| node.here == *feed)),
            };
            let mut state = node.slots.clone().zip(node.other_slots.clone());
            if reads_alike && node.slots.len() == node.other_slots.len() && state.all(|(slot, other_slot)| alike(slot, other_slot)) {
                common.push(node);
            }
        }
        common
    }

    /// From now on the nodes are stepped by whoever comes to them first. Their state is one already.
    pub fn have_in_common(&mut self, nodes: &[InCommon], other: &mut Circuit) {
        for node in nodes {
            let (Some(here), Some(there)) = (self.nodes.get_mut(node.here), other.nodes.get_mut(node.there)) else { continue };
            // A relation's change is there for everyone.
            if here.common.is_none() && matches!(here.feed, Feed::Nodes(_)) {
                here.common = Some(there.common.get_or_insert_default().clone());
            }
        }
        self.tell_what_is_read();
        other.tell_what_is_read();
    }

    /// Of the nodes that others have too, those that this circuit reads where it is on its own.
    fn tell_what_is_read(&self) {
        let mut read = vec![false; self.nodes.len()];
        read.last_mut().into_iter().for_each(|last| *last = true);
        for node in self.nodes.iter().filter(|node| node.common.is_none()) {
            if let Feed::Nodes(feeds) = &node.feed {
                feeds.iter().for_each(|feed| read[*feed] = true);
            }
        }
        self.nodes.iter().zip(read).filter(|(_, read)| *read).filter_map(|(node, _)| node.common.as_ref()).for_each(|node| node.is_read());
    }

    /// Leaves what it has in common to the others: it is stepped no more.
    pub fn leave(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.common = None);
    }
}
