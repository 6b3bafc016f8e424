//! What one-shot queries may hold in memory, all of them together: sorts, groups and hash tables count what they take, and a
//! query that asks for more than is left fails by itself.

use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use super::error::PlanResult;

/// A memory of so many bytes. Nothing is put on the disk instead.
pub fn query_memory(bytes: usize) -> PlanResult<Arc<RuntimeEnv>> {
    let pool = Arc::new(GreedyMemoryPool::new(bytes));
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    Ok(RuntimeEnvBuilder::new().with_memory_pool(pool).with_disk_manager_builder(disk).build_arc()?)
}
