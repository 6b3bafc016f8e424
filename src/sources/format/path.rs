//! A form that records had, and the way through a record of that form: a comparison for each stretch of text that is always
//! the same, a reading for each value.

use std::sync::Arc;

use super::builder::ChangeBuilder;
use super::connect_schema::Wires;
use super::end::End;
use super::glue::Glue;
use super::leaf::{Place, Reading};
use super::step::{Constant, Fixed, Step};
use crate::zset::ChangeOp;

/// A value of the record that a path was made of.
#[derive(PartialEq, Eq)]
pub struct Known {
    /// The text from the end of the value before.
    pub before: Box<[u8]>,
    pub reading: Reading,
    /// Whether the value is read; it is checked either way.
    pub kept: bool,
    /// The value itself, as long as every record had the same.
    pub same: Option<Box<[u8]>>,
}

pub struct Path {
    known: Vec<Known>,
    end: Box<[u8]>,
    /// `known` as it is followed: what was always the same is a part of the text around it. First the text before any value.
    opening: Glue,
    /// The values that are read, each with the text behind it.
    steps: Vec<(Step, Glue)>,
    /// What was always the same, for the columns that it goes into.
    constants: Vec<(Place, Constant)>,
    /// Columns whose structs are read field by field.
    structs: Vec<usize>,
    /// The kind of its rows: which structs they lack.
    pub kind: usize,
    /// Other columns that are read and have no value.
    pub missing: Vec<usize>,
    pub op: ChangeOp,
    wires: Option<Arc<Wires>>,
    /// How often it was taken.
    pub taken: u32,
}

/// A record takes another way, or a value is refused.
pub enum Off {
    /// The builder was given nothing before.
    Nothing,
    Given,
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
        let (opening, steps, constants) = (Glue::new(b""), Vec::new(), Vec::new());
        let mut path = Path { known, end: end.into(), opening, steps, constants, structs, kind, missing, op, wires, taken: 0 };
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
        let (mut text, mut steps, mut glue) = (Vec::new(), Vec::new(), Vec::new());
        self.constants.clear();
        for Known { before, reading, kept, same } in &self.known {
            text.extend_from_slice(before);
            let step = Step::new(*reading, *kept);
            match same.as_deref().and_then(|value| Some((value, step.fixed(value)?))) {
                Some((value, fixed)) => {
                    text.extend_from_slice(value);
                    if let Fixed::Given(place, constant) = fixed {
                        self.constants.push((place, constant));
                    }
                }
                None => {
                    steps.push(step);
                    glue.push(Glue::new(&text));
                    text.clear();
                }
            }
        }
        text.extend_from_slice(&self.end);
        glue.push(Glue::new(&text));
        let mut glue = glue.into_iter();
        self.opening = glue.next().unwrap_or_else(|| Glue::new(b""));
        self.steps = steps.into_iter().zip(glue).collect();
    }

    /// Where the first value of the record that begins at `from` stands, if it begins as others on this path did.
    #[inline(always)]
    pub fn opens(&self, bytes: &[u8], from: usize) -> Option<usize> {
        self.opening.stands_at(bytes, from).then_some(from + self.opening.length())
    }

    /// Gives the builder the values that are wanted of a record that opens as the path does, and checks the others; the
    /// record's end. `at` is where its first value stands.
    #[inline]
    pub fn follow<'a>(
        &self,
        (bytes, mut at, end): (&'a [u8], usize, End),
        builder: &mut ChangeBuilder,
        any: &mut impl FnMut(&mut ChangeBuilder, Place, &'a str, Option<&Wires>) -> bool,
    ) -> Result<usize, Off> {
        let mut given = false;
        let mut any = |builder: &mut ChangeBuilder, place, text| any(builder, place, text, self.wires.as_deref());
        for (step, behind) in &self.steps {
            let length = step.take((bytes, at, end), builder, &mut given, &mut any);
            let Some(length) = length.filter(|length| behind.stands_at(bytes, at + length)) else { return Err(off(given)) };
            at += length + behind.length();
        }
        if !end.is_at(bytes, at) {
            return Err(off(given));
        }
        for (place, constant) in &self.constants {
            constant.give(builder.at(*place)).ok_or(Off::Given)?;
        }
        self.structs.iter().for_each(|column| builder.close_struct(*column));
        Ok(at)
    }
}

fn off(given: bool) -> Off {
    if given { Off::Given } else { Off::Nothing }
}
