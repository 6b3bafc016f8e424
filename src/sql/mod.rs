//! Text to statement: floe's dialect over sqlparser, and the statements that are floe's own.
//!
//! [`parse`] cuts a text into statements and reads each; [`statement`] is what comes out. Queries stay syntax trees of
//! sqlparser, whose positions are characters of the statement's own text.

mod alter;
mod column_type;
mod columns;
mod copy;
mod cursor;
pub mod data_type;
mod define;
mod depth;
mod dml;
pub mod error;
pub mod interval;
pub mod names;
mod options;
pub mod parse;
mod session;
mod show;
pub mod statement;
mod tokens;
mod window_words;

#[cfg(test)]
mod tests;

pub use error::SqlError;
pub use parse::{ParsedStatement, parse, parse_expr, parse_query};
pub use statement::Statement;
