//! One file read block by block from a byte position, while it may be growing.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::lines;
use crate::sources::error::SourceError;

/// How long lines are taken to be before any has been seen.
const LINE: usize = 64;
/// How much is read at once.
const BLOCK: usize = 4 << 20;

pub struct Tail {
    path: PathBuf,
    file: File,
    /// Where the next record starts.
    pub next: i64,
    /// Reading stops here.
    pub until: Option<i64>,
    /// How far a line that is over the limit has been searched for its end.
    searched: i64,
    /// A block that was given back, to be filled again.
    spare: Vec<u8>,
    /// How long its lines were, about.
    line_bytes: usize,
}

/// What the next stretch of a file holds.
pub enum Stretch {
    /// Bytes from `next`, of which so many end with a line's end. What is behind them is kept: a block that is filled again is
    /// not cleared before.
    Lines { block: Vec<u8>, length: usize },
    /// The beginning of a line over the limit, and the size of all of it with its newline.
    Oversized { start: Vec<u8>, size: usize },
    /// Nothing whole is there now.
    Nothing,
}

impl Stretch {
    /// What was read; of a line over the limit the beginning.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Stretch::Lines { block, length } => &block[..*length],
            Stretch::Oversized { start, .. } => start,
            Stretch::Nothing => &[],
        }
    }

    /// How many bytes of the file it is.
    pub fn size(&self) -> usize {
        match self {
            Stretch::Oversized { size, .. } => *size,
            other => other.bytes().len(),
        }
    }
}

impl Tail {
    pub fn open(path: &Path, next: i64, until: Option<i64>) -> Result<Tail, SourceError> {
        let file = File::open(path).map_err(|e| unavailable(path, &e))?;
        let tail = Tail { path: path.to_path_buf(), file, next, until, searched: next, spare: Vec::new(), line_bytes: LINE };
        let size = tail.size()?;
        match [Some(next), until].into_iter().flatten().find(|offset| *offset > size) {
            Some(offset) => Err(tail.lost(format!("It was read up to byte {offset} and now has {size}."))),
            None => Ok(tail),
        }
    }

    /// Takes note of how many bytes so many lines had.
    pub fn note_lines(&mut self, bytes: usize, lines: usize) {
        if let Some(average) = bytes.checked_div(lines) {
            self.line_bytes = average.max(1);
        }
    }

    /// How many lines so many bytes may well have.
    pub fn lines_in(&self, bytes: usize) -> usize {
        bytes / self.line_bytes * 2 + 16
    }

    /// How many bytes so many lines may well have.
    pub fn bytes_of(&self, lines: usize) -> usize {
        lines.saturating_mul(self.line_bytes)
    }

    /// Takes a block back, whose memory the next one can use.
    pub fn give_back(&mut self, block: Vec<u8>) {
        self.spare = block;
    }

    /// True when all of the stretch that is asked for has been read.
    pub fn done(&self) -> bool {
        self.until.is_some_and(|until| self.next >= until)
    }

    pub fn size(&self) -> Result<i64, SourceError> {
        self.file.metadata().map(|m| m.len() as i64).map_err(|e| unavailable(&self.path, &e))
    }

    /// Checks that the path is still this file and that it was not cut.
    fn check(&self) -> Result<i64, SourceError> {
        let mine = self.file.metadata().map_err(|e| unavailable(&self.path, &e))?;
        let there = std::fs::metadata(&self.path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => self.lost("It was removed.".into()),
            _ => unavailable(&self.path, &e),
        })?;
        let same = |a: &Metadata, b: &Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
        if !same(&mine, &there) {
            return Err(self.lost("It was replaced by another file of its name.".into()));
        }
        let size = mine.len() as i64;
        if size < self.next {
            return Err(self.lost(format!("It was read up to byte {} and now has {size}.", self.next)));
        }
        Ok(size)
    }

    /// The next stretch, at most about `budget` bytes of whole lines. With `complete` the file's end ends a line too.
    pub fn read(&mut self, budget: usize, limit: usize, complete: bool) -> Result<Stretch, SourceError> {
        let size = self.check()?;
        let end = self.until.map_or(size, |until| until.min(size));
        // A stretch that is read again ends where a record ended.
        let complete = complete || self.until == Some(end);
        let left = usize::try_from(end - self.next).unwrap_or(0);
        if left == 0 {
            return Ok(Stretch::Nothing);
        }
        let mut want = left.min(BLOCK).min(budget.max(1));
        loop {
            let mut block = std::mem::take(&mut self.spare);
            self.read_into(&mut block, self.next, want)?;
            if let Some(last) = memchr::memrchr(b'\n', &block[..want]) {
                return Ok(Stretch::Lines { block, length: last + 1 });
            }
            block.truncate(want);
            if want >= left && complete && want <= limit {
                block.push(b'\n');
                return Ok(Stretch::Lines { block, length: want + 1 });
            }
            if want > limit {
                return self.search_end(block, end, complete);
            }
            if want >= left {
                return Ok(Stretch::Nothing);
            }
            want = left.min(want.saturating_mul(2).max(BLOCK)).min(limit + 1);
        }
    }

    /// Looks for the end of a line whose beginning is over the limit.
    fn search_end(&mut self, start: Vec<u8>, end: i64, complete: bool) -> Result<Stretch, SourceError> {
        let mut at = self.searched.max(self.next + start.len() as i64);
        while at < end {
            let block = self.bytes(at, BLOCK.min(usize::try_from(end - at).unwrap_or(BLOCK)))?;
            if let Some(newline) = lines::newline(&block) {
                let size = at - self.next + newline as i64 + 1;
                return Ok(Stretch::Oversized { start, size: size as usize });
            }
            at += block.len() as i64;
            self.searched = at;
        }
        Ok(if complete { Stretch::Oversized { start, size: (end - self.next) as usize } } else { Stretch::Nothing })
    }

    /// The end of the last whole line that is there now: how far a reader can come.
    pub fn last_line_end(&self, complete: bool) -> Result<i64, SourceError> {
        let mut end = self.size()?;
        while end > 0 && !complete {
            let count = BLOCK.min(usize::try_from(end).unwrap_or(BLOCK));
            let start = end - count as i64;
            if let Some(last) = self.bytes(start, count)?.iter().rposition(|b| *b == b'\n') {
                return Ok(start + last as i64 + 1);
            }
            end = start;
        }
        Ok(end)
    }

    /// Exactly `count` bytes at `at`; the file was seen to have them.
    fn bytes(&self, at: i64, count: usize) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        self.read_into(&mut bytes, at, count)?;
        Ok(bytes)
    }

    /// Fills the first `count` bytes; those behind them stay.
    fn read_into(&self, bytes: &mut Vec<u8>, at: i64, count: usize) -> Result<(), SourceError> {
        bytes.resize(count.max(bytes.len()), 0);
        match self.file.read_exact_at(&mut bytes[..count], at as u64) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.lost("It was cut while it was read.".into())),
            Err(e) => Err(unavailable(&self.path, &e)),
        }
    }

    fn lost(&self, detail: String) -> SourceError {
        SourceError::Lost {
            message: format!("records of file \"{}\" that are needed are gone", self.path.display()),
            detail,
            hint: "Files of a source may only grow. Drop the source and create it again to start from what is there.".into(),
        }
    }
}

pub fn unavailable(path: &Path, error: &io::Error) -> SourceError {
    SourceError::Unavailable {
        message: format!("could not read file \"{}\"", path.display()),
        detail: error.to_string(),
        hint: "Check that it exists and that floe's user may read it.".into(),
    }
}
