//! FLUSH: an answer once all that the sources held when it was asked is published.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{Epoch, ObjectId, Offsets, Report};

use super::command::Reply;
use super::driver::{Driver, Flush};
use super::relation::RelationKind;

impl Driver {
    pub fn start_flush(&mut self, reply: Reply<Epoch>) {
        self.next_token += 1;
        let mut flush = Flush { token: self.next_token, asked: BTreeSet::new(), targets: BTreeMap::new(), reply: Some(reply) };
        for (id, relation) in &self.relations {
            if let RelationKind::Source(source) = &relation.kind
                && let Some(worker) = &source.worker
                && worker.ask_ends(flush.token)
            {
                flush.asked.insert(*id);
            }
        }
        self.flushes.push(flush);
    }

    pub fn note_ends(&mut self, source: ObjectId, token: u64, ends: Result<Offsets, Report>) {
        for flush in self.flushes.iter_mut().filter(|f| f.token == token) {
            flush.asked.remove(&source);
            match &ends {
                Ok(ends) => {
                    flush.targets.insert(source, ends.clone());
                }
                Err(report) => {
                    if let Some(reply) = flush.reply.take() {
                        let _ = reply.send(Err(report.clone()));
                    }
                }
            }
        }
    }

    pub fn answer_flushes(&mut self) {
        let none = Offsets::default();
        for flush in &mut self.flushes {
            // A source that was dropped meanwhile holds nobody up.
            flush.asked.retain(|id| self.relations.contains_key(id));
            flush.targets.retain(|id, _| self.relations.contains_key(id));
            let there = |(id, target): (&ObjectId, &Offsets)| self.offsets.get(id).unwrap_or(&none).reached(target);
            if flush.asked.is_empty()
                && flush.targets.iter().all(there)
                && let Some(reply) = flush.reply.take()
            {
                let _ = reply.send(Ok(self.epoch));
            }
        }
        self.flushes.retain(|f| f.reply.as_ref().is_some_and(|r| !r.is_closed()));
    }
}
