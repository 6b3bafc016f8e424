//! The reader of a glob's files: one tail a file, taken in turn.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::config::FileConfig;
use super::lines;
use super::tail::{Stretch, Tail, unavailable};
use super::wrapped::Wrapped;
use crate::sources::error::SourceError;
use crate::sources::format::{Decoder, Record};
use crate::sources::gather::Gather;
use crate::sources::source::{Budget, Source, SourceBatch};
use crate::sources::spec::SourceSpec;
use crate::types::{Offsets, Report, SqlState};

/// How often new files are looked for, and how long a poll sleeps between two looks at files that have not grown.
const REFRESH: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(10);

pub struct FileSource {
    config: FileConfig,
    decoder: Decoder,
    files: BTreeMap<String, Tail>,
    replaying: bool,
    refreshed: Option<Instant>,
    /// The file that the last poll ended with: the next one starts behind it.
    turn: Option<String>,
    finished: bool,
}

impl FileSource {
    pub fn new(spec: &SourceSpec) -> Result<FileSource, SourceError> {
        let (config, decoder) = (FileConfig::of(spec)?, Decoder::new(spec)?);
        Ok(FileSource { config, decoder, files: BTreeMap::new(), replaying: false, refreshed: None, turn: None, finished: false })
    }

    /// The files that are there now, by name.
    fn found(&self) -> Result<Vec<PathBuf>, SourceError> {
        let matches = glob::glob(&self.config.path).map_err(|e| Report::internal(e.msg))?;
        let mut paths = Vec::new();
        for path in matches {
            let path = path.map_err(|e| unavailable(e.path(), e.error()))?;
            if path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Adds the files that have come since.
    fn refresh(&mut self) -> Result<(), SourceError> {
        if self.replaying || !self.config.follow || self.refreshed.is_some_and(|at| at.elapsed() < REFRESH) {
            return Ok(());
        }
        self.refreshed = Some(Instant::now());
        for path in self.found()? {
            let name = path.to_string_lossy().into_owned();
            if let Entry::Vacant(new) = self.files.entry(name) {
                new.insert(Tail::open(&path, 0, None)?);
            }
        }
        self.decoder.set_partitions(self.files.len());
        Ok(())
    }

    /// One stretch of each file that has something, starting behind the file of the last turn.
    fn round(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError> {
        let mut order: Vec<String> = self.files.keys().cloned().collect();
        let behind = self.turn.as_ref().map_or(0, |turn| order.partition_point(|name| name <= turn));
        let turns = behind.min(order.len());
        order.rotate_left(turns);
        let (mut batches, mut bytes, mut records) = (Vec::new(), 0, 0);
        for name in order {
            if bytes >= budget.bytes.max(1) || records >= budget.records.max(1) {
                break;
            }
            match self.read(&name, budget.bytes.saturating_sub(bytes), budget.records.saturating_sub(records)) {
                Ok(None) => {}
                Ok(Some(batch)) => {
                    bytes += batch.bytes;
                    records += batch.records;
                    batches.push(batch);
                    self.turn = Some(name);
                }
                // What was read before the error is given first; the error comes again with the next poll.
                Err(_) if !batches.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(batches)
    }

    fn read(&mut self, name: &str, bytes: usize, records: usize) -> Result<Option<SourceBatch>, SourceError> {
        let FileSource { config, decoder, files, .. } = self;
        let Some(tail) = files.get_mut(name).filter(|tail| !tail.done()) else { return Ok(None) };
        let stretch = tail.read(bytes, config.max_record_bytes, !config.follow)?;
        let mut gather = Gather::new(decoder, name, name, config.max_record_bytes)?;
        let start = tail.next;
        match stretch {
            Stretch::Nothing => return Ok(None),
            Stretch::Oversized { start: beginning, size } => {
                gather.take_oversized(&beginning, start, size);
                tail.next += size as i64;
            }
            Stretch::Lines(block) => {
                let mut next = start + block.len() as i64;
                for (at, line) in lines::whole_lines(&block) {
                    if gather.records() >= records.max(1) {
                        next = start + at as i64;
                        break;
                    }
                    if !lines::is_blank(line) {
                        take(config, decoder, &mut gather, line, start + at as i64);
                    }
                }
                // The newline of a last line that had none is not there.
                tail.next = tail.until.map_or(next, |until| next.min(until)).min(tail.size()?);
            }
        }
        gather.finish(tail.next).map(Some)
    }
}

fn take(config: &FileConfig, decoder: &mut Decoder, gather: &mut Gather, line: &[u8], offset: i64) {
    let size = line.len() + 1;
    match config.wrapped.then(|| Wrapped::of_line(line)).flatten() {
        Some(wrapped) if line.len() <= config.max_record_bytes => gather.take(decoder, &wrapped.record(), offset, size),
        _ => gather.take(decoder, &Record::of_value(line), offset, size),
    }
}

impl Source for FileSource {
    /// Every file from its first byte. A directory that is not there is an error, a file that may still come is not.
    fn start(&mut self) -> Result<Offsets, SourceError> {
        let found = self.found()?;
        if found.is_empty() {
            let path = Path::new(&self.config.path);
            let is_pattern = self.config.path.contains(['*', '?', '[']);
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !is_pattern && (!parent.is_dir() || !self.config.follow) {
                return Err(Report::error(SqlState::UNDEFINED_OBJECT, format!("file \"{}\" does not exist", path.display()))
                    .hint("The path is that of the machine on which floe runs; it may be a glob such as '/data/*.jsonl'.")
                    .into());
            }
        }
        Ok(Offsets(found.iter().map(|path| (path.to_string_lossy().into_owned(), 0)).collect()))
    }

    fn resume(&mut self, from: &Offsets, until: Option<&Offsets>) -> Result<(), SourceError> {
        let mut files = BTreeMap::new();
        let mut names: Vec<String> = self.found()?.iter().map(|p| p.to_string_lossy().into_owned()).collect();
        // Files that were read before have to be there, even if nothing of them is wanted now.
        names.extend(from.0.iter().filter(|(_, next)| **next > 0).map(|(name, _)| name.clone()));
        names.sort();
        names.dedup();
        let count = names.len();
        for name in names {
            let end = until.and_then(|until| until.get(&name));
            if until.is_some() && end.is_none() {
                continue;
            }
            let path = Path::new(&name);
            if !path.exists() {
                return Err(SourceError::Lost {
                    message: format!("records of file \"{name}\" that are needed are gone"),
                    detail: "It was removed.".into(),
                    hint: "Put the file back, or drop the source and create it again to start from what is there.".into(),
                });
            }
            let tail = Tail::open(path, from.get(&name).unwrap_or(0), end)?;
            files.insert(name, tail);
        }
        self.decoder.set_partitions(count);
        self.files = files;
        self.replaying = until.is_some();
        self.refreshed = Some(Instant::now());
        self.turn = None;
        self.finished = false;
        Ok(())
    }

    fn poll(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError> {
        let deadline = Instant::now() + budget.wait;
        loop {
            self.refresh()?;
            let batches = self.round(budget)?;
            if !batches.is_empty() {
                return Ok(batches);
            }
            self.finished = !self.config.follow && !self.replaying;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.finished || self.replaying {
                return Ok(batches);
            }
            thread::sleep(left.min(PAUSE));
        }
    }

    fn ends(&mut self) -> Result<Offsets, SourceError> {
        let mut ends = Offsets::default();
        for path in self.found()? {
            let tail = Tail::open(&path, 0, None)?;
            let end = tail.last_line_end(!self.config.follow)?;
            ends.set(path.to_string_lossy(), end);
        }
        Ok(ends)
    }

    fn checkpointed(&mut self, _: &Offsets) {}

    fn finished(&self) -> bool {
        self.finished
    }
}

#[cfg(test)]
mod tests;
