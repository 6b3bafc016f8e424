//! What a connector hands to a decoder, and the words in which a decoder refuses it.

use crate::types::Column;

/// One record as it came. Absent and empty are different: a record without a value is a tombstone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Debezium's headers `__debezium.oldkey` and `__debezium.newkey`: the other half of a key change.
    pub old_key: Option<&'a [u8]>,
    pub new_key: Option<&'a [u8]>,
    /// A text that the value is a stretch of, from this byte on: known to be UTF-8, so nobody has to look again.
    pub within: Option<(&'a str, usize)>,
}

impl<'a> Record<'a> {
    pub const OLD_KEY: &'static str = "__debezium.oldkey";
    pub const NEW_KEY: &'static str = "__debezium.newkey";

    pub fn of_value(value: &'a [u8]) -> Record<'a> {
        Record { value: Some(value), ..Record::default() }
    }

    /// The stretch `[from, to)` of a text.
    #[inline]
    pub fn stretch(text: &'a str, from: usize, to: usize) -> Record<'a> {
        Record { value: text.as_bytes().get(from..to), within: Some((text, from)), ..Record::default() }
    }

    /// The value as a stretch of a text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    #[inline]
    pub fn text(&self, value: &'a [u8]) -> Result<(&'a str, usize, usize), String> {
        match self.within {
            Some((text, from)) => Ok((text, from, from + value.len())),
            None => utf8(value).map(|text| (text, 0, value.len())),
        }
    }
}

/// The reason a value does not fit its column: the column, its type, what is wrong, and the value as found, shortened.
pub fn misfit(column: &Column, what: &str, found: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = found.chars().take(SHOWN).collect();
    if shown.len() < found.len() {
        shown.push_str("...");
    }
    format!("column \"{}\" ({}): {what}: {shown}", column.name, column.sql_type)
}

pub fn null_misfit(column: &Column) -> String {
    format!("column \"{}\" ({}): null, but it is part of the key or declared NOT NULL", column.name, column.sql_type)
}

pub fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|e| format!("not valid UTF-8 at byte {}", e.valid_up_to()))
}
