//! Bind's parameters: bytes in one of two formats become values of the statement's types.

use bytes::Bytes;
use datafusion::scalar::ScalarValue;

use crate::types::form::read_text::null;
use crate::types::form::{Zone, read_binary, read_text};
use crate::types::{Report, SqlState, SqlType};

/// `types` has one entry a parameter of the statement.
pub fn read(
    values: &[Option<Bytes>],
    formats: &[i16],
    types: &[SqlType],
    statement: &str,
    zone: &Zone,
) -> Result<Vec<ScalarValue>, Report> {
    if values.len() != types.len() {
        return Err(Report::error(
            SqlState::PROTOCOL_VIOLATION,
            format!("bind message supplies {} parameters, but prepared statement \"{statement}\" requires {}", values.len(), types.len()),
        ));
    }
    if formats.len() > 1 && formats.len() != values.len() {
        return Err(Report::error(
            SqlState::PROTOCOL_VIOLATION,
            format!("bind message has {} parameter formats but {} parameters", formats.len(), values.len()),
        ));
    }
    let mut scalars = Vec::with_capacity(values.len());
    for (at, (value, sql_type)) in values.iter().zip(types).enumerate() {
        let format = formats.get(at).or(formats.first()).copied().unwrap_or(0);
        scalars.push(match (value, format) {
            (None, _) => null(sql_type)?,
            (Some(bytes), 0) => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|_| Report::error(SqlState("22021"), "invalid byte sequence for encoding \"UTF8\""))?;
                read_text(text, sql_type, zone)?
            }
            (Some(bytes), 1) => read_binary(bytes, sql_type)?,
            (Some(_), other) => return Err(unknown_format(other)),
        });
    }
    Ok(scalars)
}

pub fn unknown_format(format: i16) -> Report {
    Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("unsupported format code: {format}"))
}
