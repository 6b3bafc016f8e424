//! Output columns under the names and of the types that a relation was promised with.

use arrow::datatypes::{DataType, Schema, SchemaRef};

use crate::planner::circuit_plan::CircuitPlan;
use crate::planner::error::PlanResult;

use super::expressions;

/// The circuit with output columns of those names and types.
pub fn with_schema(circuit: CircuitPlan, schema: SchemaRef) -> PlanResult<CircuitPlan> {
    let found = circuit.schema();
    if found == schema {
        return Ok(circuit);
    }
    let expressions = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(i, field)| expressions::column(&found, i, field.data_type()))
        .collect::<PlanResult<Vec<_>>>()?;
    // A projection right beneath only has other names for its columns.
    if let CircuitPlan::Project { input, expressions: inner, schema: inner_schema } = circuit {
        return Ok(match same_types(&inner_schema, &schema) {
            true => CircuitPlan::Project { input, expressions: inner, schema },
            false => {
                let input = Box::new(CircuitPlan::Project { input, expressions: inner, schema: inner_schema });
                CircuitPlan::Project { input, expressions, schema }
            }
        });
    }
    Ok(CircuitPlan::Project { input: Box::new(circuit), expressions, schema })
}

fn same_types(left: &Schema, right: &Schema) -> bool {
    let types = |schema: &Schema| schema.fields().iter().map(|f| f.data_type().clone()).collect::<Vec<DataType>>();
    types(left) == types(right)
}
