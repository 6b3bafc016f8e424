//! Reading a record along the form that earlier records had.
//!
//! A producer writes the same members in the same order, with the same white space, for ever. What lies between the
//! values (names, colons, braces, the whole schema of a Connect message) then comes again byte for byte. A [`Path`]
//! remembers it: a record that follows a path costs a comparison for each stretch and one reading for each value.
//!
//! So do some values: the name of the table that a change log repeats, the number of an event's kind. Short texts and small
//! numbers are taken for a part of the stretch around them at first, and their column gets what they were. The first record in
//! which one is another shows that it is a value, and the path is made anew.
//!
//! A record that leaves every path is a surprise: it is read the general way, and if it is a good one its form becomes a
//! path too. So what is accepted, and what it means, is what the general way says; a path only gets there sooner. The
//! test beside this file holds the two against each other on records that were bent in every place.
//!
//! A path is followed through bytes. That they are UTF-8 is known of the stretches, and looked at in each value that has more
//! than ASCII in it.

use std::sync::Arc;

use super::builder::{ANY_KIND, ChangeBuilder};
use super::connect_schema::Wires;
use super::end::End;
use super::leaf::{Form, Leaf, Place, Reading};
use super::path::{Known, Off, Path};
use crate::types::{Part, Projection};
use crate::zset::ChangeOp;

/// The paths of one source's records.
pub struct Guide {
    /// Those that are taken more often come first.
    paths: Vec<Path>,
    read: Projection,
    /// Columns whose absence makes rows of another kind; none where the order of rows matters.
    structs: Vec<usize>,
    /// The columns that each kind lacks; the first lacks none.
    kinds: Vec<Vec<usize>>,
    /// Texts of more bytes may mean something else than their text.
    longest_text: usize,
    /// The path that goes next when there are too many.
    oldest: usize,
    /// What learning has cost and followed paths have not yet earned.
    debt: u32,
    /// So many records are read the general way before paths are tried again.
    rest: u32,
}

/// More forms at once than one topic has; the mixed events of several tables, say.
const PATHS: usize = 16;
/// More kinds are together with those that have whatever they have.
const KINDS: usize = 8;
const LESSON: u32 = 8;
const MOST_DEBT: u32 = 4096;
/// How long paths are left alone where nothing comes twice.
const REST: u32 = 100_000;
/// So often a path is taken before all are counted by half, so that a new form comes to the front in time.
const MOST_TAKEN: u32 = 1 << 16;

impl Guide {
    /// `structs` are the columns by which rows are told apart.
    pub fn new(longest_text: usize, read: Projection, mut structs: Vec<usize>) -> Guide {
        structs.retain(|column| *read.part(*column) != Part::Nothing);
        Guide { paths: Vec::new(), read, structs, kinds: vec![Vec::new()], longest_text, oldest: 0, debt: 0, rest: 0 }
    }

    /// Follows a path through the record that begins at `from`, and keeps its row; the record's end. `any` gives the builder a
    /// value of no usual form, or says no. `None` for a surprise; then the builder is as it was.
    #[inline]
    pub fn follow<'a>(
        &mut self,
        (bytes, from, end): (&'a [u8], usize, End),
        builder: &mut ChangeBuilder,
        mut any: impl FnMut(&mut ChangeBuilder, Place, &'a str, Option<&Wires>) -> bool,
    ) -> Option<usize> {
        if self.rest > 0 {
            self.rest -= 1;
            builder.turn_to(ANY_KIND, &[]);
            return None;
        }
        for at in 0..self.paths.len() {
            let path = &self.paths[at];
            let Some(first) = path.opens(bytes, from) else { continue };
            builder.turn_to(path.kind, &self.kinds[path.kind]);
            match path.follow((bytes, first, end), builder, &mut any) {
                Ok(end) => {
                    builder.keep_but(path.op, &path.missing);
                    self.count(at);
                    return Some(end);
                }
                Err(Off::Given) => builder.take_back(),
                Err(Off::Nothing) => {}
            }
        }
        builder.turn_to(ANY_KIND, &[]);
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
            let value = text.as_bytes().get(leaf.start..leaf.end);
            let (reading, kept) = match leaf.reading {
                // A struct that is null is as good as one that is not there.
                Reading::Column { place: Place { column, field: None }, nullable: true, .. }
                    if value == Some(&b"null"[..]) && self.structs.contains(&column) =>
                {
                    (Reading::Skip, false)
                }
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
            let same = value.filter(|value| is_word(value)).map(Into::into);
            known.push(Known { before: before.into(), reading, kept, same });
            end = leaf.end;
        }
        let kind = self.kind_without(&mut missing);
        let mut path = Path::new((known, &text.as_bytes()[end..]), structs, (kind, missing), op, wires);
        if let Some(at) = self.paths.iter().position(|other| other.is_alike(&path)) {
            if path.unite(&self.paths[at]) {
                path.taken = self.paths[at].taken;
                self.paths[at] = path;
            }
            return;
        }
        if self.paths.len() < PATHS {
            self.paths.push(path);
        } else {
            // The path that is taken most stays; the others go in turn.
            self.oldest = 1 + self.oldest % (PATHS - 1);
            self.paths[self.oldest] = path;
        }
    }

    /// The kind of rows that lack these columns, from which those that it stands for are taken away.
    fn kind_without(&mut self, missing: &mut Vec<usize>) -> usize {
        let absent: Vec<usize> = missing.iter().copied().filter(|column| self.structs.contains(column)).collect();
        let known = self.kinds.iter().position(|kind| *kind == absent);
        let kind = known.unwrap_or(if self.kinds.len() < KINDS { self.kinds.len() } else { ANY_KIND });
        if kind == ANY_KIND {
            return kind;
        }
        missing.retain(|column| !absent.contains(column));
        if known.is_none() {
            self.kinds.push(absent);
        }
        kind
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

/// Whether a value may well be the same in every record: a short text, a small number, or a word such as null.
fn is_word(value: &[u8]) -> bool {
    const LONGEST: usize = 64;
    const LONGEST_NUMBER: usize = 4;
    let longest = match value.first() {
        Some(b'"' | b'n' | b't' | b'f') => LONGEST,
        Some(b'0'..=b'9') => LONGEST_NUMBER,
        _ => 0,
    };
    value.len() <= longest
}

#[cfg(test)]
impl Guide {
    /// A guide that never knows a way.
    pub fn blind() -> Guide {
        Guide { rest: u32::MAX, ..Guide::new(0, Projection::nothing(0), Vec::new()) }
    }
}

#[cfg(test)]
mod tests;
