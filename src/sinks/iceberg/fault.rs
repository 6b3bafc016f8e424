//! Iceberg's errors as the user reads them: what was tried, what came back, and no secrets.

use crate::sinks::error::SinkError;
use crate::types::{Report, SqlState};

/// Values that must not be in any message.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    pub fn new(values: Vec<String>) -> Secrets {
        Secrets(values.into_iter().filter(|value| !value.is_empty()).collect())
    }

    pub fn also(&self, values: impl IntoIterator<Item = String>) -> Secrets {
        Secrets::new(self.0.iter().cloned().chain(values).collect())
    }

    /// The text with every secret blotted out.
    pub fn scrub(&self, text: impl std::fmt::Display) -> String {
        self.0.iter().fold(text.to_string(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// The target did not answer, or not as it should; trying again may help.
pub fn unavailable(message: impl Into<String>, detail: impl Into<String>) -> SinkError {
    SinkError::Unavailable {
        message: message.into(),
        detail: detail.into(),
        hint: "floe keeps the changes and tries again; check that the catalog and the storage answer.".to_string(),
    }
}

/// The target is not what the sink left.
pub fn diverged(message: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> SinkError {
    SinkError::Diverged { message: message.into(), detail: detail.into(), hint: hint.into() }
}

/// Something that cannot be, had floe and its store kept their own rules.
pub fn inconsistent(detail: impl Into<String>) -> SinkError {
    diverged(
        "the sink's key index does not fit the changes it was given",
        detail,
        "This is a defect of floe: please report it. Drop the sink and create it again with a new table to go on.",
    )
}

/// At CREATE SINK: the place where the table's files go takes none.
pub fn not_writable(location: &str, detail: impl Into<String>) -> SinkError {
    Report::error(SqlState::IO_ERROR, format!("cannot write to the warehouse at \"{location}\""))
        .detail(detail)
        .hint("Check that the place exists, that floe may write there, and the storage options (s3.endpoint, keys, region).")
        .into()
}
