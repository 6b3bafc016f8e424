//! The words that Flink's and ksqlDB's users write inside window functions and that no expression has:
//! `TUMBLE(TABLE t, DESCRIPTOR(c), 5 MINUTES)`. They are taken out of, or completed in, the tokens. So is PostgreSQL's
//! `TABLE t`, which the parser only half reads.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Without TABLE before a window function's relation, and with INTERVAL before its bare sizes.
pub fn tidy(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut tidied: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // Of each open parenthesis: whether it is a window function's.
    let mut open: Vec<bool> = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    // `TABLE t` is short for `SELECT * FROM t`.
    if let Some(table) = tokens.next_if(|first| is(&first.token, &["TABLE"])) {
        let words = [word("SELECT", Keyword::SELECT), Token::Mul, word("FROM", Keyword::FROM)];
        tidied.extend(words.map(|token| TokenWithSpan { token, span: table.span }));
    }
    while let Some(token) = tokens.next() {
        let starts = matches!(tidied.last().map(|t| &t.token), Some(Token::LParen | Token::Comma | Token::RArrow));
        match &token.token {
            Token::LParen => open.push(tidied.last().is_some_and(|before| is(&before.token, &["TUMBLE", "HOP"]))),
            Token::RParen => {
                open.pop();
            }
            word if starts && open.last() == Some(&true) && is(word, &["TABLE"]) => continue,
            Token::Number(..) if starts && open.last() == Some(&true) && tokens.peek().is_some_and(|next| is(&next.token, UNITS)) => {
                tidied.push(TokenWithSpan { token: word("INTERVAL", Keyword::INTERVAL), span: token.span });
            }
            _ => {}
        }
        tidied.push(token);
    }
    tidied
}

const UNITS: &[&str] =
    &["DAY", "DAYS", "HOUR", "HOURS", "MINUTE", "MINUTES", "SECOND", "SECONDS", "MILLISECOND", "MILLISECONDS", "WEEK", "WEEKS"];

fn is(token: &Token, words: &[&str]) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && words.iter().any(|w| word.value.eq_ignore_ascii_case(w)))
}

fn word(text: &str, keyword: Keyword) -> Token {
    Token::Word(Word { value: text.to_string(), quote_style: None, keyword })
}
