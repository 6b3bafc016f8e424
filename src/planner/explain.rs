//! Plans as text, and the fingerprint by which a stored view knows its own plan again.

use sha2::{Digest, Sha256};

use super::circuit_plan::CircuitPlan;
use super::context::PlanContext;
use super::error::PlanResult;
use super::optimize::optimize;
use super::options::options;
use super::query::BoundQuery;
use super::rewrite::shown_name;

/// The optimised logical plan, one node a line.
pub fn explain_logical(bound: &BoundQuery, context: &PlanContext) -> PlanResult<String> {
    let plan = optimize(bound.plan.clone(), options(), context.system.now)?;
    let text = plan.display_indent().to_string();
    let shown = |line: &str| line.split(' ').map(shown_name).collect::<Vec<_>>().join(" ");
    Ok(text.lines().map(shown).collect::<Vec<_>>().join("\n"))
}

/// Equal for plans that keep the same state: the printed circuit, the relations by number and all types.
pub fn fingerprint(plan: &CircuitPlan) -> String {
    let mut digest = Sha256::new();
    digest.update(plan.to_string());
    let mut open = vec![plan];
    while let Some(plan) = open.pop() {
        if let CircuitPlan::Input { relation, .. } = plan {
            digest.update(relation.0.to_be_bytes());
        }
        for field in plan.schema().fields() {
            digest.update(field.data_type().to_string());
        }
        open.extend(plan.inputs());
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
