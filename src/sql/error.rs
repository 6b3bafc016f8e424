//! Why a text is not a statement of floe's: PostgreSQL's syntax errors, and what floe refuses.

use sqlparser::parser::ParserError;

use crate::types::{Report, SqlState};

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SqlError {
    /// The text stops making sense at `near`, or ends too early when there is none. `position` counts characters from 1.
    #[error("syntax error")]
    Syntax { near: Option<String>, position: Option<usize> },
    /// A literal, comment or quoted name that does not end, and the like.
    #[error("{message}")]
    Token { message: String, position: usize },
    #[error("statement nested too deeply")]
    TooDeep,
    /// Something that others accept and floe refuses rather than half does.
    #[error("{what} is not supported")]
    Unsupported { what: String, hint: Option<String>, position: Option<usize> },
    /// Well-formed and still wrong: a type that does not exist, an option given twice.
    #[error("{}", .0.message)]
    Invalid(Box<Report>),
}

impl SqlError {
    pub fn unsupported(what: impl Into<String>, hint: impl Into<String>) -> SqlError {
        SqlError::Unsupported { what: what.into(), hint: Some(hint.into()), position: None }
    }

    pub fn invalid(sqlstate: SqlState, message: impl Into<String>) -> SqlError {
        SqlError::Invalid(Box::new(Report::error(sqlstate, message)))
    }

    pub fn report(&self) -> Report {
        let (report, position) = match self {
            SqlError::Syntax { near: Some(near), position } => {
                (Report::error(SqlState::SYNTAX_ERROR, format!("syntax error at or near \"{near}\"")), *position)
            }
            SqlError::Syntax { near: None, position } => (Report::error(SqlState::SYNTAX_ERROR, "syntax error at end of input"), *position),
            SqlError::Token { message, position } => (Report::error(SqlState::SYNTAX_ERROR, message.as_str()), Some(*position)),
            SqlError::TooDeep => {
                let report = Report::error(SqlState::PROGRAM_LIMIT_EXCEEDED, "statement is nested too deeply")
                    .hint("write the query in steps: WITH clauses or views");
                (report, None)
            }
            SqlError::Unsupported { what, hint, position } => {
                let report = Report::unsupported(format!("{what} is not supported"));
                (hint.iter().fold(report, |report, hint| report.hint(hint.as_str())), *position)
            }
            SqlError::Invalid(report) => (report.as_ref().clone(), None),
        };
        match position {
            Some(position) => report.at(position),
            None => report,
        }
    }

    /// The same error in a text that has `characters` more before it.
    pub fn shifted(self, characters: usize) -> SqlError {
        match self {
            SqlError::Syntax { near, position } => SqlError::Syntax { near, position: position.map(|p| p + characters) },
            SqlError::Token { message, position } => SqlError::Token { message, position: position + characters },
            SqlError::Unsupported { what, hint, position } => {
                SqlError::Unsupported { what, hint, position: position.map(|p| p + characters) }
            }
            SqlError::Invalid(mut report) => {
                report.position = report.position.map(|p| p + characters);
                SqlError::Invalid(report)
            }
            SqlError::TooDeep => SqlError::TooDeep,
        }
    }
}

impl From<ParserError> for SqlError {
    /// The parser says `Expected: x, found: y at Line: 1, Column: 9`; the column is the position, because the tokens it
    /// was given are placed so.
    fn from(error: ParserError) -> SqlError {
        let text = match error {
            ParserError::RecursionLimitExceeded => return SqlError::TooDeep,
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        };
        let (said, position) = match text.rsplit_once(" at Line: ") {
            Some((said, place)) => (said, place.rsplit_once("Column: ").and_then(|(_, column)| column.trim().parse().ok())),
            None => (text.as_str(), None),
        };
        match said.rsplit_once(", found: ") {
            Some((_, "EOF")) => SqlError::Syntax { near: None, position },
            Some((_, found)) => SqlError::Syntax { near: Some(found.trim_matches('\'').to_string()), position },
            None => match position {
                Some(position) => SqlError::Token { message: said.to_string(), position },
                None => SqlError::invalid(SqlState::SYNTAX_ERROR, said),
            },
        }
    }
}
