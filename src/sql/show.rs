//! SHOW and DESCRIBE.

use super::cursor::Cursor;
use super::define::object_kind;
use super::error::SqlError;
use super::statement::{ObjectKind, Show, Statement};

/// Behind SHOW.
pub fn show(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let lists = [
        (&["SOURCES"][..], ObjectKind::Source),
        (&["TABLES"], ObjectKind::Table),
        (&["VIEWS"], ObjectKind::View),
        (&["MATERIALIZED", "VIEWS"], ObjectKind::MaterializedView),
        (&["SINKS"], ObjectKind::Sink),
    ];
    for (words, kind) in lists {
        if cursor.words(words) {
            let like = if cursor.word("LIKE") { Some(cursor.string()?) } else { None };
            return Ok(Statement::Show(Show::Objects { kind, like }));
        }
    }
    if cursor.word("CREATE") {
        let kind = object_kind(cursor);
        return Ok(Statement::Show(Show::Create { kind, name: cursor.object_name()? }));
    }
    if cursor.words(&["COLUMNS", "FROM"]) || cursor.words(&["COLUMNS", "IN"]) {
        return Ok(Statement::Describe(cursor.object_name()?));
    }
    if cursor.word("ALL") {
        return Ok(Statement::Show(Show::AllVariables));
    }
    let name = if cursor.words(&["TIME", "ZONE"]) {
        "timezone".to_string()
    } else if cursor.words(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
        "transaction_isolation".to_string()
    } else if cursor.words(&["SESSION", "AUTHORIZATION"]) {
        "session_authorization".to_string()
    } else {
        variable(cursor)?
    };
    Ok(Statement::Show(Show::Variable(name)))
}

/// A variable's name, which may have dots in it. Variables know no case.
pub fn variable(cursor: &mut Cursor) -> Result<String, SqlError> {
    let mut name = match cursor.string() {
        Ok(name) => name,
        Err(_) => cursor.name()?,
    };
    while cursor.takes(&sqlparser::tokenizer::Token::Period) {
        name = format!("{name}.{}", cursor.name()?);
    }
    Ok(name.to_lowercase())
}
