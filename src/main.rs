//! The `floe` program: the command line, and how it opens the database.

use std::process::ExitCode;
use std::sync::Arc;

use floe::config::Config;
use floe::coordinator::{Coordinator, CoordinatorConfig, Database, OpenDatabase};
use floe::types::Report;
use tokio::runtime::Handle;

fn main() -> ExitCode {
    floe::cli::run(open)
}

fn open(config: &Config, runtime: Handle) -> Result<Arc<dyn Database>, Report> {
    let config = CoordinatorConfig {
        data: config.data.clone(),
        workers: config.workers,
        memory: config.memory,
        state_memory: config.state_memory,
        database: config.database.clone(),
        checkpoint_interval: config.checkpoint_interval,
        keep_checkpoints: config.keep_checkpoints,
        keep_every: config.keep_every,
    };
    Ok(Arc::new(OpenDatabase(Coordinator::open(config, runtime)?)))
}
