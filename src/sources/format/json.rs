//! A scanner of JSON text that hands out values as stretches of the text itself.
//!
//! Decoding a record needs a handful of its fields, each as the type of its column. So nothing is built here: an
//! object's members are visited in order, every value is checked to be JSON ([`walk`](super::walk)) and given as the text it
//! is written in. Whoever wants the value reads that text once, as the type it must have.

use std::borrow::Cow;

pub use super::walk::JsonError;
use super::walk::Walker;

pub struct Scanner<'a> {
    text: &'a str,
    walker: Walker<'a>,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner::starting_at(text, 0)
    }

    /// A scanner that goes on at a position in the text.
    pub fn starting_at(text: &'a str, at: usize) -> Scanner<'a> {
        Scanner { text, walker: Walker::starting_at(text.as_bytes(), at) }
    }

    /// How far the text has been read.
    pub fn position(&self) -> usize {
        self.walker.position()
    }

    /// The next byte that is not white space; 0 at the end.
    pub fn peek(&mut self) -> u8 {
        self.walker.peek()
    }

    /// The next value as it is written, checked.
    pub fn value(&mut self) -> Result<&'a str, JsonError> {
        self.walker.value().map(|(from, to)| &self.text[from..to])
    }

    /// The next value when its text is exactly one that was checked before. Only for objects: their end is in themselves.
    pub fn value_seen_before(&mut self, seen: &str) -> bool {
        self.walker.known(seen.as_bytes())
    }

    /// Nothing but white space may be left.
    pub fn end(&mut self) -> Result<(), JsonError> {
        self.walker.end()
    }

    /// Enters the next value, an object; its members follow by [`Scanner::member`].
    pub fn enter_object(&mut self) -> Result<(), JsonError> {
        self.walker.expect(b'{', "an object was expected")
    }

    /// The name of the next member as written between its quotes, or `None` at the object's end. The value must be taken
    /// before the next call. `first` is true for the first call after entering.
    pub fn member(&mut self, first: bool) -> Result<Option<&'a str>, JsonError> {
        Ok(self.walker.member(first)?.map(|(from, to)| &self.text[from..to]))
    }

    /// Enters the next value, an array; its items follow by [`Scanner::item`].
    pub fn enter_array(&mut self) -> Result<(), JsonError> {
        self.walker.expect(b'[', "an array was expected")
    }

    /// The next item of the array, or `None` at its end.
    pub fn item(&mut self, first: bool) -> Result<Option<&'a str>, JsonError> {
        if self.walker.item(first)? { self.value().map(Some) } else { Ok(None) }
    }
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
