//! Relations whose rows only the running process knows: `floe_sources`, `floe_sinks`... They are in `pg_catalog`.
//!
//! What they hold is asked for when a statement first names one, and once: their figures are taken from states that change
//! meanwhile, and most statements want none of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;

use crate::types::Report;

type Make = dyn Fn() -> Result<BTreeMap<String, RecordBatch>, Report> + Send + Sync;

/// Cheap to clone; clones agree with each other.
#[derive(Clone, Default)]
pub struct Runtime(Option<Arc<Inner>>);

struct Inner {
    names: &'static [&'static str],
    make: Box<Make>,
    made: OnceLock<BTreeMap<String, RecordBatch>>,
}

impl Runtime {
    /// `make` gives the rows of all that are named.
    pub fn new(
        names: &'static [&'static str],
        make: impl Fn() -> Result<BTreeMap<String, RecordBatch>, Report> + Send + Sync + 'static,
    ) -> Runtime {
        Runtime(Some(Arc::new(Inner { names, make: Box::new(make), made: OnceLock::new() })))
    }

    pub fn names(&self) -> &'static [&'static str] {
        self.0.as_ref().map_or(&[], |inner| inner.names)
    }

    pub fn has(&self, name: &str) -> bool {
        self.names().contains(&name)
    }

    pub fn get(&self, name: &str) -> Option<&RecordBatch> {
        let inner = self.0.as_ref().filter(|_| self.has(name))?;
        inner.all().get(name)
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &RecordBatch)> {
        self.0.iter().flat_map(|inner| inner.all())
    }
}

impl Inner {
    fn all(&self) -> &BTreeMap<String, RecordBatch> {
        self.made.get_or_init(|| {
            (self.make)().unwrap_or_else(|report| {
                tracing::error!(%report, "what the process knows of itself cannot be told");
                BTreeMap::new()
            })
        })
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({:?})", self.names())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn nothing_is_asked_before_a_relation_is_read_and_then_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let runtime = Runtime::new(&["floe_sources"], move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(BTreeMap::from([("floe_sources".to_string(), RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())))]))
        });
        assert!(runtime.has("floe_sources") && !runtime.has("orders") && runtime.get("orders").is_none());
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        assert!(runtime.get("floe_sources").is_some() && runtime.clone().iter().count() == 1);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
