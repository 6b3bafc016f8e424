//! A line that holds a whole Kafka record: key, value and headers side by side.

use std::borrow::Cow;

use crate::sources::format::json::{JsonError, Scanner};
use crate::sources::format::record::Record;
use crate::sources::format::scalar::text_of;

/// The record's parts, as texts of the line. A header in quotes is the text in them, as Kafka has it in its bytes.
#[derive(Default)]
pub struct Wrapped<'a> {
    key: Option<&'a str>,
    value: Option<&'a str>,
    old_key: Option<Cow<'a, str>>,
    new_key: Option<Cow<'a, str>>,
}

impl<'a> Wrapped<'a> {
    /// `None` when the line is not of this form: then it is a value by itself.
    pub fn of_line(text: &'a str) -> Option<Wrapped<'a>> {
        // A message's value starts otherwise, and is not read here.
        let start = text.trim_start().strip_prefix('{')?.trim_start();
        if !["\"key\"", "\"value\"", "\"headers\""].iter().any(|name| start.starts_with(name)) {
            return None;
        }
        Wrapped::read(text).ok().flatten()
    }

    fn read(text: &'a str) -> Result<Option<Wrapped<'a>>, JsonError> {
        let mut scanner = Scanner::new(text);
        let mut wrapped = Wrapped::default();
        let mut has_value = false;
        scanner.enter_object()?;
        let mut first = true;
        while let Some(name) = scanner.member(first)? {
            first = false;
            match (name, scanner.peek()) {
                ("headers", b'{') => wrapped.read_headers(&mut scanner)?,
                ("key", _) => wrapped.key = present(scanner.value()?),
                ("value", _) => {
                    has_value = true;
                    wrapped.value = present(scanner.value()?);
                }
                ("headers", _) => {
                    scanner.value()?;
                }
                _ => return Ok(None),
            }
        }
        scanner.end()?;
        Ok(has_value.then_some(wrapped))
    }

    fn read_headers(&mut self, scanner: &mut Scanner<'a>) -> Result<(), JsonError> {
        scanner.enter_object()?;
        let mut first = true;
        while let Some(name) = scanner.member(first)? {
            first = false;
            let value = header(scanner.value()?);
            match name {
                Record::OLD_KEY => self.old_key = value,
                Record::NEW_KEY => self.new_key = value,
                _ => {}
            }
        }
        Ok(())
    }

    pub fn record(&self) -> Record<'_> {
        Record {
            key: self.key.map(str::as_bytes),
            value: self.value.map(str::as_bytes),
            old_key: self.old_key.as_deref().map(str::as_bytes),
            new_key: self.new_key.as_deref().map(str::as_bytes),
        }
    }
}

fn present(raw: &str) -> Option<&str> {
    (raw != "null").then_some(raw)
}

fn header(raw: &str) -> Option<Cow<'_, str>> {
    match raw.as_bytes().first() {
        Some(b'"') => text_of(raw).ok(),
        _ => present(raw).map(Cow::Borrowed),
    }
}
