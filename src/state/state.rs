//! The state of one number, in one of the forms that there are, and what is asked of all of them.

use super::appended::Appended;
use super::arrangement::Arrangement;
use super::cells::{self, Cells};
use super::error::StateError;
use super::part::Part;
use super::records::Records;
use super::trace::Trace;
use super::usage::Usage;
use super::writes::Writes;

pub(super) enum State {
    Trace(Trace),
    Cells(Cells),
    Records(Records),
    Arrangement(Arrangement),
    Appended(Appended),
}

/// Chunks or pages of one state that are to leave memory, with what they are found by.
pub enum Leaving {
    Chunks(Arrangement, Vec<u32>),
    Pages(Records, Vec<u32>),
}

impl Leaving {
    /// # Errors
    /// When the store cannot be read, or what they are found by cannot be written.
    pub fn leave(self) -> Result<(), StateError> {
        match self {
            Leaving::Chunks(rows, chunks) => {
                rows.freeze(&chunks)?;
                rows.melt_together()
            }
            Leaving::Pages(records, pages) => records.evict(&pages),
        }
    }
}

impl State {
    /// What the store has beside the entries, to know that they are read as they were written.
    pub fn form(&self) -> String {
        match self {
            State::Trace(trace) => trace.fingerprint(),
            State::Cells(_) => cells::FINGERPRINT.to_string(),
            State::Records(records) => Records::fingerprint(records.width()),
            State::Arrangement(arrangement) => arrangement.fingerprint(),
            State::Appended(rows) => rows.fingerprint(),
        }
    }

    /// Puts into `writes` what makes the store hold the state, and counts on it being written.
    pub fn write_changes(&self, writes: &mut Writes) {
        match self {
            State::Trace(trace) => trace.rows().write_changes(writes),
            State::Cells(cells) => cells.cells().write_changes(writes),
            State::Records(records) => records.write_changes(writes),
            State::Arrangement(arrangement) => arrangement.write_changes(writes),
            State::Appended(rows) => rows.write_changes(writes),
        }
    }

    pub fn usage(&self) -> Usage {
        let (entries, bytes, (evicted, pages)) = match self {
            State::Trace(trace) => (trace.len(), trace.bytes(), trace.rows().evicted()),
            State::Cells(cells) => (cells.len(), cells.bytes(), cells.cells().evicted()),
            State::Records(records) => (records.len(), records.bytes(), records.evicted()),
            State::Arrangement(arrangement) => (arrangement.len(), arrangement.bytes(), arrangement.evicted()),
            State::Appended(rows) => (rows.len(), rows.bytes(), rows.evicted()),
        };
        Usage { entries, bytes, evicted, pages }
    }

    /// How much there is, rows by their weights: states that hold the same have the same of it, whatever they went through.
    pub fn measure(&self) -> i128 {
        match self {
            State::Arrangement(arrangement) => arrangement.weight(),
            other => other.usage().entries as i128,
        }
    }

    /// The parts that may leave memory while no checkpoint is on its way; others will be able to after the next one.
    pub fn clean(&self) -> Vec<Part> {
        match self {
            State::Trace(trace) => trace.rows().clean(),
            State::Cells(cells) => cells.cells().clean(),
            State::Records(records) => records.clean(),
            State::Arrangement(rows) => rows.clean(),
            State::Appended(rows) => rows.clean(),
        }
    }

    /// Lets parts leave memory; what of that can be done side by side is given back.
    pub fn evict(&self, places: &[usize]) -> Option<Leaving> {
        match self {
            State::Trace(trace) => trace.rows().evict(places),
            State::Cells(cells) => cells.cells().evict(places),
            State::Records(records) => {
                return (!places.is_empty()).then(|| Leaving::Pages(records.clone(), numbers(places)));
            }
            State::Appended(rows) => places.iter().for_each(|place| rows.evict(*place)),
            State::Arrangement(rows) => {
                let chunks = [rows.half_gone(), numbers(places)].concat();
                return (!chunks.is_empty()).then(|| Leaving::Chunks(rows.clone(), chunks));
            }
        }
        None
    }

    /// The parts that are in the store alone.
    pub fn away(&self) -> Vec<Part> {
        match self {
            State::Trace(trace) => trace.rows().leaves_away(),
            State::Cells(cells) => cells.cells().leaves_away(),
            State::Records(records) => records.away(),
            State::Arrangement(rows) => rows.away(),
            State::Appended(rows) => rows.away(),
        }
    }

    /// Reads parts into memory.
    pub fn hold(&self, places: &[usize]) -> Result<(), StateError> {
        match self {
            State::Trace(trace) => trace.rows().hold(places),
            State::Cells(cells) => cells.cells().hold(places),
            State::Records(records) => places.iter().try_for_each(|page| records.hold(*page)),
            State::Arrangement(rows) => places.iter().try_for_each(|chunk| rows.hold(*chunk as u32)),
            State::Appended(rows) => places.iter().try_for_each(|place| rows.hold(*place)),
        }
    }
}

fn numbers(places: &[usize]) -> Vec<u32> {
    places.iter().map(|place| *place as u32).collect()
}
