//! The list of columns, keys and watermarks that sources and tables are defined by.

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use crate::types::{Column, Report, SqlState, SqlType};

use super::column_type::column_type;
use super::cursor::Cursor;
use super::error::SqlError;
use super::interval::interval;
use super::names;
use super::statement::WatermarkClause;

#[derive(Default)]
pub struct ColumnList {
    pub columns: Vec<Column>,
    /// By column: the DEFAULT expression.
    pub defaults: Vec<Option<ast::Expr>>,
    pub primary_key: Vec<String>,
    pub watermark: Option<WatermarkClause>,
}

/// `(name type constraints, ..., PRIMARY KEY (...), WATERMARK FOR c AS c - INTERVAL ...)`.
pub fn column_list(cursor: &mut Cursor) -> Result<ColumnList, SqlError> {
    let mut list = ColumnList::default();
    cursor.expect_token(&Token::LParen)?;
    loop {
        element(cursor, &mut list)?;
        if cursor.takes(&Token::RParen) {
            break;
        }
        cursor.expect_token(&Token::Comma)?;
    }
    check(&mut list)?;
    Ok(list)
}

fn element(cursor: &mut Cursor, list: &mut ColumnList) -> Result<(), SqlError> {
    if cursor.words(&["WATERMARK", "FOR"]) {
        return watermark(cursor, list);
    }
    if cursor.word("CONSTRAINT") {
        cursor.name()?;
    }
    match cursor.peek().as_str() {
        "PRIMARY" if cursor.words(&["PRIMARY", "KEY"]) => {
            let columns = cursor.name_list()?;
            primary_key(cursor, list, columns)
        }
        "UNIQUE" | "CHECK" | "FOREIGN" | "EXCLUDE" | "LIKE" => {
            Err(cursor.unsupported(format!("a {} constraint", cursor.peek()), "only PRIMARY KEY and NOT NULL are checked"))
        }
        _ => column(cursor, list),
    }
}

fn column(cursor: &mut Cursor, list: &mut ColumnList) -> Result<(), SqlError> {
    let position = cursor.position();
    let name = cursor.name()?;
    if list.columns.iter().any(|column| column.name == name) {
        let report = Report::error(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once"));
        return Err(SqlError::Invalid(Box::new(report.at(position))));
    }
    let position = cursor.position();
    let sql_type = column_type(cursor).map_err(|error| placed(error, position))?;
    let mut column = Column::new(name.clone(), sql_type);
    let mut default = None;
    loop {
        if cursor.word("CONSTRAINT") {
            cursor.name()?;
        }
        if cursor.words(&["NOT", "NULL"]) {
            column.nullable = false;
        } else if cursor.word("NULL") {
            column.nullable = true;
        } else if cursor.words(&["PRIMARY", "KEY"]) {
            primary_key(cursor, list, vec![name.clone()])?;
        } else if cursor.word("DEFAULT") {
            default = Some(cursor.expr()?);
        } else if matches!(cursor.peek().as_str(), "UNIQUE" | "CHECK" | "REFERENCES" | "GENERATED" | "AS" | "METADATA" | "COLLATE") {
            return Err(cursor.unsupported(format!("{} on a column", cursor.peek()), "only PRIMARY KEY, NOT NULL and DEFAULT are known"));
        } else {
            break;
        }
    }
    list.columns.push(column);
    list.defaults.push(default);
    Ok(())
}

fn primary_key(cursor: &mut Cursor, list: &mut ColumnList, columns: Vec<String>) -> Result<(), SqlError> {
    // Said by Flink's users; here the key is always kept.
    cursor.words(&["NOT", "ENFORCED"]);
    if !list.primary_key.is_empty() {
        return Err(SqlError::invalid(SqlState::INVALID_TABLE_DEFINITION, "multiple primary keys are not allowed"));
    }
    list.primary_key = columns;
    Ok(())
}

/// `c AS c - INTERVAL '10 seconds'`, or `c AS c`.
fn watermark(cursor: &mut Cursor, list: &mut ColumnList) -> Result<(), SqlError> {
    if list.watermark.is_some() {
        return Err(SqlError::invalid(SqlState::INVALID_TABLE_DEFINITION, "more than one WATERMARK is not allowed"));
    }
    let column = cursor.name()?;
    cursor.expect("AS")?;
    let position = cursor.position();
    let hint = format!("write WATERMARK FOR {column} AS {column} - INTERVAL '10 seconds'");
    let unknown = SqlError::Unsupported { what: "this watermark expression".into(), hint: Some(hint), position: Some(position) };
    if cursor.peek() == "ADAPTIVE" {
        return Err(unknown);
    }
    let delay = match cursor.expr()? {
        ast::Expr::Identifier(ident) if names::folded(&ident) == column => 0,
        ast::Expr::BinaryOp { left, op: ast::BinaryOperator::Minus, right } => match (*left, *right) {
            (ast::Expr::Identifier(ident), ast::Expr::Interval(literal)) if names::folded(&ident) == column => {
                interval(&literal)?.micros().filter(|delay| *delay >= 0).ok_or(unknown)?
            }
            _ => return Err(unknown),
        },
        _ => return Err(unknown),
    };
    if matches!(cursor.peek().as_str(), "IDLE" | "ALIGN") {
        return Err(cursor.unsupported(format!("{} in a WATERMARK", cursor.peek()), "leave the clause out"));
    }
    list.watermark = Some(WatermarkClause { column, delay_micros: delay });
    Ok(())
}

/// What only the whole list shows: the key's and the watermark's columns exist, and a key is never null.
fn check(list: &mut ColumnList) -> Result<(), SqlError> {
    let missing = |name: &str| SqlError::invalid(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" named in key does not exist"));
    for (i, name) in list.primary_key.iter().enumerate() {
        if list.primary_key[..i].contains(name) {
            let message = format!("column \"{name}\" appears twice in primary key constraint");
            return Err(SqlError::invalid(SqlState::DUPLICATE_COLUMN, message));
        }
        let column = list.columns.iter_mut().find(|column| column.name == *name).ok_or_else(|| missing(name))?;
        if let SqlType::Struct(_) = column.sql_type {
            let hint = "keep the fields that identify a row as columns of their own";
            return Err(SqlError::unsupported(format!("a primary key of type struct (\"{name}\")"), hint));
        }
        column.nullable = false;
    }
    if let Some(watermark) = &list.watermark {
        let column = list.columns.iter().find(|column| column.name == watermark.column).ok_or_else(|| {
            SqlError::invalid(SqlState::UNDEFINED_COLUMN, format!("column \"{}\" named in WATERMARK does not exist", watermark.column))
        })?;
        if !matches!(column.sql_type, SqlType::Timestamp | SqlType::TimestampTz) {
            let message = format!("a watermark needs a timestamp column, and \"{}\" is {}", column.name, column.sql_type);
            return Err(SqlError::invalid(SqlState::DATATYPE_MISMATCH, message));
        }
    }
    Ok(())
}

/// The error with a position, if it has none.
fn placed(error: SqlError, at: usize) -> SqlError {
    match error {
        SqlError::Unsupported { what, hint, position } => SqlError::Unsupported { what, hint, position: position.or(Some(at)) },
        SqlError::Invalid(mut report) => {
            report.position = report.position.or(Some(at));
            SqlError::Invalid(report)
        }
        other => other,
    }
}
