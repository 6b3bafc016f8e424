//! ALTER SYSTEM: settings of the whole database, which outlive the process.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::error::SqlError;
use super::session;
use super::show::variable;
use super::statement::Statement;

/// Behind ALTER SYSTEM: `SET name = value`, `SET name TO DEFAULT`, `RESET name`, `RESET ALL`.
pub fn system(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    if cursor.word("RESET") {
        let name = if cursor.word("ALL") { None } else { Some(variable(cursor)?) };
        return Ok(Statement::AlterSystem { name, value: None });
    }
    cursor.expect("SET")?;
    let name = variable(cursor)?;
    if !cursor.takes(&Token::Eq) {
        cursor.expect("TO")?;
    }
    let value = if cursor.word("DEFAULT") { None } else { Some(session::value(cursor)?) };
    Ok(Statement::AlterSystem { name: Some(name), value })
}
