//! JSON text walked over byte by byte: where values end, and whether they are JSON (strictly, nesting bounded).
//!
//! Nothing here needs the text to be UTF-8: whoever takes a stretch of it for text looks.

use wide::u8x16;

/// Values nested deeper than this are refused, so that no record can exhaust the stack.
const MAX_DEPTH: u32 = 128;

/// Where and why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    pub at: usize,
    pub what: &'static str,
}

impl JsonError {
    pub fn reason(&self) -> String {
        format!("not valid JSON: {} at byte {}", self.what, self.at)
    }
}

pub struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walker<'a> {
    /// A walker that goes on at a position in the text.
    pub fn starting_at(bytes: &'a [u8], at: usize) -> Walker<'a> {
        Walker { bytes, at }
    }

    /// How far the text has been walked over.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space; 0 at the end.
    pub fn peek(&mut self) -> u8 {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return *byte,
            }
        }
        0
    }

    pub fn error(&self, what: &'static str) -> JsonError {
        JsonError { at: self.at, what }
    }

    /// Passes over the next value; where it begins and ends.
    pub fn value(&mut self) -> Result<(usize, usize), JsonError> {
        self.peek();
        let start = self.at;
        self.skip(0)?;
        Ok((start, self.at))
    }

    /// Passes over that text, if it comes next.
    pub fn known(&mut self, text: &[u8]) -> bool {
        self.peek();
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        if found {
            self.at += text.len();
        }
        found
    }

    /// Nothing but white space may be left.
    pub fn end(&mut self) -> Result<(), JsonError> {
        if self.peek() != 0 || self.at < self.bytes.len() { Err(self.error("text after the value")) } else { Ok(()) }
    }

    /// Where the name of the next member stands between its quotes, or `None` at the object's end. The value must be passed
    /// over before the next call. `first` is true for the first call after entering.
    pub fn member(&mut self, first: bool) -> Result<Option<(usize, usize)>, JsonError> {
        match self.peek() {
            b'}' => {
                self.at += 1;
                return Ok(None);
            }
            b',' if !first => {
                self.at += 1;
                self.peek();
            }
            _ if first => {}
            _ => return Err(self.error("\",\" or \"}\" was expected")),
        }
        let start = self.at + 1;
        self.skip_string()?;
        let name = (start, self.at - 1);
        self.expect(b':', "\":\" was expected")?;
        Ok(Some(name))
    }

    /// Whether an item of the array that was entered comes next; it is not there at the array's end, which is passed over.
    pub fn item(&mut self, first: bool) -> Result<bool, JsonError> {
        match self.peek() {
            b']' => {
                self.at += 1;
                return Ok(false);
            }
            b',' if !first => self.at += 1,
            _ if first => {}
            _ => return Err(self.error("\",\" or \"]\" was expected")),
        }
        Ok(true)
    }

    pub fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.peek() != byte {
            return Err(self.error(what));
        }
        self.at += 1;
        Ok(())
    }

    fn skip(&mut self, depth: u32) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        match self.peek() {
            b'"' => self.skip_string(),
            b'{' => {
                self.at += 1;
                let mut first = true;
                while self.member(first)?.is_some() {
                    self.skip(depth + 1)?;
                    first = false;
                }
                Ok(())
            }
            b'[' => {
                self.at += 1;
                if self.peek() == b']' {
                    self.at += 1;
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    match self.peek() {
                        b',' => self.at += 1,
                        b']' => {
                            self.at += 1;
                            return Ok(());
                        }
                        _ => return Err(self.error("\",\" or \"]\" was expected")),
                    }
                }
            }
            b't' => self.skip_word("true"),
            b'f' => self.skip_word("false"),
            b'n' => self.skip_word("null"),
            b'-' | b'0'..=b'9' => self.skip_number(),
            0 if self.at >= self.bytes.len() => Err(self.error("the text ends too early")),
            _ => Err(self.error("a value was expected")),
        }
    }

    fn skip_word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("a value was expected"));
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), JsonError> {
        let bytes = self.bytes;
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut at = self.at + usize::from(bytes.get(self.at) == Some(&b'-'));
        let whole = at;
        at = digits(at);
        let leading_zero = at > whole + 1 && bytes.get(whole) == Some(&b'0');
        let mut bad = at == whole || leading_zero;
        if bytes.get(at) == Some(&b'.') {
            let fraction = at + 1;
            at = digits(fraction);
            bad |= at == fraction;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
            let exponent = at;
            at = digits(exponent);
            bad |= at == exponent;
        }
        if bad {
            return Err(self.error("a malformed number"));
        }
        self.at = at;
        Ok(())
    }

    fn skip_string(&mut self) -> Result<(), JsonError> {
        let bytes = self.bytes;
        if bytes.get(self.at) != Some(&b'"') {
            return Err(self.error("a text in quotes was expected"));
        }
        let mut at = self.at + 1;
        loop {
            at += plain_run(&bytes[at..]).length;
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => match bytes.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                    Some(b'u') if bytes.get(at + 2..at + 6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => at += 6,
                    _ => return Err(JsonError { at, what: "an unknown escape" }),
                },
                // A run stops at nothing else.
                Some(_) => return Err(JsonError { at, what: "a control character inside a text" }),
                None => return Err(JsonError { at, what: "a text without its closing quote" }),
            }
        }
        self.at = at + 1;
        Ok(())
    }
}

/// Bytes before the first quote, backslash or control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub length: usize,
    /// Whether all of them are ASCII.
    pub ascii: bool,
}

#[inline]
pub fn plain_run(bytes: &[u8]) -> Run {
    let (mut at, mut high) = (0, u8x16::ZERO);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        // Two at a time: most texts are shorter than a few of them, and each end of the loop that comes unforeseen is dear.
        let (first, second) = match rest.as_chunks::<16>().0 {
            [first, second, ..] => (u8x16::from(*first), u8x16::from(*second)),
            _ => closed(rest),
        };
        let ends = ends(first) | ends(second) << 16;
        if ends != 0 {
            let more = ends.trailing_zeros();
            let beyond = (first.move_mask() as u32 | (second.move_mask() as u32) << 16) & !(u32::MAX << more);
            return Run { length: at + more as usize, ascii: (high.move_mask() as u32 | beyond) == 0 };
        }
        high |= first | second;
        at += 32;
    }
}

/// Less than that, with an end behind it.
#[cold]
fn closed(rest: &[u8]) -> (u8x16, u8x16) {
    let mut bytes = [b'"'; 32];
    bytes.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
    let lanes = |from: usize| u8x16::from(std::array::from_fn(|at| bytes[from + at]));
    (lanes(0), lanes(16))
}

/// Marks what ends a run.
#[inline]
fn ends(lanes: u8x16) -> u32 {
    let control = lanes.min(u8x16::splat(0x1f)).cmp_eq(lanes);
    (lanes.cmp_eq(u8x16::splat(b'"')) | lanes.cmp_eq(u8x16::splat(b'\\')) | control).move_mask() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_ends_where_a_walk_ends() {
        let mut bytes: Vec<u8> = (0..=255).collect();
        for rotation in 0..256 {
            for from in 0..100 {
                let length = bytes[from..].iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..=0x1f)).count();
                let ascii = bytes[from..from + length].is_ascii();
                assert_eq!(plain_run(&bytes[from..]), Run { length, ascii }, "rotated by {rotation}, from {from}");
            }
            bytes.rotate_left(1);
        }
    }

    #[test]
    fn one_byte_makes_a_run_more_than_ascii() {
        for length in 0..120 {
            for odd in 0..length {
                let mut bytes = vec![b'a'; length];
                bytes[odd] = 0x80;
                for end in [&b"\""[..], b"\"\x80", b""] {
                    assert_eq!(plain_run(&[&bytes, end].concat()), Run { length, ascii: false }, "{length} {odd}");
                }
            }
            assert_eq!(plain_run(&[&vec![b'a'; length][..], b"\"\xff"].concat()), Run { length, ascii: true }, "{length}");
        }
    }
}
