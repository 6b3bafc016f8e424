//! The first rows of each group: a filter over `row_number() OVER (...)` that lets ranks up to a number pass, or ORDER BY
//! with LIMIT. Ranks are kept only where such a filter bounds them: a rank that counts all rows moves all of them when one
//! comes.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{BinaryExpr, Case, InList, Sort as SortExpr, WindowFunctionParams};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Operator, Projection, Sort, Window};

use crate::planner::circuit_plan::{CircuitPlan, ScalarExpr, SortKey};
use crate::planner::error::{PlanError, PlanResult};
use crate::planner::functions::cast::cast_target;
use crate::planner::optimize::guarded;
use crate::types::Report;

use super::expressions;
use super::nullable::nullable;

/// A filter over ranks.
pub struct Ranked<'a> {
    window: &'a Window,
    params: &'a WindowFunctionParams,
    /// What stands between: the columns that are still wanted.
    between: Option<&'a Projection>,
    /// The rank among the columns of the filter.
    rank: usize,
    limit: i64,
    /// What the filter asks beside the bound.
    rest: Option<Expr>,
}

/// The filter as one over ranks, if it is.
pub fn ranked(filter: &Filter) -> Option<Ranked<'_>> {
    let (window, between) = match filter.input.as_ref() {
        LogicalPlan::Window(window) => (window, None),
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Window(window) => (window, Some(projection)),
            _ => return None,
        },
        _ => return None,
    };
    let [expr] = window.window_expr.as_slice() else { return None };
    let Expr::WindowFunction(function) = unaliased(expr) else { return None };
    if function.fun.name() != "row_number" {
        return None;
    }
    let counted = window.schema.fields().len() - 1;
    let rank = match between {
        None => counted,
        Some(projection) => projection.expr.iter().position(|e| expressions::plain_column(uncast(e), &window.schema) == Some(counted))?,
    };
    let (mut limit, mut rest) = (None::<i64>, Vec::new());
    for part in unguarded(filter.predicate.clone()) {
        let bound = bound(&part, rank, filter.input.schema());
        if let Some((upper, _)) = bound {
            limit = Some(limit.map_or(upper, |limit| limit.min(upper)));
        }
        // A bound that only says "at most" says no more than the limit does.
        if !bound.is_some_and(|(upper, whole)| whole || upper <= 1) {
            rest.push(part);
        }
    }
    let rest = conjunction(rest).map(|rest| guarded(rest).data);
    Some(Ranked { window, params: &function.params, between, rank, limit: limit?, rest })
}

impl Ranked<'_> {
    pub fn input(&self) -> &LogicalPlan {
        &self.window.input
    }

    fn schema(&self) -> &DFSchema {
        self.between.map_or(&self.window.schema, |projection| &projection.schema)
    }

    /// The circuit over that of the input. Where the rank is the last column and not `wanted`, it may be left out.
    pub fn plan(&self, below: CircuitPlan, wanted: bool) -> PlanResult<CircuitPlan> {
        let asked = |expr: &Expr| expr.column_refs().iter().any(|column| self.schema().maybe_index_of_column(column) == Some(self.rank));
        let last = self.rank + 1 == self.schema().fields().len();
        let wanted = wanted || !last || self.rest.as_ref().is_some_and(asked);
        let counted = wanted.then(|| self.window.schema.fields().last()).flatten().map(|field| field.as_ref());
        let top = Top { partition: &self.params.partition_by, order: &self.params.order_by, limit: self.limit, rank: counted };
        let mut plan = top.plan(below, self.window.input.schema())?;
        if let Some(projection) = self.between {
            let kept = projection.expr.len() - usize::from(!wanted);
            let expressions = projection.expr.iter().take(kept).map(|e| expressions::compile(e, &self.window.schema));
            let expressions = expressions.collect::<PlanResult<Vec<_>>>()?;
            let schema = nullable(projection.schema.fields().iter().take(kept).map(|f| f.as_ref()));
            plan = CircuitPlan::Project { input: Box::new(plan), expressions, schema };
        }
        match &self.rest {
            Some(rest) => Ok(CircuitPlan::Filter { predicate: expressions::compile(rest, self.schema())?, input: Box::new(plan) }),
            None => Ok(plan),
        }
    }
}

/// Whether an expression asks for the last column of the filter's rows, which is where a rank is.
pub fn asks_rank(exprs: &[Expr], schema: &DFSchema) -> bool {
    let rank = schema.fields().len().checked_sub(1);
    exprs.iter().flat_map(Expr::column_refs).any(|column| rank.is_some() && schema.maybe_index_of_column(column) == rank)
}

/// ORDER BY with LIMIT: one group.
pub fn first_rows(sort: &Sort, limit: usize, below: CircuitPlan) -> PlanResult<CircuitPlan> {
    Top { partition: &[], order: &sort.expr, limit: limit as i64, rank: None }.plan(below, sort.input.schema())
}

struct Top<'a> {
    partition: &'a [Expr],
    order: &'a [SortExpr],
    limit: i64,
    rank: Option<&'a Field>,
}

impl<'e> Top<'e> {
    /// What is ordered by becomes a column of the input, and goes again if it was none before.
    fn plan(self, below: CircuitPlan, from: &DFSchema) -> PlanResult<CircuitPlan> {
        let (below_schema, own) = (below.schema(), from.fields().len());
        let mut added: Vec<(&Expr, ScalarExpr, Field)> = Vec::new();
        let mut place = |expr: &'e Expr| -> PlanResult<usize> {
            if let Some(position) = expressions::plain_column(expr, from) {
                return Ok(position);
            }
            if let Some(at) = added.iter().position(|(seen, ..)| *seen == expr) {
                return Ok(own + at);
            }
            let compiled = expressions::compile(expr, from)?;
            let field = Field::new(&compiled.text, expressions::type_of(expr, from)?, true);
            added.push((expr, compiled, field));
            Ok(own + added.len() - 1)
        };
        // A constant orders nothing.
        let by: Vec<&SortExpr> = self.order.iter().filter(|key| !matches!(unaliased(&key.expr), Expr::Literal(..))).collect();
        let partition = self.partition.iter().map(&mut place).collect::<PlanResult<Vec<usize>>>()?;
        let mut order = Vec::new();
        for sort in by {
            order.push(SortKey { column: place(&sort.expr)?, descending: !sort.asc, nulls_first: sort.nulls_first });
        }
        let own_columns = || (0..own).map(|i| expressions::column(&below_schema, i, below_schema.field(i).data_type()));
        let fields = || below_schema.fields().iter().take(own).map(|f| f.as_ref().clone());
        let all = added.len();
        let input = match all == 0 && own == below_schema.fields().len() {
            true => below,
            false => {
                let (mut expressions, mut fields) = (own_columns().collect::<PlanResult<Vec<_>>>()?, fields().collect::<Vec<Field>>());
                for (_, expression, field) in added {
                    expressions.push(expression);
                    fields.push(field);
                }
                let schema = Schema::new(fields);
                CircuitPlan::Project { input: Box::new(below), expressions, schema: Arc::new(schema) }
            }
        };
        let input_schema = input.schema();
        let schema = nullable(input_schema.fields().iter().map(|f| f.as_ref()).chain(self.rank));
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let plan = CircuitPlan::TopN { input: Box::new(input), partition, order, limit, rank: self.rank.is_some(), schema: schema.clone() };
        if all == 0 {
            return Ok(plan);
        }
        let kept: Vec<usize> = (0..own).chain(self.rank.map(|_| own + all)).collect();
        let expressions = kept.iter().map(|i| expressions::column(&schema, *i, schema.field(*i).data_type()));
        let expressions = expressions.collect::<PlanResult<Vec<_>>>()?;
        let schema = Arc::new(schema.project(&kept).map_err(Report::internal)?);
        Ok(CircuitPlan::Project { input: Box::new(plan), expressions, schema })
    }
}

/// The refusal of window functions that no filter bounds.
pub fn unbounded(window: &Window) -> PlanError {
    let name = window.window_expr.first().map(unaliased).and_then(|expr| match expr {
        Expr::WindowFunction(function) => Some(function.fun.name().to_string()),
        _ => None,
    });
    let hint = match name.as_deref() {
        Some("row_number") => {
            "keep the first rows of each group: SELECT ... FROM (SELECT ..., row_number() OVER (...) AS n ...) t WHERE n <= 10"
        }
        Some("rank" | "dense_rank") => "use row_number() OVER (...) in a subquery, and keep the first rows: WHERE n <= 10",
        _ => "use GROUP BY, or OVER in the SELECT over the view",
    };
    PlanError::unsupported("a window function (OVER) in a view is not supported", hint)
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

/// The parts of a predicate, whose guards are taken apart.
fn unguarded(predicate: Expr) -> Vec<Expr> {
    let mut parts = Vec::new();
    for part in split_conjunction_owned(predicate) {
        match part {
            Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(other) })
                if when_then_expr.len() == 1 && matches!(*other, Expr::Literal(ScalarValue::Boolean(Some(false)), _)) =>
            {
                for (when, then) in when_then_expr {
                    parts.extend(unguarded(*when).into_iter().chain(unguarded(*then)));
                }
            }
            other => parts.push(other),
        }
    }
    parts
}

/// The greatest rank that passes, and whether every lower one does.
fn bound(expr: &Expr, rank: usize, schema: &DFSchema) -> Option<(i64, bool)> {
    let is_rank = |expr: &Expr| expressions::plain_column(uncast(expr), schema) == Some(rank);
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (op, value) = match (is_rank(left), is_rank(right)) {
                (true, false) => (*op, integer(right)?),
                (false, true) => (op.swap()?, integer(left)?),
                _ => return None,
            };
            match op {
                Operator::LtEq => Some((value, true)),
                Operator::Lt => Some((value.saturating_sub(1), true)),
                Operator::Eq => Some((value, false)),
                _ => None,
            }
        }
        Expr::InList(InList { expr, list, negated: false }) if is_rank(expr) => {
            Some((list.iter().map(integer).collect::<Option<Vec<i64>>>()?.into_iter().max()?, false))
        }
        _ => None,
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match (cast_target(expr), expr) {
        (Some((inner, _)), _) => uncast(inner),
        (None, Expr::Cast(cast)) => uncast(&cast.expr),
        (None, Expr::Alias(alias)) => uncast(&alias.expr),
        (None, other) => other,
    }
}

fn integer(expr: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expr else { return None };
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(found)) if value.data_type().is_integer() => found,
        _ => None,
    }
}
