//! What goes wrong with state, and what the user is told.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use thiserror::Error;

use crate::types::{Epoch, Report, SqlState, TraceId};

#[derive(Debug, Error)]
pub enum StateError {
    /// Another process has the directory open.
    #[error("state directory \"{}\" is in use by another floe", .0.display())]
    InUse(PathBuf),
    /// The directory's format is not known yet.
    #[error("state directory \"{}\" was written by a newer floe", dir.display())]
    Newer { dir: PathBuf, found: String, known: String },
    /// The directory's format is no longer read.
    #[error("state directory \"{}\" was written by an older floe", dir.display())]
    Older { dir: PathBuf, found: String, known: String },
    /// The directory holds something else.
    #[error("directory \"{}\" is not a floe state directory", dir.display())]
    Foreign { dir: PathBuf, detail: String },
    /// The directory cannot be made, read or written.
    #[error("could not open state directory \"{}\": {source}", dir.display())]
    Directory { dir: PathBuf, source: io::Error },
    #[error("could not write state: no space left on device")]
    DiskFull { detail: String },
    #[error("could not read or write state")]
    Io { detail: String },
    /// Bytes that floe did not write, or that changed since.
    #[error("state is corrupted")]
    Corrupted { detail: String },
    /// There is no kept checkpoint of that epoch.
    #[error("state directory \"{}\" keeps no checkpoint of epoch {epoch}", dir.display())]
    NotKept { dir: PathBuf, epoch: Epoch, kept: Vec<Epoch> },
    /// An earlier write failed: nothing works until the store is opened again.
    #[error("state is closed because an earlier write failed")]
    Poisoned { reason: String, disk_full: bool },
    /// The store holds the trace under other columns than the ones that are asked for.
    #[error("state of trace {trace} has another form than its plan")]
    FormChanged { trace: TraceId, stored: String, asked: String },
    /// A relation holds a row less than zero times.
    #[error("relation is inconsistent: a row has negative weight {weight}")]
    NegativeWeight { weight: i64, row: String },
    #[error("weight of a row out of range")]
    WeightOutOfRange,
    /// Several keep it, and one of them failed in the midst of a change.
    #[error("state that is kept together with others was left half changed by one of them")]
    HalfChanged,
    #[error("rows do not fit their trace: {0}")]
    Arrow(#[from] ArrowError),
    /// A defect of the caller.
    #[error("{0}")]
    Misuse(String),
}

impl StateError {
    pub(super) fn corrupted(detail: impl Into<String>) -> StateError {
        StateError::Corrupted { detail: detail.into() }
    }

    /// Of a file or folder beside the store; `what` could not be done.
    pub(super) fn io(what: &str, error: &io::Error) -> StateError {
        let detail = format!("Could not {what}: {error}.");
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StateError::DiskFull { detail },
            _ => StateError::Io { detail },
        }
    }

    pub fn is_disk_full(&self) -> bool {
        match self {
            StateError::DiskFull { .. } | StateError::Poisoned { disk_full: true, .. } => true,
            StateError::Directory { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    fn sqlstate(&self) -> SqlState {
        match self {
            _ if self.is_disk_full() => SqlState::DISK_FULL,
            StateError::InUse(_) => SqlState::OBJECT_IN_USE,
            StateError::NotKept { .. } => SqlState::UNDEFINED_OBJECT,
            StateError::Newer { .. }
            | StateError::Older { .. }
            | StateError::Foreign { .. }
            | StateError::FormChanged { .. }
            | StateError::HalfChanged => SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            StateError::Directory { .. } | StateError::DiskFull { .. } | StateError::Io { .. } | StateError::Poisoned { .. } => {
                SqlState::IO_ERROR
            }
            StateError::Corrupted { .. } | StateError::NegativeWeight { .. } => SqlState::DATA_CORRUPTED,
            StateError::WeightOutOfRange => SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            StateError::Arrow(_) | StateError::Misuse(_) => SqlState::INTERNAL_ERROR,
        }
    }

    pub fn report(&self) -> Report {
        let report = Report::error(self.sqlstate(), self.to_string());
        match self {
            StateError::InUse(_) => report.hint("Stop the other process, or give this one a state directory of its own."),
            StateError::Newer { found, known, .. } => report
                .detail(format!("The directory has format {found}; this floe knows format {known}."))
                .hint("Start the newer floe, or use another state directory."),
            StateError::Older { found, known, .. } => report
                .detail(format!("The directory has format {found}; this floe reads formats {known} alone."))
                .hint("Start the floe that wrote it, or use an empty directory: sources are read again from their beginning."),
            StateError::Foreign { detail, .. } => {
                report.detail(detail).hint("Give floe an empty directory, or one that floe made; nothing was changed in this one.")
            }
            StateError::Directory { .. } => {
                report.hint("Make the directory readable and writable for floe's user, or use another state directory.")
            }
            StateError::DiskFull { detail } => report.detail(detail).hint("Free space on the state directory's disk and restart floe."),
            StateError::Io { detail } => report.detail(detail),
            StateError::Corrupted { detail } => report
                .detail(detail)
                .hint("Check the disk, and go back to a kept checkpoint (floe checkpoints), or to a backup of the directory."),
            StateError::NotKept { kept, .. } if kept.is_empty() => report
                .detail("It keeps none.")
                .hint("floe serve --keep-checkpoints N keeps the last N; the one to go back to has to be kept before it is needed."),
            StateError::NotKept { kept, .. } => {
                let epochs: Vec<String> = kept.iter().map(Epoch::to_string).collect();
                report.detail(format!("Those that are kept: {}.", epochs.join(", "))).hint("floe checkpoints lists them.")
            }
            StateError::Poisoned { reason, disk_full } => {
                report.detail(format!("The write failed with: {reason}.")).hint(match disk_full {
                    true => "Free space on the state directory's disk and restart floe: every published epoch is kept.",
                    false => "Restart floe: every published epoch is kept.",
                })
            }
            StateError::FormChanged { stored, asked, .. } => {
                report.detail(format!("Stored: {stored}. Asked for: {asked}.")).hint("Drop the relation and create it again.")
            }
            StateError::HalfChanged => report
                .detail("The others that keep it have stopped too, and one of them says why.")
                .hint("Drop them and create them again: what they keep is filled anew."),
            StateError::NegativeWeight { row, .. } => report
                .detail(format!("The row: {row}."))
                .hint("A source took back a row that it never gave, or this is a defect of floe; creating the relation again rebuilds it."),
            StateError::WeightOutOfRange | StateError::Arrow(_) | StateError::Misuse(_) => report,
        }
    }
}

impl From<StateError> for Report {
    fn from(error: StateError) -> Report {
        error.report()
    }
}
