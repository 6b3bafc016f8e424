//! Journalled records, read again: what each epoch took of a source, epoch by epoch.
//!
//! Some sources are resumed at each stretch. Where that takes long (a client connects, partitions are assigned) all
//! stretches are read as one, in batches that end where they did.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::sources::{Reading, Source, SourceBatch, SourceSpec};
use crate::state::JournalEntry;
use crate::types::{ObjectId, Offsets, Report, SqlState};

use super::backfill::{POLL, read_stretch, waited_enough};

const RETRY: Duration = Duration::from_secs(1);

/// The records of one source that are in the journal.
#[derive(Default)]
pub struct Journalled {
    /// Where the epochs that are still to come ended.
    ends: VecDeque<Offsets>,
    reader: Option<Reader>,
}

struct Reader {
    source: Box<dyn Source>,
    /// Of stretches that are read as one: what has come of later ones, and how far reading is.
    ahead: Option<(Vec<SourceBatch>, Offsets)>,
}

impl Journalled {
    /// What the entries say, by source.
    pub fn of(entries: &[JournalEntry]) -> BTreeMap<ObjectId, Journalled> {
        let mut sources: BTreeMap<ObjectId, Journalled> = BTreeMap::new();
        for (id, end) in entries.iter().flat_map(|entry| &entry.offsets) {
            sources.entry(*id).or_default().ends.push_back(end.clone());
        }
        sources
    }

    /// The records of the next epoch, which begin at `from`; waits for as long as the source does not answer.
    pub fn next(&mut self, spec: &SourceSpec, reading: &Reading, from: &Offsets) -> Result<Vec<SourceBatch>, Report> {
        loop {
            match self.read(spec, reading, from) {
                Err(report) if report.sqlstate == SqlState::CONNECTION_FAILURE => {
                    tracing::warn!(source = %spec.name, "waiting for it, to read journalled records again: {report}");
                    self.reader = None;
                    std::thread::sleep(RETRY);
                }
                read => {
                    self.ends.pop_front();
                    return read;
                }
            }
        }
    }

    fn read(&mut self, spec: &SourceSpec, reading: &Reading, from: &Offsets) -> Result<Vec<SourceBatch>, Report> {
        let Some(end) = self.ends.front() else { return Err(Report::internal("an epoch that is not in the journal")) };
        let until = beyond(from, end);
        if let Some(reader) = &mut self.reader {
            return reader.read(from, &until);
        }
        let mut source = crate::sources::open(spec, reading).map_err(|e| e.report())?;
        let ends: Vec<Offsets> = self.ends.iter().cloned().collect();
        let ahead = match source.cut_at(&ends) {
            true => {
                let last = ends.iter().fold(Offsets::default(), |mut last, end| {
                    last.advance(end);
                    last
                });
                source.resume(from, Some(&beyond(from, &last))).map_err(|e| e.report())?;
                Some((Vec::new(), from.clone()))
            }
            false => None,
        };
        self.reader.insert(Reader { source, ahead }).read(from, &until)
    }
}

impl Reader {
    /// The batches of the stretch that begins at `from` and ends at `until`.
    fn read(&mut self, from: &Offsets, until: &Offsets) -> Result<Vec<SourceBatch>, Report> {
        let Some((ahead, at)) = &mut self.ahead else {
            let mut read = Vec::new();
            read_stretch(self.source.as_mut(), from, until, &mut |batches| {
                read.extend(batches);
                Ok(())
            })?;
            return Ok(read);
        };
        let mut last = Instant::now();
        while !at.reached(until) {
            let batches = self.source.poll(POLL).map_err(|e| e.report())?;
            if batches.is_empty() {
                waited_enough(last, at, until)?;
                continue;
            }
            last = Instant::now();
            for batch in batches {
                at.set(batch.partition.clone(), batch.next);
                // A batch without records says how far reading is, past whatever ends.
                if batch.records > 0 {
                    ahead.push(batch);
                }
            }
        }
        Ok(ahead.extract_if(.., |batch| until.get(&batch.partition).is_some_and(|end| batch.next <= end)).collect())
    }
}

/// The positions of `end` that are not those of `from` already.
fn beyond(from: &Offsets, end: &Offsets) -> Offsets {
    Offsets(end.0.iter().filter(|(partition, end)| from.get(partition) != Some(**end)).map(|(p, end)| (p.clone(), *end)).collect())
}
