//! The end of the epochs: the one that was asked for, and the one after a failure that leaves memory and disk apart.
//!
//! After such a failure nothing is tried again: a sync that failed may have lost what it was to keep, and a second one would
//! say that all is well. The store is closed, readers keep the last published epoch, and everybody who waits for a change,
//! or asks for one, is told why. What the disk holds is found out by the next start.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;

use crate::types::Report;

use super::command::{Command, Event};
use super::driver::Driver;
use super::panicked::panicked;
use super::relation::RelationKind;

impl Driver {
    /// Runs until it is told to shut down. A failure that leaves memory and disk apart, and a panic, end all change.
    pub fn run(mut self, inbox: Receiver<Event>) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.work(&inbox)));
        let report = match ended {
            Ok(Ok(())) => return,
            Ok(Err(report)) => report,
            Err(panic) => panicked("the thread of the epochs", panic.as_ref()),
        };
        self.stop_for_good(report, inbox);
    }

    /// Nothing changes any more: readers keep the last published epoch, everybody else is told why.
    fn stop_for_good(mut self, report: Report, inbox: Receiver<Event>) {
        tracing::error!("floe can no longer make changes durable: {report}");
        // Sinks stop as well: what they would forget or record may not be what the disk holds.
        self.store.poison(&report);
        let report = report.hint("queries still answer from the last epoch; make the state directory writable and restart floe");
        self.metrics.set_broken(report.to_string());
        for relation in self.relations.values_mut() {
            if let RelationKind::Source(source) = &mut relation.kind {
                source.worker = None;
            }
        }
        let unknown = report.clone().hint(
            "whether this transaction is kept will be seen when floe is started again; until then queries answer from the last epoch",
        );
        for reply in self.committing.drain(..) {
            let _ = reply.send(Err(unknown.clone()));
        }
        for waiting in self.waiting.drain(..) {
            let _ = waiting.reply.send(Err(report.clone()));
        }
        // Whoever waits for an object that was being filled; its past need not be read any more.
        if let Some(filling) = self.filling.take() {
            let _ = filling.wanted.reply.send(Err(report.clone()));
        }
        for flush in &mut self.flushes {
            if let Some(reply) = flush.reply.take() {
                let _ = reply.send(Err(report.clone()));
            }
        }
        while let Some(command) = self.commands.pop_front() {
            if !refuse(command, &report) {
                return;
            }
        }
        while let Ok(event) = inbox.recv() {
            if let Event::Command(command) = event
                && !refuse(command, &report)
            {
                return;
            }
        }
    }
}

/// Tells who asked why nothing is done any more. False when floe is to end.
fn refuse(command: Command, report: &Report) -> bool {
    let _ = match command {
        Command::Change { reply, .. } | Command::Drop { reply, .. } | Command::AlterSystem { reply, .. } => {
            reply.send(Err(report.clone())).is_ok()
        }
        Command::Install { reply, .. } => reply.send(Err(report.clone())).is_ok(),
        Command::Flush { reply } | Command::Checkpoint { reply, .. } => reply.send(Err(report.clone())).is_ok(),
        Command::Shutdown { reply } => {
            let _ = reply.send(Ok(()));
            return false;
        }
    };
    true
}
