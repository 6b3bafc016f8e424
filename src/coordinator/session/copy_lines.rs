//! COPY's text and CSV formats, read: bytes that come in pieces become rows of fields.

use bytes::{Buf, BytesMut};

use crate::sql::statement::{Copy, CopyFormat};
use crate::types::{Report, SqlState};

/// The largest row, in bytes.
const MAX_ROW: usize = 256 << 20;

pub struct Lines {
    copy: Copy,
    pending: BytesMut,
    /// How far `pending` has been searched for the end of a row.
    searched: usize,
    in_quotes: bool,
    /// A backslash (text format) stood before `searched`.
    escaped: bool,
    skip_header: bool,
    /// `\.` came: what follows does not count.
    ended: bool,
    /// The number of the line read last, from 1.
    pub line: u64,
}

/// The fields of one row; `None` is null.
pub type Fields = Vec<Option<String>>;

impl Lines {
    pub fn new(copy: Copy) -> Lines {
        let skip_header = copy.header;
        Lines { copy, pending: BytesMut::new(), searched: 0, in_quotes: false, escaped: false, skip_header, ended: false, line: 0 }
    }

    pub fn push(&mut self, data: &[u8]) -> Result<(), Report> {
        if !self.ended {
            self.pending.extend_from_slice(data);
            if self.pending.len() > MAX_ROW + data.len() {
                return Err(Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, "a row of COPY data is longer than 256 MiB"));
            }
        }
        Ok(())
    }

    /// The next whole row, or with `last` what is left.
    pub fn next(&mut self, last: bool) -> Result<Option<Fields>, Report> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let (length, skip) = match self.find_end() {
                Some(end) => (end, 1),
                None if last && self.in_quotes => {
                    return Err(Report::error(SqlState::BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
                }
                None if last && !self.pending.is_empty() => (self.pending.len(), 0),
                None => return Ok(None),
            };
            let mut row = self.pending.split_to(length);
            self.pending.advance(skip);
            (self.searched, self.in_quotes, self.escaped) = (0, false, false);
            self.line += 1;
            if row.ends_with(b"\r") {
                row.truncate(row.len() - 1);
            }
            if &row[..] == b"\\." {
                self.ended = true;
                return Ok(None);
            }
            if std::mem::take(&mut self.skip_header) {
                continue;
            }
            let text =
                std::str::from_utf8(&row).map_err(|_| Report::error(SqlState("22021"), "invalid byte sequence for encoding \"UTF8\""))?;
            return match self.copy.format {
                CopyFormat::Text => Ok(Some(text_fields(text, &self.copy))),
                CopyFormat::Csv => csv_fields(text, &self.copy).map(Some),
            };
        }
    }

    /// Where the first unsearched row ends: at a newline that is neither quoted (CSV) nor escaped (text).
    fn find_end(&mut self) -> Option<usize> {
        let quote = self.copy.quote as u32;
        while let Some(byte) = self.pending.get(self.searched) {
            match (byte, self.copy.format) {
                (b'\n', _) if !self.in_quotes && !self.escaped => return Some(self.searched),
                (byte, CopyFormat::Csv) if u32::from(*byte) == quote => self.in_quotes = !self.in_quotes,
                (b'\\', CopyFormat::Text) if !self.escaped => {
                    self.escaped = true;
                    self.searched += 1;
                    continue;
                }
                _ => {}
            }
            self.escaped = false;
            self.searched += 1;
        }
        None
    }
}

fn text_fields(line: &str, copy: &Copy) -> Fields {
    let mut fields = Vec::new();
    let mut raw = String::new();
    let mut letters = line.chars();
    let mut finish = |raw: &mut String| {
        let raw = std::mem::take(raw);
        fields.push((raw != copy.null).then(|| unescape(&raw)));
    };
    while let Some(letter) = letters.next() {
        if letter == '\\' {
            raw.push(letter);
            raw.extend(letters.next());
        } else if letter == copy.delimiter {
            finish(&mut raw);
        } else {
            raw.push(letter);
        }
    }
    finish(&mut raw);
    fields
}

/// Undoes backslashes: `\n`, `\t`, `\\`, `\101`, `\x41`; any other letter stands for itself.
fn unescape(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_string();
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let Some((letter, tail)) = rest.split_first() else {
            bytes.push(b'\\');
            break;
        };
        rest = tail;
        let digits = |rest: &[u8], most: usize, base: u32| rest.iter().take(most).take_while(|b| char::from(**b).is_digit(base)).count();
        match letter {
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'v' => bytes.push(11),
            b'x' if digits(rest, 2, 16) > 0 => {
                let (number, tail) = rest.split_at(digits(rest, 2, 16));
                bytes.push(number.iter().fold(0u32, |v, d| v * 16 + char::from(*d).to_digit(16).unwrap_or(0)) as u8);
                rest = tail;
            }
            b'0'..=b'7' => {
                let (number, tail) = rest.split_at(digits(rest, 2, 8));
                bytes.push(number.iter().fold(u32::from(letter - b'0'), |v, d| v * 8 + u32::from(d - b'0')) as u8);
                rest = tail;
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn csv_fields(line: &str, copy: &Copy) -> Result<Fields, Report> {
    let mut fields = Vec::new();
    let (mut value, mut quoted, mut in_quotes) = (String::new(), false, false);
    let mut finish = |value: &mut String, quoted: &mut bool| {
        let value = std::mem::take(value);
        let null = !*quoted && value == copy.null;
        fields.push((!null).then_some(value));
        *quoted = false;
    };
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == copy.quote {
            if in_quotes && letters.peek() == Some(&copy.quote) {
                value.extend(letters.next());
            } else {
                in_quotes = !in_quotes;
                quoted = true;
            }
        } else if letter == copy.delimiter && !in_quotes {
            finish(&mut value, &mut quoted);
        } else {
            value.push(letter);
        }
    }
    if in_quotes {
        return Err(Report::error(SqlState::BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
    }
    finish(&mut value, &mut quoted);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::statement::CopySource;

    fn copy(format: CopyFormat, header: bool) -> Copy {
        let (delimiter, null) = match format {
            CopyFormat::Text => ('\t', "\\N"),
            CopyFormat::Csv => (',', ""),
        };
        let name = crate::sql::statement::ObjectName { schema: None, name: "t".to_string() };
        let from = CopySource::Relation { name, columns: Vec::new() };
        Copy { from, to_stdout: false, format, delimiter, null: null.to_string(), header, quote: '"' }
    }

    /// All rows, the bytes given one at a time; `~` is null.
    fn rows(copy: Copy, data: &str) -> Result<Vec<String>, String> {
        let mut lines = Lines::new(copy);
        let mut rows = Vec::new();
        let mut take = |lines: &mut Lines, last| -> Result<(), String> {
            while let Some(fields) = lines.next(last).map_err(|r| r.message)? {
                rows.push(fields.iter().map(|f| f.as_deref().unwrap_or("~")).collect::<Vec<_>>().join("|"));
            }
            Ok(())
        };
        for byte in data.bytes() {
            lines.push(&[byte]).map_err(|r| r.message)?;
            take(&mut lines, false)?;
        }
        take(&mut lines, true)?;
        Ok(rows)
    }

    #[test]
    fn text() {
        let parsed = rows(copy(CopyFormat::Text, false), "1\ta b\\tc\n2\t\\N\r\n3\t\\\\N\\x41\\101\n4\tx\\\ny\n\\.\nignored");
        assert_eq!(parsed, Ok(vec!["1|a b\tc".into(), "2|~".into(), "3|\\NAA".into(), "4|x\ny".into()]));
        assert_eq!(rows(copy(CopyFormat::Text, false), "5\tlast"), Ok(vec!["5|last".into()]));
    }

    #[test]
    fn csv() {
        let parsed = rows(copy(CopyFormat::Csv, true), "id,name\n1,\"a, \"\"b\"\"\nc\"\n2,\n3,\"\"\n");
        assert_eq!(parsed, Ok(vec!["1|a, \"b\"\nc".into(), "2|~".into(), "3|".into()]));
        assert_eq!(rows(copy(CopyFormat::Csv, false), "1,\"open"), Err("unterminated CSV quoted field".to_string()));
    }
}
