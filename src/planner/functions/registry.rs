//! All functions by name, made once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use super::{round, split_part, sums, to_char, window};

/// DataFusion's functions that have a PostgreSQL name and do something else, or that show what is inside.
const REFUSED: &[&str] = &[
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "today",
    "date_format",
    "to_date",
    "to_time",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_unixtime",
    "to_local_time",
    "version",
    "arrow_cast",
    "arrow_typeof",
    "arrow_metadata",
    "get_field",
    "named_struct",
    "struct",
    "row",
    "union_extract",
    "union_tag",
    "make_map",
];

static SCALARS: LazyLock<HashMap<String, Arc<ScalarUDF>>> = LazyLock::new(|| {
    let mut found = HashMap::new();
    let own = window::functions().into_iter().chain([round::function(), to_char::function()]);
    for function in SessionStateDefaults::default_scalar_functions().into_iter().chain(own) {
        for name in std::iter::once(function.name().to_string()).chain(function.aliases().iter().cloned()) {
            found.insert(name, function.clone());
        }
    }
    if let Some(general) = found.remove("split_part") {
        found.insert("split_part".to_string(), split_part::function(general));
    }
    found.retain(|name, _| !REFUSED.contains(&name.as_str()));
    found
});

static AGGREGATES: LazyLock<HashMap<String, Arc<AggregateUDF>>> = LazyLock::new(|| {
    let mut found = HashMap::new();
    for function in SessionStateDefaults::default_aggregate_functions().into_iter().chain(sums::functions()) {
        for name in std::iter::once(function.name().to_string()).chain(function.aliases().iter().cloned()) {
            found.insert(name, function.clone());
        }
    }
    found.remove("mean");
    found
});

static WINDOWS: LazyLock<HashMap<String, Arc<WindowUDF>>> = LazyLock::new(|| {
    SessionStateDefaults::default_window_functions().into_iter().map(|function| (function.name().to_string(), function)).collect()
});

pub fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    SCALARS.get(name).cloned()
}

pub fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    AGGREGATES.get(name).cloned()
}

pub fn window(name: &str) -> Option<Arc<WindowUDF>> {
    WINDOWS.get(name).cloned()
}

pub fn scalar_names() -> Vec<String> {
    SCALARS.keys().cloned().collect()
}

pub fn aggregate_names() -> Vec<String> {
    AGGREGATES.keys().cloned().collect()
}

pub fn window_names() -> Vec<String> {
    WINDOWS.keys().cloned().collect()
}
