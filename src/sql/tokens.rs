//! The text cut into tokens once, and the tokens into statements.
//!
//! Every token is placed by the number of its first character within its own statement, counted from 1, kept as the
//! column of line 1: so the positions in the syntax tree and in errors are the positions that PostgreSQL reports.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use super::error::SqlError;

/// The tokens of one statement without blanks and comments, and the text that they came from.
#[derive(Clone, Debug)]
pub struct StatementTokens {
    pub tokens: Vec<TokenWithSpan>,
    pub text: String,
    /// Characters of the whole text before this statement's first token.
    pub offset: usize,
}

/// The statements of a text: its parts between semicolons. Empty ones are left out.
pub fn statements(text: &str) -> Result<Vec<StatementTokens>, SqlError> {
    let lines = line_starts(text);
    let mut found = Vec::new();
    let mut open: Vec<(Token, usize, usize)> = Vec::new();
    for TokenWithSpan { token, span } in tokenize(text, &lines)? {
        match token {
            Token::SemiColon => found.extend(statement(text, std::mem::take(&mut open))),
            Token::Whitespace(_) | Token::EOF => {}
            token => open.push((token, offset(&lines, span.start), offset(&lines, span.end))),
        }
    }
    found.extend(statement(text, open));
    Ok(found)
}

fn tokenize(text: &str, lines: &[usize]) -> Result<Vec<TokenWithSpan>, SqlError> {
    Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().map_err(|error| {
        let position = offset(lines, error.location) + 1;
        let rest: String = text.chars().skip(position - 1).take(20).collect();
        let message = match error.message.as_str() {
            "Unterminated string literal" | "Unterminated dollar-quoted string" | "Unterminated encoded string literal" => {
                format!("unterminated quoted string at or near \"{rest}\"")
            }
            message if message.starts_with("Expected close delimiter") => format!("unterminated quoted identifier at or near \"{rest}\""),
            "Unexpected EOF while in a multi-line comment" => format!("unterminated /* comment at or near \"{rest}\""),
            _ => format!("syntax error at or near \"{rest}\""),
        };
        SqlError::Token { message, position }
    })
}

fn statement(text: &str, tokens: Vec<(Token, usize, usize)>) -> Option<StatementTokens> {
    let (first, last) = (tokens.first()?.1, tokens.last()?.2);
    let place = |at: usize| Location { line: 1, column: (at - first + 1) as u64 };
    let text = text.chars().skip(first).take(last.saturating_sub(first)).collect();
    let tokens = tokens
        .into_iter()
        .map(|(token, start, end)| TokenWithSpan { token, span: Span { start: place(start), end: place(end.max(start)) } })
        .collect();
    Some(StatementTokens { tokens, text, offset: first })
}

/// Characters before each line, where a line ends with `\n`, as the tokenizer counts.
fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.chars().enumerate().filter(|(_, c)| *c == '\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

/// Characters before a location.
fn offset(lines: &[usize], location: Location) -> usize {
    let line = (location.line.max(1) as usize - 1).min(lines.len() - 1);
    lines[line] + (location.column.max(1) as usize - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_at_semicolons_outside_of_quotes_and_comments() {
        let cut = |text: &str| statements(text).unwrap().into_iter().map(|s| (s.offset, s.text)).collect::<Vec<_>>();
        assert_eq!(cut(" ;; "), vec![]);
        assert_eq!(cut("a; b -- c;\n ;/* d; */ 'e;''f' ; "), vec![(0, "a".into()), (3, "b".into()), (22, "'e;''f'".into())]);
        assert_eq!(cut("$$;$$;\"x;y\""), vec![(0, "$$;$$".into()), (6, "\"x;y\"".into())]);
        assert_eq!(cut("é\n;é, 'ü'"), vec![(0, "é".into()), (3, "é, 'ü'".into())]);
    }

    #[test]
    fn tokens_are_placed_within_their_statement() {
        let found = statements("a;\n  b\n c").unwrap();
        let places: Vec<u64> = found[1].tokens.iter().map(|t| t.span.start.column).collect();
        assert_eq!(places, vec![1, 4]);
    }

    #[test]
    fn what_does_not_end_is_said_so() {
        for (text, message, position) in [
            ("select 'abc", "unterminated quoted string at or near \"'abc\"", 8),
            ("select /* abc", "unterminated /* comment at or near", 8),
        ] {
            let report = statements(text).unwrap_err().report();
            assert!(report.message.starts_with(message), "{}", report.message);
            assert!(report.position.is_some_and(|p| p >= position), "{text}: {:?}", report.position);
        }
    }
}
