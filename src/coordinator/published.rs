//! What readers see: one epoch of the whole database, immutable.
//!
//! A reader takes one [`Published`] and reads every relation from it, so all that one statement (or one transaction)
//! reads belongs to one epoch. Moving to the next epoch is one pointer that moves.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use crate::catalog::Catalog;
use crate::dataflow::Materialized;
use crate::dataflow::profile::SharedProfile;
use crate::types::{Epoch, ObjectId, Offsets, Report};

/// One relation at one epoch.
#[derive(Clone)]
pub struct PublishedRelation {
    /// `None` for an append-only source: its rows are not kept, a reader reads the source itself again up to the epoch.
    pub rows: Option<Materialized>,
    /// Why it cannot be read: a row of it could not be computed, or its upkeep stopped.
    pub error: Option<Report>,
    /// The epoch that changed it last.
    pub changed: Epoch,
    /// What its circuit does, for what has one; it goes on counting.
    pub profile: Option<SharedProfile>,
}

#[derive(Clone)]
pub struct Published {
    pub epoch: Epoch,
    /// The epoch's time, microseconds since 1970 UTC.
    pub now: i64,
    pub catalog: Arc<Catalog>,
    pub relations: HashMap<ObjectId, PublishedRelation>,
    pub offsets: BTreeMap<ObjectId, Offsets>,
}

impl Published {
    /// The first reason why `id`, or anything that it is computed from, cannot be read now.
    pub fn error_of(&self, id: ObjectId) -> Option<Report> {
        let mut open = vec![id];
        let mut seen = Vec::new();
        while let Some(id) = open.pop() {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            if let Some(report) = self.relations.get(&id).and_then(|r| r.error.clone()) {
                return Some(report);
            }
            if let Some(entry) = self.catalog.get(id) {
                open.extend(entry.depends_on.iter().copied());
            }
        }
        None
    }
}

/// The pointer that moves.
pub struct Frontier {
    current: RwLock<Arc<Published>>,
}

impl Frontier {
    pub fn new(first: Published) -> Frontier {
        Frontier { current: RwLock::new(Arc::new(first)) }
    }

    pub fn get(&self) -> Arc<Published> {
        self.current.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    pub fn publish(&self, next: Published) {
        *self.current.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Arc::new(next);
    }
}
