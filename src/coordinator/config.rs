//! What the coordinator has to be told when it starts.

use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct CoordinatorConfig {
    /// The state directory; made when it is not there.
    pub data: PathBuf,
    pub workers: usize,
    /// Bytes of memory, divided as [`super::memory_parts`] says; for state another size, if there is one.
    pub memory: u64,
    pub state_memory: Option<u64>,
    /// The one database's name.
    pub database: String,
    pub checkpoint_interval: Duration,
    /// How many checkpoints are kept beside the newest, and how far they are apart at least.
    pub keep_checkpoints: usize,
    pub keep_every: Duration,
}

impl Default for CoordinatorConfig {
    fn default() -> CoordinatorConfig {
        CoordinatorConfig {
            data: PathBuf::from("floe-data"),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            memory: 2 << 30,
            state_memory: None,
            database: "floe".to_string(),
            checkpoint_interval: Duration::from_secs(1),
            keep_checkpoints: 0,
            keep_every: Duration::from_secs(300),
        }
    }
}
