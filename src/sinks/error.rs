//! What goes wrong in a sink, and what the user is told.

use thiserror::Error;

use crate::types::{Report, SqlState};

#[derive(Debug, Error)]
pub enum SinkError {
    /// The definition is wrong, or does not fit the target. Raised at CREATE SINK.
    #[error("{0}")]
    Definition(Box<Report>),
    /// The target does not answer, or nobody knows whether the commit landed; calling again is safe and may help.
    #[error("{message}")]
    Unavailable { message: String, detail: String, hint: String },
    /// The target is no longer what the sink left: the sink stops until the user decides.
    #[error("{message}")]
    Diverged { message: String, detail: String, hint: String },
}

impl SinkError {
    pub fn report(&self) -> Report {
        match self {
            SinkError::Definition(report) => (**report).clone(),
            SinkError::Unavailable { message, detail, hint } => {
                Report::error(SqlState::CONNECTION_FAILURE, message).detail(detail).hint(hint)
            }
            SinkError::Diverged { message, detail, hint } => {
                Report::error(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message).detail(detail).hint(hint)
            }
        }
    }

    pub fn is_transient(&self) -> bool {
        matches!(self, SinkError::Unavailable { .. })
    }
}

impl From<Report> for SinkError {
    fn from(report: Report) -> SinkError {
        SinkError::Definition(Box::new(report))
    }
}
