//! Comparisons with several values at once, written out as comparisons of one with one: `= ANY (list)`, `<> ALL (list)`,
//! rows as `(a, b) = (1, 2)`; and LIKE with another escape character than the backslash.

use sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator,
    Value,
};

use crate::planner::error::{PlanError, PlanResult};
use crate::sql::names::folded;
use crate::types::form::FormError;
use crate::types::form::read_array::{Item, inside, split};
use crate::types::{Report, SqlState};

use super::trees::string;

/// Writes the expression out if it is one of those. What stands in its place is looked into afterwards.
pub fn before(expr: &mut Expr) -> PlanResult<()> {
    let written = match expr {
        Expr::AnyOp { left, compare_op, right, .. } => match elements(right)? {
            Some(list) => any(left, compare_op, list),
            None => return Ok(()),
        },
        Expr::AllOp { left, compare_op, right } => match elements(right)? {
            Some(list) => all(left, compare_op, list),
            None => return Ok(()),
        },
        Expr::BinaryOp { left, op, right } => match (row(left), row(right)) {
            (Some(left), Some(right)) => rows(&left, op, &right)?,
            _ => return Ok(()),
        },
        Expr::InList { expr, list, negated } => match row(expr) {
            Some(left) => {
                let equal = |item: &Expr| match row(item) {
                    Some(right) => rows(&left, &BinaryOperator::Eq, &right),
                    None => Err(unequal()),
                };
                let any = joined(list.iter().map(equal).collect::<PlanResult<_>>()?, BinaryOperator::Or, false);
                if *negated { not(any) } else { any }
            }
            None => return Ok(()),
        },
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            if let Some(Value::SingleQuotedString(escape)) = escape_char.take_if(|escape| !is_backslash(escape)) {
                **pattern = string(backslashed(pattern, &escape)?);
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    *expr = written;
    Ok(())
}

fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(expr)) }
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn binary(left: &Expr, op: &BinaryOperator, right: &Expr) -> Expr {
    nested(Expr::BinaryOp { left: Box::new(left.clone()), op: op.clone(), right: Box::new(right.clone()) })
}

/// All of them with AND or OR between, as a tree that is not deep; `nothing` where there is none.
fn joined(mut parts: Vec<Expr>, op: BinaryOperator, nothing: bool) -> Expr {
    match parts.len() {
        0 => boolean(nothing),
        1 => parts.remove(0),
        count => {
            let right = parts.split_off(count / 2);
            binary(&joined(parts, op.clone(), nothing), &op, &joined(right, op.clone(), nothing))
        }
    }
}

fn any(left: &Expr, op: &BinaryOperator, list: Vec<Expr>) -> Expr {
    match op {
        BinaryOperator::Eq if !list.is_empty() => Expr::InList { expr: Box::new(left.clone()), list, negated: false },
        _ => joined(list.iter().map(|item| binary(left, op, item)).collect(), BinaryOperator::Or, false),
    }
}

fn all(left: &Expr, op: &BinaryOperator, list: Vec<Expr>) -> Expr {
    match op {
        BinaryOperator::NotEq if !list.is_empty() => Expr::InList { expr: Box::new(left.clone()), list, negated: true },
        _ => joined(list.iter().map(|item| binary(left, op, item)).collect(), BinaryOperator::And, true),
    }
}

/// The elements of an array that is written out; `None` for an array that only the rows know.
fn elements(array: &Expr) -> PlanResult<Option<Vec<Expr>>> {
    match array {
        Expr::Nested(inner) => elements(inner),
        Expr::Array(Array { elem, .. }) => Ok(Some(elem.clone())),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Ok(Some(items(text)?)),
            _ => Ok(None),
        },
        Expr::Cast {
            expr,
            data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element)),
            ..
        } => {
            let cast = |item: Expr| Expr::Cast {
                kind: CastKind::DoubleColon,
                expr: Box::new(item),
                data_type: element.as_ref().clone(),
                array: false,
                format: None,
            };
            Ok(elements(expr)?.map(|list| list.into_iter().map(cast).collect()))
        }
        _ => Ok(None),
    }
}

/// The elements of `{a,"b c",NULL}`.
fn items(text: &str) -> PlanResult<Vec<Expr>> {
    let wrong = |detail| PlanError::from(Report::from(FormError::Array { text: text.to_string(), detail }));
    let items = split(inside(text).map_err(wrong)?).map_err(wrong)?;
    let expr = |item: Item| match item {
        Item::Null => Expr::Value(Value::Null.into()),
        Item::Value(text) => string(text),
    };
    Ok(items.into_iter().map(expr).collect())
}

/// The fields of `(a, b)` or `ROW(a, b)`.
fn row(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(fields) => Some(fields.clone()),
        Expr::Nested(inner) => row(inner),
        Expr::Function(function) => {
            let [name] = function.name.0.as_slice() else { return None };
            let FunctionArguments::List(list) = &function.args else { return None };
            let field = |argument: &FunctionArg| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(field)) => Some(field.clone()),
                _ => None,
            };
            let row = name.as_ident().is_some_and(|name| folded(name) == "row");
            if row { list.args.iter().map(field).collect() } else { None }
        }
        _ => None,
    }
}

fn unequal() -> PlanError {
    PlanError::new(SqlState::SYNTAX_ERROR, "unequal number of entries in row expressions")
}

/// Equal rows are equal in all fields; which of two rows is less is decided by the first field that differs.
fn rows(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> PlanResult<Expr> {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    if left.len() != right.len() {
        return Err(unequal());
    }
    let each = |op: &BinaryOperator| left.iter().zip(right).map(|(l, r)| binary(l, op, r)).collect::<Vec<Expr>>();
    Ok(match op {
        Eq => joined(each(op), And, true),
        NotEq => joined(each(op), Or, false),
        Lt | LtEq | Gt | GtEq => {
            let strictly = if matches!(op, Lt | LtEq) { Lt } else { Gt };
            let mut pairs = left.iter().zip(right).rev();
            let Some((l, r)) = pairs.next() else { return Ok(boolean(matches!(op, LtEq | GtEq))) };
            pairs.fold(binary(l, op, r), |rest, (l, r)| binary(&binary(l, &strictly, r), &Or, &binary(&binary(l, &Eq, r), &And, &rest)))
        }
        other => {
            let message = format!("operator {other} between rows is not supported");
            return Err(PlanError::unsupported(message, "rows are compared by =, <>, <, <=, > and >="));
        }
    })
}

fn is_backslash(escape: &Value) -> bool {
    matches!(escape, Value::SingleQuotedString(text) if text == "\\")
}

/// The pattern with the backslash in the place of the escape character, which may be none.
fn backslashed(pattern: &Expr, escape: &str) -> PlanResult<String> {
    let mut characters = escape.chars();
    let (escape, None) = (characters.next(), characters.next()) else {
        return Err(PlanError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .hinted("Escape string must be empty or one character."));
    };
    let text = match pattern {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            _ => None,
        },
        _ => None,
    };
    let Some(text) = text else {
        return Err(PlanError::unsupported(
            "LIKE ... ESCAPE with a pattern that is no literal is not supported",
            "escape with the backslash, which needs no ESCAPE",
        ));
    };
    let mut made = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            let Some(next) = characters.next() else {
                return Err(PlanError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character"));
            };
            // A letter that stands for itself needs no escape.
            if matches!(next, '%' | '_' | '\\') {
                made.push('\\');
            }
            made.push(next);
        } else {
            made.push_str(if character == '\\' { "\\\\" } else { "" });
            if character != '\\' {
                made.push(character);
            }
        }
    }
    Ok(made)
}
