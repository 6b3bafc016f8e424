//! Relations whose upkeep stopped stay stopped: a half-applied state must never be taken for a whole one.
//!
//! The marker goes into the same atomic write as the state that it warns of, and comes back at the next start. Only
//! dropping the relation removes it.

use std::collections::BTreeMap;

use crate::state::{Family, Store, Writes};
use crate::types::{ObjectId, Report};

use super::relation::Relation;

const PREFIX: &[u8] = b"failed/";

fn key(id: ObjectId) -> Vec<u8> {
    [PREFIX, &id.0.to_be_bytes()].concat()
}

/// Marks every relation that has stopped.
pub fn put(relations: &BTreeMap<ObjectId, Relation>, writes: &mut Writes) -> Result<(), Report> {
    for (id, relation) in relations {
        if let Some(report) = &relation.failed {
            writes.put(Family::Meta, key(*id), serde_json::to_vec(report).map_err(Report::internal)?);
        }
    }
    Ok(())
}

pub fn remove(id: ObjectId, writes: &mut Writes) {
    writes.delete(Family::Meta, key(id));
}

/// Puts the markers back after a start.
pub fn load(store: &Store, relations: &mut BTreeMap<ObjectId, Relation>) -> Result<(), Report> {
    for (key, value) in store.scan(Family::Meta, PREFIX).map_err(|e| e.report())? {
        let id = key.strip_prefix(PREFIX).and_then(|id| id.try_into().ok()).map(|id| ObjectId(u32::from_be_bytes(id)));
        if let Some(relation) = id.and_then(|id| relations.get_mut(&id)) {
            relation.failed = Some(serde_json::from_slice(&value).map_err(Report::internal)?);
        }
    }
    Ok(())
}
