//! Type names, PostgreSQL's and those that people bring from elsewhere, as SQL types.

use sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo};

use crate::types::{SqlState, SqlType};

use super::error::SqlError;
use super::names;

/// The most digits that a NUMERIC has here.
const MAX_PRECISION: u64 = 38;

pub fn sql_type(data_type: &DataType) -> Result<SqlType, SqlError> {
    Ok(match data_type {
        DataType::Bool | DataType::Boolean => SqlType::Boolean,
        DataType::SmallInt(_) | DataType::Int2(_) | DataType::TinyInt(_) | DataType::Int16 => SqlType::SmallInt,
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) | DataType::Int32 | DataType::MediumInt(_) => SqlType::Integer,
        DataType::BigInt(_) | DataType::Int8(_) | DataType::Int64 => SqlType::BigInt,
        DataType::Real | DataType::Float4 | DataType::Float32 => SqlType::Real,
        DataType::Float(ExactNumberInfo::Precision(bits)) => match bits {
            1..=24 => SqlType::Real,
            25..=53 => SqlType::Double,
            _ => return Err(invalid(format!("precision for type float must be between 1 and 53 bits, not {bits}"))),
        },
        DataType::Float(_) | DataType::Double(ExactNumberInfo::None) | DataType::DoublePrecision | DataType::Float8 | DataType::Float64 => {
            SqlType::Double
        }
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => numeric(info)?,
        DataType::Text | DataType::String(None) | DataType::Clob(None) => SqlType::Text,
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) | DataType::Nvarchar(length) => {
            SqlType::Varchar(characters(length.as_ref())?)
        }
        DataType::Char(length) | DataType::Character(length) => SqlType::Varchar(Some(characters(length.as_ref())?.unwrap_or(1))),
        DataType::Bytea | DataType::Bytes(None) | DataType::Blob(None) | DataType::Varbinary(None) => SqlType::Bytea,
        DataType::Date | DataType::Date32 => SqlType::Date,
        DataType::Time(precision, zone) => {
            fraction(*precision)?;
            match zone {
                TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => SqlType::Time,
                _ => return Err(SqlError::unsupported("type \"time with time zone\"", "use time, or timestamptz for instants")),
            }
        }
        DataType::Timestamp(precision, zone) => {
            fraction(*precision)?;
            match zone {
                TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => SqlType::Timestamp,
                TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => SqlType::TimestampTz,
            }
        }
        DataType::Datetime(precision) | DataType::TimestampNtz(precision) => {
            fraction(*precision)?;
            SqlType::Timestamp
        }
        DataType::Interval { .. } => SqlType::Interval,
        DataType::Uuid => SqlType::Uuid,
        DataType::JSON => SqlType::Json,
        DataType::JSONB => SqlType::Jsonb,
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element) | ArrayElemTypeDef::Parenthesis(element),
        ) => match sql_type(element)? {
            // PostgreSQL's arrays have any number of dimensions; here they have one.
            SqlType::Array(_) => return Err(SqlError::unsupported("an array of arrays", "use jsonb")),
            element => SqlType::Array(Box::new(element)),
        },
        DataType::Custom(name, arguments) => custom(&names::object_name(name)?.name, arguments)?,
        other => return Err(unknown(&other.to_string().to_lowercase())),
    })
}

fn custom(name: &str, arguments: &[String]) -> Result<SqlType, SqlError> {
    Ok(match name {
        "oid" => SqlType::Oid,
        "name" => SqlType::Name,
        "char" => SqlType::Char,
        "bpchar" => SqlType::Text,
        "unknown" => SqlType::Unknown,
        "timestamp_ltz" | "timestamptz" => match arguments {
            [] => SqlType::TimestampTz,
            [precision] => {
                fraction(precision.parse().ok())?;
                SqlType::TimestampTz
            }
            _ => return Err(unknown(name)),
        },
        "serial" | "bigserial" | "smallserial" | "serial4" | "serial8" | "serial2" => {
            return Err(SqlError::unsupported(format!("type \"{name}\""), "use an integer type and give the values"));
        }
        _ => return Err(unknown(name)),
    })
}

fn numeric(info: &ExactNumberInfo) -> Result<SqlType, SqlError> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(SqlType::NUMERIC),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    if precision == 0 || precision > 1000 {
        return Err(invalid(format!("NUMERIC precision {precision} must be between 1 and 1000")));
    }
    if precision > MAX_PRECISION {
        return Err(SqlError::unsupported(
            format!("NUMERIC precision {precision}"),
            format!("at most {MAX_PRECISION} digits are kept: use numeric({MAX_PRECISION},s), or text"),
        ));
    }
    if scale < 0 || scale as u64 > precision {
        return Err(invalid(format!("NUMERIC scale {scale} must be between 0 and precision {precision}")));
    }
    Ok(SqlType::Numeric { precision: precision as u8, scale: scale as i8 })
}

fn characters(length: Option<&CharacterLength>) -> Result<Option<u32>, SqlError> {
    match length {
        None | Some(CharacterLength::Max) => Ok(None),
        Some(CharacterLength::IntegerLength { length, .. }) => match u32::try_from(*length) {
            Ok(0) => Err(invalid("length for type varchar must be at least 1")),
            Ok(length) if length <= 10_485_760 => Ok(Some(length)),
            _ => Err(invalid("length for type varchar cannot exceed 10485760")),
        },
    }
}

/// Digits of a second: microseconds are kept, so up to six can be asked for, and nine are let pass for Flink's habit.
fn fraction(precision: Option<u64>) -> Result<(), SqlError> {
    match precision {
        None | Some(0..=9) => Ok(()),
        Some(other) => Err(invalid(format!("timestamp precision {other} must be between 0 and 9"))),
    }
}

fn invalid(message: impl Into<String>) -> SqlError {
    SqlError::invalid(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn unknown(name: &str) -> SqlError {
    SqlError::invalid(SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"))
}
