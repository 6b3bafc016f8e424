//! Names as PostgreSQL reads them: folded to lower case unless quoted.

use sqlparser::ast;

use crate::types::SqlState;

use super::error::SqlError;
use super::statement::ObjectName;

pub fn folded(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// `name`, `schema.name` or `database.schema.name`; the database is not looked at.
pub fn object_name(name: &ast::ObjectName) -> Result<ObjectName, SqlError> {
    let parts = name.0.iter().map(|part| part.as_ident().map(folded)).collect::<Option<Vec<String>>>();
    object_name_of(parts.unwrap_or_default())
}

pub fn object_name_of(mut parts: Vec<String>) -> Result<ObjectName, SqlError> {
    match (parts.len(), parts.pop()) {
        (1..=3, Some(name)) => Ok(ObjectName { schema: parts.pop(), name }),
        (_, last) => {
            parts.extend(last);
            Err(SqlError::invalid(SqlState::SYNTAX_ERROR, format!("improper qualified name (too many dotted names): {}", parts.join("."))))
        }
    }
}
