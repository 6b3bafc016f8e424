//! The type of a column, with what the parser has no word for: `STRUCT<id BIGINT, place STRUCT<x REAL, y REAL>>`, which
//! Flink calls ROW.

use sqlparser::tokenizer::Token;

use crate::types::{Report, SqlState, SqlType, StructField};

use super::cursor::Cursor;
use super::data_type::sql_type;
use super::error::SqlError;

/// Structs in structs at most.
const DEPTH: usize = 16;

pub fn column_type(cursor: &mut Cursor) -> Result<SqlType, SqlError> {
    let (found, open) = nested(cursor, 0)?;
    if open > 0 { Err(cursor.unexpected()) } else { Ok(found) }
}

/// A type, and how many structs around it the last token closed: `>>` is one token.
fn nested(cursor: &mut Cursor, depth: usize) -> Result<(SqlType, usize), SqlError> {
    let begins = matches!(cursor.peek().as_str(), "STRUCT" | "ROW") && cursor.parser.peek_nth_token(1).token == Token::Lt;
    if !begins {
        return Ok((sql_type(&cursor.parser.parse_data_type()?)?, 0));
    }
    if depth >= DEPTH {
        return Err(cursor.unsupported(format!("a struct within {DEPTH} others"), "keep the inner fields as jsonb"));
    }
    cursor.parser.next_token();
    cursor.parser.next_token();
    let mut fields: Vec<StructField> = Vec::new();
    loop {
        let position = cursor.position();
        let name = cursor.name()?;
        if fields.iter().any(|field| field.name == name) {
            let report = Report::error(SqlState::DUPLICATE_COLUMN, format!("field \"{name}\" specified more than once"));
            return Err(SqlError::Invalid(Box::new(report.at(position))));
        }
        let (sql_type, closed) = nested(cursor, depth + 1)?;
        fields.push(StructField { name, sql_type });
        if closed > 0 {
            return Ok((SqlType::Struct(fields), closed - 1));
        }
        if cursor.takes(&Token::Comma) {
            continue;
        }
        let closed = closing(&cursor.parser.peek_token().token);
        if closed == 0 {
            return Err(cursor.unexpected());
        }
        cursor.parser.next_token();
        return Ok((SqlType::Struct(fields), closed - 1));
    }
}

/// How many structs the token closes.
fn closing(token: &Token) -> usize {
    match token {
        Token::Gt => 1,
        Token::ShiftRight => 2,
        Token::CustomBinaryOperator(text) if text.bytes().all(|b| b == b'>') => text.len(),
        _ => 0,
    }
}
