//! What depends on what, and what a DROP takes with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::ObjectId;

use super::entry::{Definition, Entry};
use super::error::CatalogError;
use super::names::printed;
use super::relations::Catalog;

impl Catalog {
    /// All objects that stand on this one, directly or not, in the order in which they can be dropped: each before what
    /// it stands on. A source's dead letters stand on the source.
    pub fn dependents(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut order = self.drop_order(&[id]);
        order.retain(|dependent| *dependent != id);
        order
    }

    /// What a DROP of these objects drops, in order: with `cascade` all that stands on them, without it only the objects
    /// themselves and the dead letters of the sources among them.
    ///
    /// # Errors
    /// `DependentsExist` without `cascade` when something else stands on them.
    pub fn drop_plan(&self, ids: &[ObjectId], cascade: bool) -> Result<Vec<ObjectId>, CatalogError> {
        let order = self.drop_order(ids);
        let goes_along = |id: ObjectId| match self.get(id).map(|entry| &entry.definition) {
            Some(Definition::DeadLetter { source }) => ids.contains(source),
            _ => false,
        };
        let kept: Vec<ObjectId> = order.iter().copied().filter(|id| !cascade && !ids.contains(id) && !goes_along(*id)).collect();
        if kept.is_empty() {
            return Ok(order);
        }
        let dropped = ids.iter().find(|id| self.dependents(**id).iter().any(|dependent| kept.contains(dependent)));
        let object = dropped.and_then(|id| self.get(*id)).map(|entry| described(entry)).unwrap_or_default();
        let mut dependents = Vec::new();
        for entry in kept.iter().rev().filter_map(|id| self.get(*id)) {
            for needed in stands_on(entry).filter_map(|id| self.get(id)).filter(|needed| order.contains(&needed.id)) {
                dependents.push(format!("{} depends on {}", described(entry), described(needed)));
            }
        }
        Err(CatalogError::DependentsExist { object, dependents })
    }

    /// The objects and all that stands on them, each before what it stands on.
    fn drop_order(&self, ids: &[ObjectId]) -> Vec<ObjectId> {
        let mut direct: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
        for entry in self.entries() {
            stands_on(entry).for_each(|needed| direct.entry(needed).or_default().push(entry.id));
        }
        let dependents_of = |id: ObjectId| direct.get(&id).map_or(&[][..], Vec::as_slice).iter();
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        for id in ids {
            // Depth first without recursion: an object is done when all its dependents are.
            let mut open = vec![];
            if seen.insert(*id) {
                open.push((*id, dependents_of(*id)));
            }
            while let Some((id, rest)) = open.last_mut() {
                match rest.next() {
                    Some(next) if seen.insert(*next) => open.push((*next, dependents_of(*next))),
                    Some(_) => {}
                    None => {
                        order.push(*id);
                        open.pop();
                    }
                }
            }
        }
        order
    }
}

fn stands_on(entry: &Entry) -> impl Iterator<Item = ObjectId> + '_ {
    let source = match entry.definition {
        Definition::DeadLetter { source } if !entry.depends_on.contains(&source) => Some(source),
        _ => None,
    };
    entry.depends_on.iter().copied().chain(source)
}

/// `materialized view revenue`.
fn described(entry: &Entry) -> String {
    format!("{} {}", entry.kind().noun(), printed(&entry.schema_name, &entry.name))
}

#[cfg(test)]
mod tests;
