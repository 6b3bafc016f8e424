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
        // Every expression is computed, wanted or not: it may be an error of its row. A column that is only passed on is read
        // as far as it is read further on.
        CircuitPlan::Project { input, expressions, .. } => {
            let mut below = Projection::nothing(width(input));
            for (at, expression) in expressions.iter().enumerate() {
                match expression.physical.as_any().downcast_ref::<Column>() {
                    Some(column) => below.add_part(column.index(), read.part(at)),
                    None => add(&expression.physical, &input.schema(), &mut below),
                }
            }
            walk(input, below, found);
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
        | CircuitPlan::Greatest { .. }
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

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};

    use super::*;
    use crate::planner::ScalarExpr;

    fn column(name: &str, at: usize) -> ScalarExpr {
        ScalarExpr { physical: Arc::new(Column::new(name, at)), text: name.to_string() }
    }

    #[test]
    fn a_column_that_is_passed_on_is_read_as_far_as_it_is_read_there() {
        let schema = |names: &[&str]| {
            let fields = names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect::<Vec<_>>();
            Arc::new(Schema::new(fields))
        };
        let input =
            CircuitPlan::Input { relation: ObjectId(1), name: "r".into(), schema: schema(&["a", "b", "c", "d"]), append_only: true };
        let project = |input, names: &[(&str, usize)]| CircuitPlan::Project {
            input: Box::new(input),
            expressions: names.iter().map(|(name, at)| column(name, *at)).collect(),
            schema: schema(&names.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        };
        let below = project(input, &[("d", 3), ("a", 0), ("c", 2)]);
        let distinct =
            CircuitPlan::Aggregate { input: Box::new(below), group: vec![2], windows: None, calls: vec![], schema: schema(&["c"]) };
        let mut expected = Projection::nothing(4);
        expected.add(2);
        assert_eq!(of_relations(&distinct)[&ObjectId(1)], expected);
        assert_eq!(of_relations(&project(distinct, &[]))[&ObjectId(1)], expected, "what a group needs is read, wanted or not");
    }
}
