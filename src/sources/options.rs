//! The WITH clause read with care: an option nobody knows is refused with the ones that are known, and a value that does
//! not parse is refused with what it should look like.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::error::SourceError;
use super::spec::SourceSpec;
use crate::types::{Report, SqlState};

pub struct Options<'a> {
    connector: &'static str,
    values: &'a BTreeMap<String, String>,
}

impl<'a> Options<'a> {
    pub fn of(spec: &'a SourceSpec) -> Options<'a> {
        Options { connector: spec.connector.name(), values: &spec.options }
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.values.get(name).map(String::as_str)
    }

    /// The options whose names start with `prefix`, with the rest of their names.
    pub fn under(&self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    pub fn required(&self, name: &str, example: &str) -> Result<&'a str, SourceError> {
        match self.get(name).map(str::trim) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(Report::error(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("connector \"{}\" needs the option \"{name}\"", self.connector),
            )
            .hint(format!("Add {name} = '{example}' to the WITH clause."))
            .into()),
        }
    }

    pub fn parsed<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, SourceError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.trim().parse().map(Some).map_err(|_| self.invalid(name, &format!("it must be {what}"))),
        }
    }

    pub fn boolean(&self, name: &str, default: bool) -> Result<bool, SourceError> {
        match self.get(name).map(|v| v.trim().to_ascii_lowercase()).as_deref() {
            None => Ok(default),
            Some("true" | "on" | "yes" | "1" | "t") => Ok(true),
            Some("false" | "off" | "no" | "0" | "f") => Ok(false),
            Some(_) => Err(self.invalid(name, "it must be true or false")),
        }
    }

    pub fn one_of(&self, name: &str, allowed: &'static [&'static str]) -> Result<Option<&'static str>, SourceError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match allowed.iter().find(|a| a.eq_ignore_ascii_case(value.trim())) {
            Some(value) => Ok(Some(value)),
            None => Err(self.invalid(name, &format!("it must be one of {}", allowed.join(", ")))),
        }
    }

    pub fn invalid(&self, name: &str, what: &str) -> SourceError {
        let value = self.get(name).unwrap_or_default();
        Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for option \"{name}\": \"{value}\""))
            .hint(format!("{what}."))
            .into()
    }

    /// Refuses every option that is neither in `known` nor starts with one of `prefixes`.
    pub fn only(&self, known: &[&str], prefixes: &[&str]) -> Result<(), SourceError> {
        for name in self.values.keys() {
            if !known.contains(&name.as_str()) && !prefixes.iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix)) {
                return Err(self.unknown(name, known));
            }
        }
        Ok(())
    }

    pub fn unknown(&self, name: &str, known: &[&str]) -> SourceError {
        let message = format!("unknown option \"{name}\" for connector \"{}\"", self.connector);
        let nearest = known.iter().map(|k| (distance(name, k), *k)).min();
        let hint = match nearest {
            Some((distance, near)) if distance <= (name.len() / 3).max(2) => format!("Perhaps you meant \"{near}\"."),
            _ => {
                let mut known: Vec<&str> = known.to_vec();
                known.sort_unstable();
                format!("The options are {}.", known.join(", "))
            }
        };
        Report::error(SqlState::INVALID_PARAMETER_VALUE, message).hint(hint).into()
    }
}

/// The number of letters to add, drop or change to get from one to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances() {
        assert_eq!(distance("topik", "topic"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("topic", "topic"), 0);
        assert_eq!(distance("properties.bootstrap.servr", "properties.bootstrap.server"), 1);
    }
}
