//! What goes wrong with names, and what the user is told, in PostgreSQL's words.

use thiserror::Error;

use crate::state::StateError;
use crate::types::{Report, SqlState};

use super::entry::Kind;

#[derive(Debug, Error)]
pub enum CatalogError {
    /// `noun` is `relation`, or the kind that was asked for.
    #[error("{noun} \"{name}\" does not exist")]
    Missing { noun: &'static str, name: String, similar: Option<String> },
    #[error("relation \"{name}\" already exists")]
    Duplicate { name: String },
    /// Of a DROP.
    #[error("\"{name}\" is not a {}", wanted.noun())]
    WrongKind { name: String, wanted: Kind, found: Kind },
    /// `objects` and `dependents` as `view v depends on table t`.
    #[error("cannot drop {object} because other objects depend on it")]
    DependentsExist { object: String, dependents: Vec<String> },
    #[error(transparent)]
    State(#[from] StateError),
}

impl CatalogError {
    pub fn report(&self) -> Report {
        let report = |sqlstate| Report::error(sqlstate, self.to_string());
        match self {
            CatalogError::Missing { similar, .. } => match similar {
                Some(similar) => report(SqlState::UNDEFINED_TABLE).hint(format!("Perhaps you meant the relation \"{similar}\".")),
                None => report(SqlState::UNDEFINED_TABLE),
            },
            CatalogError::Duplicate { .. } => report(SqlState::DUPLICATE_TABLE),
            CatalogError::WrongKind { found, .. } => {
                let noun = found.noun();
                report(SqlState::WRONG_OBJECT_TYPE).hint(format!("Use DROP {} to remove a {noun}.", noun.to_uppercase()))
            }
            CatalogError::DependentsExist { dependents, .. } => report(SqlState::DEPENDENT_OBJECTS_STILL_EXIST)
                .detail(dependents.join("\n"))
                .hint("Use DROP ... CASCADE to drop the dependent objects too."),
            CatalogError::State(error) => error.report(),
        }
    }
}

impl From<CatalogError> for Report {
    fn from(error: CatalogError) -> Report {
        error.report()
    }
}
