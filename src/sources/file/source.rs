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
/// How much is looked at before it is decoded: what a core has near.
const NEAR: usize = 128 << 10;

pub struct FileSource {
    config: FileConfig,
    decoders: Decoders,
    files: BTreeMap<String, Tail>,
    replaying: bool,
    refreshed: Option<Instant>,
    /// When something was read last.
    grew: Instant,
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
        let (mut read, mut bytes, mut records) = (Vec::new(), 0, 0);
        for name in order {
            if bytes >= budget.bytes.max(1) || records >= budget.records.max(1) {
                break;
            }
            let (most, lines) = (budget.bytes.saturating_sub(bytes), budget.records.saturating_sub(records).max(1));
            let Some(tail) = self.files.get_mut(&name).filter(|tail| !tail.done()) else { continue };
            match read_some(tail, most.min(tail.bytes_of(lines)), &self.config) {
                Ok(None) => {}
                Ok(Some((stretch, next))) => {
                    let share = tail.lines_in(stretch.size()).min(lines);
                    bytes += stretch.size();
                    records += share;
                    self.turn = Some(name.clone());
                    read.push(Read { name, stretch, next, share });
                }
                // What was read before the error is given first; the error comes again with the next poll.
                Err(_) if !read.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        self.decode(read)
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

    /// The batches of what was read. The files are then where their batches end.
    fn decode(&mut self, read: Vec<Read>) -> Result<Vec<SourceBatch>, SourceError> {
        let FileSource { config, decoders, files, .. } = self;
        let mut work = Vec::new();
        for Read { name, stretch, next, share } in &read {
            let start = files.get(name).map_or(0, |tail| tail.next);
            let Stretch::Lines { .. } = stretch else {
                work.push(Piece { name, start, next: *next, most: 1, part: Part::Oversized(stretch) });
                continue;
            };
            let block = stretch.bytes();
            let (mut at, pieces) = (start, lines::pieces(block, decoders.pieces_of(block.len())));
            let most = (share / pieces.len().max(1)).max(1);
            for lines in pieces {
                let end = at + lines.len() as i64;
                work.push(Piece { name, start: at, next: end.min(*next), most, part: Part::Lines(lines) });
                at = end;
            }
        }
        let decoded = decoders.decode(work.iter().collect(), |decoder, piece: &Piece<'_>| piece.decode(decoder, config));
        let mut batches: Vec<SourceBatch> = Vec::new();
        for (piece, batch) in work.iter().zip(decoded) {
            let (Some(tail), batch) = (files.get_mut(piece.name), batch?) else { continue };
            // A piece with more lines than its share is not decoded to its end; what is behind it comes again.
            if tail.next == piece.start {
                tail.next = batch.next;
                tail.note_lines(batch.bytes, batch.records);
                batches.push(batch);
            }
        }
        drop(work);
        for Read { name, stretch, .. } in read {
            if let (Some(tail), Stretch::Lines { block, .. }) = (files.get_mut(&name), stretch) {
                tail.give_back(block);
            }
        }
        Ok(batches)
    }
}

/// What was read of a file.
struct Read {
    name: String,
    stretch: Stretch,
    /// The offset behind it.
    next: i64,
    /// How many lines of it may be decoded at most.
    share: usize,
}

/// What comes next in a file, and the offset behind it.
fn read_some(tail: &mut Tail, bytes: usize, config: &FileConfig) -> Result<Option<(Stretch, i64)>, SourceError> {
    let stretch = tail.read(bytes, config.max_record_bytes, !config.follow)?;
    let mut next = tail.next;
    match &stretch {
        Stretch::Nothing => return Ok(None),
        Stretch::Oversized { size, .. } => next += *size as i64,
        Stretch::Lines { length, .. } => {
            // The newline of a last line that had none is not there.
            next = (next + *length as i64).min(tail.size()?);
            next = tail.until.map_or(next, |until| next.min(until));
        }
    }
    Ok(Some((stretch, next)))
}

/// Records of a file that are decoded at once.
struct Piece<'a> {
    name: &'a str,
    start: i64,
    next: i64,
    /// So many records are taken at most.
    most: usize,
    part: Part<'a>,
}

enum Part<'a> {
    Lines(&'a [u8]),
    Oversized(&'a Stretch),
}

impl Piece<'_> {
    fn decode(&self, decoder: &mut Decoder, config: &FileConfig) -> Result<SourceBatch, SourceError> {
        let bytes = if let Part::Lines(lines) = self.part { lines.len() } else { 0 };
        let mut gather = Gather::of_bytes(bytes, decoder, self.name, self.name, config.max_record_bytes)?;
        let end = match self.part {
            Part::Oversized(stretch) => {
                gather.take_oversized(stretch.bytes(), self.start, stretch.size());
                stretch.size()
            }
            Part::Lines(block) => self.decode_lines(block, decoder, config, &mut gather),
        };
        let batch = gather.finish(self.next.min(self.start + end as i64))?;
        decoder.note(&batch.changes, batch.bytes);
        Ok(batch)
    }

    /// Takes the lines; how far that is. Each part of them is looked at twice while it is near.
    fn decode_lines(&self, block: &[u8], decoder: &mut Decoder, config: &FileConfig, gather: &mut Gather) -> usize {
        let mut at = 0;
        while at < block.len() && gather.records() < self.most {
            let near = lines::first(&block[at..], NEAR);
            let taken = self.decode_near(near, at, decoder, config, gather);
            at += taken;
            if taken < near.len() {
                break;
            }
        }
        at
    }

    /// Takes the lines, which stand at `from` of the piece; how far that is.
    fn decode_near(&self, block: &[u8], from: usize, decoder: &mut Decoder, config: &FileConfig, gather: &mut Gather) -> usize {
        // All of it is looked at once; where something is no UTF-8, line by line.
        let text = std::str::from_utf8(block).ok();
        let followed = text.filter(|_| block.len() <= config.max_record_bytes);
        let mut at = 0;
        while at < block.len() && gather.records() < self.most {
            if let Some(end) = followed.and_then(|text| gather.follow_line(decoder, text, at)) {
                at = end + 1;
                continue;
            }
            let Some(length) = lines::newline(&block[at..]) else { break };
            let line = &block[at..at + length];
            if !lines::is_blank(line) {
                take(config, decoder, gather, (text, at), line, self.start + (from + at) as i64);
            }
            at += length + 1;
        }
        at
    }
}

fn take(config: &FileConfig, decoder: &mut Decoder, gather: &mut Gather, text: (Option<&str>, usize), line: &[u8], offset: i64) {
    let size = line.len() + 1;
    let (record, line_text) = match text {
        (Some(text), at) => (Record::stretch(text, at, at + line.len()), text.get(at..at + line.len())),
        (None, _) => (Record::of_value(line), std::str::from_utf8(line).ok().filter(|_| config.wrapped)),
    };
    match line_text.filter(|_| config.wrapped && line.len() <= config.max_record_bytes).and_then(Wrapped::of_line) {
        Some(wrapped) => gather.take(decoder, &wrapped.record(), offset, size),
        None => gather.take(decoder, &record, offset, size),
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
        loop {
            self.refresh()?;
            let batches = self.rounds(budget)?;
            if !batches.is_empty() {
                self.grew = Instant::now();
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
