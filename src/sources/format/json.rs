//! A scanner of JSON text that hands out values as stretches of the text itself.
//!
//! Decoding a record needs a handful of its fields, each as the type of its column. So nothing is built here: an
//! object's members are visited in order, every value is checked to be JSON (strictly, nesting bounded) and given as the
//! text it is written in. Whoever wants the value reads that text once, as the type it must have.

use std::borrow::Cow;

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

pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    /// A scanner that goes on at a position in the text.
    pub fn starting_at(text: &'a str, at: usize) -> Scanner<'a> {
        Scanner { text, at }
    }

    /// How far the text has been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space; 0 at the end.
    pub fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
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

    /// The next value as it is written, checked.
    pub fn value(&mut self) -> Result<&'a str, JsonError> {
        self.peek();
        let start = self.at;
        self.skip(0)?;
        Ok(&self.text[start..self.at])
    }

    /// The next value when its text is exactly one that was checked before. Only for objects: their end is in themselves.
    pub fn value_seen_before(&mut self, seen: &str) -> bool {
        self.peek();
        let found = self.text.as_bytes()[self.at..].starts_with(seen.as_bytes());
        if found {
            self.at += seen.len();
        }
        found
    }

    /// Nothing but white space may be left.
    pub fn end(&mut self) -> Result<(), JsonError> {
        if self.peek() != 0 || self.at < self.text.len() { Err(self.error("text after the value")) } else { Ok(()) }
    }

    /// Enters the next value, an object; its members follow by [`Scanner::member`].
    pub fn enter_object(&mut self) -> Result<(), JsonError> {
        self.expect(b'{', "an object was expected")
    }

    /// The name of the next member as written between its quotes, or `None` at the object's end. The value must be taken
    /// before the next call. `first` is true for the first call after entering.
    pub fn member(&mut self, first: bool) -> Result<Option<&'a str>, JsonError> {
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
        let name = &self.text[start..self.at - 1];
        self.expect(b':', "\":\" was expected")?;
        Ok(Some(name))
    }

    /// Enters the next value, an array; its items follow by [`Scanner::item`].
    pub fn enter_array(&mut self) -> Result<(), JsonError> {
        self.expect(b'[', "an array was expected")
    }

    /// The next item of the array, or `None` at its end.
    pub fn item(&mut self, first: bool) -> Result<Option<&'a str>, JsonError> {
        match self.peek() {
            b']' => {
                self.at += 1;
                return Ok(None);
            }
            b',' if !first => self.at += 1,
            _ if first => {}
            _ => return Err(self.error("\",\" or \"]\" was expected")),
        }
        self.value().map(Some)
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
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
            0 if self.at >= self.text.len() => Err(self.error("the text ends too early")),
            _ => Err(self.error("a value was expected")),
        }
    }

    fn skip_word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("a value was expected"));
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), JsonError> {
        let bytes = self.text.as_bytes();
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
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return Err(self.error("a text in quotes was expected"));
        }
        let mut at = self.at + 1;
        loop {
            at += plain_run(&bytes[at..]);
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

/// How many bytes come before the first quote, backslash or control character.
#[inline]
pub fn plain_run(bytes: &[u8]) -> usize {
    let mut at = 0;
    // Short texts are found out word by word, long ones in strides that the compiler makes vectors of.
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let marks = marks(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
        if at == STRIDES_FROM {
            while let Some(stride) = bytes.get(at..).and_then(|rest| rest.first_chunk::<STRIDE>())
                && is_plain(stride)
            {
                at += STRIDE;
            }
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).unwrap_or(rest.len())
}

const STRIDE: usize = 32;
const STRIDES_FROM: usize = 16;

/// Marks bytes that end a run; the lowest mark is right.
#[inline]
fn marks(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A borrow can only mark bytes above one that is marked rightly.
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero_byte(word ^ (ONES * (b'"' as u64))) | zero_byte(word ^ (ONES * (b'\\' as u64))) | control) & HIGH
}

#[inline]
fn is_plain(stride: &[u8; STRIDE]) -> bool {
    let ends = |byte: u8| u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
    stride.iter().fold(0, |found, byte| found | ends(*byte)) == 0
}

/// What a JSON text stands for, given what is written between its quotes (already checked by the scanner).
pub fn unescape(written: &str) -> Result<Cow<'_, str>, &'static str> {
    let Some(first) = written.find('\\') else { return Ok(Cow::Borrowed(written)) };
    let mut out = String::with_capacity(written.len());
    let mut rest = written;
    let mut escape = first;
    loop {
        out.push_str(&rest[..escape]);
        let mut taken = 2;
        out.push(match rest.as_bytes().get(escape + 1) {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => {
                let high = code_unit(rest, escape)?;
                taken = 6;
                if (0xd800..0xdc00).contains(&high) {
                    let low = code_unit(rest, escape + 6)?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err("half of a surrogate pair");
                    }
                    taken = 12;
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or("half of a surrogate pair")?
                } else {
                    char::from_u32(high).ok_or("half of a surrogate pair")?
                }
            }
            Some(other) => char::from(*other),
            None => return Err("an unfinished escape"),
        });
        rest = &rest[escape + taken..];
        match rest.find('\\') {
            Some(next) => escape = next,
            None => {
                out.push_str(rest);
                return Ok(Cow::Owned(out));
            }
        }
    }
}

/// The number in the `\uXXXX` at that place.
fn code_unit(text: &str, at: usize) -> Result<u32, &'static str> {
    match text.get(at..at + 6) {
        Some(escape) if escape.starts_with("\\u") => u32::from_str_radix(&escape[2..], 16).map_err(|_| "a malformed \\u escape"),
        _ => Err("half of a surrogate pair"),
    }
}

/// True when the whole text is one JSON value.
pub fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.value().is_ok() && scanner.end().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_json() {
        for good in ["1", "-0.5e+10", "\"a\\u00e7\"", "{}", "[ ]", "{\"a\":[1,null,true,{\"b\":\"\"}]}", " 0 ", "1E5"] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            "01",
            "1.",
            ".5",
            "+1",
            "nul",
            "tru",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "\"\\x\"",
            "\"a\nb\"",
            "\"",
            "1 2",
            "{\"a\":1}}",
            "'a'",
            "-",
            "1e",
            "\"\\u12\"",
            "NaN",
            "\0",
            "1\0",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[test]
    fn a_plain_run_ends_where_a_walk_ends() {
        let mut bytes: Vec<u8> = (0..=255).collect();
        for rotation in 0..256 {
            for from in 0..100 {
                let walked = bytes[from..].iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..=0x1f)).count();
                assert_eq!(plain_run(&bytes[from..]), walked, "rotated by {rotation}, from {from}");
            }
            bytes.rotate_left(1);
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert!(is_json(&format!("{}{}", "[".repeat(100), "]".repeat(100))));
        assert!(!is_json(&"[".repeat(1_000_000)));
        assert!(!is_json(&"{\"a\":".repeat(100_000)));
    }

    #[test]
    fn escapes_come_back() {
        assert_eq!(unescape("a\\\"b\\\\\\n\\u00e7\\uD83D\\uDE00z").as_deref(), Ok("a\"b\\\n\u{e7}\u{1f600}z"));
        assert_eq!(unescape("plain").as_deref(), Ok("plain"));
        for bad in ["\\ud83d", "\\ude00", "\\ud83dx", "\\ud83d\\n", "\\ud83d\\u0041"] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
    }
}
