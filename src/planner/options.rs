//! DataFusion's settings, the same for all that floe plans and runs.

use std::sync::{Arc, LazyLock};

use datafusion::common::config::ConfigOptions;

/// How DataFusion is set for every statement.
pub fn options() -> Arc<ConfigOptions> {
    OPTIONS.clone()
}

static OPTIONS: LazyLock<Arc<ConfigOptions>> = LazyLock::new(|| {
    let mut options = ConfigOptions::default();
    options.execution.time_zone = Some(crate::types::sql_type::UTC.to_string());
    options.execution.target_partitions = 1;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.collect_spans = true;
    options.optimizer.skip_failed_rules = false;
    options.catalog.information_schema = false;
    Arc::new(options)
});
