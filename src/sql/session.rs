//! What a client says about its session: variables, transactions, cursors, and the courtesies of tools.

use sqlparser::tokenizer::Token;

use super::cursor::Cursor;
use super::error::SqlError;
use super::show::variable;
use super::statement::{FetchCount, Statement};

/// Behind SET.
pub fn set(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    if cursor.words(&["SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"]) {
        return transaction_modes(cursor, "default_transaction_isolation", "default_transaction_read_only", false);
    }
    if cursor.words(&["SESSION", "AUTHORIZATION"]) {
        return assignment(cursor, "session_authorization".to_string(), false);
    }
    let local = cursor.word("LOCAL");
    if !local {
        cursor.word("SESSION");
    }
    if cursor.words(&["TIME", "ZONE"]) {
        return assignment(cursor, "timezone".to_string(), local);
    }
    if cursor.word("NAMES") {
        return assignment(cursor, "client_encoding".to_string(), local);
    }
    if cursor.word("ROLE") {
        return assignment(cursor, "role".to_string(), local);
    }
    if cursor.word("TRANSACTION") {
        return transaction_modes(cursor, "transaction_isolation", "transaction_read_only", true);
    }
    let name = variable(cursor)?;
    if !cursor.takes(&Token::Eq) {
        cursor.expect("TO")?;
    }
    assignment(cursor, name, local)
}

/// The value: words, numbers and strings with commas; DEFAULT is none.
fn assignment(cursor: &mut Cursor, name: String, local: bool) -> Result<Statement, SqlError> {
    if cursor.word("DEFAULT") || (name == "timezone" && cursor.word("LOCAL")) {
        return Ok(Statement::SetVariable { name, value: None, local });
    }
    let mut values = vec![value(cursor)?];
    while cursor.takes(&Token::Comma) {
        values.push(value(cursor)?);
    }
    Ok(Statement::SetVariable { name, value: Some(values.join(", ")), local })
}

/// One value: a word, a number or a string.
pub fn value(cursor: &mut Cursor) -> Result<String, SqlError> {
    let sign = if cursor.takes(&Token::Minus) {
        "-"
    } else {
        cursor.takes(&Token::Plus);
        ""
    };
    match cursor.parser.peek_token().token {
        Token::Number(number, _) => {
            cursor.parser.next_token();
            Ok(format!("{sign}{number}"))
        }
        _ if !sign.is_empty() => Err(cursor.unexpected()),
        Token::Word(_) => cursor.name(),
        _ => cursor.string(),
    }
}

fn transaction_modes(cursor: &mut Cursor, isolation: &str, read_only: &str, local: bool) -> Result<Statement, SqlError> {
    let modes = modes(cursor)?;
    if let Some(only) = modes.read_only {
        let value = if only { "on" } else { "off" };
        return Ok(Statement::SetVariable { name: read_only.to_string(), value: Some(value.to_string()), local });
    }
    match modes.isolation {
        Some(level) => Ok(Statement::SetVariable { name: isolation.to_string(), value: Some(level), local }),
        None => Err(cursor.unexpected()),
    }
}

#[derive(Default)]
struct Modes {
    isolation: Option<String>,
    read_only: Option<bool>,
}

/// Any isolation level can be asked for: every statement and every transaction reads one epoch.
fn modes(cursor: &mut Cursor) -> Result<Modes, SqlError> {
    let mut modes = Modes::default();
    loop {
        if cursor.words(&["ISOLATION", "LEVEL"]) {
            let levels = [&["READ", "UNCOMMITTED"][..], &["READ", "COMMITTED"], &["REPEATABLE", "READ"], &["SERIALIZABLE"]];
            let level = levels.into_iter().find(|words| cursor.words(words)).ok_or_else(|| cursor.unexpected())?;
            modes.isolation = Some(level.join(" ").to_lowercase());
        } else if cursor.words(&["READ", "ONLY"]) {
            modes.read_only = Some(true);
        } else if cursor.words(&["READ", "WRITE"]) {
            modes.read_only = Some(false);
        } else if !cursor.word("DEFERRABLE") && !cursor.words(&["NOT", "DEFERRABLE"]) {
            return Ok(modes);
        }
        cursor.takes(&Token::Comma);
    }
}

/// Behind BEGIN, or behind START TRANSACTION.
pub fn begin(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    work(cursor);
    Ok(Statement::Begin { read_only: modes(cursor)?.read_only == Some(true) })
}

/// Behind COMMIT or END.
pub fn commit(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    if cursor.peek() == "PREPARED" {
        return Err(cursor.unsupported("COMMIT PREPARED", "use COMMIT"));
    }
    work(cursor);
    no_chain(cursor)?;
    Ok(Statement::Commit)
}

/// Behind ROLLBACK or ABORT.
pub fn rollback(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    if cursor.peek() == "PREPARED" {
        return Err(cursor.unsupported("ROLLBACK PREPARED", "use ROLLBACK"));
    }
    work(cursor);
    if cursor.word("TO") {
        cursor.word("SAVEPOINT");
        return Ok(Statement::RollbackTo(cursor.name()?));
    }
    no_chain(cursor)?;
    Ok(Statement::Rollback)
}

fn work(cursor: &mut Cursor) {
    if !cursor.word("WORK") {
        cursor.word("TRANSACTION");
    }
}

fn no_chain(cursor: &mut Cursor) -> Result<(), SqlError> {
    if cursor.words(&["AND", "CHAIN"]) {
        return Err(SqlError::unsupported("AND CHAIN", "send BEGIN afterwards"));
    }
    cursor.words(&["AND", "NO", "CHAIN"]);
    Ok(())
}

/// Behind FETCH.
pub fn fetch(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let backward = ["PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE", "BACKWARD"];
    if backward.contains(&cursor.peek().as_str()) && !matches!(cursor.peek_nth(1).as_str(), "") {
        return Err(cursor.unsupported(format!("FETCH {}", cursor.peek()), "a cursor only moves forward: FETCH [n | ALL] FROM c"));
    }
    if !cursor.word("NEXT") {
        cursor.word("FORWARD");
    }
    let count = match cursor.parser.peek_token().token {
        Token::Number(number, _) => {
            let count = number.parse().map_err(|_| cursor.unexpected())?;
            cursor.parser.next_token();
            FetchCount::Rows(count)
        }
        Token::Minus => return Err(cursor.unsupported("FETCH of a negative count", "a cursor only moves forward")),
        _ if cursor.word("ALL") => FetchCount::All,
        _ => FetchCount::Rows(1),
    };
    if !cursor.word("FROM") {
        cursor.word("IN");
    }
    Ok(Statement::Fetch { name: cursor.name()?, count })
}

/// `name` or ALL, which is none.
pub fn name_or_all(cursor: &mut Cursor) -> Result<Option<String>, SqlError> {
    if cursor.word("ALL") { Ok(None) } else { cursor.name().map(Some) }
}

/// Behind DISCARD.
pub fn discard(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let what = cursor.peek();
    if !matches!(what.as_str(), "ALL" | "PLANS" | "SEQUENCES" | "TEMP" | "TEMPORARY") {
        return Err(cursor.unexpected());
    }
    cursor.word(&what);
    Ok(Statement::Discard(what))
}

/// Statements that tools send and that change nothing here. `None` when the next word is none of them.
pub fn courtesy(cursor: &mut Cursor) -> Option<Result<Statement, SqlError>> {
    let tag = match cursor.peek().as_str() {
        "LISTEN" => "LISTEN",
        "UNLISTEN" => "UNLISTEN",
        "NOTIFY" => "NOTIFY",
        "ANALYZE" => "ANALYZE",
        "VACUUM" => "VACUUM",
        "LOCK" => "LOCK TABLE",
        "COMMENT" if cursor.peek_nth(1) == "ON" => "COMMENT",
        "REFRESH" if cursor.peek_nth(1) == "MATERIALIZED" => "REFRESH MATERIALIZED VIEW",
        _ => return None,
    };
    // A single word may go alone only where PostgreSQL lets it.
    cursor.parser.next_token();
    if cursor.at_end() && !matches!(tag, "ANALYZE" | "VACUUM") {
        return Some(Err(cursor.unexpected()));
    }
    while !cursor.at_end() {
        cursor.parser.next_token();
    }
    Some(Ok(Statement::NoOperation { tag }))
}
