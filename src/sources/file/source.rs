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
use crate::sources::side_by_side::{Decoders, Reading};
use crate::sources::source::{Budget, Source, SourceBatch};
use crate::sources::spec::SourceSpec;
use crate::types::{Offsets, Report, SqlState};

/// How often new files are looked for.
const REFRESH: Duration = Duration::from_millis(500);
/// How long it is between two looks at files that have not grown: while data comes, and once none has come for a while.
const PAUSE: Duration = Duration::from_millis(10);
const LONG_PAUSE: Duration = Duration::from_millis(40);
const QUIET: Duration = Duration::from_secs(1);
/// Where a round has brought less, there is no more.
const LITTLE: usize = 256 << 10;
/// However little is kept of a byte, it counts as much as this.
const LEAST_KEPT: f64 = 0.03;
/// How much is read before it is decoded: what a core has near.
const NEAR: usize = 128 << 10;

pub struct FileSource {
    config: FileConfig,
    decoders: Decoders,
    files: BTreeMap<String, Tail>,
    replaying: bool,
    refreshed: Option<Instant>,
    /// When something was read last.
    grew: Instant,
    /// What was kept in memory of a byte that was read then: a record's text never is as a whole.
    kept: f64,
    /// The file that the last poll ended with: the next one starts behind it.
    turn: Option<String>,
    finished: bool,
}

impl FileSource {
    pub fn new(spec: &SourceSpec, reading: &Reading) -> Result<FileSource, SourceError> {
        let (config, decoders) = (FileConfig::of(spec)?, Decoders::new(spec, reading)?);
        Ok(FileSource {
            config,
            decoders,
            files: BTreeMap::new(),
            replaying: false,
            refreshed: None,
            grew: Instant::now(),
            kept: 1.0,
            turn: None,
            finished: false,
        })
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
        self.decoders.set_partitions(self.files.len());
        Ok(())
    }

    /// One stretch of each file that has something, starting behind the file of the last turn.
    fn round(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError> {
        let mut order: Vec<String> = self.files.keys().cloned().collect();
        let behind = self.turn.as_ref().map_or(0, |turn| order.partition_point(|name| name <= turn));
        let turns = behind.min(order.len());
        order.rotate_left(turns);
        let (mut found, mut bytes, mut records) = (Vec::new(), 0, 0);
        for name in order {
            if bytes >= budget.bytes.max(1) || records >= budget.records.max(1) {
                break;
            }
            let (most, lines) = (budget.bytes.saturating_sub(bytes), budget.records.saturating_sub(records).max(1));
            let Some(tail) = self.files.get_mut(&name).filter(|tail| !tail.done()) else { continue };
            let stretch = match tail.stretch(most.min(tail.bytes_of(lines)), self.config.max_record_bytes, !self.config.follow) {
                Ok(stretch) => stretch,
                // What was found before the error is given first; the error comes again with the next poll.
                Err(_) if !found.is_empty() => break,
                Err(error) => return Err(error),
            };
            let size = match &stretch {
                Stretch::Nothing => continue,
                Stretch::Lines { end } => (end - tail.next) as usize,
                Stretch::Oversized { size, .. } => *size,
            };
            let share = tail.lines_in(size).min(lines);
            bytes += size;
            records += share;
            self.turn = Some(name.clone());
            found.push(Found { name, stretch, next: tail.next + size as i64, share });
        }
        self.decode(found)
    }

    /// Rounds until the budget is used up, or one has brought so little that it was all there is.
    fn rounds(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError> {
        let mut batches = self.round(budget)?;
        let mut left = budget;
        let mut seen = 0;
        while seen < batches.len() {
            let brought = batches[seen..].iter().map(|batch| batch.bytes).sum::<usize>();
            left.bytes = left.bytes.saturating_sub(brought);
            left.records = left.records.saturating_sub(batches[seen..].iter().map(|batch| batch.records).sum());
            seen = batches.len();
            if brought < LITTLE || left.bytes == 0 || left.records == 0 {
                break;
            }
            match self.round(left) {
                Ok(more) => batches.extend(more),
                // It comes again with the next poll.
                Err(_) => break,
            }
        }
        Ok(batches)
    }

    fn note_kept(&mut self, batches: &[SourceBatch]) {
        let (read, held) = batches.iter().fold((0, 0), |(read, held), batch| (read + batch.bytes, held + batch.held()));
        if read >= LITTLE {
            self.kept = (held as f64 / read as f64).clamp(LEAST_KEPT, 1.0);
        }
    }

    /// The batches of what was found. The files are then where their batches end.
    fn decode(&mut self, found: Vec<Found>) -> Result<Vec<SourceBatch>, SourceError> {
        let FileSource { config, decoders, files, .. } = self;
        let mut work = Vec::new();
        for Found { name, stretch, next, share } in &found {
            let Some(tail) = files.get(name) else { continue };
            let (start, next) = (tail.next, *next);
            match stretch {
                Stretch::Nothing => {}
                Stretch::Oversized { start: beginning, .. } => {
                    work.push(Piece { name, tail, start, next, most: 1, oversized: Some(beginning) });
                }
                Stretch::Lines { .. } => {
                    let pieces = tail.pieces(start, next, decoders.pieces_of((next - start) as usize))?;
                    let most = (share / pieces.len().max(1)).max(1);
                    work.extend(pieces.into_iter().map(|(start, next)| Piece { name, tail, start, next, most, oversized: None }));
                }
            }
        }
        let pieces: Vec<(String, i64)> = work.iter().map(|piece| (piece.name.clone(), piece.start)).collect();
        let decoded = decoders.decode(work, |decoder, piece: Piece<'_>| piece.decode(decoder, config));
        let (mut batches, mut failed) = (Vec::new(), None);
        for ((name, start), batch) in pieces.into_iter().zip(decoded) {
            match (files.get_mut(&name), batch) {
                // A piece with more lines than its share is not decoded to its end; what is behind it comes again.
                (Some(tail), Ok(batch)) if tail.next == start => {
                    tail.next = batch.next;
                    tail.note_lines(batch.bytes, batch.records);
                    batches.push(batch);
                }
                (_, Ok(_)) => {}
                (_, Err(error)) => failed = failed.or(Some(error)),
            }
        }
        // What was read beside the error is given first; the error comes again with the next poll.
        match failed {
            Some(error) if batches.is_empty() => Err(error),
            _ => Ok(batches),
        }
    }
}

/// What is to be read of a file.
struct Found {
    name: String,
    stretch: Stretch,
    /// The offset behind it.
    next: i64,
    /// How many lines of it may be decoded at most.
    share: usize,
}

/// Records of a file that are decoded at once.
struct Piece<'a> {
    name: &'a String,
    tail: &'a Tail,
    start: i64,
    next: i64,
    /// So many records are taken at most.
    most: usize,
    /// The beginning of a line over the limit, which the piece then is.
    oversized: Option<&'a [u8]>,
}

impl Piece<'_> {
    fn size(&self) -> usize {
        usize::try_from(self.next - self.start).unwrap_or(0)
    }

    fn decode(&self, decoder: &mut Decoder, config: &FileConfig) -> Result<SourceBatch, SourceError> {
        if let Some(beginning) = self.oversized {
            let mut gather = Gather::new(decoder, self.name, self.name, config.max_record_bytes)?;
            gather.take_oversized(beginning, self.start, self.size());
            return gather.finish(self.next);
        }
        let mut gather = Gather::of_bytes(self.size(), decoder, self.name, self.name, config.max_record_bytes)?;
        let next = self.decode_lines(decoder, config, &mut gather)?;
        gather.finish_noted(next, decoder)
    }

    /// Takes the lines; the offset behind them. A few of them are read, and decoded while they are near.
    fn decode_lines(&self, decoder: &mut Decoder, config: &FileConfig, gather: &mut Gather) -> Result<i64, SourceError> {
        let mut near = vec![0; self.size().min(NEAR) + 1];
        let mut at = self.start;
        while at < self.next && gather.records() < self.most {
            let left = usize::try_from(self.next - at).unwrap_or(0);
            let count = left.min(near.len() - 1);
            self.tail.fill(&mut near[..count], at)?;
            let length = match lines::last_newline(&near[..count]) {
                // The last line may have no newline.
                last if count == left && last != Some(count - 1) => {
                    near[count] = b'\n';
                    count + 1
                }
                Some(last) => last + 1,
                None => {
                    near.resize(2 * near.len(), 0);
                    continue;
                }
            };
            let taken = self.decode_near(&near[..length], at, decoder, config, gather);
            at += taken as i64;
            if taken < length {
                break;
            }
        }
        Ok(at.min(self.next))
    }

    /// Takes the lines, which stand at that offset; how far that is.
    fn decode_near(&self, block: &[u8], offset: i64, decoder: &mut Decoder, config: &FileConfig, gather: &mut Gather) -> usize {
        let may_follow = block.len() <= config.max_record_bytes;
        let mut at = 0;
        while at < block.len() && gather.records() < self.most {
            if may_follow && let Some(end) = gather.follow_line(decoder, block, at) {
                at = end + 1;
                continue;
            }
            let Some(length) = lines::newline(&block[at..]) else { break };
            let line = &block[at..at + length];
            if !lines::is_blank(line) {
                take(config, decoder, gather, line, offset + at as i64);
            }
            at += length + 1;
        }
        at
    }
}

fn take(config: &FileConfig, decoder: &mut Decoder, gather: &mut Gather, line: &[u8], offset: i64) {
    let size = line.len() + 1;
    let text = if config.wrapped && line.len() <= config.max_record_bytes { std::str::from_utf8(line).ok() } else { None };
    match text.and_then(Wrapped::of_line) {
        Some(wrapped) => gather.take(decoder, &wrapped.record(), offset, size),
        None => gather.take(decoder, &Record::of_value(line), offset, size),
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
        self.decoders.set_partitions(count);
        self.files = files;
        self.replaying = until.is_some();
        self.refreshed = Some(Instant::now());
        self.turn = None;
        self.finished = false;
        Ok(())
    }

    fn poll(&mut self, budget: Budget) -> Result<Vec<SourceBatch>, SourceError> {
        let deadline = Instant::now() + budget.wait;
        let budget = Budget { bytes: (budget.bytes as f64 / self.kept) as usize, ..budget };
        loop {
            self.refresh()?;
            let batches = self.rounds(budget)?;
            if !batches.is_empty() {
                self.grew = Instant::now();
                self.note_kept(&batches);
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

    fn pause(&self) -> Option<Duration> {
        Some(if self.grew.elapsed() < QUIET { PAUSE } else { LONG_PAUSE })
    }

    fn ends(&mut self) -> Result<Offsets, SourceError> {
        let mut ends = Offsets::default();
        // Who does not follow never reads a file that has come since.
        let is_read = |path: &Path| self.config.follow || self.refreshed.is_none() || self.files.contains_key(&*path.to_string_lossy());
        for path in self.found()?.iter().filter(|path| is_read(path)) {
            let tail = Tail::open(path, 0, None)?;
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
