//! What one-shot queries may hold in memory, all of them together: sorts, groups and hash tables count what they take, and a
//! query that asks for more than is left fails by itself.

use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use super::error::PlanResult;
use super::options::options;

/// DataFusion's state over that memory, with floe's settings: made once, for making it takes longer than a small query.
/// Cheap to clone; clones share the memory.
#[derive(Clone)]
pub struct QueryMemory(Arc<SessionState>);

impl QueryMemory {
    fn over(memory: Arc<RuntimeEnv>) -> QueryMemory {
        let config = SessionConfig::from(options().as_ref().clone());
        QueryMemory(Arc::new(SessionStateBuilder::new().with_config(config).with_runtime_env(memory).build()))
    }

    pub(super) fn state(&self) -> &SessionState {
        &self.0
    }
}

/// Without a bound.
impl Default for QueryMemory {
    fn default() -> QueryMemory {
        QueryMemory::over(Arc::default())
    }
}

/// A memory of so many bytes. Nothing is put on the disk instead.
pub fn query_memory(bytes: usize) -> PlanResult<QueryMemory> {
    let pool = Arc::new(GreedyMemoryPool::new(bytes));
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    Ok(QueryMemory::over(RuntimeEnvBuilder::new().with_memory_pool(pool).with_disk_manager_builder(disk).build_arc()?))
}
