//! LIMIT, and the numbers that are no values: `GROUP BY 1`, `ORDER BY 2`, `LIMIT 3`.

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, LimitClause, OrderByKind, Query, SetExpr, Value};

use crate::planner::error::{PlanError, PlanResult};

/// `FETCH FIRST n ROWS ONLY` is LIMIT n.
pub fn fetch_to_limit(query: &mut Query) -> PlanResult<()> {
    let Some(fetch) = query.fetch.take() else { return Ok(()) };
    if fetch.with_ties || fetch.percent {
        return Err(PlanError::unsupported("FETCH FIRST ... WITH TIES or PERCENT is not supported", "use LIMIT, or rank() in a subquery"));
    }
    let one = || Expr::Value(Value::Number("1".to_string(), false).into());
    let quantity = fetch.quantity.unwrap_or_else(one);
    match &mut query.limit_clause {
        None => query.limit_clause = Some(LimitClause::LimitOffset { limit: Some(quantity), offset: None, limit_by: Vec::new() }),
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(quantity),
        Some(_) => return Err(PlanError::new(crate::types::SqlState::SYNTAX_ERROR, "multiple LIMIT clauses not allowed")),
    }
    Ok(())
}

/// Takes the types off numbers that stand for positions or counts of rows.
pub fn untype_positions(query: &mut Query) {
    if let Some(order_by) = &mut query.order_by
        && let OrderByKind::Expressions(expressions) = &mut order_by.kind
    {
        expressions.iter_mut().for_each(|e| untype(&mut e.expr));
    }
    if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
        limit.iter_mut().for_each(untype);
        offset.iter_mut().for_each(|offset| untype(&mut offset.value));
    }
    let mut open = vec![query.body.as_mut()];
    while let Some(body) = open.pop() {
        match body {
            SetExpr::Select(select) => {
                if let GroupByExpr::Expressions(expressions, _) = &mut select.group_by {
                    expressions.iter_mut().for_each(untype);
                }
            }
            SetExpr::SetOperation { left, right, .. } => open.extend([left.as_mut(), right.as_mut()]),
            _ => {}
        }
    }
}

fn untype(expr: &mut Expr) {
    if let Expr::Function(function) = expr
        && let FunctionArguments::List(list) = &function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = list.args.as_slice()
        && matches!(value.value, Value::Number(..))
        && function.name.0.first().and_then(|part| part.as_ident()).is_some_and(|name| name.value.starts_with("cast "))
    {
        *expr = Expr::Value(value.clone());
    }
}
