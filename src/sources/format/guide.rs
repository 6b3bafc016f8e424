//! Reading a record along the form that earlier records had.
//!
//! A producer writes the same members in the same order, with the same white space, for ever. What lies between the
//! values (names, colons, braces, the whole schema of a Connect message) then comes again byte for byte. A [`Path`]
//! remembers it: a record that follows a path costs a comparison for each stretch and one reading for each value.
//!
//! A record that leaves every path is a surprise: it is read the general way, and if it is a good one its form becomes a
//! path too. So what is accepted, and what it means, is what the general way says; a path only gets there sooner. The
//! test beside this file holds the two against each other on records that were bent in every place.

use std::sync::Arc;

use super::builder::ChangeBuilder;
use super::connect_schema::Wires;
use super::json::{Scanner, plain_run};
use super::leaf::{Form, Leaf, Place, Reading};
use super::usual;

#[derive(PartialEq, Eq)]
struct Step {
    /// The text from the end of the value before to this value.
    before: Box<[u8]>,
    reading: Reading,
}

struct Path {
    steps: Vec<Step>,
    /// Columns whose structs are read field by field.
    structs: Vec<usize>,
    /// The text behind the last value.
    tail: Box<[u8]>,
    wires: Option<Arc<Wires>>,
}

/// The paths of one source's records.
pub struct Guide {
    paths: Vec<Path>,
    /// Texts of more bytes may mean something else than their text.
    longest_text: usize,
    /// The path that was taken last.
    last: usize,
    /// What learning has cost and followed paths have not yet earned.
    debt: u32,
    /// So many records are read the general way before paths are tried again.
    rest: u32,
}

/// More forms at once than one topic has; the mixed events of several tables, say.
const PATHS: usize = 16;
const LESSON: u32 = 8;
const MOST_DEBT: u32 = 4096;
/// How long paths are left alone where nothing comes twice.
const REST: u32 = 100_000;

impl Guide {
    pub fn new(longest_text: usize) -> Guide {
        Guide { paths: Vec::new(), longest_text, last: 0, debt: 0, rest: 0 }
    }

    /// Follows a path through the record, whose row is then complete in the builder but not yet kept. `any` gives the
    /// builder a value of the form [`Form::Any`], or says no. False for a surprise; then the builder is as it was.
    pub fn follow<'a>(
        &mut self,
        text: &'a str,
        builder: &mut ChangeBuilder,
        mut any: impl FnMut(&mut ChangeBuilder, Place, &'a str, Option<&Wires>) -> bool,
    ) -> bool {
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        let count = self.paths.len();
        for turn in 0..count {
            let at = (self.last + turn) % count;
            match self.paths[at].follow(text, builder, self.longest_text, &mut any) {
                Ok(()) => {
                    self.last = at;
                    self.debt = self.debt.saturating_sub(1);
                    return true;
                }
                Err(Untouched(false)) => builder.take_back(),
                Err(Untouched(true)) => {}
            }
        }
        false
    }

    /// Whether the form of a record that was a surprise is wanted.
    pub fn is_learning(&self) -> bool {
        self.rest == 0
    }

    /// Makes the form of a good record a path. `leaves` are its values in their order.
    pub fn learn(&mut self, text: &str, leaves: &[Leaf], wires: Option<Arc<Wires>>) {
        self.debt += LESSON;
        if self.debt > MOST_DEBT {
            (self.debt, self.rest) = (0, REST);
            self.paths.clear();
            return;
        }
        let (mut steps, mut structs) = (Vec::with_capacity(leaves.len()), Vec::new());
        let mut end = 0;
        for leaf in leaves {
            let Some(before) = text.as_bytes().get(end..leaf.start) else { return };
            steps.push(Step { before: before.into(), reading: leaf.reading });
            if let Reading::Column { place: Place { column, field: Some(_) }, .. } = leaf.reading
                && !structs.contains(&column)
            {
                structs.push(column);
            }
            end = leaf.end;
        }
        let path = Path { steps, structs, tail: text.as_bytes()[end..].into(), wires };
        if self.paths.iter().any(|known| known.steps == path.steps && known.tail == path.tail) {
            return;
        }
        if self.paths.len() < PATHS {
            self.last = self.paths.len();
            self.paths.push(path);
        } else {
            // The path in use stays; the others go in turn.
            self.last = (self.last + 1) % PATHS;
            self.paths[self.last] = path;
        }
    }
}

/// Why a path was left: whether the builder has been given nothing yet.
struct Untouched(bool);

impl Path {
    fn follow<'a>(
        &self,
        text: &'a str,
        builder: &mut ChangeBuilder,
        longest_text: usize,
        any: &mut impl FnMut(&mut ChangeBuilder, Place, &'a str, Option<&Wires>) -> bool,
    ) -> Result<(), Untouched> {
        let bytes = text.as_bytes();
        let mut at = 0;
        let mut untouched = true;
        for step in &self.steps {
            let rest = &bytes[at..];
            if !rest.starts_with(&step.before) {
                return Err(Untouched(untouched));
            }
            at += step.before.len();
            let rest = &rest[step.before.len()..];
            at += match step.reading {
                Reading::Skip => skip(text, at),
                Reading::RowComes => matches!(rest.first_chunk::<3>(), Some(b"\"c\"" | b"\"r\"" | b"\"u\"")).then_some(3),
                Reading::Column { place, nullable, form } => {
                    untouched = false;
                    match (rest.first(), form) {
                        (Some(b'n'), _) if nullable && rest.starts_with(b"null") => {
                            builder.push_null(place);
                            Some(4)
                        }
                        (Some(b'n'), _) => None,
                        (_, form) => usual_value(form, place, &text[at..], longest_text, builder)
                            .or_else(|| skip(text, at).filter(|length| any(builder, place, &text[at..at + length], self.wires.as_deref()))),
                    }
                }
            }
            .ok_or(Untouched(untouched))?;
        }
        if bytes[at..] != *self.tail {
            return Err(Untouched(untouched));
        }
        self.structs.iter().for_each(|column| builder.close_struct(*column));
        Ok(())
    }
}

/// The length of the value at that place, checked to be JSON.
fn skip(text: &str, at: usize) -> Option<usize> {
    let bytes = &text.as_bytes()[at..];
    if bytes.first() == Some(&b'"') {
        let length = 1 + plain_run(&bytes[1..]);
        if bytes.get(length) == Some(&b'"') {
            return Some(length + 1);
        }
    }
    let mut scanner = Scanner::starting_at(text, at);
    scanner.value().ok()?;
    // White space before a value belongs to the stretch before it.
    Some(scanner.position() - at).filter(|_| !matches!(bytes.first(), Some(b' ' | b'\t' | b'\r' | b'\n')))
}

/// Gives the builder the value that `text` begins with, if it has the form; its length.
fn usual_value(form: Form, place: Place, text: &str, longest_text: usize, builder: &mut ChangeBuilder) -> Option<usize> {
    let bytes = text.as_bytes();
    let (pushed, length) = match form {
        Form::Integer => {
            let (value, length) = usual::integer(bytes)?;
            (builder.push_integer(place, value), length)
        }
        Form::Text => {
            let length = 1 + plain_run(bytes.strip_prefix(b"\"")?);
            if bytes.get(length) != Some(&b'"') || length - 1 > longest_text {
                return None;
            }
            (builder.push_text(place, &text[1..length]), length + 1)
        }
        Form::Timestamp => {
            let (micros, length) = usual::timestamp(bytes)?;
            (builder.push_micros(place, micros), length)
        }
        Form::Instant { unit } => {
            let (count, length) = usual::integer(bytes)?;
            (builder.push_micros(place, count.checked_mul(unit)?), length)
        }
        Form::Decimal { scale } => {
            let (digits, fraction, length) = usual::decimal(bytes)?;
            let more = u32::try_from(scale).ok()?.checked_sub(fraction)?;
            let unscaled = i128::from(digits) * 10i128.checked_pow(more)?;
            (builder.push_unscaled(place, unscaled), length)
        }
        Form::Any => return None,
    };
    pushed.ok().map(|()| length)
}

#[cfg(test)]
impl Guide {
    /// A guide that never knows a way.
    pub fn blind() -> Guide {
        Guide { rest: u32::MAX, ..Guide::new(0) }
    }
}

#[cfg(test)]
mod tests;
