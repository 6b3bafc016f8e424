//! SHOW of objects, SHOW CREATE and DESCRIBE: rows from the catalog.

use std::sync::Arc;

use super::rows::{text_columns, text_response};
use super::session::Session;
use crate::catalog::names::{DEFAULT_SCHEMA, similar};
use crate::catalog::{Definition, Entry, Kind};
use crate::coordinator::api::{Response, RowsTag};
use crate::sql::statement::{ObjectKind, ObjectName, Show};
use crate::types::{Column, Report, SqlState};

/// The columns of a SHOW of objects; `None` for variables, whose columns depend on their name.
pub fn show_columns(show: &Show) -> Option<Vec<Column>> {
    match show {
        Show::Objects { kind: ObjectKind::Source | ObjectKind::Sink, .. } => Some(text_columns(&["schema", "name", "connector"])),
        Show::Objects { .. } => Some(text_columns(&["schema", "name"])),
        Show::Create { .. } => Some(text_columns(&["name", "create_sql"])),
        Show::AllVariables => Some(text_columns(&["name", "setting", "description"])),
        Show::Variable(_) => None,
    }
}

pub fn describe_columns() -> Vec<Column> {
    text_columns(&["column", "type", "nullable", "key"])
}

fn kind_of(kind: ObjectKind) -> Kind {
    match kind {
        ObjectKind::Source => Kind::Source,
        ObjectKind::Table => Kind::Table,
        ObjectKind::View => Kind::View,
        ObjectKind::MaterializedView => Kind::MaterializedView,
        ObjectKind::Sink => Kind::Sink,
    }
}

impl Session {
    pub(super) fn show(&self, show: &Show) -> Result<Response, Report> {
        let columns = show_columns(show).unwrap_or_default();
        match show {
            Show::Variable(name) => self.show_variable(name),
            Show::AllVariables => self.show_all_variables(),
            Show::Objects { kind, like } => {
                let mut entries = self.engine.entries();
                entries.retain(|e| e.kind() == kind_of(*kind) && like.as_deref().is_none_or(|pattern| matches(pattern, &e.name)));
                entries.sort_by(|a, b| (&a.schema_name, &a.name).cmp(&(&b.schema_name, &b.name)));
                let rows = entries.iter().map(|e| {
                    let mut row = vec![Some(e.schema_name.clone()), Some(e.name.clone())];
                    if let Definition::Source { connector, .. } | Definition::Sink { connector, .. } = &e.definition {
                        row.push(Some(connector.clone()));
                    }
                    row
                });
                text_response(columns, rows.collect(), RowsTag::Plain("SHOW"))
            }
            Show::Create { kind, name } => {
                let entry = self.find_entry_of(*kind, name)?;
                let row = vec![Some(format!("{}.{}", entry.schema_name, entry.name)), Some(entry.sql.clone())];
                text_response(columns, vec![row], RowsTag::Plain("SHOW"))
            }
        }
    }

    pub(super) fn describe_object(&self, name: &ObjectName) -> Result<Response, Report> {
        let entry = self.find_entry(name)?;
        let rows = entry.schema.columns.iter().enumerate().map(|(at, column)| {
            let key = entry.schema.primary_key.contains(&at);
            let nullable = column.nullable && !key;
            vec![
                Some(column.name.clone()),
                Some(column.sql_type.to_string()),
                Some(if nullable { "YES" } else { "NO" }.to_string()),
                Some(if key { "primary key" } else { "" }.to_string()),
            ]
        });
        text_response(describe_columns(), rows.collect(), RowsTag::Plain("DESCRIBE"))
    }

    /// The object of that name, which has to be of that kind where one is said.
    pub(super) fn find_entry_of(&self, kind: Option<ObjectKind>, name: &ObjectName) -> Result<Arc<Entry>, Report> {
        let entry = self.find_entry(name)?;
        match kind.map(kind_of).filter(|kind| *kind != entry.kind()) {
            Some(kind) => Err(Report::error(SqlState::WRONG_OBJECT_TYPE, format!("\"{}\" is not a {}", entry.name, kind.noun()))
                .detail(format!("It is a {}.", entry.kind().noun()))),
            None => Ok(entry),
        }
    }

    pub(super) fn find_entry(&self, name: &ObjectName) -> Result<Arc<Entry>, Report> {
        let schema = name.schema.as_deref().unwrap_or(DEFAULT_SCHEMA);
        let entries = self.engine.entries();
        entries.iter().find(|e| e.name == name.name && e.schema_name == schema).cloned().ok_or_else(|| {
            let shown = match &name.schema {
                Some(schema) => format!("{schema}.{}", name.name),
                None => name.name.clone(),
            };
            let report = Report::error(SqlState::UNDEFINED_TABLE, format!("relation \"{shown}\" does not exist"));
            match similar(&name.name, entries.iter().map(AsRef::as_ref)) {
                Some(near) => report.hint(format!("perhaps you meant \"{near}\"")),
                None => report,
            }
        })
    }
}

/// SQL's LIKE: `%` any characters, `_` one, a backslash keeps the next.
fn matches(pattern: &str, text: &str) -> bool {
    fn rest(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', after @ ..] => (0..=text.len()).any(|skip| rest(after, &text[skip..])),
            ['_', after @ ..] => text.split_first().is_some_and(|(_, tail)| rest(after, tail)),
            ['\\', letter, after @ ..] | [letter, after @ ..] => {
                text.split_first().is_some_and(|(first, tail)| first == letter && rest(after, tail))
            }
        }
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().take(200).collect(), text.chars().collect());
    rest(&pattern, &text)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn like() {
        for (pattern, text, expected) in [
            ("%", "", true),
            ("o%", "orders", true),
            ("o_d%s", "orders", true),
            ("O%", "orders", false),
            ("a\\%", "a%", true),
            ("a\\%", "ab", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{text} LIKE {pattern}");
        }
    }
}
