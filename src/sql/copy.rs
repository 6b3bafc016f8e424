//! COPY ... FROM STDIN and COPY ... TO STDOUT, with the options that clients send.

use sqlparser::tokenizer::Token;

use crate::types::SqlState;

use super::cursor::Cursor;
use super::error::SqlError;
use super::statement::{Copy, CopyFormat, CopySource, Statement};

/// What was said, before the format gives the rest its defaults.
#[derive(Default)]
struct Said {
    format: Option<CopyFormat>,
    delimiter: Option<String>,
    null: Option<String>,
    quote: Option<String>,
    header: bool,
}

/// Behind COPY.
pub fn copy(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let from = if cursor.takes(&Token::LParen) {
        let query = cursor.query()?;
        cursor.expect_token(&Token::RParen)?;
        CopySource::Query(query)
    } else {
        let name = cursor.object_name()?;
        let columns = if cursor.parser.peek_token().token == Token::LParen { cursor.name_list()? } else { Vec::new() };
        CopySource::Relation { name, columns }
    };
    let to_stdout = match &from {
        CopySource::Query(_) => {
            cursor.expect("TO")?;
            true
        }
        CopySource::Relation { .. } if cursor.word("FROM") => false,
        CopySource::Relation { .. } => {
            cursor.expect("TO")?;
            true
        }
    };
    let channel = if to_stdout { "STDOUT" } else { "STDIN" };
    if !cursor.word(channel) {
        let file = cursor.string().is_ok() || cursor.word("PROGRAM");
        return Err(match file {
            true => SqlError::unsupported("COPY with a file of the server", "use STDIN or STDOUT, or psql's \\copy"),
            false => cursor.unexpected(),
        });
    }
    let mut said = Said::default();
    cursor.word("WITH");
    if cursor.takes(&Token::LParen) {
        loop {
            listed_option(cursor, &mut said)?;
            if cursor.takes(&Token::RParen) {
                break;
            }
            cursor.expect_token(&Token::Comma)?;
        }
    } else {
        while !cursor.at_end() {
            old_option(cursor, &mut said)?;
        }
    }
    let format = said.format.unwrap_or(CopyFormat::Text);
    let csv = format == CopyFormat::Csv;
    Ok(Statement::Copy(Copy {
        from,
        to_stdout,
        format,
        delimiter: character(said.delimiter, if csv { ',' } else { '\t' }, "delimiter")?,
        null: said.null.unwrap_or_else(|| if csv { String::new() } else { "\\N".to_string() }),
        header: said.header,
        quote: character(said.quote, '"', "quote")?,
    }))
}

/// `FORMAT csv`, `HEADER true`, `DELIMITER ','` within parentheses.
fn listed_option(cursor: &mut Cursor, said: &mut Said) -> Result<(), SqlError> {
    match cursor.peek().as_str() {
        "FORMAT" => {
            cursor.word("FORMAT");
            let name = cursor.name().or_else(|_| cursor.string())?;
            format(said, &name.to_lowercase())
        }
        "HEADER" => {
            cursor.word("HEADER");
            said.header = match cursor.parser.peek_token().token {
                Token::Comma | Token::RParen => true,
                _ => {
                    let value = cursor.name().or_else(|_| cursor.string())?.to_lowercase();
                    matches!(value.as_str(), "true" | "on" | "1" | "match")
                }
            };
            Ok(())
        }
        _ => old_option(cursor, said),
    }
}

/// The words that may follow without parentheses, as old clients write them.
fn old_option(cursor: &mut Cursor, said: &mut Said) -> Result<(), SqlError> {
    let word = cursor.peek();
    if !cursor.word(&word) || word.is_empty() {
        return Err(cursor.unexpected());
    }
    match word.as_str() {
        "CSV" => format(said, "csv"),
        "BINARY" => format(said, "binary"),
        "HEADER" => {
            said.header = true;
            Ok(())
        }
        "DELIMITER" | "NULL" | "QUOTE" => {
            cursor.word("AS");
            let text = Some(cursor.string()?);
            match word.as_str() {
                "DELIMITER" => said.delimiter = text,
                "NULL" => said.null = text,
                _ => said.quote = text,
            }
            Ok(())
        }
        "ENCODING" => match cursor.string()?.to_lowercase().replace('-', "").as_str() {
            "utf8" => Ok(()),
            other => Err(SqlError::unsupported(format!("COPY in encoding \"{other}\""), "use UTF8")),
        },
        other => Err(SqlError::unsupported(format!("COPY option {other}"), "FORMAT, HEADER, DELIMITER, NULL, QUOTE, ENCODING")),
    }
}

fn format(said: &mut Said, name: &str) -> Result<(), SqlError> {
    said.format = Some(match name {
        "text" => CopyFormat::Text,
        "csv" => CopyFormat::Csv,
        "binary" => return Err(SqlError::unsupported("COPY in binary", "use FORMAT text or csv")),
        other => {
            return Err(SqlError::invalid(SqlState::INVALID_PARAMETER_VALUE, format!("COPY format \"{other}\" not recognized")));
        }
    });
    Ok(())
}

fn character(said: Option<String>, default: char, what: &str) -> Result<char, SqlError> {
    let Some(said) = said else { return Ok(default) };
    let mut chars = said.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c.is_ascii() && c != '\n' && c != '\r' => Ok(c),
        _ => Err(SqlError::invalid(SqlState::INVALID_PARAMETER_VALUE, format!("COPY {what} must be a single one-byte character"))),
    }
}
