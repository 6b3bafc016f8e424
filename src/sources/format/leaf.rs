//! A value in a record's text, and what is done with it.

use super::wire::{Unit, Wire};
use crate::types::SqlType;

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is checked to be JSON and passed over.
    Skip,
    /// The operation of a change that brings a row: `"c"`, `"r"` or `"u"`.
    RowComes,
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

/// The form in which a column's values are expected; every other is left to the general way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Integer,
    Text,
    /// A text of date and time.
    Timestamp,
    /// A number of units of so many microseconds since 1970.
    Instant {
        unit: i64,
    },
    /// Digits with a point, of a column of this scale.
    Decimal {
        scale: i8,
    },
    Any,
}

impl Form {
    /// The form in which a value of the type comes in this reading.
    pub fn of(sql_type: &SqlType, wire: &Wire) -> Form {
        match (sql_type, wire) {
            (SqlType::SmallInt | SqlType::Integer | SqlType::BigInt, Wire::Plain) => Form::Integer,
            (SqlType::Text | SqlType::Varchar(_), Wire::Plain) => Form::Text,
            (SqlType::Timestamp | SqlType::TimestampTz, Wire::Plain) => Form::Timestamp,
            (SqlType::Timestamp | SqlType::TimestampTz, Wire::Timestamp(unit)) => match unit {
                Unit::Seconds => Form::Instant { unit: 1_000_000 },
                Unit::Millis => Form::Instant { unit: 1_000 },
                Unit::Micros => Form::Instant { unit: 1 },
                Unit::Nanos => Form::Any,
            },
            (SqlType::Numeric { scale, .. }, Wire::Plain) => Form::Decimal { scale: *scale },
            _ => Form::Any,
        }
    }
}

/// A value of a record: where it stands in the record's text.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    pub start: usize,
    pub end: usize,
    pub reading: Reading,
}
