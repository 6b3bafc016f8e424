//! What goes wrong in a source, and what the user is told.

use thiserror::Error;

use crate::types::{Report, SqlState};

#[derive(Debug, Error)]
pub enum SourceError {
    /// The definition is wrong: an option, a format, a column type. Raised at CREATE SOURCE.
    #[error("{0}")]
    Definition(Box<Report>),
    /// The outside does not answer now; trying again may help.
    #[error("{message}")]
    Unavailable { message: String, detail: String, hint: String },
    /// Records that floe has to read again, or has not read yet, are gone. Only the user can decide how to go on.
    #[error("{message}")]
    Lost { message: String, detail: String, hint: String },
}

impl SourceError {
    pub fn report(&self) -> Report {
        match self {
            SourceError::Definition(report) => (**report).clone(),
            SourceError::Unavailable { message, detail, hint } => {
                Report::error(SqlState::CONNECTION_FAILURE, message).detail(detail).hint(hint)
            }
            SourceError::Lost { message, detail, hint } => Report::error(SqlState::DATA_CORRUPTED, message).detail(detail).hint(hint),
        }
    }

    pub fn is_transient(&self) -> bool {
        matches!(self, SourceError::Unavailable { .. })
    }
}

impl From<Report> for SourceError {
    fn from(report: Report) -> SourceError {
        SourceError::Definition(Box::new(report))
    }
}
