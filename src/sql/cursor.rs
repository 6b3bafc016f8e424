//! A walk over the tokens of one statement: sqlparser's parser for expressions and queries, and the few steps that
//! floe's own statements are read with.

use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::depth::shallow;
use super::error::SqlError;
use super::names;
use super::statement::ObjectName;

/// How deep a statement may be nested before it is refused: far below what the stack holds.
const DEPTH: usize = 100;

static DIALECT: PostgreSqlDialect = PostgreSqlDialect {};

pub struct Cursor {
    pub parser: Parser<'static>,
}

impl Cursor {
    pub fn new(tokens: Vec<TokenWithSpan>) -> Cursor {
        Cursor { parser: Parser::new(&DIALECT).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens) }
    }

    /// The unquoted word that comes next, in upper case; empty when something else does.
    pub fn peek(&self) -> String {
        self.peek_nth(0)
    }

    pub fn peek_nth(&self, n: usize) -> String {
        match self.parser.peek_nth_token(n).token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_uppercase(),
            _ => String::new(),
        }
    }

    /// Takes these words, if they all come next.
    pub fn words(&mut self, words: &[&str]) -> bool {
        let here = words.iter().enumerate().all(|(n, word)| self.peek_nth(n) == *word);
        if here {
            words.iter().for_each(|_| {
                self.parser.next_token();
            });
        }
        here
    }

    pub fn word(&mut self, word: &str) -> bool {
        self.words(&[word])
    }

    pub fn expect(&mut self, word: &str) -> Result<(), SqlError> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn takes(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub fn expect_token(&mut self, token: &Token) -> Result<(), SqlError> {
        if self.takes(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Where the next token stands, counted from 1.
    pub fn position(&self) -> usize {
        self.parser.peek_token().span.start.column as usize
    }

    pub fn at_end(&self) -> bool {
        self.parser.peek_token().token == Token::EOF
    }

    pub fn end(&self) -> Result<(), SqlError> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The syntax error at the next token.
    pub fn unexpected(&self) -> SqlError {
        let found = self.parser.peek_token();
        match found.token {
            Token::EOF => SqlError::Syntax { near: None, position: None },
            Token::Word(word) => SqlError::Syntax { near: Some(word.value), position: Some(found.span.start.column as usize) },
            token => SqlError::Syntax { near: Some(token.to_string()), position: Some(found.span.start.column as usize) },
        }
    }

    pub fn unsupported(&self, what: impl Into<String>, hint: &str) -> SqlError {
        SqlError::Unsupported { what: what.into(), hint: Some(hint.to_string()), position: Some(self.position()) }
    }

    /// A name, folded.
    pub fn name(&mut self) -> Result<String, SqlError> {
        match self.parser.peek_token().token {
            Token::Word(_) => Ok(names::folded(&self.parser.parse_identifier()?)),
            _ => Err(self.unexpected()),
        }
    }

    pub fn object_name(&mut self) -> Result<ObjectName, SqlError> {
        let mut parts = vec![self.name()?];
        while self.takes(&Token::Period) {
            parts.push(self.name()?);
        }
        names::object_name_of(parts)
    }

    pub fn object_names(&mut self) -> Result<Vec<ObjectName>, SqlError> {
        let mut names = vec![self.object_name()?];
        while self.takes(&Token::Comma) {
            names.push(self.object_name()?);
        }
        Ok(names)
    }

    /// `(a, b, c)`.
    pub fn name_list(&mut self) -> Result<Vec<String>, SqlError> {
        self.expect_token(&Token::LParen)?;
        let mut names = vec![self.name()?];
        while self.takes(&Token::Comma) {
            names.push(self.name()?);
        }
        self.expect_token(&Token::RParen)?;
        Ok(names)
    }

    /// A string literal of any kind.
    pub fn string(&mut self) -> Result<String, SqlError> {
        match self.parser.peek_token().token {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) | Token::UnicodeStringLiteral(text) => {
                self.parser.next_token();
                Ok(text)
            }
            Token::DollarQuotedString(text) => {
                self.parser.next_token();
                Ok(text.value)
            }
            _ => Err(self.unexpected()),
        }
    }

    pub fn query(&mut self) -> Result<Box<ast::Query>, SqlError> {
        let mut query = self.parser.parse_query()?;
        shallow(&mut query)?;
        Ok(query)
    }

    /// A query that ends where the statement's own `WITH (...)` begins: the last one that is in no parentheses. The parser
    /// of queries would take it for hints to the last table in FROM, so it is given the tokens before it only.
    pub fn query_before_options(&mut self) -> Result<Box<ast::Query>, SqlError> {
        let mut tokens = Vec::new();
        while !self.at_end() {
            tokens.push(self.parser.next_token());
        }
        let options = options_start(&tokens).unwrap_or(tokens.len());
        *self = Cursor::new(tokens.split_off(options));
        let mut inner = Cursor::new(tokens);
        match inner.query().and_then(|query| inner.end().map(|()| query)) {
            // What is the end for the query is the WITH for the statement.
            Err(SqlError::Syntax { near: None, .. }) => Err(self.unexpected()),
            result => result,
        }
    }

    pub fn expr(&mut self) -> Result<ast::Expr, SqlError> {
        let mut expr = self.parser.parse_expr()?;
        shallow(&mut expr)?;
        Ok(expr)
    }

    /// How many characters there are from position `start` up to the next token, or to the end.
    pub fn behind(&self, start: usize) -> usize {
        match self.parser.peek_token() {
            TokenWithSpan { token: Token::EOF, .. } => usize::MAX,
            next => (next.span.start.column as usize).saturating_sub(start),
        }
    }

    pub fn if_not_exists(&mut self) -> bool {
        self.words(&["IF", "NOT", "EXISTS"])
    }
}

/// Where the last `WITH (` stands that is in no parentheses.
fn options_start(tokens: &[TokenWithSpan]) -> Option<usize> {
    let (mut depth, mut found) = (0usize, None);
    for (at, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.quote_style.is_none() && word.value.eq_ignore_ascii_case("WITH") => {
                let opens = tokens.get(at + 1).is_some_and(|next| next.token == Token::LParen);
                found = if opens { Some(at) } else { found };
            }
            _ => {}
        }
    }
    found
}
