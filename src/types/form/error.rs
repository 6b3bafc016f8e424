//! Why a text or some bytes are no value of a type, in PostgreSQL's words.

use thiserror::Error;

use crate::types::report::{Report, SqlState};
use crate::types::sql_type::SqlType;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum FormError {
    #[error("invalid input syntax for type {name}: \"{text}\"")]
    Syntax { name: String, text: String },
    #[error("value \"{text}\" is out of range for type {name}")]
    Range { name: String, text: String },
    #[error("\"{text}\" is out of range for type {name}")]
    FloatRange { name: String, text: String },
    #[error("invalid input syntax for type json")]
    Json { detail: String },
    #[error("invalid input syntax for type {name}: \"{text}\"")]
    DatetimeSyntax { name: String, text: String },
    #[error("date/time field value out of range: \"{text}\"")]
    DatetimeRange { text: String },
    #[error("numeric field overflow")]
    NumericOverflow { precision: u8, scale: i8 },
    #[error("value too long for type {name}")]
    TooLong { name: String },
    #[error("malformed array literal: \"{text}\"")]
    Array { text: String, detail: &'static str },
    #[error("malformed record literal: \"{text}\"")]
    Record { text: String, detail: &'static str },
    #[error("incorrect binary data format in bind parameter for type {name}")]
    Binary { name: String },
    #[error("invalid byte sequence for encoding \"UTF8\"")]
    Encoding,
    #[error("the binary form of type {name} is not supported")]
    NoBinary { name: String },
    #[error("values of Arrow type {arrow} cannot be shown as {name}")]
    Unshowable { arrow: String, name: String },
}

impl FormError {
    pub fn syntax(sql_type: &SqlType, text: &str) -> FormError {
        FormError::Syntax { name: input_name(sql_type), text: text.to_string() }
    }

    pub fn range(sql_type: &SqlType, text: &str) -> FormError {
        FormError::Range { name: input_name(sql_type), text: text.to_string() }
    }

    pub fn datetime(sql_type: &SqlType, text: &str) -> FormError {
        FormError::DatetimeSyntax { name: input_name(sql_type), text: text.to_string() }
    }

    pub fn binary(sql_type: &SqlType) -> FormError {
        FormError::Binary { name: input_name(sql_type) }
    }

    pub fn sqlstate(&self) -> SqlState {
        match self {
            FormError::Syntax { .. } | FormError::Array { .. } | FormError::Record { .. } | FormError::Json { .. } => {
                SqlState::INVALID_TEXT_REPRESENTATION
            }
            FormError::Range { .. } | FormError::FloatRange { .. } | FormError::NumericOverflow { .. } => {
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE
            }
            FormError::DatetimeSyntax { .. } => SqlState::INVALID_DATETIME_FORMAT,
            FormError::DatetimeRange { .. } => SqlState::DATETIME_FIELD_OVERFLOW,
            FormError::TooLong { .. } => SqlState::STRING_DATA_RIGHT_TRUNCATION,
            FormError::Binary { .. } => SqlState::INVALID_BINARY_REPRESENTATION,
            FormError::Encoding => SqlState("22021"),
            FormError::NoBinary { .. } | FormError::Unshowable { .. } => SqlState::FEATURE_NOT_SUPPORTED,
        }
    }
}

/// The type's name as PostgreSQL's input functions call it in messages: without modifiers and zones.
fn input_name(sql_type: &SqlType) -> String {
    match sql_type {
        SqlType::Numeric { .. } => "numeric".to_string(),
        SqlType::Timestamp => "timestamp".to_string(),
        SqlType::Time => "time".to_string(),
        SqlType::Varchar(None) => "character varying".to_string(),
        other => other.to_string(),
    }
}

impl From<FormError> for Report {
    fn from(error: FormError) -> Report {
        let report = Report::error(error.sqlstate(), error.to_string());
        match &error {
            FormError::NumericOverflow { precision, scale } => report.detail(format!(
                "A field with precision {precision}, scale {scale} must round to an absolute value less than 10^{}.",
                i32::from(*precision) - i32::from(*scale)
            )),
            FormError::Array { detail, .. } | FormError::Record { detail, .. } => report.detail(*detail),
            FormError::Json { detail } => report.detail(detail.clone()),
            FormError::NoBinary { .. } => report.hint("ask for the text form of this column"),
            _ => report,
        }
    }
}
