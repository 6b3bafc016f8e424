//! What is done with the value at one place of a path: which form it is expected in, and where it goes.
//!
//! A value that has the form is read straight from the record's bytes. Every other is null, or is given to those who know all
//! forms.

use super::builder::ChangeBuilder;
use super::column::Column;
use super::end::End;
use super::leaf::{Form, Place, Reading};
use super::usual;
use super::walk::{Walker, plain_run};

/// The stretch of bytes that a step takes its value from: where it begins, and where the record ends.
pub type Here<'a> = (&'a [u8], usize, End);

pub enum Step {
    /// It is checked to be JSON and passed over.
    Skip,
    /// The operation of a change that brings a row, or takes one.
    RowComes,
    RowGoes,
    Number {
        to: Target,
        form: Number,
    },
    Text {
        to: Target,
        most: usize,
    },
    Any {
        to: Target,
    },
}

/// A value that is a number in its column.
#[derive(Clone, Copy)]
pub enum Number {
    Whole {
        least: i64,
        most: i64,
        unit: i64,
        /// Every number of so many bytes is in the range.
        safe: usize,
    },
    Timestamp,
    Decimal {
        scale: i8,
        bound: i64,
    },
}

/// Where a value goes.
#[derive(Clone, Copy)]
pub struct Target {
    place: Place,
    nullable: bool,
    /// Whether the value is read; it is checked either way.
    kept: bool,
}

/// What a value that every record has comes to.
pub enum Fixed {
    /// It goes nowhere.
    Passed,
    Given(Place, Constant),
}

pub enum Constant {
    Null,
    Number(i64),
    Text(Box<[u8]>),
}

impl Constant {
    /// Gives it to a column; `None` when that refuses it.
    pub fn give(&self, column: &mut Column) -> Option<()> {
        match self {
            Constant::Null => {
                column.push_null();
                Some(())
            }
            Constant::Number(number) => column.push_number(*number).ok(),
            Constant::Text(text) => column.push_text(text).ok(),
        }
    }
}

impl Step {
    pub fn new(reading: Reading, kept: bool) -> Step {
        let Reading::Column { place, nullable, form } = reading else {
            return match reading {
                Reading::RowComes => Step::RowComes,
                Reading::RowGoes => Step::RowGoes,
                Reading::Skip | Reading::Column { .. } => Step::Skip,
            };
        };
        let to = Target { place, nullable, kept };
        let form = match form {
            Form::Integer { least, most, unit } => Number::Whole { least, most, unit, safe: usual::safe_length(least, most) },
            Form::Timestamp => Number::Timestamp,
            Form::Decimal { scale, bound } => Number::Decimal { scale, bound },
            Form::Text { most } => return Step::Text { to, most },
            Form::Any => return Step::Any { to },
        };
        Step::Number { to, form }
    }

    /// What a value comes to that every record has: it need not be read again. `None` for one that has not its usual form.
    pub fn fixed(&self, value: &[u8]) -> Option<Fixed> {
        let (to, constant) = match *self {
            Step::Skip | Step::RowComes | Step::RowGoes => return Some(Fixed::Passed),
            Step::Number { to, .. } | Step::Text { to, .. } if value == b"null" => (to, Constant::Null),
            Step::Number { to, form } => {
                let (number, length) = form.read(value)?;
                (to, (length == value.len()).then_some(Constant::Number(number))?)
            }
            Step::Text { to, most } => {
                let (text, length) = usual::text(value, most)?;
                (to, (length == value.len()).then_some(Constant::Text(text.into()))?)
            }
            Step::Any { .. } => return None,
        };
        Some(if to.kept { Fixed::Given(to.place, constant) } else { Fixed::Passed })
    }

    /// Takes the value that stands there; its length. `given` becomes true when the builder is given something.
    #[inline]
    pub fn take<'a>(
        &self,
        here: Here<'a>,
        builder: &mut ChangeBuilder,
        given: &mut bool,
        any: &mut impl FnMut(&mut ChangeBuilder, Place, &'a str) -> bool,
    ) -> Option<usize> {
        let (bytes, at, end) = here;
        // No value of a usual form has a line's end in it, and so none goes on past its record.
        let rest = bytes.get(at..)?;
        match *self {
            Step::Skip => skip(rest, end.behind(at)),
            Step::RowComes => matches!(rest.first_chunk::<3>(), Some(b"\"c\"" | b"\"r\"" | b"\"u\"")).then_some(3),
            Step::RowGoes => matches!(rest.first_chunk::<3>(), Some(b"\"d\"")).then_some(3),
            Step::Number { to, form } => {
                if !to.kept
                    && let Some(length) = form.length(rest)
                {
                    return Some(length);
                }
                match form.read(rest) {
                    Some((number, length)) => {
                        if to.kept {
                            *given = true;
                            builder.at(to.place).push_number(number).ok()?;
                        }
                        Some(length)
                    }
                    None => to.unusual(here, builder, given, any),
                }
            }
            Step::Text { to, most } => match usual::text(rest, most) {
                Some((text, length)) => {
                    if to.kept {
                        *given = true;
                        builder.at(to.place).push_text(text).ok()?;
                    }
                    Some(length)
                }
                None => to.unusual(here, builder, given, any),
            },
            Step::Any { to } => to.unusual(here, builder, given, any),
        }
    }
}

impl Target {
    /// Takes a value that has not its usual form.
    fn unusual<'a>(
        &self,
        (bytes, at, end): Here<'a>,
        builder: &mut ChangeBuilder,
        given: &mut bool,
        any: &mut impl FnMut(&mut ChangeBuilder, Place, &'a str) -> bool,
    ) -> Option<usize> {
        let rest = bytes.get(at..)?;
        if rest.starts_with(b"null") {
            if !self.nullable {
                return None;
            }
            if self.kept {
                *given = true;
                builder.at(self.place).push_null();
            }
            return Some(4);
        }
        let length = skip(rest, end.behind(at))?;
        let text = std::str::from_utf8(rest.get(..length)?).ok()?;
        *given = true;
        any(builder, self.place, text).then_some(length)
    }
}

impl Number {
    /// The number at the beginning of the text, as the column has it; its length in the text.
    #[inline(always)]
    fn read(&self, bytes: &[u8]) -> Option<(i64, usize)> {
        match *self {
            Number::Whole { least, most, unit, .. } => {
                let (number, length) = usual::integer(bytes)?;
                (least <= number && number <= most).then_some((number.wrapping_mul(unit), length))
            }
            Number::Timestamp => usual::timestamp(bytes),
            Number::Decimal { scale, bound } => usual::unscaled(bytes, scale, bound),
        }
    }

    /// The length of a number that the column can have whatever it is; of other numbers it is not known.
    #[inline]
    fn length(&self, bytes: &[u8]) -> Option<usize> {
        match *self {
            Number::Whole { safe, .. } => usual::whole_number(bytes).filter(|length| *length <= safe),
            Number::Timestamp | Number::Decimal { .. } => None,
        }
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
    let to = if is_nested { end.place(bytes) } else { bytes.len() };
    let mut walker = Walker::starting_at(bytes.get(..to)?, 0);
    let (_, length) = walker.value().ok()?;
    is_utf8(&bytes[..length]).then_some(length)
}

fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}
