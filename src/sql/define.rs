//! CREATE and DROP.

use sqlparser::tokenizer::Token;

use super::columns::column_list;
use super::cursor::Cursor;
use super::error::SqlError;
use super::options::options;
use super::statement::{CreateSink, CreateSource, CreateTable, CreateView, Drop, ObjectKind, ObjectName, OnConflict, SinkFrom, Statement};

/// Behind CREATE.
pub fn create(cursor: &mut Cursor, text: &str) -> Result<Statement, SqlError> {
    let or_replace = cursor.words(&["OR", "REPLACE"]);
    if or_replace && cursor.peek() != "VIEW" && cursor.peek() != "MATERIALIZED" {
        return Err(cursor.unsupported("OR REPLACE here", "drop the object and create it again"));
    }
    if cursor.word("SOURCE") || cursor.word("STREAM") {
        return source(cursor, text);
    }
    if cursor.word("TABLE") {
        return table(cursor, text);
    }
    if cursor.words(&["MATERIALIZED", "VIEW"]) {
        return view(cursor, text, or_replace, true);
    }
    if cursor.word("VIEW") {
        return view(cursor, text, or_replace, false);
    }
    if cursor.word("SINK") {
        return sink(cursor, text);
    }
    let hint = match cursor.peek().as_str() {
        "TEMP" | "TEMPORARY" | "UNLOGGED" | "GLOBAL" | "LOCAL" | "FOREIGN" => {
            "create a table without that word; DROP it when it is no longer needed"
        }
        "INDEX" | "UNIQUE" => "views and tables are kept by their keys; no index is needed",
        "SCHEMA" => "everything lives in schema public",
        "DATABASE" => "one server is one database",
        "ROLE" | "USER" | "GROUP" => "the password is given when the server is started",
        "CONNECTION" | "SECRET" => "give the connection's options in WITH (...) of the source or sink",
        "FUNCTION" | "AGGREGATE" | "PROCEDURE" | "TRIGGER" | "TYPE" | "DOMAIN" | "SEQUENCE" | "EXTENSION" | "SUBSCRIPTION"
        | "PUBLICATION" | "POLICY" | "RULE" | "CAST" | "OPERATOR" | "COLLATION" | "SAVEPOINT" | "REPLACEMENT" => {
            "what can be created: SOURCE, TABLE, VIEW, MATERIALIZED VIEW, SINK"
        }
        "MATERIALIZED" if cursor.peek_nth(1) == "TABLE" => "use CREATE MATERIALIZED VIEW",
        _ => return Err(cursor.unexpected()),
    };
    Err(cursor.unsupported(format!("CREATE {}", cursor.peek()), hint))
}

fn source(cursor: &mut Cursor, text: &str) -> Result<Statement, SqlError> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.object_name()?;
    if matches!(cursor.peek().as_str(), "FROM" | "IN") {
        return Err(cursor.unsupported("CREATE SOURCE ... FROM", "name the columns, and the connector in WITH (...)"));
    }
    let list = column_list(cursor)?;
    if list.defaults.iter().any(Option::is_some) {
        return Err(SqlError::unsupported("DEFAULT on a source's column", "use COALESCE in a view over the source"));
    }
    if cursor.peek() == "INCLUDE" {
        return Err(cursor.unsupported("INCLUDE", "only the record's own fields can be columns"));
    }
    if !cursor.word("WITH") {
        if cursor.at_end() || cursor.peek() == "FORMAT" {
            return Err(cursor.unsupported("a source without WITH (...)", "WITH (connector = 'kafka', topic = '...', ...)"));
        }
        return Err(cursor.unexpected());
    }
    let mut options = options(cursor)?;
    let (format, encode) = format_clause(cursor, &mut options)?;
    if matches!(cursor.peek().as_str(), "ON" | "ENVELOPE") {
        return Err(cursor.unsupported(format!("{} on a source", cursor.peek()), "FORMAT PLAIN or DEBEZIUM, ENCODE JSON"));
    }
    Ok(Statement::CreateSource(CreateSource {
        name,
        if_not_exists,
        columns: list.columns,
        primary_key: list.primary_key,
        watermark: list.watermark,
        options,
        format,
        encode,
        text: text.to_string(),
    }))
}

/// `FORMAT PLAIN ENCODE JSON (options)`; the two words in upper case, or empty when the clause is not there.
fn format_clause(cursor: &mut Cursor, into: &mut std::collections::BTreeMap<String, String>) -> Result<(String, String), SqlError> {
    if !cursor.word("FORMAT") {
        return Ok((String::new(), String::new()));
    }
    let format = cursor.name()?.to_uppercase();
    cursor.expect("ENCODE")?;
    let encode = cursor.name()?.to_uppercase();
    if cursor.parser.peek_token().token == Token::LParen {
        into.extend(options(cursor)?);
    }
    Ok((format, encode))
}

fn table(cursor: &mut Cursor, text: &str) -> Result<Statement, SqlError> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.object_name()?;
    if matches!(cursor.peek().as_str(), "AS" | "OF" | "PARTITION") {
        return Err(cursor.unsupported(
            format!("CREATE TABLE ... {}", cursor.peek()),
            "create the table with its columns and fill it with INSERT INTO ... SELECT, or create a materialized view",
        ));
    }
    let list = column_list(cursor)?;
    let on_conflict = on_conflict(cursor)?;
    if matches!(cursor.peek().as_str(), "WITH" | "FORMAT" | "FROM") || list.watermark.is_some() {
        return Err(cursor.unsupported("a table with a connector", "use CREATE SOURCE for what is read from outside"));
    }
    if matches!(cursor.peek().as_str(), "PARTITION" | "INHERITS" | "TABLESPACE" | "USING" | "AS" | "APPEND") {
        return Err(cursor.unsupported(format!("{} on a table", cursor.peek()), "leave the clause out"));
    }
    Ok(Statement::CreateTable(CreateTable {
        name,
        if_not_exists,
        columns: list.columns,
        defaults: list.defaults,
        primary_key: list.primary_key,
        on_conflict,
        text: text.to_string(),
    }))
}

fn on_conflict(cursor: &mut Cursor) -> Result<OnConflict, SqlError> {
    if !cursor.words(&["ON", "CONFLICT"]) {
        return Ok(OnConflict::Error);
    }
    if cursor.word("OVERWRITE") {
        return Ok(OnConflict::Overwrite);
    }
    if cursor.words(&["DO", "NOTHING"]) || cursor.word("IGNORE") {
        return Err(cursor.unsupported("ON CONFLICT DO NOTHING on a table", "say it on the INSERT"));
    }
    Err(cursor.unexpected())
}

fn view(cursor: &mut Cursor, text: &str, or_replace: bool, materialized: bool) -> Result<Statement, SqlError> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.object_name()?;
    let columns = if cursor.parser.peek_token().token == Token::LParen { cursor.name_list()? } else { Vec::new() };
    if cursor.peek() == "WITH" {
        return Err(cursor.unsupported("WITH (...) on a view", "leave the clause out"));
    }
    cursor.expect("AS")?;
    let start = cursor.position();
    no_emit(cursor)?;
    let query = cursor.query()?;
    if cursor.words(&["WITH", "DATA"]) && !materialized {
        return Err(cursor.unsupported("WITH DATA on a view", "leave the clause out"));
    }
    if cursor.peek() == "WITH" {
        return Err(cursor.unsupported("WITH NO DATA", "a materialized view is always filled"));
    }
    let query_text = written(cursor, text, start);
    Ok(Statement::CreateView(CreateView {
        name,
        if_not_exists,
        or_replace,
        materialized,
        columns,
        query,
        query_text,
        text: text.to_string(),
    }))
}

/// What stands between position `start` and the next token, as written.
fn written(cursor: &Cursor, text: &str, start: usize) -> String {
    text.chars().skip(start - 1).take(cursor.behind(start)).collect::<String>().trim_end().to_string()
}

/// EMIT would be taken for a name by the parser of queries.
fn no_emit(cursor: &Cursor) -> Result<(), SqlError> {
    let mut n = 0;
    loop {
        let token = cursor.parser.peek_nth_token(n);
        if token.token == Token::EOF {
            return Ok(());
        }
        if cursor.peek_nth(n) == "EMIT" && matches!(cursor.peek_nth(n + 1).as_str(), "ON" | "FINAL" | "CHANGES") {
            return Err(SqlError::Unsupported {
                what: format!("EMIT {}", cursor.peek_nth(n + 1)),
                hint: Some("leave the clause out: a view shows each change at once".to_string()),
                position: Some(token.span.start.column as usize),
            });
        }
        n += 1;
    }
}

fn sink(cursor: &mut Cursor, text: &str) -> Result<Statement, SqlError> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.object_name()?;
    if cursor.peek() == "INTO" {
        return Err(cursor.unsupported("CREATE SINK ... INTO", "create a materialized view of the query instead of filling a table"));
    }
    let from = if cursor.word("FROM") {
        SinkFrom::Relation(cursor.object_name()?)
    } else {
        cursor.expect("AS")?;
        let start = cursor.position();
        no_emit(cursor)?;
        let query = cursor.query_before_options()?;
        SinkFrom::Query { query, text: written(cursor, text, start) }
    };
    cursor.expect("WITH")?;
    let options = options(cursor)?;
    if cursor.peek() == "FORMAT" {
        return Err(cursor.unsupported("FORMAT on a sink", "leave the clause out"));
    }
    Ok(Statement::CreateSink(CreateSink { name, if_not_exists, from, options, text: text.to_string() }))
}

/// Behind DROP.
pub fn drop(cursor: &mut Cursor) -> Result<Statement, SqlError> {
    let kind = object_kind(cursor);
    let Some(kind) = kind else {
        let what = cursor.peek();
        return Err(match what.as_str() {
            "INDEX" | "SCHEMA" | "DATABASE" | "ROLE" | "USER" | "FUNCTION" | "TYPE" | "SEQUENCE" | "EXTENSION" | "CONNECTION"
            | "SECRET" | "TRIGGER" | "DOMAIN" | "AGGREGATE" | "PROCEDURE" | "SUBSCRIPTION" | "PUBLICATION" | "OWNED" | "POLICY"
            | "SAVEPOINT" => {
                cursor.unsupported(format!("DROP {what}"), "what can be dropped: SOURCE, TABLE, VIEW, MATERIALIZED VIEW, SINK")
            }
            _ => cursor.unexpected(),
        });
    };
    let if_exists = cursor.words(&["IF", "EXISTS"]);
    let names: Vec<ObjectName> = cursor.object_names()?;
    let cascade = cursor.word("CASCADE");
    if !cascade {
        cursor.word("RESTRICT");
    }
    Ok(Statement::Drop(Drop { kind, if_exists, names, cascade }))
}

/// SOURCE, TABLE, VIEW, MATERIALIZED VIEW or SINK.
pub fn object_kind(cursor: &mut Cursor) -> Option<ObjectKind> {
    let kinds = [
        (&["SOURCE"][..], ObjectKind::Source),
        (&["STREAM"], ObjectKind::Source),
        (&["TABLE"], ObjectKind::Table),
        (&["VIEW"], ObjectKind::View),
        (&["MATERIALIZED", "VIEW"], ObjectKind::MaterializedView),
        (&["SINK"], ObjectKind::Sink),
    ];
    kinds.into_iter().find(|(words, _)| cursor.words(words)).map(|(_, kind)| kind)
}
