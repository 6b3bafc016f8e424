//! `WITH (key = value, ...)`: quoted or bare dotted keys, and values as strings, numbers or words.

use std::collections::BTreeMap;

use sqlparser::tokenizer::Token;

use crate::types::SqlState;

use super::cursor::Cursor;
use super::error::SqlError;

/// The list in its parentheses. Keys are in lower case; a key may be given once.
pub fn options(cursor: &mut Cursor) -> Result<BTreeMap<String, String>, SqlError> {
    let mut found = BTreeMap::new();
    cursor.expect_token(&Token::LParen)?;
    if cursor.takes(&Token::RParen) {
        return Ok(found);
    }
    loop {
        let position = cursor.position();
        let key = key(cursor)?;
        cursor.expect_token(&Token::Eq)?;
        let value = value(cursor)?;
        if found.insert(key.clone(), value).is_some() {
            let error = SqlError::invalid(SqlState::SYNTAX_ERROR, format!("option \"{key}\" is given twice"));
            return Err(match error {
                SqlError::Invalid(report) => SqlError::Invalid(Box::new(report.at(position))),
                other => other,
            });
        }
        if cursor.takes(&Token::RParen) {
            return Ok(found);
        }
        cursor.expect_token(&Token::Comma)?;
    }
}

fn key(cursor: &mut Cursor) -> Result<String, SqlError> {
    if let Token::SingleQuotedString(key) = cursor.parser.peek_token().token {
        cursor.parser.next_token();
        return Ok(key.to_lowercase());
    }
    let mut key = String::new();
    loop {
        match cursor.parser.peek_token().token {
            Token::Word(word) => key.push_str(&word.value),
            Token::Number(digits, _) if !key.is_empty() => key.push_str(&digits),
            _ => return Err(cursor.unexpected()),
        }
        cursor.parser.next_token();
        let dash = cursor.parser.peek_token().token == Token::Minus;
        if cursor.takes(&Token::Period) || (dash && cursor.takes(&Token::Minus)) {
            key.push(if dash { '-' } else { '.' });
        } else {
            return Ok(key.to_lowercase());
        }
    }
}

fn value(cursor: &mut Cursor) -> Result<String, SqlError> {
    match cursor.parser.peek_token().token {
        Token::Number(number, _) => {
            cursor.parser.next_token();
            Ok(number)
        }
        Token::Minus => {
            cursor.parser.next_token();
            match cursor.parser.peek_token().token {
                Token::Number(number, _) => {
                    cursor.parser.next_token();
                    Ok(format!("-{number}"))
                }
                _ => Err(cursor.unexpected()),
            }
        }
        Token::Word(word) if word.value.eq_ignore_ascii_case("secret") => {
            Err(cursor.unsupported("SECRET", "give the value itself, in quotes"))
        }
        Token::Word(word) => {
            cursor.parser.next_token();
            Ok(word.value)
        }
        _ => cursor.string(),
    }
}
