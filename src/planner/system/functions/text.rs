//! Text functions that clients' catalog queries are made with: `quote_ident`, `quote_literal`, `format`, `parse_ident`.

use super::super::naming;
use super::super::value::Value;
use super::super::view::SystemView;
use super::routine::{Routine, routine};
use crate::types::{Report, SqlState, SqlType};

pub fn routines() -> Vec<Routine> {
    vec![
        routine("quote_ident", 1..=1, SqlType::Text, |_, row| Ok(first_text(row).map(|text| naming::quote_ident(&text)).into())),
        routine("quote_literal", 1..=1, SqlType::Text, |_, row| Ok(first_text(row).map(|text| quote_literal(&text)).into())),
        routine("quote_nullable", 1..=1, SqlType::Text, |_, row| {
            Ok(first_text(row).map_or("NULL".to_string(), |text| quote_literal(&text)).into())
        })
        .lenient(),
        routine("parse_ident", 1..=2, SqlType::Array(Box::new(SqlType::Text)), |_, row| {
            let text = first_text(row).unwrap_or_default();
            naming::parse_ident(&text)
                .map(Value::texts)
                .ok_or_else(|| Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("string is not a valid identifier: \"{text}\"")))
        }),
        routine("format", 1..=100, SqlType::Text, format_text).lenient(),
    ]
}

fn first_text(row: &[Value]) -> Option<String> {
    row.first().and_then(Value::text)
}

fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", doubled.replace('\\', "\\\\")) } else { format!("'{doubled}'") }
}

/// `%s`, `%I`, `%L`, `%%`, each taking the next argument unless it says which: `%2$s`.
fn format_text(_: &SystemView, row: &[Value]) -> Result<Value, Report> {
    let Some((Value::Text(template), arguments)) = row.split_first() else { return Ok(Value::Null) };
    let malformed = || Report::error(SqlState::INVALID_PARAMETER_VALUE, "unterminated format() type specifier");
    let mut out = String::new();
    let mut next = 0;
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        if chars.next_if_eq(&'$').is_some() {
            next = digits.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).ok_or_else(malformed)?;
        }
        let verb = chars.next().ok_or_else(malformed)?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let too_few = || Report::error(SqlState::INVALID_PARAMETER_VALUE, "too few arguments for format()");
        let argument = arguments.get(next).ok_or_else(too_few)?.text();
        next += 1;
        match (verb, argument) {
            ('s', argument) => out.push_str(&argument.unwrap_or_default()),
            ('I', Some(argument)) => out.push_str(&naming::quote_ident(&argument)),
            ('I', None) => {
                return Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, "null values cannot be formatted as an SQL identifier"));
            }
            ('L', argument) => out.push_str(&argument.map_or("NULL".to_string(), |argument| quote_literal(&argument))),
            (other, _) => {
                let message = format!("unrecognized format() type specifier \"{other}\"");
                return Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, message).hint("For a single \"%\" use \"%%\"."));
            }
        }
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(row: &[Value]) -> Result<Value, Report> {
        format_text(&SystemView::default(), row)
    }

    #[test]
    fn format_fills_its_template() {
        assert_eq!(format(&["%s: %I = %L, 100%%".into(), "a".into(), "My".into(), "o'k".into()]), Ok("a: \"My\" = 'o''k', 100%".into()));
        assert_eq!(format(&["%2$s %1$s".into(), "a".into(), "b".into()]), Ok("b a".into()));
        assert!(format(&["%s".into()]).is_err());
        assert!(format(&["%".into()]).is_err());
        assert_eq!(format(&[Value::Null]), Ok(Value::Null));
    }
}
