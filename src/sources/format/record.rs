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
}

impl<'a> Record<'a> {
    pub const OLD_KEY: &'static str = "__debezium.oldkey";
    pub const NEW_KEY: &'static str = "__debezium.newkey";

    pub fn of_value(value: &'a [u8]) -> Record<'a> {
        Record { value: Some(value), ..Record::default() }
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
