//! Text to statements. The first words of a statement say whose it is: queries and changes of tables are read by
//! sqlparser, everything else by floe, so that nothing is accepted that is not carried out.

use std::sync::Arc;

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use crate::types::SqlState;

use super::cursor::Cursor;
use super::data_type::sql_type;
use super::depth::with_stack;
use super::error::SqlError;
use super::statement::{Explain, Statement};
use super::tokens::{StatementTokens, statements};
use super::window_words::tidy;
use super::{alter, copy, define, dml, session, show};

/// A statement and where it came from.
#[derive(Clone, Debug)]
pub struct ParsedStatement {
    pub statement: Statement,
    /// Its own text, without the semicolon.
    pub text: String,
    /// Characters of the whole text before `text`. Positions in the statement's syntax tree count within `text`, from 1.
    pub position: usize,
}

/// The statements of a text, in order.
///
/// # Errors
/// The first that is wrong; its position counts within the whole text. Nothing of the text is given then.
pub fn parse(text: &str) -> Result<Vec<ParsedStatement>, SqlError> {
    let parsed = statements(text)?.into_iter().map(|part| {
        let offset = part.offset;
        with_stack(part.text.len(), move || parse_one(part)).map_err(|error| error.shifted(offset))
    });
    parsed.collect()
}

/// The text of one query: what a view's definition keeps.
pub fn parse_query(text: &str) -> Result<Box<ast::Query>, SqlError> {
    match parse(text)?.into_iter().map(|parsed| parsed.statement).collect::<Vec<_>>().pop() {
        Some(Statement::Query(query)) => Ok(Box::new(Arc::unwrap_or_clone(query))),
        _ => Err(SqlError::invalid(SqlState::SYNTAX_ERROR, "not a query")),
    }
}

/// The text of one expression: what a column's DEFAULT keeps.
pub fn parse_expr(text: &str) -> Result<ast::Expr, SqlError> {
    let tokens = statements(text)?.into_iter().next().map(|part| part.tokens).unwrap_or_default();
    with_stack(text.len(), move || {
        let mut cursor = Cursor::new(tidy(tokens));
        let expr = cursor.expr()?;
        cursor.end()?;
        Ok(expr)
    })
}

fn parse_one(part: StatementTokens) -> Result<ParsedStatement, SqlError> {
    let length = part.text.chars().count();
    let mut cursor = Cursor::new(tidy(part.tokens));
    let statement = statement(&mut cursor, &part.text, 0).and_then(|statement| cursor.end().map(|()| statement));
    let statement = statement.map_err(|error| match error {
        SqlError::Syntax { near: None, .. } => SqlError::Syntax { near: None, position: Some(length + 1) },
        other => other,
    })?;
    Ok(ParsedStatement { statement, text: part.text, position: part.offset })
}

/// `depth` counts statements within statements: EXPLAIN, PREPARE, DECLARE.
fn statement(cursor: &mut Cursor, text: &str, depth: usize) -> Result<Statement, SqlError> {
    if depth > 2 {
        return Err(cursor.unexpected());
    }
    if cursor.parser.peek_token().token == Token::LParen || matches!(cursor.peek().as_str(), "SELECT" | "WITH" | "VALUES") {
        return query(cursor);
    }
    if let Some(done) = session::courtesy(cursor) {
        return done;
    }
    let word = cursor.peek();
    if word.is_empty() {
        return Err(cursor.unexpected());
    }
    if cursor.words(&["ALTER", "SYSTEM"]) {
        return alter::system(cursor);
    }
    if let Some(hint) = refused(&word) {
        return Err(cursor.unsupported(word, hint));
    }
    cursor.parser.next_token();
    match word.as_str() {
        "INSERT" => dml::insert(cursor),
        "UPDATE" => dml::update(cursor),
        "DELETE" => dml::delete(cursor),
        "CREATE" => define::create(cursor, text),
        "DROP" => define::drop(cursor),
        "COPY" => copy::copy(cursor),
        "SHOW" => show::show(cursor),
        "DESCRIBE" | "DESC" => Ok(Statement::Describe(cursor.object_name()?)),
        "EXPLAIN" => explain(cursor, text, depth),
        "FLUSH" => Ok(Statement::Flush),
        "CHECKPOINT" => Ok(Statement::Checkpoint),
        "SET" => session::set(cursor),
        "RESET" => match cursor.word("ALL") {
            true => Ok(Statement::ResetVariable(None)),
            false if cursor.words(&["TIME", "ZONE"]) => Ok(Statement::ResetVariable(Some("timezone".to_string()))),
            false => Ok(Statement::ResetVariable(Some(show::variable(cursor)?))),
        },
        "BEGIN" => session::begin(cursor),
        "START" => {
            cursor.expect("TRANSACTION")?;
            session::begin(cursor)
        }
        "COMMIT" | "END" => session::commit(cursor),
        "ROLLBACK" | "ABORT" => session::rollback(cursor),
        "SAVEPOINT" => Ok(Statement::Savepoint(cursor.name()?)),
        "RELEASE" => {
            cursor.word("SAVEPOINT");
            Ok(Statement::ReleaseSavepoint(cursor.name()?))
        }
        "PREPARE" => prepare(cursor, text, depth),
        "EXECUTE" => execute(cursor),
        "DEALLOCATE" => {
            cursor.word("PREPARE");
            Ok(Statement::Deallocate(session::name_or_all(cursor)?))
        }
        "DECLARE" => declare(cursor),
        "FETCH" => session::fetch(cursor),
        "CLOSE" => Ok(Statement::Close(session::name_or_all(cursor)?)),
        "DISCARD" => session::discard(cursor),
        _ => {
            cursor.parser.prev_token();
            Err(cursor.unexpected())
        }
    }
}

/// Statements that others have and floe does not.
fn refused(word: &str) -> Option<&'static str> {
    Some(match word {
        "ALTER" => "drop the object and create it again",
        "TRUNCATE" => "use DELETE FROM",
        "GRANT" | "REVOKE" | "REASSIGN" => "whoever can connect may do everything",
        "SUBSCRIBE" => "ask the view again: SELECT",
        "MERGE" => "use INSERT ... ON CONFLICT",
        "MOVE" => "use FETCH",
        "DO" | "CALL" => "send the statements themselves",
        "CLUSTER" | "REINDEX" => "nothing needs to be rebuilt",
        "LOAD" | "IMPORT" | "SECURITY" => "leave the statement out",
        "PAUSE" | "RESUME" | "RECOVER" | "WAIT" | "CANCEL" | "STOP" => "FLUSH and CHECKPOINT wait for what is under way",
        _ => return None,
    })
}

fn query(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let query = cursor.query()?;
    // `FROM t EMIT ...` reads EMIT as a name, and stops at the next word.
    if cursor.peek() == "EMIT" || matches!(cursor.peek().as_str(), "FINAL" | "CHANGES") {
        return Err(cursor.unsupported("EMIT", "leave the clause out: a view shows each change at once"));
    }
    Ok(Statement::Query(Arc::from(query)))
}

fn explain(cursor: &mut Cursor, text: &str, depth: usize) -> Result<Statement, SqlError> {
    let mut analyze = false;
    let mut others = Vec::new();
    if cursor.parser.peek_token().token == Token::LParen && !matches!(cursor.peek_nth(1).as_str(), "SELECT" | "WITH" | "VALUES" | "") {
        cursor.parser.next_token();
        loop {
            let option = cursor.name()?;
            let on = match cursor.parser.peek_token().token {
                Token::Comma | Token::RParen => true,
                _ => !matches!(cursor.name().or_else(|_| cursor.string())?.to_lowercase().as_str(), "false" | "off" | "0"),
            };
            match option.as_str() {
                "analyze" => analyze = on,
                "format" => return Err(SqlError::unsupported("EXPLAIN (FORMAT ...)", "leave the option out: plans are text")),
                _ if on => others.push(option.to_uppercase()),
                _ => {}
            }
            if cursor.takes(&Token::RParen) {
                break;
            }
            cursor.expect_token(&Token::Comma)?;
        }
    }
    analyze |= cursor.word("ANALYZE");
    if cursor.word("VERBOSE") {
        others.push("VERBOSE".to_string());
    }
    if analyze && names_what_runs(cursor) {
        if let Some(option) = others.first() {
            let hint = "EXPLAIN ANALYZE name has no options: it tells what each operator has done";
            return Err(SqlError::unsupported(format!("EXPLAIN ({option}) of what is kept up to date"), hint));
        }
        let kind = define::object_kind(cursor);
        return Ok(Statement::ExplainRunning { kind, name: cursor.object_name()? });
    }
    let statement = statement(cursor, text, depth + 1)?;
    match statement {
        Statement::Query(_)
        | Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::CreateView(_)
        | Statement::CreateSink(_) => Ok(Statement::Explain(Box::new(Explain { analyze, statement }))),
        _ => Err(SqlError::unsupported("EXPLAIN of this statement", "EXPLAIN SELECT ..., or EXPLAIN CREATE MATERIALIZED VIEW ...")),
    }
}

/// A name stands there, and no statement begins.
fn names_what_runs(cursor: &Cursor) -> bool {
    let begins = ["SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE", "CREATE", "EXECUTE", "DECLARE"];
    let named = matches!(cursor.parser.peek_token().token, Token::Word(_));
    named && !begins.contains(&cursor.peek().as_str())
}

fn prepare(cursor: &mut Cursor, text: &str, depth: usize) -> Result<Statement, SqlError> {
    if cursor.peek() == "TRANSACTION" {
        return Err(cursor.unsupported("PREPARE TRANSACTION", "use COMMIT"));
    }
    let name = cursor.name()?;
    let mut types = Vec::new();
    if cursor.takes(&Token::LParen) {
        loop {
            types.push(sql_type(&cursor.parser.parse_data_type()?)?);
            if cursor.takes(&Token::RParen) {
                break;
            }
            cursor.expect_token(&Token::Comma)?;
        }
    }
    cursor.expect("AS")?;
    let start = cursor.position();
    let statement = statement(cursor, text, depth + 1)?;
    if !matches!(statement, Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_)) {
        return Err(SqlError::unsupported("PREPARE of this statement", "SELECT, INSERT, UPDATE and DELETE can be prepared"));
    }
    let text = text.chars().skip(start.saturating_sub(1)).collect();
    Ok(Statement::Prepare { name, types, statement: Box::new(statement), text })
}

fn execute(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let name = cursor.name()?;
    let mut arguments = Vec::new();
    if cursor.takes(&Token::LParen) && !cursor.takes(&Token::RParen) {
        loop {
            arguments.push(cursor.expr()?);
            if cursor.takes(&Token::RParen) {
                break;
            }
            cursor.expect_token(&Token::Comma)?;
        }
    }
    Ok(Statement::Execute { name, arguments })
}

fn declare(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let name = cursor.name()?;
    while cursor.peek() != "CURSOR" {
        if cursor.peek() == "BINARY" || (cursor.peek() == "SCROLL") {
            return Err(cursor.unsupported(format!("a {} cursor", cursor.peek()), "DECLARE c CURSOR FOR SELECT ..."));
        }
        if !cursor.word("INSENSITIVE") && !cursor.word("ASENSITIVE") && !cursor.words(&["NO", "SCROLL"]) {
            return Err(cursor.unexpected());
        }
    }
    cursor.expect("CURSOR")?;
    if cursor.words(&["WITH", "HOLD"]) {
        return Err(SqlError::unsupported("a cursor WITH HOLD", "fetch all rows before COMMIT"));
    }
    cursor.words(&["WITHOUT", "HOLD"]);
    cursor.expect("FOR")?;
    Ok(Statement::Declare { name, query: Box::new(query(cursor)?) })
}
