//! PostgreSQL's system information functions, a file for each family.
//!
//! Arguments are taken as they come, number or text, the way PostgreSQL's own overloads and implicit casts would.

mod arrays;
mod definitions;
mod names;
mod privileges;
mod routine;
mod server;
mod session;
mod text;

use std::sync::Arc;

use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::functions_aggregate::bool_and_or::{bool_and_udaf, bool_or_udaf};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::functions_aggregate::string_agg::string_agg_udaf;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use super::view::SystemView;
use routine::Routine;

fn all() -> impl Iterator<Item = Routine> {
    let families = [
        arrays::routines(),
        definitions::routines(),
        names::routines(),
        privileges::routines(),
        server::routines(),
        session::routines(),
        text::routines(),
    ];
    families.into_iter().flatten()
}

/// All system functions, bound to what this statement sees. Their names have no schema: `pg_catalog.` is to be taken
/// off before they are looked up.
pub fn scalar_functions(view: &Arc<SystemView>) -> Vec<Arc<ScalarUDF>> {
    all().map(|routine| routine.bind(view)).collect()
}

/// True for the name of a system function, without a schema.
pub fn is_function(name: &str) -> bool {
    all().any(|routine| routine.name == name)
}

/// Aggregates that catalog queries, and what [`super::rewrite`] makes of them, need beyond count, min and max.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![array_agg_udaf(), bool_and_udaf(), bool_or_udaf(), first_value_udaf(), string_agg_udaf()]
}
