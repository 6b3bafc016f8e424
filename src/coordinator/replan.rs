//! The plan of a stored view, or of a sink's own query, made again from its text: the catalog keeps no plans.

use std::sync::Arc;

use crate::catalog::{Catalog, Definition, Entry, SinkInput};
use crate::planner::system::SystemView;
use crate::planner::{self, CircuitPlan, PlanContext};
use crate::types::Report;

/// Plans a stored query again, with the catalog as it is; its plan's fingerprint with it.
pub fn replan(catalog: &Arc<Catalog>, entry: &Entry) -> Result<(CircuitPlan, String), Report> {
    let (Definition::MaterializedView { query, .. } | Definition::Sink { input: SinkInput::Query { query, .. }, .. }) = &entry.definition
    else {
        return Err(Report::internal(format!("the {} \"{}\" has no circuit", entry.kind().noun(), entry.name)));
    };
    let system = SystemView { entries: Arc::new(catalog.entries().cloned().collect()), ..SystemView::default() };
    let context =
        PlanContext { catalog: catalog.clone(), system, tables: Arc::new(planner::NoTables), memory: planner::QueryMemory::default() };
    let query = crate::sql::parse_query(query).map_err(|e| e.report())?;
    let bound = planner::plan_query(&query, &context, &[]).map_err(|e| e.report())?;
    let (plan, _) = planner::lower(&bound, &context).map_err(|e| e.report())?;
    let fingerprint = planner::fingerprint(&plan);
    Ok((plan, fingerprint))
}
