//! A stored view's plan, made again from its text: the catalog keeps no plans.

use std::sync::Arc;

use crate::catalog::{Catalog, Definition, Entry, Kind};
use crate::planner::system::SystemView;
use crate::planner::{self, CircuitPlan, PlanContext};
use crate::types::Report;

/// Plans a stored view again, with the catalog as it is; its plan's fingerprint with it.
pub fn replan(catalog: &Arc<Catalog>, entry: &Entry) -> Result<(CircuitPlan, String), Report> {
    let Definition::MaterializedView { query, .. } = &entry.definition else {
        return Err(Report::internal(format!("\"{}\" is a {}", entry.name, Kind::MaterializedView.noun())));
    };
    let system = SystemView { entries: Arc::new(catalog.entries().map(|e| (**e).clone()).collect()), ..SystemView::default() };
    let context = PlanContext { catalog: catalog.clone(), system, tables: Arc::new(planner::NoTables) };
    let query = crate::sql::parse_query(query).map_err(|e| e.report())?;
    let bound = planner::plan_query(&query, &context, &[]).map_err(|e| e.report())?;
    let (plan, _) = planner::lower(&bound, &context).map_err(|e| e.report())?;
    let fingerprint = planner::fingerprint(&plan);
    Ok((plan, fingerprint))
}
