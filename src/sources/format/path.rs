//! A form that records had, and the way through a record of that form: a comparison for each stretch of text that is always
//! the same, a reading for each value.

use std::sync::Arc;

use super::builder::ChangeBuilder;
use super::connect_schema::Wires;
use super::glue::{Glue, word};
use super::leaf::{Form, Place, Reading};
use super::walk::{Walker, plain_run};
use super::{temporal, usual};
use crate::zset::ChangeOp;

/// A value as it is found on the way.
struct Step {
    /// The text from the end of the value before to this value.
    before: Glue,
    reading: Reading,
    /// Whether the value is read; it is checked either way.
    kept: bool,
}

/// A value of the record that a path was made of.
#[derive(PartialEq, Eq)]
pub struct Known {
    /// The text from the end of the value before.
    pub before: Box<[u8]>,
    pub reading: Reading,
    pub kept: bool,
    /// The value itself, as long as every record had the same.
    pub same: Option<Box<[u8]>>,
}

pub struct Path {
    known: Vec<Known>,
    end: Box<[u8]>,
    /// `known` as it is followed: what was always the same is a part of the text around it.
    steps: Vec<Step>,
    /// Columns whose structs are read field by field.
    structs: Vec<usize>,
    /// The kind of its rows: which structs they lack.
    pub kind: usize,
    /// Other columns that are read and have no value.
    pub missing: Vec<usize>,
    /// The text behind the last value.
    tail: Glue,
    pub op: ChangeOp,
    wires: Option<Arc<Wires>>,
    /// How often it was taken.
    pub taken: u32,
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
    fn place(self, bytes: &[u8], from: usize) -> usize {
        match self {
            End::At(to) => to,
            End::Newline => memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |length| from + length),
        }
    }

    /// The same place, counted from `at`.
    fn behind(self, at: usize) -> End {
        match self {
            End::At(to) => End::At(to.saturating_sub(at)),
            End::Newline => End::Newline,
        }
    }
}

/// A record takes another way, or a value is refused.
pub enum Off {
    /// The builder was given nothing before.
    Nothing,
    Given,
}

/// A value as it was found.
enum Value<'a> {
    Number(i64),
    /// A text without its quotes.
    Text(&'a [u8]),
}

impl Path {
    /// The way along those values to `end`. `structs` are the columns that are read field by field; of the rows is told the
    /// kind, and which other columns they lack.
    pub fn new(
        (known, end): (Vec<Known>, &[u8]),
        structs: Vec<usize>,
        (kind, missing): (usize, Vec<usize>),
        op: ChangeOp,
        wires: Option<Arc<Wires>>,
    ) -> Path {
        let (steps, tail) = (Vec::new(), Glue::new(b""));
        let mut path = Path { known, end: end.into(), steps, structs, kind, missing, tail, op, wires, taken: 0 };
        path.pave();
        path
    }

    /// Whether records of both have the same values in the same places, whatever the values are.
    pub fn is_alike(&self, other: &Path) -> bool {
        let same = |(a, b): (&Known, &Known)| a.before == b.before && a.reading == b.reading && a.kept == b.kept;
        let alike = self.op == other.op && self.end == other.end && self.known.len() == other.known.len();
        alike && self.known.iter().zip(&other.known).all(same)
    }

    /// Keeps as the same what is the same in both, which are alike. False when that is all that the other has.
    pub fn unite(&mut self, other: &Path) -> bool {
        let mut less = false;
        for (mine, theirs) in self.known.iter_mut().zip(&other.known) {
            if mine.same != theirs.same {
                mine.same = None;
                less |= theirs.same.is_some();
            }
        }
        self.pave();
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

    /// Gives the builder the values that are wanted, and checks the others; the record's end.
    #[inline]
    pub fn follow<'a>(
        &self,
        (bytes, from, end): (&'a [u8], usize, End),
        builder: &mut ChangeBuilder,
        any: &mut impl FnMut(&mut ChangeBuilder, Place, &'a str, Option<&Wires>) -> bool,
    ) -> Result<usize, Off> {
        let mut at = from;
        for (number, step) in self.steps.iter().enumerate() {
            if !step.before.stands_at(bytes, at) {
                return Err(if number == 0 { Off::Nothing } else { Off::Given });
            }
            at += step.before.length();
            at += self.step(step, (bytes, at, end), builder, any).ok_or(Off::Given)?;
        }
        if !self.tail.stands_at(bytes, at) {
            return Err(Off::Given);
        }
        at += self.tail.length();
        let is_end = match end {
            End::At(to) => at == to,
            End::Newline => bytes.get(at) == Some(&b'\n'),
        };
        if !is_end {
            return Err(Off::Given);
        }
        self.structs.iter().for_each(|column| builder.close_struct(*column));
        Ok(at)
    }

    /// Takes the value that stands there; its length.
    #[inline]
    fn step<'a>(
        &self,
        step: &Step,
        (bytes, at, end): (&'a [u8], usize, End),
        builder: &mut ChangeBuilder,
        any: &mut impl FnMut(&mut ChangeBuilder, Place, &'a str, Option<&Wires>) -> bool,
    ) -> Option<usize> {
        // No value of a usual form has a line's end in it, and so none goes on past its record.
        let rest = &bytes[at.min(bytes.len())..];
        Some(match step.reading {
            Reading::Skip => skip(rest, end.behind(at))?,
            Reading::RowComes => matches!(rest.first_chunk::<3>(), Some(b"\"c\"" | b"\"r\"" | b"\"u\"")).then_some(3)?,
            Reading::RowGoes => matches!(rest.first_chunk::<3>(), Some(b"\"d\"")).then_some(3)?,
            Reading::Column { place, nullable, form } => match usual_value(form, rest) {
                Some((value, length)) => {
                    if step.kept {
                        let column = builder.at(place);
                        match value {
                            Value::Number(number) => column.push_number(number).ok()?,
                            Value::Text(text) => column.push_text(text).ok()?,
                        }
                    }
                    length
                }
                None if word(rest, 0) as u32 == u32::from_le_bytes(*b"null") => {
                    if !nullable {
                        return None;
                    }
                    if step.kept {
                        builder.at(place).push_null();
                    }
                    4
                }
                None => {
                    let length = skip(rest, end.behind(at))?;
                    let text = std::str::from_utf8(&rest[..length]).ok()?;
                    if !any(builder, place, text, self.wires.as_deref()) {
                        return None;
                    }
                    length
                }
            },
        })
    }
}

/// The length of the value at the beginning of the text, checked to be JSON in UTF-8.
#[inline]
fn skip(bytes: &[u8], end: End) -> Option<usize> {
    match bytes.first() {
        Some(b'"') => {
            let (mut length, mut ascii) = (1, true);
            loop {
                let run = plain_run(&bytes[length..]);
                length += run.length;
                ascii &= run.ascii;
                match (bytes.get(length), bytes.get(length + 1)) {
                    (Some(b'"'), _) => return (ascii || is_utf8(&bytes[..length])).then_some(length + 1),
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
    skip_any(bytes, end)
}

/// [`skip`] of a value of any form. Only objects and arrays could go on past their line.
fn skip_any(bytes: &[u8], end: End) -> Option<usize> {
    let is_nested = matches!(bytes.first(), Some(b'{' | b'['));
    let to = if is_nested { end.place(bytes, 0) } else { bytes.len() };
    let mut walker = Walker::starting_at(bytes.get(..to)?, 0);
    let (_, length) = walker.value().ok()?;
    is_utf8(&bytes[..length]).then_some(length)
}

fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

/// The value at the beginning of `rest`, if it has the form; its length.
#[inline]
fn usual_value(form: Form, rest: &[u8]) -> Option<(Value<'_>, usize)> {
    match form {
        Form::Integer { least, most } => {
            let (number, length) = usual::integer(rest)?;
            (least <= number && number <= most).then_some((Value::Number(number), length))
        }
        Form::Text { most } => {
            let inner = rest.strip_prefix(b"\"")?;
            let run = plain_run(inner);
            let (text, behind) = inner.split_at(run.length);
            let good = behind.first() == Some(&b'"') && run.length <= most && (run.ascii || is_utf8(text));
            good.then_some((Value::Text(text), run.length + 2))
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
