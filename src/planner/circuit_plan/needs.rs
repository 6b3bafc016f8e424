//! What a plan reads of its relations, found from the result downwards: a projection reads what its expressions name, a
//! filter reads that besides what is read of it, and verbs that keep whole rows read everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::PhysicalExpr;

use super::CircuitPlan;
use crate::planner::functions::field::field_read;
use crate::types::{ObjectId, Projection};

/// What the plan reads of each of its relations.
pub fn of_relations(plan: &CircuitPlan) -> BTreeMap<ObjectId, Projection> {
    let mut found = BTreeMap::new();
    walk(plan, Projection::everything(plan.schema().fields().len()), &mut found);
    found
}

/// `read` is what is read of the plan's result.
fn walk(plan: &CircuitPlan, mut read: Projection, found: &mut BTreeMap<ObjectId, Projection>) {
    let width = |plan: &CircuitPlan| plan.schema().fields().len();
    match plan {
        CircuitPlan::Input { relation, .. } => {
            found.entry(*relation).and_modify(|known| known.merge(&read)).or_insert(read);
        }
        CircuitPlan::Constant { .. } => {}
        CircuitPlan::Filter { input, predicate } => {
            add(&predicate.physical, &input.schema(), &mut read);
            walk(input, read, found);
        }
        // Every expression is computed, wanted or not: it may be an error of its row.
        CircuitPlan::Project { input, expressions, .. } => {
            let mut read = Projection::nothing(width(input));
            expressions.iter().for_each(|expression| add(&expression.physical, &input.schema(), &mut read));
            walk(input, read, found);
        }
        CircuitPlan::Aggregate { input, group, calls, .. } => {
            let mut read = Projection::nothing(width(input));
            let of_calls = calls.iter().flat_map(|call| [call.argument, call.filter]).flatten();
            group.iter().copied().chain(of_calls).for_each(|column| read.add(column));
            walk(input, read, found);
        }
        CircuitPlan::Combine { .. }
        | CircuitPlan::Unnest { .. }
        | CircuitPlan::Join { .. }
        | CircuitPlan::TopN { .. }
        | CircuitPlan::Union { .. } => {
            plan.inputs().into_iter().for_each(|input| walk(input, Projection::everything(width(input)), found));
        }
    }
}

/// Adds what the expression reads of rows of the schema.
fn add(expression: &Arc<dyn PhysicalExpr>, schema: &SchemaRef, read: &mut Projection) {
    if let Some(column) = expression.as_any().downcast_ref::<Column>() {
        return read.add(column.index());
    }
    if let Some(function) = expression.as_any().downcast_ref::<ScalarFunctionExpr>()
        && let Some(name) = field_read(function.name())
        && let [of] = function.args()
        && let Some(column) = of.as_any().downcast_ref::<Column>()
        && let Some(DataType::Struct(fields)) = schema.fields().get(column.index()).map(|field| field.data_type())
        && let Some(field) = fields.iter().position(|field| field.name() == name)
    {
        return read.add_field(column.index(), field);
    }
    expression.children().into_iter().for_each(|child| add(child, schema, read));
}
