//! Names and numbers of things, in both directions: what `::regclass`, `::regtype` and their kin mean.

use super::view::SystemView;
use super::{listing, oids, routines, types};
use crate::types::{Report, SqlState};

/// An identifier as PostgreSQL prints it: quoted unless it is plain lower case and no reserved word.
pub fn quote_ident(name: &str) -> String {
    const RESERVED: &str = " all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create \
        current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc distinct do else \
        end except false fetch for foreign from grant group having in initially intersect into lateral leading limit localtime \
        localtimestamp not null offset on only or order placing primary references returning select session_user some symmetric table \
        then to trailing true union unique user using variadic when where window with ";
    let mut chars = name.chars();
    let plain = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !RESERVED.contains(&format!(" {name} "));
    if plain { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A dotted name's parts, folded to lower case unless quoted; `None` when it is not one.
pub fn parse_ident(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next()? {
                    (_, '"') if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                        chars.next();
                        part.push('"');
                    }
                    (at, '"') => break at + 1,
                    (_, c) => part.push(c),
                }
            };
            parts.push(part);
            rest = quoted.get(end..)?.trim_start();
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let part = rest.get(..end)?.trim();
            if part.is_empty() || part.chars().any(|c| c.is_whitespace() || c == '"') {
                return None;
            }
            parts.push(part.to_lowercase());
            rest = rest.get(end..)?;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None => return rest.is_empty().then_some(parts),
        }
    }
}

/// The kinds of catalog things that a number can stand for in a `reg...` type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Registry {
    Class,
    Type,
    Namespace,
    Procedure,
    Role,
    Collation,
}

impl Registry {
    /// The number of what the name means.
    ///
    /// # Errors
    /// PostgreSQL's, when there is no such thing.
    pub fn number(self, name: &str, view: &SystemView) -> Result<u32, Report> {
        if name == "-" {
            return Ok(0);
        }
        if let Ok(oid) = name.parse() {
            return Ok(oid);
        }
        self.find(name, view).ok_or_else(|| {
            let (sqlstate, message) = match self {
                Registry::Class => (SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist")),
                Registry::Type => (SqlState::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")),
                Registry::Namespace => (SqlState::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist")),
                Registry::Procedure => (SqlState::UNDEFINED_FUNCTION, format!("function \"{name}\" does not exist")),
                Registry::Role => (SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")),
                Registry::Collation => (SqlState::UNDEFINED_OBJECT, format!("collation \"{name}\" for encoding \"UTF8\" does not exist")),
            };
            Report::error(sqlstate, message)
        })
    }

    /// As [`Registry::number`], `None` for what is not there.
    pub fn find(self, name: &str, view: &SystemView) -> Option<u32> {
        let parts = parse_ident(name.split('(').next().unwrap_or(name))?;
        match self {
            Registry::Class => match parts.as_slice() {
                [name] => visible_relation(name, view),
                [.., schema, name] => relation(schema, name, view),
                [] => None,
            },
            Registry::Type => types::of_name(name).map(|t| t.oid),
            Registry::Namespace => oids::schemas(view).into_iter().find(|(_, schema)| parts.first() == Some(schema)).map(|(oid, _)| oid),
            Registry::Procedure => routines::of_name(parts.last()?).map(|routine| routine.oid),
            Registry::Role => (parts.first() == Some(&view.user)).then_some(oids::OWNER),
            Registry::Collation => match parts.last()?.as_str() {
                "default" => Some(oids::DEFAULT_COLLATION),
                "c" | "C" => Some(950),
                _ => None,
            },
        }
    }

    /// The name that PostgreSQL prints for the number: the number itself when nothing has it.
    pub fn name(self, oid: u32, view: &SystemView) -> String {
        if oid == 0 {
            return "-".to_string();
        }
        let name = match self {
            Registry::Class => class_name(oid, view),
            Registry::Type => types::of_oid(oid).map(|_| types::format_type(oid, None)),
            Registry::Namespace => oids::schemas(view).into_iter().find(|(known, _)| *known == oid).map(|(_, name)| quote_ident(&name)),
            Registry::Procedure => routines::of_oid(oid).map(|routine| routine.name.to_string()),
            Registry::Role => (oid == oids::OWNER).then(|| quote_ident(&view.user)),
            Registry::Collation => (oid == oids::DEFAULT_COLLATION).then(|| "\"default\"".to_string()),
        };
        name.unwrap_or_else(|| oid.to_string())
    }
}

/// The schemas of the search path that are there.
pub fn search_path(view: &SystemView) -> Vec<String> {
    let there = oids::schemas(view);
    view.search_path().into_iter().filter(|schema| there.iter().any(|(_, name)| name == schema)).collect()
}

/// The schemas searched for a name without one, the implicit ones first.
pub fn visible_schemas(view: &SystemView) -> Vec<String> {
    let mut schemas = vec!["pg_catalog".to_string()];
    for schema in search_path(view) {
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    schemas
}

fn relation(schema: &str, name: &str, view: &SystemView) -> Option<u32> {
    let found = listing::relations(view).into_iter().find(|r| r.name == name && r.schema == schema).map(|r| r.oid);
    found.or_else(|| listing::keyed(view).find(|e| e.schema_name == schema && oids::key_name(e) == name).map(oids::key_index))
}

fn visible_relation(name: &str, view: &SystemView) -> Option<u32> {
    visible_schemas(view).iter().find_map(|schema| relation(schema, name, view))
}

/// Schema and name of the relation or key index of that number.
pub fn relation_name(oid: u32, view: &SystemView) -> Option<(String, String)> {
    if let Some(id) = oids::entry_of_key_index(oid) {
        return view.entry(id).map(|entry| (entry.schema_name.clone(), oids::key_name(entry)));
    }
    listing::relations(view).into_iter().find(|r| r.oid == oid).map(|r| (r.schema, r.name))
}

/// Whether its name alone means that relation; `None` when there is no such relation.
pub fn is_visible(oid: u32, view: &SystemView) -> Option<bool> {
    let (_, name) = relation_name(oid, view)?;
    Some(visible_relation(&name, view) == Some(oid))
}

fn class_name(oid: u32, view: &SystemView) -> Option<String> {
    let (schema, name) = relation_name(oid, view)?;
    let alone = visible_relation(&name, view) == Some(oid);
    Some(if alone { quote_ident(&name) } else { format!("{}.{}", quote_ident(&schema), quote_ident(&name)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted_when_they_must_be() {
        for (name, quoted) in
            [("orders", "orders"), ("Orders", "\"Orders\""), ("a b", "\"a b\""), ("select", "\"select\""), ("a\"b", "\"a\"\"b\"")]
        {
            assert_eq!(quote_ident(name), quoted);
        }
    }

    #[test]
    fn dotted_names_come_apart() {
        assert_eq!(parse_ident("Public.\"My.Table\""), Some(vec!["public".to_string(), "My.Table".to_string()]));
        assert_eq!(parse_ident("orders"), Some(vec!["orders".to_string()]));
        for bad in ["", "a..b", "a b", "\"open", "a."] {
            assert_eq!(parse_ident(bad), None, "{bad}");
        }
    }
}
