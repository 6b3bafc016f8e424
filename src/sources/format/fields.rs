//! Finding the columns' fields in a record's object.
//!
//! A field belongs to the column of its exact name, else to the one that differs in case only. Producers write the same
//! fields in the same order record after record, so each place in the object remembers what stood there last: the common
//! case is one comparison of bytes a field.

use std::collections::HashMap;

use super::json::{JsonError, Scanner, unescape};
use super::leaf::{Leaf, Reading};
use crate::types::RelationSchema;

/// The names that are looked for.
pub struct Fields {
    columns: usize,
    exact: HashMap<String, usize>,
    folded: HashMap<String, usize>,
    /// For each place in the object: the name last seen there as written, and its column.
    order: Vec<(String, Option<Found>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub column: usize,
    /// False when the name differs in case.
    pub exact: bool,
}

/// The texts of one object's values, by column. `None` where the object has no such field.
pub struct Slots<'a> {
    values: Vec<Option<(&'a str, bool)>>,
}

impl<'a> Slots<'a> {
    pub fn get(&self, column: usize) -> Option<&'a str> {
        self.values.get(column).copied().flatten().map(|(raw, _)| raw)
    }
}

impl Fields {
    pub fn new(relation: &RelationSchema) -> Fields {
        Fields::named(relation.columns.iter().map(|column| column.name.as_str()))
    }

    /// Of columns, or a struct's fields, of those names.
    pub fn named<'a>(names: impl Iterator<Item = &'a str>) -> Fields {
        let mut fields = Fields { columns: 0, exact: HashMap::new(), folded: HashMap::new(), order: Vec::new() };
        for (at, name) in names.enumerate() {
            fields.columns += 1;
            fields.exact.insert(name.to_string(), at);
            fields.folded.entry(name.to_lowercase()).or_insert(at);
        }
        fields
    }

    /// The column that a field of this name belongs to.
    pub fn find(&self, name: &str) -> Option<Found> {
        match self.exact.get(name) {
            Some(column) => Some(Found { column: *column, exact: true }),
            None => self.folded.get(&name.to_lowercase()).map(|column| Found { column: *column, exact: false }),
        }
    }

    /// Reads the next value, an object, and keeps the texts of the values that columns want. Of two fields of one name
    /// the later counts.
    pub fn read<'a>(&mut self, scanner: &mut Scanner<'a>) -> Result<Slots<'a>, JsonError> {
        let mut values = vec![None; self.columns];
        scanner.enter_object()?;
        let mut place = 0;
        while let Some(name) = scanner.member(place == 0)? {
            let found = match self.order.get(place) {
                Some((seen, found)) if seen == name => *found,
                _ => self.remember(place, name),
            };
            let value = scanner.value()?;
            if let Some(Found { column, exact }) = found
                && (exact || !matches!(values[column], Some((_, true))))
            {
                values[column] = Some((value, exact));
            }
            place += 1;
        }
        Ok(Slots { values })
    }

    /// The values of the next value, an object, with what is done with those that columns want. `None` when two of them
    /// want one column.
    pub fn leaves(&self, scanner: &mut Scanner<'_>, reading: impl Fn(usize) -> Reading) -> Option<Vec<Leaf>> {
        let mut wanted = vec![false; self.columns];
        let mut leaves = Vec::new();
        scanner.enter_object().ok()?;
        while let Some(name) = scanner.member(leaves.is_empty()).ok()? {
            let found = unescape(name).ok().and_then(|name| self.find(&name));
            scanner.peek();
            let start = scanner.position();
            scanner.value().ok()?;
            let reading = match found {
                None => Reading::Skip,
                Some(Found { column, .. }) if !wanted[column] => {
                    wanted[column] = true;
                    reading(column)
                }
                Some(_) => return None,
            };
            leaves.push(Leaf { start, end: scanner.position(), reading });
        }
        Some(leaves)
    }

    fn remember(&mut self, place: usize, name: &str) -> Option<Found> {
        /// Objects with more members than this are not worth remembering.
        const PLACES: usize = 4096;
        let found = unescape(name).ok().and_then(|name| self.find(&name));
        if place < self.order.len() {
            self.order[place] = (name.to_string(), found);
        } else if place < PLACES {
            self.order.push((name.to_string(), found));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Column, SqlType};

    fn read(fields: &mut Fields, text: &str) -> Vec<Option<String>> {
        let slots = fields.read(&mut Scanner::new(text)).unwrap();
        (0..2).map(|c| slots.get(c).map(str::to_string)).collect()
    }

    #[test]
    fn exact_before_folded_and_the_last_wins() {
        let relation = RelationSchema::new(vec![Column::new("id", SqlType::Integer), Column::new("Name", SqlType::Text)]);
        let mut fields = Fields::new(&relation);
        let some = |a: &str, b: &str| vec![Some(a.to_string()), Some(b.to_string())];
        assert_eq!(read(&mut fields, r#"{"id":1,"Name":"a"}"#), some("1", "\"a\""));
        assert_eq!(read(&mut fields, r#"{"Name":"a","id":1}"#), some("1", "\"a\""));
        assert_eq!(read(&mut fields, r#"{"ID":1,"name":"a","x":{"id":7}}"#), some("1", "\"a\""));
        assert_eq!(read(&mut fields, r#"{"id":1,"ID":2,"Name":3}"#), some("1", "3"));
        assert_eq!(read(&mut fields, r#"{"ID":2,"id":1,"Name":3,"Name":4}"#), some("1", "4"));
        assert_eq!(read(&mut fields, r#"{"\u0069d":5,"Name":6}"#), some("5", "6"));
        assert_eq!(read(&mut fields, "{}"), vec![None, None]);
    }
}
