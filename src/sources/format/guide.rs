//! Reading a record along the form that earlier records had.
//!
//! A producer writes the same members in the same order, with the same white space, for ever. What lies between the
//! values (names, colons, braces, the whole schema of a Connect message) then comes again byte for byte. A [`Path`]
//! remembers it: a record that follows a path costs a comparison for each stretch and one reading for each value.
//!
//! So do words that nobody reads, such as the name of the table that a change log repeats: at first they are taken for a
//! part of the stretch around them. The first record in which one is another shows that it is a value, and the path is made
//! anew.
//!
//! A record that leaves every path is a surprise: it is read the general way, and if it is a good one its form becomes a
//! path too. So what is accepted, and what it means, is what the general way says; a path only gets there sooner. The
//! test beside this file holds the two against each other on records that were bent in every place.

use std::sync::Arc;

use super::builder::ChangeBuilder;
use super::connect_schema::Wires;
use super::glue::{Glue, word};
use super::json::{Scanner, plain_run};
use super::leaf::{Form, Leaf, Place, Reading};
use super::{temporal, usual};
use crate::types::{Part, Projection};
use crate::zset::ChangeOp;

struct Step {
    /// The text from the end of the value before to this value.
    before: Glue,
    reading: Reading,
    /// Whether the value is read; it is checked either way.
    kept: bool,
}

/// A value of the record that a path was made of.
#[derive(PartialEq, Eq)]
struct Known {
    /// The text from the end of the value before.
    before: Box<[u8]>,
    reading: Reading,
    kept: bool,
    /// The value itself, as long as every record had the same.
    same: Option<Box<[u8]>>,
}

struct Path {
    known: Vec<Known>,
    end: Box<[u8]>,
    /// `known` as it is followed: what was always the same is a part of the text around it.
    steps: Vec<Step>,
    /// Columns whose structs are read field by field.
    structs: Vec<usize>,
    /// Columns that are read and have no value.
    missing: Vec<usize>,
    /// The text behind the last value.
    tail: Glue,
    op: ChangeOp,
    wires: Option<Arc<Wires>>,
    taken: u32,
}

/// Where a record ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    At(usize),
    /// Where its line does. It is not looked for: a path that is followed gets there.
    Newline,
}

impl End {
    /// The place, for those who need to know it before.
    fn place(self, text: &str, from: usize) -> usize {
        match self {
            End::At(to) => to,
            End::Newline => memchr::memchr(b'\n', &text.as_bytes()[from..]).map_or(text.len(), |length| from + length),
        }
    }
}

/// What was found in a record for a step of its path. Nothing goes into the builder before the whole record was found.
struct Found {
    step: usize,
    value: Value,
}

enum Value {
    Null,
    Number(i64),
    /// A text without its quotes.
    Text(usize, usize),
    /// A value of no usual form.
    Any(usize, usize),
}

/// The paths of one source's records.
pub struct Guide {
    /// Those that are taken more often come first.
    paths: Vec<Path>,
    read: Projection,
    /// Texts of more bytes may mean something else than their text.
    longest_text: usize,
    found: Vec<Found>,
    /// The path that goes next when there are too many.
    oldest: usize,
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
/// So often a path is taken before all are counted by half, so that a new form comes to the front in time.
const MOST_TAKEN: u32 = 1 << 16;

impl Guide {
    pub fn new(longest_text: usize, read: Projection) -> Guide {
        Guide { paths: Vec::new(), read, longest_text, found: Vec::new(), oldest: 0, debt: 0, rest: 0 }
    }

    /// Follows a path through the record that begins at `from` of the text, and keeps its row; the record's end. `any` gives
    /// the builder a value of no usual form, or says no. `None` for a surprise; then the builder is as it was.
    #[inline]
    pub fn follow<'a>(
        &mut self,
        (text, from, end): (&'a str, usize, End),
        builder: &mut ChangeBuilder,
        mut any: impl FnMut(&mut ChangeBuilder, Place, &'a str, Option<&Wires>) -> bool,
    ) -> Option<usize> {
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        for at in 0..self.paths.len() {
            let path = &self.paths[at];
            let Some(end) = path.find((text, from, end), &mut self.found) else { continue };
            if path.give(text, &self.found, builder, &mut any) {
                builder.keep_but(path.op, &path.missing);
                self.count(at);
                return Some(end);
            }
            builder.take_back();
        }
        None
    }

    #[inline]
    fn count(&mut self, at: usize) {
        self.debt = self.debt.saturating_sub(1);
        let taken = &mut self.paths[at].taken;
        *taken += 1;
        if *taken >= MOST_TAKEN {
            self.paths.iter_mut().for_each(|path| path.taken /= 2);
        } else if at > 0 && *taken > self.paths[at - 1].taken {
            self.paths.swap(at, at - 1);
        }
    }

    /// Whether the form of a record that was a surprise is wanted.
    pub fn is_learning(&self) -> bool {
        self.rest == 0
    }

    /// Makes the form of a good record a path, of the change that it was. `leaves` are its values in their order.
    pub fn learn(&mut self, text: &str, leaves: &[Leaf], op: ChangeOp, wires: Option<Arc<Wires>>, columns: usize) {
        self.debt += LESSON;
        if self.debt > MOST_DEBT {
            (self.debt, self.rest) = (0, REST);
            self.paths.clear();
            return;
        }
        let (mut known, mut structs) = (Vec::with_capacity(leaves.len()), Vec::new());
        let mut missing: Vec<usize> = (0..columns).filter(|column| *self.read.part(*column) != Part::Nothing).collect();
        let mut end = 0;
        for leaf in leaves {
            let Some(before) = text.as_bytes().get(end..leaf.start) else { return };
            let (reading, kept) = match leaf.reading {
                Reading::Column { place, nullable, form } => {
                    missing.retain(|column| *column != place.column);
                    (Reading::Column { place, nullable, form: self.limited(form) }, self.is_read(place))
                }
                other => (other, false),
            };
            if let Reading::Column { place: Place { column, field: Some(_) }, .. } = reading
                && !structs.contains(&column)
            {
                structs.push(column);
            }
            let value = text.as_bytes().get(leaf.start..leaf.end);
            let same = value.filter(|value| reading == Reading::Skip && is_word(value)).map(Into::into);
            known.push(Known { before: before.into(), reading, kept, same });
            end = leaf.end;
        }
        let mut path = Path {
            known,
            end: text.as_bytes()[end..].into(),
            steps: Vec::new(),
            structs,
            missing,
            tail: Glue::new(b""),
            op,
            wires,
            taken: 0,
        };
        if let Some(at) = self.paths.iter().position(|other| other.is_alike(&path)) {
            if path.unite(&self.paths[at]) {
                path.taken = self.paths[at].taken;
                path.pave();
                self.paths[at] = path;
            }
            return;
        }
        path.pave();
        if self.paths.len() < PATHS {
            self.paths.push(path);
        } else {
            // The path that is taken most stays; the others go in turn.
            self.oldest = 1 + self.oldest % (PATHS - 1);
            self.paths[self.oldest] = path;
        }
    }

    fn limited(&self, form: Form) -> Form {
        match form {
            Form::Text { most } => Form::Text { most: most.min(self.longest_text) },
            other => other,
        }
    }

    fn is_read(&self, place: Place) -> bool {
        match (self.read.part(place.column), place.field) {
            (Part::Nothing, _) => false,
            (Part::Fields(read), Some(field)) => read.contains(&field),
            (Part::Fields(_), None) | (Part::Whole, _) => true,
        }
    }
}

/// Whether a value may well be the same in every record: a short text, or a word such as null.
fn is_word(value: &[u8]) -> bool {
    const LONGEST: usize = 64;
    value.len() <= LONGEST && matches!(value.first(), Some(b'"' | b'n' | b't' | b'f'))
}

impl Path {
    /// Whether records of both have the same values in the same places, whatever the values are.
    fn is_alike(&self, other: &Path) -> bool {
        let same = |(a, b): (&Known, &Known)| a.before == b.before && a.reading == b.reading && a.kept == b.kept;
        let alike = self.op == other.op && self.end == other.end && self.known.len() == other.known.len();
        alike && self.known.iter().zip(&other.known).all(same)
    }

    /// Keeps as the same what is the same in both, which are alike. False when that is all that the other has.
    fn unite(&mut self, other: &Path) -> bool {
        let mut less = false;
        for (mine, theirs) in self.known.iter_mut().zip(&other.known) {
            if mine.same != theirs.same {
                mine.same = None;
                less |= theirs.same.is_some();
            }
        }
        less
    }

    /// Makes the steps.
    fn pave(&mut self) {
        let mut text = Vec::new();
        self.steps.clear();
        for Known { before, reading, kept, same } in &self.known {
            text.extend_from_slice(before);
            match same {
                Some(value) => text.extend_from_slice(value),
                None => {
                    self.steps.push(Step { before: Glue::new(&text), reading: *reading, kept: *kept });
                    text.clear();
                }
            }
        }
        text.extend_from_slice(&self.end);
        self.tail = Glue::new(&text);
    }

    /// Finds the values that are wanted, and checks the others; the record's end. `None` when the record takes another way.
    #[inline]
    fn find(&self, (text, from, end): (&str, usize, End), found: &mut Vec<Found>) -> Option<usize> {
        let bytes = text.as_bytes();
        found.clear();
        let mut at = from;
        for (number, step) in self.steps.iter().enumerate() {
            if !step.before.stands_at(bytes, at) {
                return None;
            }
            at += step.before.length();
            // No value of a usual form has a line's end in it, and so none goes on past its record.
            let rest = &bytes[at.min(bytes.len())..];
            let length = match step.reading {
                Reading::Skip => skip(text, at, end),
                Reading::RowComes => matches!(rest.first_chunk::<3>(), Some(b"\"c\"" | b"\"r\"" | b"\"u\"")).then_some(3),
                Reading::RowGoes => matches!(rest.first_chunk::<3>(), Some(b"\"d\"")).then_some(3),
                Reading::Column { nullable, form, .. } => {
                    let (value, length) = match usual_value(form, rest, at) {
                        Some((value, length)) => (Some(value), Some(length)),
                        None if word(rest, 0) as u32 == u32::from_le_bytes(*b"null") => {
                            if !nullable {
                                return None;
                            }
                            (Some(Value::Null), Some(4))
                        }
                        None => {
                            let length = skip(text, at, end);
                            (None, length)
                        }
                    };
                    match (value, length) {
                        (Some(value), _) if step.kept => found.push(Found { step: number, value }),
                        (None, Some(length)) => found.push(Found { step: number, value: Value::Any(at, at + length) }),
                        _ => {}
                    }
                    length
                }
            };
            at += length?;
        }
        if !self.tail.stands_at(bytes, at) {
            return None;
        }
        at += self.tail.length();
        let is_end = match end {
            End::At(to) => at == to,
            End::Newline => bytes.get(at) == Some(&b'\n'),
        };
        is_end.then_some(at)
    }

    /// Gives the builder what was found. False when a value is refused.
    #[inline]
    fn give<'a>(
        &self,
        text: &'a str,
        found: &[Found],
        builder: &mut ChangeBuilder,
        any: &mut impl FnMut(&mut ChangeBuilder, Place, &'a str, Option<&Wires>) -> bool,
    ) -> bool {
        for Found { step, value } in found {
            let Reading::Column { place, .. } = self.steps[*step].reading else { return false };
            let given = match *value {
                Value::Null => {
                    builder.push_null(place);
                    true
                }
                Value::Number(number) => builder.push_number(place, number).is_ok(),
                Value::Text(from, to) => builder.push_text(place, &text[from..to]).is_ok(),
                Value::Any(from, to) => any(builder, place, &text[from..to], self.wires.as_deref()),
            };
            if !given {
                return false;
            }
        }
        self.structs.iter().for_each(|column| builder.close_struct(*column));
        true
    }
}

/// The length of the value at that place, checked to be JSON.
#[inline]
fn skip(text: &str, at: usize, end: End) -> Option<usize> {
    let bytes = text.as_bytes().get(at..)?;
    match bytes.first() {
        Some(b'"') => {
            let mut length = 1;
            loop {
                length += plain_run(&bytes[length..]);
                match (bytes.get(length), bytes.get(length + 1)) {
                    (Some(b'"'), _) => return Some(length + 1),
                    (Some(b'\\'), Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => length += 2,
                    _ => break,
                }
            }
        }
        Some(b'-' | b'0'..=b'9') => {
            if let Some(length) = usual::whole_number(bytes) {
                return Some(length);
            }
        }
        Some(b'n') if bytes.starts_with(b"null") => return Some(4),
        // White space before a value belongs to the stretch before it.
        None | Some(b' ' | b'\t' | b'\r' | b'\n') => return None,
        Some(_) => {}
    }
    skip_any(text, at, end)
}

/// [`skip`] of a value of any form. Only objects and arrays could go on past their line.
fn skip_any(text: &str, at: usize, end: End) -> Option<usize> {
    let is_nested = matches!(text.as_bytes().get(at), Some(b'{' | b'['));
    let to = if is_nested { end.place(text, at) } else { text.len() };
    let mut scanner = Scanner::starting_at(text.get(..to)?, at);
    scanner.value().ok()?;
    Some(scanner.position() - at)
}

/// The value at the beginning of `rest`, which stands at `at`, if it has the form; its length.
#[inline]
fn usual_value(form: Form, rest: &[u8], at: usize) -> Option<(Value, usize)> {
    match form {
        Form::Integer { least, most } => {
            let (number, length) = usual::integer(rest)?;
            (least <= number && number <= most).then_some((Value::Number(number), length))
        }
        Form::Text { most } => {
            if rest.first() != Some(&b'"') {
                return None;
            }
            let length = plain_run(&rest[1..]);
            (rest.get(length + 1) == Some(&b'"') && length <= most).then_some((Value::Text(at + 1, at + 1 + length), length + 2))
        }
        Form::Timestamp => {
            let (micros, length) = usual::timestamp(rest)?;
            Some((Value::Number(temporal::checked_micros(micros).ok()?), length))
        }
        Form::Instant { unit } => {
            let (count, length) = usual::integer(rest)?;
            Some((Value::Number(temporal::checked_micros(count.checked_mul(unit)?).ok()?), length))
        }
        Form::Decimal { scale, bound } => {
            let (digits, fraction, length) = usual::decimal(rest)?;
            let more = u32::try_from(scale).ok()?.checked_sub(fraction)?;
            let unscaled = digits.checked_mul(10i64.checked_pow(more)?)?;
            (-bound < unscaled && unscaled < bound).then_some((Value::Number(unscaled), length))
        }
        Form::Any => None,
    }
}

#[cfg(test)]
impl Guide {
    /// A guide that never knows a way.
    pub fn blind() -> Guide {
        Guide { rest: u32::MAX, ..Guide::new(0, Projection::nothing(0)) }
    }
}

#[cfg(test)]
mod tests;
