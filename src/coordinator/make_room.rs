//! Memory for state: rows that the store has leave memory when all rows take more than they may.
//!
//! What rows may take is little when the process takes much elsewhere ([`super::memory_watch`]). Only what a durable checkpoint
//! holds can leave. So when rows take too much, the epochs wait for a checkpoint: it is
//! better that changes wait at their sources than that the process is killed.

use crate::state::Leaving;
use crate::types::Report;

use super::driver::Driver;

impl Driver {
    /// Evicts what may leave, after a checkpoint.
    pub fn make_room(&mut self) -> Result<(), Report> {
        self.rows_after_room = self.let_rows_leave()?;
        self.rows_come_back = true;
        Ok(())
    }

    /// Evicts what may leave; no checkpoint is on its way. What rows take then.
    fn let_rows_leave(&mut self) -> Result<usize, Report> {
        let leaving = self.traces.make_room();
        if !leaving.is_empty() {
            let left = self.workers.each(usize::MAX, leaving, Leaving::leave);
            left.into_iter().collect::<Result<(), _>>().map_err(|e| e.report())?;
            self.traces.measure();
        }
        let ((held, may_take), (rows, pages)) = (self.traces.held(), self.traces.rows_and_pages());
        let too_much = held > may_take;
        if too_much && !self.told_of_memory {
            let mib = |bytes: usize| bytes >> 20;
            tracing::warn!(
                state_mib = mib(held),
                may_take_mib = mib(may_take),
                rows_mib = mib(rows + pages),
                process_mib = self.watch.taken.map_or(0, mib),
                memory_mib = mib(self.watch.memory),
                "what state holds beside rows (groups, and how rows are found) is more than its part of --memory"
            );
        }
        self.told_of_memory = too_much;
        Ok(rows)
    }

    /// Some rows come back into memory if there is much room, as after a start; the next ones after the next epoch.
    pub fn bring_rows_back(&mut self) {
        if self.rows_come_back {
            self.rows_come_back = self.traces.bring_back().unwrap_or_else(|error| {
                // Who needs the rows is told.
                tracing::error!("rows cannot be read into memory: {}", error.report());
                false
            });
            self.rows_after_room = self.rows_after_room.max(self.traces.rows_and_pages().0);
        }
    }

    /// Waits for a checkpoint when rows take more than they may, and much of that has come since there was room.
    pub fn keep_within_memory(&mut self) -> Result<(), Report> {
        let (rows, pages) = self.traces.rows_and_pages();
        if let Some(left) = self.watch.look_around(self.traces.held().0 + rows + pages) {
            if self.traces.may_take(left) {
                self.program_pages.leave();
            }
            // Rows may take less by now than they could when there was room last.
            if self.traces.is_over() && self.writing.is_none() {
                // What has come since the last checkpoint cannot leave, and still counts as that.
                self.rows_after_room = self.let_rows_leave()?.min(self.rows_after_room);
            }
        }
        if !self.is_over_memory() {
            return Ok(());
        }
        self.finish_checkpoint()?;
        if self.is_over_memory() && (self.epoch > self.checkpointed || self.filling.is_some()) {
            self.begin_checkpoint()?;
            self.finish_checkpoint()?;
        }
        Ok(())
    }

    /// Whether a checkpoint should come before its time, so that nothing has to wait for it.
    pub fn presses(&self) -> bool {
        self.traces.presses() && self.grew_by(self.traces.spare() / 4)
    }

    fn grew_by(&self, bytes: usize) -> bool {
        self.traces.rows_and_pages().0 > self.rows_after_room + bytes
    }

    fn is_over_memory(&self) -> bool {
        self.traces.is_over() && self.grew_by(self.traces.spare() / 2)
    }
}
