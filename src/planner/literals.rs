//! The second look at a bound plan: literals folded into values of their types, and the places where the binder
//! compares or chooses without asking which operator is meant: BETWEEN, IN, CASE, COALESCE, IS DISTINCT FROM.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, BinaryExpr, Case, InList, Placeholder, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};

use crate::types::{SqlState, SqlType};

use super::error::{PlanError, PlanResult};
use super::functions::arithmetic::{ArithmeticOp, arithmetic};
use super::functions::cast::{cast_target, convert, is_cast_name};
use super::functions::field::field;
use super::operators::{coerced, common_type, give_type, is_number, short, type_of};

/// Resolves what the binder left open. Parameters without a declared type that nothing gives one are text.
pub fn resolve(plan: LogicalPlan, declared: &[Option<SqlType>]) -> PlanResult<LogicalPlan> {
    let mut parameters: HashMap<String, SqlType> = HashMap::new();
    for (i, t) in declared.iter().enumerate() {
        if let Some(t) = t {
            parameters.insert(format!("${}", i + 1), t.clone());
        }
    }
    // A parameter may be given its type in one place and be used in another: types first, then everything else.
    plan.apply_with_subqueries(|node| {
        let limit = matches!(node, LogicalPlan::Limit(_));
        node.apply_expressions(|expr| {
            expr.apply(|e| {
                if let (true, Expr::Placeholder(Placeholder { id, field: None })) = (limit, e) {
                    parameters.entry(id.clone()).or_insert(SqlType::BigInt);
                }
                Ok(note_parameter(e, &mut parameters))
            })
        })?;
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    let resolved = plan.transform_up_with_subqueries(|node| resolve_node(node, &parameters))?;
    Ok(resolved.data)
}

fn note_parameter(expr: &Expr, found: &mut HashMap<String, SqlType>) -> datafusion::common::tree_node::TreeNodeRecursion {
    match (expr, cast_target(expr)) {
        (_, Some((Expr::Placeholder(placeholder), target))) => {
            found.entry(placeholder.id.clone()).or_insert_with(|| target.clone());
        }
        (Expr::Placeholder(Placeholder { id, field: Some(field) }), _) => {
            found.entry(id.clone()).or_insert_with(|| SqlType::of_field(field));
        }
        _ => {}
    }
    datafusion::common::tree_node::TreeNodeRecursion::Continue
}

fn resolve_node(node: LogicalPlan, parameters: &HashMap<String, SqlType>) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let preserver = NamePreserver::new(&node);
    let filter = matches!(node, LogicalPlan::Filter(_));
    let resolved = node.map_expressions(|expr| {
        let name = preserver.save(&expr);
        let expr = expr.transform_up(|e| resolve_expr(e, &schema, parameters))?;
        if filter {
            predicate(&expr.data, &schema).map_err(PlanError::external)?;
        }
        Ok(expr.update_data(|e| name.restore(e)))
    })?;
    resolved.map_data(LogicalPlan::recompute_schema)
}

fn predicate(expr: &Expr, schema: &DFSchema) -> PlanResult<()> {
    match type_of(expr, schema) {
        Some(SqlType::Boolean | SqlType::Unknown) | None => Ok(()),
        Some(other) => {
            let message = format!("argument of WHERE must be type boolean, not type {}", short(&other));
            Err(PlanError::new(SqlState::DATATYPE_MISMATCH, message))
        }
    }
}

fn resolve_expr(expr: Expr, schema: &DFSchema, parameters: &HashMap<String, SqlType>) -> Result<Transformed<Expr>> {
    let types = |expr: &Expr| type_of(expr, schema).unwrap_or(SqlType::Unknown);
    Ok(Transformed::yes(match expr {
        // The binder's own name for a cast, which would hide the literal.
        Expr::Alias(alias) if is_cast_name(&alias.name) => *alias.expr,
        Expr::Placeholder(Placeholder { id, .. }) => {
            let sql_type = parameters.get(&id).cloned().unwrap_or(SqlType::Text);
            let field = Arc::new(sql_type.field(&id));
            Expr::Placeholder(Placeholder { id, field: Some(field) })
        }
        Expr::Negative(inner) => match (*inner, schema) {
            (Expr::Literal(value, metadata), _) => match value.arithmetic_negate() {
                Ok(negated) => Expr::Literal(negated, metadata),
                Err(_) => Expr::Negative(Box::new(Expr::Literal(value, metadata))),
            },
            (inner, _) => match types(&inner) {
                t if is_number(&t) && !matches!(t, SqlType::Real | SqlType::Double) => {
                    let zero = ScalarValue::new_zero(&t.arrow())?;
                    arithmetic(ArithmeticOp::Subtract, Expr::Literal(zero, None), inner)
                }
                _ => Expr::Negative(Box::new(inner)),
            },
        },
        Expr::Between(Between { expr, negated, low, high }) => {
            let all = [types(&expr), types(&low), types(&high)];
            let target = meet(&all, if negated { "NOT BETWEEN" } else { "BETWEEN" })?;
            let [of_expr, of_low, of_high] = all;
            Expr::Between(Between {
                expr: Box::new(coerced(*expr, &of_expr, &target)),
                negated,
                low: Box::new(coerced(*low, &of_low, &target)),
                high: Box::new(coerced(*high, &of_high, &target)),
            })
        }
        Expr::InList(InList { expr, list, negated }) => {
            let mut all = vec![types(&expr)];
            all.extend(list.iter().map(types));
            let target = meet(&all, "=")?;
            let mut found = all.into_iter();
            let of_expr = found.next().unwrap_or(SqlType::Unknown);
            Expr::InList(InList {
                expr: Box::new(coerced(*expr, &of_expr, &target)),
                list: list.into_iter().zip(found).map(|(e, t)| coerced(e, &t, &target)).collect(),
                negated,
            })
        }
        Expr::Case(case) => Expr::Case(resolve_case(case, &types)?),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::IsDistinctFrom | Operator::IsNotDistinctFrom), right }) => {
            let all = [types(&left), types(&right)];
            let target = meet(&all, "=")?;
            let [of_left, of_right] = all;
            Expr::BinaryExpr(BinaryExpr::new(
                Box::new(coerced(*left, &of_left, &target)),
                op,
                Box::new(coerced(*right, &of_right, &target)),
            ))
        }
        Expr::ScalarFunction(function) => resolve_function(function, &types)?,
        other => return Ok(Transformed::no(other)),
    }))
}

/// The type in which all meet.
fn meet(all: &[SqlType], symbol: &str) -> Result<SqlType> {
    let mut target = SqlType::Unknown;
    for found in all {
        target = common_type(&target, found).ok_or_else(|| {
            let message = format!("operator does not exist: {} {symbol} {}", short(&target), short(found));
            PlanError::new(SqlState::UNDEFINED_FUNCTION, message).external()
        })?;
    }
    Ok(if target == SqlType::Unknown { SqlType::Text } else { target })
}

/// The type in which the results of CASE or the arguments of COALESCE meet.
fn result_meet(all: &[SqlType], what: &str) -> Result<SqlType> {
    let mut target = SqlType::Unknown;
    for found in all {
        target = common_type(&target, found).ok_or_else(|| {
            let message = format!("{what} types {} and {} cannot be matched", short(&target), short(found));
            PlanError::new(SqlState::DATATYPE_MISMATCH, message).external()
        })?;
    }
    Ok(if target == SqlType::Unknown { SqlType::Text } else { target })
}

fn resolve_case(case: Case, types: &impl Fn(&Expr) -> SqlType) -> Result<Case> {
    let Case { expr, when_then_expr, else_expr } = case;
    let results: Vec<SqlType> = when_then_expr.iter().map(|(_, then)| types(then)).chain(else_expr.iter().map(|e| types(e))).collect();
    let target = result_meet(&results, "CASE")?;
    let operand = match &expr {
        Some(expr) => {
            let all: Vec<SqlType> = std::iter::once(types(expr)).chain(when_then_expr.iter().map(|(when, _)| types(when))).collect();
            meet(&all, "=")?
        }
        None => SqlType::Boolean,
    };
    let to = |e: Expr, target: &SqlType| {
        let from = types(&e);
        coerced(e, &from, target)
    };
    Ok(Case {
        expr: expr.map(|e| Box::new(to(*e, &operand))),
        when_then_expr: when_then_expr
            .into_iter()
            .map(|(when, then)| (Box::new(to(*when, &operand)), Box::new(to(*then, &target))))
            .collect(),
        else_expr: else_expr.map(|e| Box::new(to(*e, &target))),
    })
}

/// Casts of literals become values; the arguments of functions that choose among them become one type.
fn resolve_function(function: ScalarFunction, types: &impl Fn(&Expr) -> SqlType) -> Result<Expr> {
    let name = function.name().to_string();
    let expr = Expr::ScalarFunction(function);
    if let Some((Expr::Literal(value, _), target)) = cast_target(&expr) {
        return folded(value, target, &expr);
    }
    if let Some((Expr::Placeholder(placeholder), target)) = cast_target(&expr)
        && placeholder.field.as_ref().is_some_and(|field| SqlType::of_field(field) == *target)
    {
        return Ok(Expr::Placeholder(placeholder.clone()));
    }
    let Expr::ScalarFunction(mut function) = expr else { return Ok(expr) };
    // The binder's way to say `s.a`, which looks beneath null structs.
    if name == "get_field"
        && let Some((root, names)) = function.args.split_first()
        && let Some(names) = names.iter().map(text_literal).collect::<Option<Vec<&str>>>()
    {
        return Ok(names.into_iter().fold(root.clone(), field));
    }
    if matches!(name.as_str(), "coalesce" | "nullif" | "greatest" | "least") {
        let all: Vec<SqlType> = function.args.iter().map(types).collect();
        let target = result_meet(&all, &name.to_uppercase())?;
        function.args = std::mem::take(&mut function.args).into_iter().zip(&all).map(|(e, t)| coerced(e, t, &target)).collect();
        // What was just given a type may be a literal still.
        let folded: Result<Vec<Expr>> = std::mem::take(&mut function.args).into_iter().map(fold).collect();
        function.args = folded?;
    }
    Ok(Expr::ScalarFunction(function))
}

fn text_literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        _ => None,
    }
}

fn fold(expr: Expr) -> Result<Expr> {
    match cast_target(&expr) {
        Some((Expr::Literal(value, _), target)) => folded(value, target, &expr),
        _ => Ok(expr),
    }
}

/// The literal's value as the target type. Types that share an Arrow type with text stay a cast, which keeps their name.
fn folded(value: &ScalarValue, target: &SqlType, whole: &Expr) -> Result<Expr> {
    let array = value.to_array()?;
    let from = SqlType::of_arrow(&value.data_type());
    let converted = convert(&array, &from, target).map_err(|report| PlanError::from(report).external())?;
    if !target.field("").metadata().is_empty() {
        return Ok(whole.clone());
    }
    Ok(Expr::Literal(ScalarValue::try_from_array(&converted, 0)?, None))
}

/// For INSERT and UPDATE: a value assigned to a column of that type.
pub fn assignable(expr: Expr, from: &SqlType, to: &SqlType) -> Option<Expr> {
    match from {
        SqlType::Unknown => Some(give_type(expr, to)),
        from if from == to => Some(expr),
        from if is_number(from) && is_number(to) => Some(coerced(expr, from, to)),
        from if common_type(from, to).is_some() => Some(super::functions::cast::cast(expr, to)),
        // Everything can be kept as text, as PostgreSQL assigns it.
        _ if matches!(to, SqlType::Text | SqlType::Varchar(_)) => Some(super::functions::cast::cast(expr, to)),
        _ => None,
    }
}
