//! The only clock. Everyone else is told the time: an epoch's `now` is read here once, journalled, and the same again
//! when the epoch is replayed.

use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::dataflow::profile::Stopwatch;

/// Microseconds since 1970-01-01 UTC.
pub fn now_micros() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_micros() as i64,
        Err(before) => -(before.duration().as_micros() as i64),
    }
}

/// Nanoseconds since this was asked first: how long something took, never when it was.
pub fn nanos() -> u64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed().as_nanos() as u64
}

struct Running;

impl Stopwatch for Running {
    fn nanos(&self) -> u64 {
        nanos()
    }
}

/// What circuits measure themselves with.
pub fn stopwatch() -> Arc<dyn Stopwatch> {
    Arc::new(Running)
}
