//! How a sink stands.

use crate::types::{Epoch, Report};

/// How a sink stands, for those who wait for it or ask.
#[derive(Clone, Debug, Default)]
pub struct SinkStatus {
    /// Everything staged up to here is in the target.
    pub committed: Epoch,
    pub commits: u64,
    pub rows: u64,
    /// Why it does not get on, and whether it has stopped until the user decides.
    pub error: Option<Report>,
    pub stopped: bool,
}
