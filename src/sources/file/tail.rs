//! One file read stretch by stretch from a byte position, while it may be growing. A stretch is found first, by where its last
//! line ends; whoever decodes it reads it bit by bit.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::lines;
use crate::sources::error::SourceError;
use crate::sources::gather::Gather;

/// How long lines are taken to be before any has been seen.
const LINE: usize = 64;
/// How much a stretch has at most.
const STRETCH: usize = 16 << 20;
/// How much is read at once to find a line's end.
const LOOK: usize = 64 << 10;

pub struct Tail {
    path: PathBuf,
    file: File,
    /// Where the next record starts.
    pub next: i64,
    /// Reading stops here.
    pub until: Option<i64>,
    /// How far a line that is over the limit has been searched for its end.
    searched: i64,
    /// How long its lines were, about.
    line_bytes: usize,
}

/// What comes next in a file.
pub enum Stretch {
    /// Whole lines up to that offset; the last one may end there without a newline.
    Lines { end: i64 },
    /// The beginning of a line over the limit, and the size of all of it with its newline.
    Oversized { start: Vec<u8>, size: usize },
    /// Nothing whole is there now.
    Nothing,
}

impl Tail {
    pub fn open(path: &Path, next: i64, until: Option<i64>) -> Result<Tail, SourceError> {
        let file = File::open(path).map_err(|e| unavailable(path, &e))?;
        let tail = Tail { path: path.to_path_buf(), file, next, until, searched: next, line_bytes: LINE };
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
    pub fn stretch(&mut self, budget: usize, limit: usize, complete: bool) -> Result<Stretch, SourceError> {
        let size = self.check()?;
        let end = self.until.map_or(size, |until| until.min(size));
        // A stretch that is read again ends where a record ended.
        let complete = complete || self.until == Some(end);
        let left = usize::try_from(end - self.next).unwrap_or(0);
        if left == 0 {
            return Ok(Stretch::Nothing);
        }
        let mut want = left.min(STRETCH).min(budget.max(1));
        loop {
            let to = self.next + want as i64;
            if let Some(last) = self.last_newline(self.next, to)? {
                return Ok(Stretch::Lines { end: last + 1 });
            }
            if want >= left && complete && want <= limit {
                return Ok(Stretch::Lines { end: to });
            }
            if want > limit {
                return self.search_end(want, end, complete);
            }
            if want >= left {
                return Ok(Stretch::Nothing);
            }
            want = left.min(want.saturating_mul(2).max(LOOK)).min(limit + 1);
        }
    }

    /// Looks for the end of a line whose first `seen` bytes are over the limit.
    fn search_end(&mut self, seen: usize, end: i64, complete: bool) -> Result<Stretch, SourceError> {
        let start = self.bytes(self.next, seen.min(Gather::RAW_KEPT))?;
        let from = self.searched.max(self.next + seen as i64);
        if let Some(newline) = self.first_newline(from, end)? {
            return Ok(Stretch::Oversized { start, size: (newline + 1 - self.next) as usize });
        }
        self.searched = from.max(end);
        Ok(if complete { Stretch::Oversized { start, size: (end - self.next) as usize } } else { Stretch::Nothing })
    }

    /// Cuts a stretch of whole lines into `count` pieces of whole lines that are about as long; fewer where lines are long.
    pub fn pieces(&self, from: i64, to: i64, count: usize) -> Result<Vec<(i64, i64)>, SourceError> {
        let (mut pieces, mut from) = (Vec::new(), from);
        for left in (2..=count as i64).rev() {
            let Some(newline) = self.first_newline(from + (to - from) / left, to)? else { break };
            pieces.push((from, newline + 1));
            from = newline + 1;
        }
        if from < to {
            pieces.push((from, to));
        }
        Ok(pieces)
    }

    /// The end of the last whole line that is there now: how far a reader can come.
    pub fn last_line_end(&self, complete: bool) -> Result<i64, SourceError> {
        let size = self.size()?;
        Ok(if complete { size } else { self.last_newline(0, size)?.map_or(0, |last| last + 1) })
    }

    fn first_newline(&self, from: i64, to: i64) -> Result<Option<i64>, SourceError> {
        let mut at = from;
        while at < to {
            let end = to.min(at + LOOK as i64);
            if let Some(newline) = lines::newline(&self.bytes(at, (end - at) as usize)?) {
                return Ok(Some(at + newline as i64));
            }
            at = end;
        }
        Ok(None)
    }

    fn last_newline(&self, from: i64, to: i64) -> Result<Option<i64>, SourceError> {
        let mut end = to;
        while end > from {
            let start = from.max(end - LOOK as i64);
            if let Some(newline) = lines::last_newline(&self.bytes(start, (end - start) as usize)?) {
                return Ok(Some(start + newline as i64));
            }
            end = start;
        }
        Ok(None)
    }

    /// Exactly `count` bytes at `at`; the file was seen to have them.
    fn bytes(&self, at: i64, count: usize) -> Result<Vec<u8>, SourceError> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes, at)?;
        Ok(bytes)
    }

    /// The bytes at `at`; the file was seen to have them.
    pub fn fill(&self, bytes: &mut [u8], at: i64) -> Result<(), SourceError> {
        match self.file.read_exact_at(bytes, at as u64) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_stretch_again() {
        let text: Vec<u8> = (0..200).flat_map(|i| [vec![b'x'; i * 7 % 31], vec![b'\n']].concat()).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let tail = Tail::open(file.path(), 0, None).unwrap();
        for start in [0, 1, 37] {
            let end = text.len() as i64;
            for count in 1..20 {
                let pieces = tail.pieces(start, end, count).unwrap();
                assert_eq!(pieces.len(), count);
                assert_eq!((pieces[0].0, pieces[count - 1].1), (start, end));
                assert!(pieces.windows(2).all(|pair| pair[0].1 == pair[1].0));
                let good = |(from, to): &(i64, i64)| text[*to as usize - 1] == b'\n' && to - from < 2 * end / count as i64 + 32;
                assert!(pieces.iter().all(good), "{pieces:?}");
            }
        }
        let line = text.iter().position(|b| *b == b'\n').unwrap() as i64 + 1;
        assert_eq!(tail.pieces(0, line, 3).unwrap(), [(0, line)]);
        assert!(tail.pieces(5, 5, 3).unwrap().is_empty());
    }
}
