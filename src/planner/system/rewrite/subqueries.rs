//! Subqueries where the binder cannot have them, in statements over system relations only.
//!
//! 1. A scalar subquery becomes an aggregate, so that it can be decorrelated: a look-up in a system relation finds one
//!    row at most, and the first of at most one is that one.
//! 2. `ARRAY(SELECT x ...)` becomes `(SELECT array_agg(x) ...)`, and an empty array where that is NULL.
//! 3. `EXISTS` and `IN (SELECT ...)` in a select list become a scalar subquery that is NULL when there is no row.
//! 4. A select from a relation that is always empty never evaluates its select list, so a subquery in there, which may
//!    be of a shape that nobody can plan, becomes a NULL; and its rows need no order.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, DataType, Expr, GroupByExpr, JoinOperator, LimitClause, ObjectName, OrderByExpr, OrderByKind, Query, Select,
    SelectItem, SetExpr, TableFactor, TableWithJoins, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use sqlparser::ast::CaseWhen;
use sqlparser::ast::helpers::attached_token::AttachedToken;

use super::super::registry;
use super::ast_build::{
    aggregate, arguments, binary, call, cast, folded, last_name, name_parts, nested, plain_argument, string, string_literal, value,
};
use super::correlation;
use super::expressions::array_subquery;

pub struct Subqueries;

impl VisitorMut for Subqueries {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let mut ordered = false;
        for_each_select(&mut query.body, &mut |select| {
            let never_evaluated = select.from.iter().any(yields_nothing) && !is_aggregated(select);
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                    let _ = expr.visit(&mut SelectList { never_evaluated });
                }
            }
            ordered |= !never_evaluated;
        });
        if !ordered && query.limit_clause.is_none() && matches!(&*query.body, SetExpr::Select(_)) {
            query.order_by = None;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(made) = array_subquery(expr).and_then(gathered) {
            *expr = made;
        } else if let Expr::Subquery(query) = expr
            && let Some(made) = at_most_one(query)
        {
            *expr = made;
        }
        ControlFlow::Continue(())
    }
}

fn for_each_select(body: &mut SetExpr, change: &mut impl FnMut(&mut Select)) {
    match body {
        SetExpr::Select(select) => change(select),
        SetExpr::SetOperation { left, right, .. } => {
            for_each_select(left, change);
            for_each_select(right, change);
        }
        // A nested query is visited as one.
        _ => {}
    }
}

/// Rules 3 and 4, on one expression of a select list.
struct SelectList {
    never_evaluated: bool,
}

impl VisitorMut for SelectList {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.never_evaluated {
            match expr {
                Expr::Subquery(_) => *expr = cast(value(Value::Null), DataType::Text),
                Expr::Exists { .. } | Expr::InSubquery { .. } => *expr = cast(value(Value::Null), DataType::Boolean),
                _ if array_subquery(expr).is_some() => *expr = call("pg_text_array", vec![value(Value::Null)]),
                _ => {}
            }
        }
        let sought = match expr {
            Expr::Exists { subquery, negated } => any_row(subquery, None).map(|found| (found, *negated)),
            Expr::InSubquery { expr, subquery, negated } => any_row(subquery, Some(expr)).map(|found| (found, *negated)),
            _ => None,
        };
        if let Some((found, negated)) = sought {
            let found = Box::new(found);
            *expr = nested(if negated { Expr::IsNull(found) } else { Expr::IsNotNull(found) });
        }
        ControlFlow::Continue(())
    }
}

/// True when the query has a row, and one equal to `item` when there is an item; NULL when not.
fn any_row(query: &Query, item: Option<&Expr>) -> Option<Expr> {
    let mut query = query.clone();
    let SetExpr::Select(select) = &mut *query.body else { return None };
    if is_aggregated(select) || query.limit_clause.is_some() {
        return None;
    }
    if let Some(item) = item {
        let [SelectItem::UnnamedExpr(column) | SelectItem::ExprWithAlias { expr: column, .. }] = select.projection.as_slice() else {
            return None;
        };
        let equal = binary(column.clone(), BinaryOperator::Eq, item.clone());
        select.selection = Some(match select.selection.take() {
            Some(condition) => binary(nested(condition), BinaryOperator::And, equal),
            None => equal,
        });
    }
    select.distinct = None;
    select.projection = vec![SelectItem::UnnamedExpr(call("bool_or", vec![value(Value::Boolean(true))]))];
    query.order_by = None;
    Some(subquery(query))
}

/// The query as an expression, with what it says of outer columns alone said outside of it.
fn subquery(mut query: Query) -> Expr {
    let conditions = match &mut *query.body {
        SetExpr::Select(select) => correlation::simplify(select),
        _ => None,
    };
    let scalar = Expr::Subquery(Box::new(query));
    let Some(condition) = conditions else { return scalar };
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: scalar }],
        else_result: None,
    }
}

/// Rule 1; `None` for a query that is to stay as it is.
fn at_most_one(query: &Query) -> Option<Expr> {
    let mut query = query.clone();
    let order = ordering(&query);
    let SetExpr::Select(select) = &mut *query.body else { return None };
    if is_aggregated(select) || select.from.is_empty() {
        return None;
    }
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] = select.projection.as_slice() else { return None };
    select.projection = vec![SelectItem::UnnamedExpr(aggregate("first_value", item.clone(), order))];
    select.distinct = None;
    query.order_by = None;
    if matches!(&query.limit_clause, Some(LimitClause::LimitOffset { offset: None, .. })) {
        query.limit_clause = None;
    }
    Some(subquery(query))
}

/// Rule 2; `None` for a query of another shape.
fn gathered(query: &Query) -> Option<Expr> {
    let mut query = query.clone();
    let order = ordering(&query);
    let SetExpr::Select(select) = &mut *query.body else { return None };
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] = select.projection.as_slice() else { return None };
    if let Some(made) = elements(item, select) {
        return Some(made);
    }
    if is_aggregated(select) || query.limit_clause.is_some() {
        return None;
    }
    select.projection = vec![SelectItem::UnnamedExpr(aggregate("array_agg", item.clone(), order))];
    query.order_by = None;
    Some(call("pg_text_array", vec![subquery(query)]))
}

/// `ARRAY(SELECT x FROM unnest(a) x)` and `ARRAY(SELECT 'prefix' || x FROM unnest(a) x)` as functions of `a`.
fn elements(item: &Expr, select: &Select) -> Option<Expr> {
    let [TableWithJoins { relation, joins }] = select.from.as_slice() else { return None };
    if !joins.is_empty() || select.selection.is_some() {
        return None;
    }
    let (array, alias) = match relation {
        TableFactor::Table { name, args: Some(args), alias, .. } if last_name(name).as_deref() == Some("unnest") => {
            (plain_argument(args.args.first()?)?, alias.as_ref()?)
        }
        TableFactor::UNNEST { array_exprs, alias, .. } => (array_exprs.first()?, alias.as_ref()?),
        _ => return None,
    };
    let column = alias.columns.first().map_or(&alias.name, |column| &column.name);
    let is_element = |expr: &Expr| matches!(expr, Expr::Identifier(ident) if folded(ident) == folded(column));
    match item {
        item if is_element(item) => Some(call("pg_text_array", vec![array.clone()])),
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } if is_element(right) => {
            Some(call("pg_array_prefixed", vec![string(string_literal(left)?), array.clone()]))
        }
        _ => None,
    }
}

/// The query's ORDER BY, with positions made expressions.
fn ordering(query: &Query) -> Vec<OrderByExpr> {
    let Some(OrderByKind::Expressions(order)) = query.order_by.as_ref().map(|order| &order.kind) else { return Vec::new() };
    let SetExpr::Select(select) = &*query.body else { return Vec::new() };
    let mut order = order.clone();
    for key in &mut order {
        if let Expr::Value(position) = &key.expr
            && let Value::Number(position, _) = &position.value
            && let Some(at) = position.parse::<usize>().ok().and_then(|position| position.checked_sub(1))
            && let Some(SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }) = select.projection.get(at)
        {
            key.expr = item.clone();
        }
    }
    order
}

const AGGREGATES: [&str; 14] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "array_agg",
    "string_agg",
    "bool_and",
    "bool_or",
    "every",
    "first_value",
    "last_value",
    "json_agg",
    "jsonb_agg",
];

fn is_aggregated(select: &Select) -> bool {
    if !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty()) || select.having.is_some() {
        return true;
    }
    let mut find = FindAggregate { depth: 0 };
    select.projection.iter().any(|item| item.visit(&mut find).is_break())
}

struct FindAggregate {
    /// Subqueries that the visit is inside of; their aggregates are their own.
    depth: usize,
}

impl Visitor for FindAggregate {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let aggregates = |expr: &Expr| AGGREGATES.iter().any(|name| arguments(expr, name).is_some()) || is_count_star(expr);
        if self.depth == 0 && aggregates(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn is_count_star(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if last_name(&function.name).as_deref() == Some("count"))
}

/// True when a relation that is always empty takes part in such a way that there can be no row.
fn yields_nothing(from: &TableWithJoins) -> bool {
    let inner = |operator: &JoinOperator| matches!(operator, JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_));
    let keeps_left = |operator: &JoinOperator| inner(operator) || matches!(operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_));
    if !from.joins.iter().all(|join| keeps_left(&join.join_operator)) {
        return false;
    }
    is_empty(&from.relation) || from.joins.iter().any(|join| inner(&join.join_operator) && is_empty(&join.relation))
}

fn is_empty(factor: &TableFactor) -> bool {
    let TableFactor::Table { name, args: None, .. } = factor else { return false };
    let is_empty = |name: &ObjectName| match name_parts(name).as_slice() {
        [name] => registry::is_always_empty("pg_catalog", name),
        [.., schema, name] => registry::is_always_empty(schema, name),
        [] => false,
    };
    is_empty(name)
}
