//! A value in a record's text, and what is done with it.

use super::temporal::{FIRST_MICROS, LAST_MICROS};
use super::wire::{Unit, Wire};
use crate::types::SqlType;

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is checked to be JSON and passed over.
    Skip,
    /// The operation of a change that brings a row: `"c"`, `"r"` or `"u"`.
    RowComes,
    /// The operation of a change that takes one: `"d"`.
    RowGoes,
    /// It goes into a column.
    Column { place: Place, nullable: bool, form: Form },
}

/// A column of the row, or a field of one that is a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub column: usize,
    pub field: Option<usize>,
}

impl From<usize> for Place {
    fn from(column: usize) -> Place {
        Place { column, field: None }
    }
}

/// The form in which a column's values are expected, and which of that form are the column's; every other is left to the
/// general way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A whole number in that range, of units of which the column counts so many: microseconds of a second, for instance.
    Integer {
        least: i64,
        most: i64,
        unit: i64,
    },
    /// At most so many bytes.
    Text {
        most: usize,
    },
    /// A text of date and time.
    Timestamp,
    /// Digits with a point, of a column of this scale; its unscaled values are below the bound.
    Decimal {
        scale: i8,
        bound: i64,
    },
    Any,
}

impl Form {
    /// The form in which a value of the type comes in this reading.
    pub fn of(sql_type: &SqlType, wire: &Wire) -> Form {
        match (sql_type, wire) {
            (SqlType::SmallInt, Wire::Plain) => Form::Integer { least: i16::MIN.into(), most: i16::MAX.into(), unit: 1 },
            (SqlType::Integer, Wire::Plain) => Form::Integer { least: i32::MIN.into(), most: i32::MAX.into(), unit: 1 },
            (SqlType::BigInt, Wire::Plain) => Form::Integer { least: i64::MIN, most: i64::MAX, unit: 1 },
            (SqlType::Text | SqlType::Varchar(None), Wire::Plain) => Form::Text { most: usize::MAX },
            (SqlType::Varchar(Some(limit)), Wire::Plain) => Form::Text { most: *limit as usize },
            (SqlType::Timestamp | SqlType::TimestampTz, Wire::Plain) => Form::Timestamp,
            (SqlType::Timestamp | SqlType::TimestampTz, Wire::Timestamp(unit)) => match unit {
                Unit::Seconds => Form::instant(1_000_000),
                Unit::Millis => Form::instant(1_000),
                Unit::Micros => Form::instant(1),
                Unit::Nanos => Form::Any,
            },
            (SqlType::Numeric { precision, scale }, Wire::Plain) => {
                let bound = 10i64.checked_pow(u32::from(*precision)).unwrap_or(i64::MAX);
                Form::Decimal { scale: *scale, bound }
            }
            _ => Form::Any,
        }
    }

    /// A number of units of so many microseconds since 1970.
    fn instant(unit: i64) -> Form {
        Form::Integer { least: FIRST_MICROS / unit, most: LAST_MICROS / unit, unit }
    }
}

/// A value of a record: where it stands in the record's text.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    pub start: usize,
    pub end: usize,
    pub reading: Reading,
}
