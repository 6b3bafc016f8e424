//! Scalar subqueries give at most one row: a second one is error 21000, and not a second row of the result.
//!
//! Each such subquery is put under an aggregate that keeps its one value and fails at the second. Subqueries that are
//! aggregates themselves have one row anyway and stay as they are.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, LogicalPlan, LogicalPlanBuilder, Signature, Subquery, Volatility,
};

use crate::types::{Report, SqlState};

use super::error::{PlanError, PlanResult};

/// How EXPLAIN and refusals name the aggregate.
pub const NAME: &str = "single_value";

pub fn check_scalar_subqueries(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    let checked = plan.transform_up_with_subqueries(|node| {
        node.map_expressions(|expr| {
            expr.transform_up(|e| match e {
                Expr::ScalarSubquery(subquery) if !one_row(&subquery.subquery) => {
                    Ok(Transformed::yes(Expr::ScalarSubquery(checked_subquery(subquery)?)))
                }
                other => Ok(Transformed::no(other)),
            })
        })
    })?;
    Ok(checked.data)
}

fn one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Projection(projection) => one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => one_row(&alias.input),
        LogicalPlan::Sort(sort) => one_row(&sort.input),
        LogicalPlan::EmptyRelation(_) => true,
        _ => false,
    }
}

fn checked_subquery(subquery: Subquery) -> Result<Subquery> {
    let [(qualifier, field)] = subquery.subquery.schema().iter().collect::<Vec<_>>()[..] else {
        return Err(PlanError::new(SqlState::SYNTAX_ERROR, "subquery must return only one column").external());
    };
    let name = field.name().clone();
    let argument = Expr::Column(datafusion::common::Column::new(qualifier.cloned(), name.clone()));
    let function = Arc::new(AggregateUDF::new_from_impl(SingleValue { signature: Signature::any(1, Volatility::Immutable) }));
    let call = Expr::AggregateFunction(AggregateFunction::new_udf(function, vec![argument], false, None, vec![], None)).alias(name);
    let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).aggregate(Vec::<Expr>::new(), vec![call])?.build()?;
    Ok(Subquery { subquery: Arc::new(plan), ..subquery })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let field = fields.first().map_or_else(|| Field::new(NAME, DataType::Null, true), |field| field.as_ref().clone());
        Ok(Arc::new(field.with_name(NAME).with_nullable(true)))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One { value: ScalarValue::try_from(args.return_field.data_type())?, rows: 0 }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let value = Field::new(format!("{}[value]", args.name), args.return_type().clone(), true);
        Ok(vec![Arc::new(value), Arc::new(Field::new(format!("{}[rows]", args.name), DataType::Int64, true))])
    }
}

#[derive(Debug)]
struct One {
    value: ScalarValue,
    rows: i64,
}

impl One {
    fn take(&mut self, values: &ArrayRef, row: usize) -> Result<()> {
        self.rows += 1;
        if self.rows > 1 {
            let message = "more than one row returned by a subquery used as an expression";
            return Err(PlanError::from(Report::error(SqlState::CARDINALITY_VIOLATION, message)).external());
        }
        self.value = ScalarValue::try_from_array(values, row)?;
        Ok(())
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else { return Ok(()) };
        (0..values.len()).try_for_each(|row| self.take(values, row))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Int64(Some(self.rows))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, rows] = states else { return Ok(()) };
        for row in 0..values.len() {
            if ScalarValue::try_from_array(rows, row)? != ScalarValue::Int64(Some(0)) {
                self.take(values, row)?;
            }
        }
        Ok(())
    }
}
