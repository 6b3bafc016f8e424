//! Joins: equi keys as columns, the rest of the condition as a residual, and the forms that are joins with something
//! around them: right joins by swapping sides, EXISTS by joining the distinct keys, NOT EXISTS by what finds none.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DFSchema, JoinType, NullEquality, ScalarValue};
use datafusion::logical_expr::{Expr, Join};
use datafusion::physical_expr::expressions::{IsNullExpr, Literal};

use crate::planner::circuit_plan::{CircuitPlan, JoinKind, ScalarExpr};
use crate::planner::error::{PlanError, PlanResult};
use crate::types::Report;

use super::nullable::nullable;
use super::{expressions, greatest, window_maximum};

pub fn join(node: &Join, left: CircuitPlan, right: CircuitPlan) -> PlanResult<CircuitPlan> {
    match node.join_type {
        JoinType::Inner => Ok(plain(node, left, right, JoinKind::Inner)?.0),
        JoinType::Left => Ok(plain(node, left, right, JoinKind::Left)?.0),
        JoinType::Right => swapped(node, left, right),
        JoinType::LeftSemi => semi(node, left, right),
        JoinType::LeftAnti if !node.null_aware => anti(node, left, right),
        JoinType::LeftAnti => refused("NOT IN (SELECT ...)", "use NOT EXISTS (SELECT ... WHERE ...)"),
        JoinType::Full => refused("FULL JOIN", "use a UNION ALL of a LEFT JOIN and the rows that it leaves over"),
        _ => refused("EXISTS or IN (SELECT ...) outside of WHERE", "use it in WHERE, or write a LEFT JOIN"),
    }
}

fn refused<T>(what: &str, hint: &str) -> PlanResult<T> {
    Err(PlanError::unsupported(format!("{what} in a view is not supported"), hint))
}

/// One side with its keys as columns: those that are none yet are appended.
struct Side {
    plan: CircuitPlan,
    keys: Vec<usize>,
    /// Columns without the appended ones.
    own: usize,
}

fn side(plan: CircuitPlan, keys: &[Expr], types: &[DataType], schema: &DFSchema) -> PlanResult<Side> {
    let below = plan.schema();
    // Columns that no one wants may stand behind: see `translate::project`.
    let own = schema.fields().len();
    let all = below.fields().len();
    let (mut appended, mut positions) = (Vec::new(), Vec::new());
    for (key, target) in keys.iter().zip(types) {
        match expressions::plain_column(key, schema).filter(|i| below.field(*i).data_type() == target) {
            Some(position) => positions.push(position),
            None => {
                let compiled = expressions::compile(key, schema)?;
                positions.push(all + appended.len());
                appended.push((cast(compiled, &expressions::type_of(key, schema)?, target), target.clone()));
            }
        }
    }
    if appended.is_empty() {
        return Ok(Side { plan, keys: positions, own });
    }
    let mut fields: Vec<Field> = below.fields().iter().map(|f| f.as_ref().clone()).collect();
    let own_columns = (0..all).map(|i| expressions::column(&below, i, below.field(i).data_type()));
    let mut all = own_columns.collect::<PlanResult<Vec<_>>>()?;
    for (expression, data_type) in appended {
        fields.push(Field::new(&expression.text, data_type, true));
        all.push(expression);
    }
    let plan = CircuitPlan::Project { input: Box::new(plan), expressions: all, schema: Arc::new(Schema::new(fields)) };
    Ok(Side { plan, keys: positions, own })
}

fn cast(expr: ScalarExpr, from: &DataType, to: &DataType) -> ScalarExpr {
    match from == to {
        true => expr,
        false => ScalarExpr {
            physical: Arc::new(datafusion::physical_expr::expressions::CastExpr::new(expr.physical, to.clone(), None)),
            text: format!("{}::{to}", expr.text),
        },
    }
}

/// The two sides of the condition's equalities, with the type in which each pair is compared.
fn keys(node: &Join) -> PlanResult<(Vec<Expr>, Vec<Expr>, Vec<DataType>)> {
    let (mut left, mut right, mut types) = (Vec::new(), Vec::new(), Vec::new());
    for (l, r) in &node.on {
        let (lt, rt) = (expressions::type_of(l, node.left.schema())?, expressions::type_of(r, node.right.schema())?);
        let met = match lt == rt {
            true => lt,
            false => datafusion::logical_expr::type_coercion::binary::comparison_coercion(&lt, &rt)
                .ok_or_else(|| Report::internal(format!("a join of {lt} with {rt}")))?,
        };
        left.push(l.clone());
        right.push(r.clone());
        types.push(met);
    }
    Ok((left, right, types))
}

/// An inner or left join with exactly the columns of both inputs, and the positions of the right keys among the right's.
fn plain(node: &Join, left: CircuitPlan, right: CircuitPlan, kind: JoinKind) -> PlanResult<(CircuitPlan, usize)> {
    let (left_keys, right_keys, types) = keys(node)?;
    let left = side(left, &left_keys, &types, node.left.schema())?;
    let right = side(right, &right_keys, &types, node.right.schema())?;
    let both = node.left.schema().join(node.right.schema())?;
    let residual = node.filter.as_ref().map(|filter| residual(filter, &both, &left)).transpose()?;
    let joined = joined(left, right, kind, residual, node.null_equality)?;
    let own = node.left.schema().fields().len();
    Ok((joined, own))
}

/// The residual sees left's columns, what was appended to them, and right's.
fn residual(filter: &Expr, both: &DFSchema, left: &Side) -> PlanResult<ScalarExpr> {
    let appended = left.plan.schema().fields().len() - left.own;
    let own = left.own;
    expressions::moved(expressions::compile(filter, both)?, |i| if i < own { i } else { i + appended })
}

fn joined(left: Side, right: Side, kind: JoinKind, residual: Option<ScalarExpr>, nulls: NullEquality) -> PlanResult<CircuitPlan> {
    let (left_schema, right_schema) = (left.plan.schema(), right.plan.schema());
    let fields = || left_schema.fields().iter().chain(right_schema.fields()).map(|f| f.as_ref());
    let schema = nullable(fields());
    let (left_all, right_all) = (left_schema.fields().len(), right_schema.fields().len());
    let on: Vec<(usize, usize)> = left.keys.into_iter().zip(right.keys).collect();
    let null_equal = nulls == NullEquality::NullEqualsNull;
    let instead = match kind {
        JoinKind::Inner if !null_equal => match greatest::instead_of_join(&left.plan, &right.plan, &on, residual.as_ref(), &schema)? {
            None => window_maximum::instead_of_join(&left.plan, &right.plan, &on, residual.as_ref(), &schema)?,
            instead => instead,
        },
        _ => None,
    };
    let plan = instead.unwrap_or_else(|| CircuitPlan::Join {
        on,
        left: Box::new(left.plan),
        right: Box::new(right.plan),
        kind,
        null_equal,
        residual,
        schema: schema.clone(),
    });
    if left.own == left_all && right.own == right_all {
        return Ok(plan);
    }
    pick(plan, &schema, (0..left.own).chain(left_all..left_all + right.own))
}

/// Only those columns, in that order.
fn pick(plan: CircuitPlan, schema: &SchemaRef, columns: impl Iterator<Item = usize>) -> PlanResult<CircuitPlan> {
    let columns: Vec<usize> = columns.collect();
    if columns.is_empty() {
        return Ok(plan);
    }
    let expressions = columns.iter().map(|i| expressions::column(schema, *i, schema.field(*i).data_type()));
    let expressions = expressions.collect::<PlanResult<Vec<_>>>()?;
    let fields: Vec<Field> = columns.iter().map(|i| schema.field(*i).clone()).collect();
    Ok(CircuitPlan::Project { input: Box::new(plan), expressions, schema: Arc::new(Schema::new(fields)) })
}

fn swapped(node: &Join, left: CircuitPlan, right: CircuitPlan) -> PlanResult<CircuitPlan> {
    let turned = Join::try_new(
        node.right.clone(),
        node.left.clone(),
        node.on.iter().map(|(l, r)| (r.clone(), l.clone())).collect(),
        node.filter.clone(),
        JoinType::Left,
        node.join_constraint,
        node.null_equality,
        false,
    )?;
    let (plan, first) = plain(&turned, right, left, JoinKind::Left)?;
    let schema = plan.schema();
    let all = schema.fields().len();
    pick(plan, &schema, (first..all).chain(0..first))
}

/// The distinct keys of the right side, and nothing else of it.
fn distinct_keys(node: &Join, right: CircuitPlan) -> PlanResult<(Vec<Expr>, Vec<DataType>, CircuitPlan)> {
    if node.filter.is_some() {
        return refused("EXISTS with a condition that is no equality", "write it as a join with DISTINCT");
    }
    let (left_keys, right_keys, types) = keys(node)?;
    let right = side(right, &right_keys, &types, node.right.schema())?;
    let schema = right.plan.schema();
    let only = pick(right.plan, &schema, right.keys.into_iter())?;
    let schema = only.schema();
    let group = (0..schema.fields().len()).collect();
    Ok((left_keys, types, CircuitPlan::Aggregate { input: Box::new(only), group, windows: None, calls: Vec::new(), schema }))
}

fn semi(node: &Join, left: CircuitPlan, right: CircuitPlan) -> PlanResult<CircuitPlan> {
    let (left_keys, types, keys) = distinct_keys(node, right)?;
    let left = side(left, &left_keys, &types, node.left.schema())?;
    let own = left.own;
    let count = keys.schema().fields().len();
    let right = Side { plan: keys, keys: (0..count).collect(), own: count };
    let plan = joined(left, right, JoinKind::Inner, None, node.null_equality)?;
    let schema = plan.schema();
    pick(plan, &schema, 0..own)
}

fn anti(node: &Join, left: CircuitPlan, right: CircuitPlan) -> PlanResult<CircuitPlan> {
    let (left_keys, types, keys) = distinct_keys(node, right)?;
    let key_schema = keys.schema();
    let count = key_schema.fields().len();
    // A column that is never null tells a match from none.
    let own_columns = (0..count).map(|i| expressions::column(&key_schema, i, key_schema.field(i).data_type()));
    let mut all = own_columns.collect::<PlanResult<Vec<_>>>()?;
    all.push(ScalarExpr { physical: Arc::new(Literal::new(ScalarValue::Boolean(Some(true)))), text: "true".to_string() });
    let mut fields: Vec<Field> = key_schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new("found", DataType::Boolean, true));
    let marked = CircuitPlan::Project { input: Box::new(keys), expressions: all, schema: Arc::new(Schema::new(fields)) };
    let left = side(left, &left_keys, &types, node.left.schema())?;
    let own = left.own;
    let right = Side { plan: marked, keys: (0..count).collect(), own: count + 1 };
    let plan = joined(left, right, JoinKind::Left, None, node.null_equality)?;
    let schema = plan.schema();
    let found = expressions::column(&schema, own + count, &DataType::Boolean)?;
    let predicate = ScalarExpr { physical: Arc::new(IsNullExpr::new(found.physical)), text: "found IS NULL".to_string() };
    pick(CircuitPlan::Filter { input: Box::new(plan), predicate }, &schema, 0..own)
}
