//! Rows joined back to the maximum of the windows that they lie in, a window's end taken for one of its instants.
//!
//! `r JOIN (SELECT window_end AS e, max(x) AS m FROM TUMBLE(r, t, size) GROUP BY ...) g ON r.x = g.m WHERE r.t BETWEEN e - size
//! AND e` is not a join of rows to their own maximum: a row at the first instant of a window is in the one before it as well. As
//! it stands it keeps all of `r`. Where rows only come it is the sum of two things that keep little of them:
//!
//! - the rows that have the maximum of their own window ([`CircuitPlan::Greatest`]);
//! - the rows at the first instant of a window, joined to the maximum of the one before.
//!
//! With `t < e` it is the first alone.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CaseExpr, Column, IsNotNullExpr, Literal};
use datafusion::physical_plan::PhysicalExpr;

use crate::planner::circuit_plan::{AggregateCall, CircuitPlan, JoinKind, ScalarExpr, growth};
use crate::planner::error::PlanResult;
use crate::planner::functions::window::{Tumble, window_micros};

use super::composed::{Composed, composed, over};
use super::expressions;
use super::maximum::Maximum;
use super::nullable::nullable;

type Expr = Arc<dyn PhysicalExpr>;

/// What an inner join by `=` and with that residual is, if it joins rows to the maximum of their windows.
pub fn instead_of_join(
    left: &CircuitPlan,
    right: &CircuitPlan,
    on: &[(usize, usize)],
    residual: Option<&ScalarExpr>,
    schema: &SchemaRef,
) -> PlanResult<Option<CircuitPlan>> {
    let (Some(Maximum { plan: maximum, input, group, argument, call }), Some(residual)) = (Maximum::of(right)?, residual) else {
        return Ok(None);
    };
    let (Some(these), Some(those)) = (Rows::of(left)?, Rows::of(input)?) else { return Ok(None) };
    if !left.is_append_only() || !these.base.is_same(those.base) {
        return Ok(None);
    }
    let Some(groups) = Groups::of(group, &those.columns) else { return Ok(None) };
    if !those.are_all_with(&these, &groups.window.instant) {
        return Ok(None);
    }
    let width = left.schema().fields().len();
    let instant = |column: usize| these.columns[column].physical.eq(&groups.window.instant);
    let Some(reach) = Reach::of(&residual.physical, width, &maximum, &groups, instant) else { return Ok(None) };

    // Where the left side has the aggregate's other columns.
    let mut places: Vec<Option<usize>> = vec![None; group.len() + 1];
    for (l, r) in on.iter().copied() {
        let Some(result) = maximum.plain(r).filter(|result| groups.is_key_or_maximum(*result)) else { return Ok(None) };
        let of = group.get(result).copied().unwrap_or(argument);
        if !these.columns[l].physical.eq(&those.columns[of].physical) {
            return Ok(None);
        }
        places[result] = Some(l);
    }
    let Some(greatest) = places[group.len()] else { return Ok(None) };
    let keys: Option<Vec<usize>> = groups.keys().map(|key| places[key]).collect();
    let Some(keys) = keys else { return Ok(None) };
    if !growth::is_number(left.schema().field(greatest).data_type()) {
        return Ok(None);
    }
    let join = OfWindows { left, maximum: &maximum, groups: &groups, instant: reach.instant, keys, greatest, call, schema };
    join.plan(reach.upper)
}

/// A plan through its projections and filters: what lies beneath, its columns over that, and what holds for all of its rows.
struct Rows<'a> {
    base: &'a CircuitPlan,
    columns: Vec<ScalarExpr>,
    conditions: Vec<Expr>,
}

impl<'a> Rows<'a> {
    /// `None` where an expression that is computed would be there twice.
    fn of(plan: &'a CircuitPlan) -> PlanResult<Option<Rows<'a>>> {
        let Composed { mut base, mut columns } = composed(plan)?;
        let mut conditions: Vec<ScalarExpr> = Vec::new();
        while let CircuitPlan::Filter { input, predicate } = base {
            let below = composed(input)?;
            conditions.push(predicate.clone());
            let through = |all: &[ScalarExpr]| all.iter().map(|expr| over(expr, &below.columns)).collect::<PlanResult<Option<Vec<_>>>>();
            let (Some(moved), Some(held)) = (through(&columns)?, through(&conditions)?) else { return Ok(None) };
            (base, columns, conditions) = (below.base, moved, held);
        }
        let mut parts = Vec::new();
        conditions.iter().for_each(|condition| split(&condition.physical, &mut parts));
        Ok(Some(Rows { base, columns, conditions: parts }))
    }

    /// Whether these are the rows of `others`, but for those that have no instant.
    fn are_all_with(&self, others: &Rows, instant: &Expr) -> bool {
        let within = |conditions: &[Expr], one: &Expr| conditions.iter().any(|other| other.eq(one));
        let is_instant = |one: &Expr| one.as_any().downcast_ref::<IsNotNullExpr>().is_some_and(|has| has.arg().eq(instant));
        others.conditions.iter().all(|one| within(&self.conditions, one))
            && self.conditions.iter().all(|one| within(&others.conditions, one) || is_instant(one))
    }
}

/// The parts that all have to be true: of `a AND b`, and of `CASE WHEN a THEN b ELSE false END`, which is the same in an order.
fn split(condition: &Expr, parts: &mut Vec<Expr>) {
    let any = condition.as_any();
    if let Some(both) = any.downcast_ref::<BinaryExpr>().filter(|both| *both.op() == Operator::And) {
        [both.left(), both.right()].into_iter().for_each(|part| split(part, parts));
    } else if let Some(case) = any.downcast_ref::<CaseExpr>()
        && let (None, [(when, then)], Some(ScalarValue::Boolean(Some(false)))) =
            (case.expr(), case.when_then_expr(), case.else_expr().and_then(literal))
    {
        [when, then].into_iter().for_each(|part| split(part, parts));
    } else {
        parts.push(condition.clone());
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    expr.as_any().downcast_ref::<Literal>().map(Literal::value)
}

/// What the columns are that an aggregate groups by.
struct Groups {
    columns: Vec<Group>,
    window: Tumble,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Start,
    End,
    /// Of the rows themselves.
    Key,
}

impl Groups {
    /// `None` where they have no one window.
    fn of(group: &[usize], columns: &[ScalarExpr]) -> Option<Groups> {
        let (mut kinds, mut windows) = (Vec::new(), Vec::new());
        for column in group {
            let expr = &columns[*column].physical;
            let (kind, window) = match Tumble::of_start(expr) {
                Some(window) => (Group::Start, Some(window)),
                None => Tumble::of_end(expr).map_or((Group::Key, None), |window| (Group::End, Some(window))),
            };
            kinds.push(kind);
            windows.extend(window);
        }
        let window = windows.pop()?;
        windows.iter().all(|other| other.is_same(&window)).then_some(Groups { columns: kinds, window })
    }

    fn keys(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().enumerate().filter(|(_, kind)| **kind == Group::Key).map(|(at, _)| at)
    }

    fn is_key_or_maximum(&self, result: usize) -> bool {
        self.columns.get(result).is_none_or(|kind| *kind == Group::Key)
    }
}

/// Which windows a row is joined to: those that hold its instant, or end with it.
struct Reach {
    /// The instant's column on the left.
    instant: usize,
    upper: Upper,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Upper {
    BeforeEnd,
    WithEnd,
}

impl Reach {
    /// Of a condition that says that an instant lies between the bounds of a window, and nothing else.
    fn of(condition: &Expr, width: usize, maximum: &Composed, groups: &Groups, is_instant: impl Fn(usize) -> bool) -> Option<Reach> {
        let mut parts = Vec::new();
        split(condition, &mut parts);
        let (mut lower, mut upper, mut instants) = (false, None, Vec::new());
        for part in &parts {
            let compared = part.as_any().downcast_ref::<BinaryExpr>()?;
            let of_left = |expr: &Expr| expr.as_any().downcast_ref::<Column>().map(Column::index).filter(|column| *column < width);
            let (column, op, bound) = match of_left(compared.left()) {
                Some(column) => (column, *compared.op(), compared.right()),
                None => (of_left(compared.right())?, compared.op().swap()?, compared.left()),
            };
            let after_start = after_start(bound, &|at| Some(maximum.columns.get(at.checked_sub(width)?)?.physical.clone()), groups)?;
            match op {
                Operator::GtEq if after_start == 0 => lower = true,
                Operator::Lt if after_start == groups.window.size => upper = Some(Upper::BeforeEnd),
                Operator::LtEq if after_start == groups.window.size => upper = upper.or(Some(Upper::WithEnd)),
                _ => return None,
            }
            instants.push(column);
        }
        let instant = instants.pop().filter(|instant| lower && is_instant(*instant) && instants.iter().all(|other| other == instant))?;
        Some(Reach { instant, upper: upper? })
    }
}

/// How many microseconds after the start of the aggregate's window the expression is; `column` is what a column is over its result.
fn after_start(expr: &Expr, column: &dyn Fn(usize) -> Option<Expr>, groups: &Groups) -> Option<i64> {
    if let Some(at) = expr.as_any().downcast_ref::<Column>() {
        return of_result(&column(at.index())?, groups);
    }
    let moved = expr.as_any().downcast_ref::<BinaryExpr>()?;
    let by = interval(moved.right())?;
    let from = after_start(moved.left(), column, groups)?;
    match moved.op() {
        Operator::Plus => from.checked_add(by),
        Operator::Minus => from.checked_sub(by),
        _ => None,
    }
}

fn of_result(expr: &Expr, groups: &Groups) -> Option<i64> {
    match expr.as_any().downcast_ref::<Column>() {
        Some(result) => match groups.columns.get(result.index())? {
            Group::Start => Some(0),
            Group::End => Some(groups.window.size),
            Group::Key => None,
        },
        None => after_start(expr, &|at| Some(Arc::new(Column::new("", at)) as Expr), groups),
    }
}

/// The length of a constant interval without months.
fn interval(expr: &Expr) -> Option<i64> {
    match literal(expr)? {
        ScalarValue::IntervalMonthDayNano(Some(length)) if length.nanoseconds % 1000 == 0 => {
            window_micros(length.months, length.days, length.nanoseconds).ok()
        }
        _ => None,
    }
}

/// A join of rows to the maximum of their windows.
struct OfWindows<'a> {
    left: &'a CircuitPlan,
    maximum: &'a Composed<'a>,
    groups: &'a Groups,
    /// Columns of the left side: the instant, the keys that groups have beside their window, and what is compared.
    instant: usize,
    keys: Vec<usize>,
    greatest: usize,
    call: &'a AggregateCall,
    schema: &'a SchemaRef,
}

impl OfWindows<'_> {
    fn plan(self, upper: Upper) -> PlanResult<Option<CircuitPlan>> {
        let own = self.rows_with_start()?;
        let (below, width) = (own.schema(), own.schema().fields().len() - 1);
        let partition: Vec<usize> = [width].into_iter().chain(self.keys.iter().copied()).collect();
        if !growth::grows(&own, self.greatest, &partition) {
            return Ok(None);
        }
        let greatest = CircuitPlan::Greatest { input: Box::new(own.clone()), partition, column: self.greatest };
        let Some(columns) = self.right_columns(&below, width, &self.keys, self.greatest)? else { return Ok(None) };
        let of_own = self.result(greatest.clone(), 0..width, columns)?;
        if upper == Upper::BeforeEnd {
            return Ok(Some(of_own));
        }

        // The maximum of each window, followed by what the right side makes of it, and by the window's end.
        let (start, keys) = (below.field(width).clone(), self.keys.iter().map(|key| below.field(*key).clone()));
        let fields = [start].into_iter().chain(keys).chain([Field::new("max", self.call.output.clone(), true)]);
        let summed: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        let group: Vec<usize> = [width].into_iter().chain(self.keys.iter().copied()).collect();
        let call = AggregateCall { argument: Some(self.greatest), lasting: false, ..self.call.clone() };
        let call = AggregateCall { lasting: growth::lasts(&greatest, &group, &call), ..call };
        let highest = self.keys.len() + 1;
        let maxima = CircuitPlan::Aggregate { input: Box::new(greatest), group, windows: None, calls: vec![call], schema: summed.clone() };
        let places: Vec<usize> = (1..highest).collect();
        let Some(mut columns) = self.right_columns(&summed, 0, &places, highest)? else { return Ok(None) };
        let made = columns.len();
        for place in places.iter().copied().chain([highest]) {
            columns.push(column(&summed, place)?);
        }
        columns.push(self.end(column(&summed, 0)?, &summed)?);
        let types = columns.iter().map(|made| Ok(Field::new(&made.text, made.physical.data_type(&summed)?, true)));
        let right: SchemaRef = Arc::new(Schema::new(types.collect::<PlanResult<Vec<Field>>>()?));
        let maxima = CircuitPlan::Project { input: Box::new(maxima), expressions: columns, schema: right.clone() };

        // The rows at the first instant of a window, and what of the window before it they have.
        let (instant, start) = (column(&below, self.instant)?, column(&below, width)?);
        let text = format!("{} = {}", instant.text, start.text);
        let predicate = ScalarExpr { text, physical: Arc::new(BinaryExpr::new(instant.physical, Operator::Eq, start.physical)) };
        let first = CircuitPlan::Filter { input: Box::new(own), predicate };
        let ends = (width, right.fields().len() - 1);
        let keys = self.keys.iter().enumerate().map(|(at, key)| (*key, made + at));
        let on = [ends].into_iter().chain(keys).chain([(self.greatest, made + self.keys.len())]).collect();
        let both = nullable(below.fields().iter().chain(right.fields()).map(|field| field.as_ref()));
        let joined = CircuitPlan::Join {
            left: Box::new(first),
            right: Box::new(maxima),
            kind: JoinKind::Inner,
            on,
            null_equal: false,
            residual: None,
            schema: both.clone(),
        };
        let columns = (width + 1..width + 1 + made).map(|at| column(&both, at)).collect::<PlanResult<_>>()?;
        let of_before = self.result(joined, 0..width, columns)?;
        Ok(Some(CircuitPlan::Union { inputs: vec![of_own, of_before], schema: self.schema.clone() }))
    }

    /// The rows of the left side with the start of their window as one more column.
    fn rows_with_start(&self) -> PlanResult<CircuitPlan> {
        let below = self.left.schema();
        let instant = column(&below, self.instant)?;
        let start = self.groups.window.start((&instant.physical, &below))?;
        let mut fields: Vec<Field> = below.fields().iter().map(|field| field.as_ref().clone()).collect();
        fields.push(Field::new("window_start", start.data_type(&below)?, true));
        let mut expressions = (0..below.fields().len()).map(|at| column(&below, at)).collect::<PlanResult<Vec<_>>>()?;
        expressions.push(ScalarExpr { text: format!("tumble_start({})", instant.text), physical: start });
        Ok(CircuitPlan::Project { input: Box::new(self.left.clone()), expressions, schema: Arc::new(Schema::new(fields)) })
    }

    /// The end of the window that starts then.
    fn end(&self, start: ScalarExpr, schema: &SchemaRef) -> PlanResult<ScalarExpr> {
        let physical = self.groups.window.end((&start.physical, schema))?;
        Ok(ScalarExpr { text: format!("window_end({})", start.text), physical })
    }

    /// The columns of the right side over rows of the schema, in which those are the window's start, the keys, and the maximum.
    fn right_columns(&self, schema: &SchemaRef, start: usize, keys: &[usize], greatest: usize) -> PlanResult<Option<Vec<ScalarExpr>>> {
        let (mut results, mut keys) = (Vec::new(), keys.iter());
        for kind in &self.groups.columns {
            let start = column(schema, start)?;
            results.push(match kind {
                Group::Start => start,
                Group::End => self.end(start, schema)?,
                Group::Key => match keys.next() {
                    Some(key) => column(schema, *key)?,
                    None => return Ok(None),
                },
            });
        }
        results.push(column(schema, greatest)?);
        self.maximum.columns.iter().map(|made| over(made, &results)).collect()
    }

    /// Those columns of the rows, and then the others.
    fn result(&self, rows: CircuitPlan, own: std::ops::Range<usize>, others: Vec<ScalarExpr>) -> PlanResult<CircuitPlan> {
        let below = rows.schema();
        let mut expressions = own.map(|at| column(&below, at)).collect::<PlanResult<Vec<_>>>()?;
        expressions.extend(others);
        Ok(CircuitPlan::Project { input: Box::new(rows), expressions, schema: self.schema.clone() })
    }
}

fn column(schema: &SchemaRef, at: usize) -> PlanResult<ScalarExpr> {
    let of: &DataType = schema.field(at).data_type();
    expressions::column(schema, at, of)
}
