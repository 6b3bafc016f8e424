//! The sink that keeps nothing: for measuring what comes before a sink.

use async_trait::async_trait;

use crate::sinks::error::SinkError;
use crate::sinks::sink::{KeyIndex, Prepared, Sink, Staged};
use crate::sinks::spec::{COMMIT_INTERVAL, SinkSpec};
use crate::types::{Epoch, Report, SqlState};

/// Remembers the newest epoch it was given, for as long as the process lives.
pub struct Blackhole {
    committed: Option<Epoch>,
}

impl Blackhole {
    /// # Errors
    /// When the definition has an option other than `commit_interval`.
    pub fn new(spec: &SinkSpec) -> Result<Blackhole, Report> {
        match spec.options.keys().find(|key| *key != COMMIT_INTERVAL) {
            Some(key) => Err(Report::error(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("unrecognized option \"{key}\" for a sink with connector \"blackhole\""),
            )
            .hint("The only option is commit_interval.")),
            None => Ok(Blackhole { committed: None }),
        }
    }
}

#[async_trait]
impl Sink for Blackhole {
    async fn check(&mut self, _index: &dyn KeyIndex) -> Result<(), SinkError> {
        Ok(())
    }

    async fn prepare(&mut self, staged: &Staged, _index: &dyn KeyIndex) -> Result<Prepared, SinkError> {
        Ok(Prepared { epoch: staged.epoch, payload: Vec::new(), index: Vec::new() })
    }

    async fn commit(&mut self, prepared: &Prepared) -> Result<(), SinkError> {
        self.committed = self.committed.max(Some(prepared.epoch));
        Ok(())
    }

    async fn committed(&mut self) -> Result<Option<Epoch>, SinkError> {
        Ok(self.committed)
    }
}
