//! Literals with PostgreSQL's types, casts, intervals, and the functions of time.

use sqlparser::ast::{
    AccessExpr, Array, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Interval, UnaryOperator, Value,
};

use crate::planner::error::{PlanError, PlanResult};
use crate::planner::functions::cast::cast_name;
use crate::planner::functions::cast_text::timestamp_text;
use crate::planner::functions::field::field_name;
use crate::sql::data_type::sql_type;
use crate::sql::interval::interval;
use crate::sql::names::folded;
use crate::types::{SqlState, SqlType};

use super::trees::{call, string};

/// `expr::sql_type` in a syntax tree.
pub fn typed(expr: Expr, sql_type: &SqlType) -> Expr {
    call(&cast_name(sql_type), vec![expr])
}

/// On the way down: what must not be looked into.
pub fn before(expr: &mut Expr) -> PlanResult<()> {
    match expr {
        Expr::Interval(literal) => {
            let value = interval(literal)?;
            let text = format!("{} months {} days {} microseconds", value.months, value.days, value.nanos / 1000);
            *literal = plain_interval(text);
            Ok(())
        }
        Expr::AtTimeZone { .. } => Err(PlanError::unsupported(
            "AT TIME ZONE is not supported",
            "timestamps with time zone are instants: cast them to timestamp for UTC",
        )),
        // `-0.5` is one literal, which has the digits that it needs.
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            if let Expr::Value(value) = inner.as_ref()
                && let Value::Number(digits, long) = &value.value
                && !digits.starts_with('-')
            {
                *expr = Expr::Value(Value::Number(format!("-{digits}"), *long).into());
            }
            Ok(())
        }
        Expr::Collate { collation, .. } => match collation.0.last().and_then(|part| part.as_ident()).map(|c| c.value.to_lowercase()) {
            Some(name) if matches!(name.as_str(), "c" | "default" | "posix" | "ucs_basic") => {
                let inner = std::mem::replace(expr, Expr::Value(Value::Null.into()));
                if let Expr::Collate { expr: inner, .. } = inner {
                    *expr = *inner;
                }
                Ok(())
            }
            _ => Err(PlanError::unsupported("COLLATE is not supported", "texts are ordered by their bytes, as in collation \"C\"")),
        },
        _ => Ok(()),
    }
}

/// One text that the binder reads as it stands.
fn plain_interval(text: String) -> Interval {
    Interval {
        value: Box::new(string(text)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }
}

/// On the way up. True when the expression asked for the time.
pub fn after(expr: &mut Expr, now: i64) -> PlanResult<bool> {
    let place = |expr: &mut Expr| std::mem::replace(expr, Expr::Value(Value::Null.into()));
    match expr {
        Expr::Value(value) => {
            if let Value::Number(digits, _) = &value.value
                && let Some(number_type) = number_type(digits)
            {
                let literal =
                    if number_type == SqlType::Integer || number_type == SqlType::BigInt { place(expr) } else { string(digits.clone()) };
                *expr = typed(literal, &number_type);
            }
            Ok(false)
        }
        Expr::Cast { data_type, array: false, format: None, kind, .. } => {
            if matches!(kind, sqlparser::ast::CastKind::TryCast | sqlparser::ast::CastKind::SafeCast) {
                return Err(PlanError::unsupported("TRY_CAST is not supported", "a cast that fails is an error of its row"));
            }
            let target = sql_type(data_type)?;
            if let Expr::Cast { expr: inner, .. } = place(expr) {
                *expr = typed(*inner, &target);
            }
            Ok(false)
        }
        Expr::TypedString(literal) => {
            let target = sql_type(&literal.data_type)?;
            let text = literal.value.value.clone().into_string().unwrap_or_default();
            *expr = typed(string(text), &target);
            Ok(false)
        }
        Expr::Extract { field, expr: inner, .. } => {
            let field = part_name(field)?;
            let inner = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
            *expr = call("date_part", vec![string(field), inner]);
            Ok(false)
        }
        Expr::Array(Array { elem, .. }) if elem.is_empty() => {
            let error = PlanError::new(SqlState::INDETERMINATE_DATATYPE, "cannot determine type of empty array");
            Err(error)
        }
        Expr::CompoundFieldAccess { root, access_chain } if matches!(**root, Expr::Nested(_) | Expr::Function(_)) => {
            let dots = access_chain.iter().map_while(dotted).count();
            let accessed = access_chain.iter().map_while(dotted).fold(place(root), |inner, name| call(&field_name(&name), vec![inner]));
            let rest = access_chain.split_off(dots);
            *expr = match rest.is_empty() {
                true => accessed,
                false => Expr::CompoundFieldAccess { root: Box::new(accessed), access_chain: rest },
            };
            Ok(false)
        }
        Expr::Function(function) => {
            if let Some(replacement) = clock(function, now)? {
                *expr = replacement;
                return Ok(true);
            }
            if let Some(replacement) = group_window(function)? {
                *expr = replacement;
            } else if let Some(counted) = rank_type(function) {
                *expr = typed(place(expr), &counted);
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// The field in `.field`.
fn dotted(access: &AccessExpr) -> Option<String> {
    match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(folded(name)),
        _ => None,
    }
}

/// The most digits that a numeric has.
const MOST_DIGITS: i64 = 38;

/// int4, int8 or numeric by what the digits need, double precision where a numeric has not so many; none when the binder
/// reads them right itself.
fn number_type(literal: &str) -> Option<SqlType> {
    let digits = literal.strip_prefix('-').unwrap_or(literal);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    if mantissa == digits && !digits.contains('.') {
        match literal.parse::<i64>() {
            Ok(value) if i32::try_from(value).is_ok() => return Some(SqlType::Integer),
            Ok(_) => return Some(SqlType::BigInt),
            // The binder would take it for an unsigned integer, which PostgreSQL has not.
            Err(_) => {}
        }
    }
    let after_point = (fraction.len() as i64 - exponent).max(0);
    let before_point = (whole.trim_start_matches('0').len() as i64 + exponent).max(0);
    if before_point > MOST_DIGITS || (after_point > MOST_DIGITS && mantissa != digits) {
        return Some(SqlType::Double);
    }
    let scale = after_point.min(MOST_DIGITS);
    Some(SqlType::Numeric { precision: (before_point + scale).clamp(1, MOST_DIGITS) as u8, scale: scale as i8 })
}

fn part_name(field: &DateTimeField) -> PlanResult<String> {
    let name = field.to_string().trim_matches('\'').to_lowercase();
    Ok(match name.as_str() {
        "isodow" => "isodow".to_string(),
        other => other
            .strip_suffix('s')
            .filter(|n| matches!(*n, "year" | "month" | "day" | "hour" | "minute" | "second"))
            .unwrap_or(other)
            .to_string(),
    })
}

/// The statement's time for `now()` and its relatives.
fn clock(function: &Function, now: i64) -> PlanResult<Option<Expr>> {
    let [part] = function.name.0.as_slice() else { return Ok(None) };
    let Some(name) = part.as_ident().map(folded) else { return Ok(None) };
    let bare = match &function.args {
        FunctionArguments::None => true,
        FunctionArguments::List(list) => list.args.is_empty(),
        FunctionArguments::Subquery(_) => false,
    };
    let target = match name.as_str() {
        "now" | "current_timestamp" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp" => SqlType::TimestampTz,
        "localtimestamp" => SqlType::Timestamp,
        "current_date" => SqlType::Date,
        "localtime" => SqlType::Time,
        "current_time" => return Err(PlanError::unsupported("current_time is not supported", "use localtime, or now()")),
        _ => return Ok(None),
    };
    if !bare && name != "current_timestamp" && name != "localtimestamp" {
        return Ok(None);
    }
    let text = timestamp_text(now);
    let text = match target {
        SqlType::TimestampTz => format!("{text}+00"),
        SqlType::Time => text.split(' ').nth(1).unwrap_or_default().to_string(),
        _ => text,
    };
    Ok(Some(typed(string(text), &target)))
}

/// What PostgreSQL counts ranks in, where the platform's are unsigned.
fn rank_type(function: &Function) -> Option<SqlType> {
    function.over.as_ref()?;
    match function.name.0.last()?.as_ident().map(folded)?.as_str() {
        "row_number" | "rank" | "dense_rank" => Some(SqlType::BigInt),
        "ntile" => Some(SqlType::Integer),
        _ => None,
    }
}

/// Flink's functions of a group window: `TUMBLE_END(t, size)` is the end of the window that `TUMBLE(t, size)` groups by.
fn group_window(function: &Function) -> PlanResult<Option<Expr>> {
    let name = function.name.0.last().and_then(|part| part.as_ident()).map(folded);
    let FunctionArguments::List(list) = &function.args else { return Ok(None) };
    let arguments: Vec<Expr> = list
        .args
        .iter()
        .filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect();
    match (name.as_deref(), arguments.as_slice()) {
        (Some("tumble"), [instant, size]) => Ok(Some(call("tumble_start", vec![instant.clone(), size.clone()]))),
        (Some("tumble_end"), [instant, size]) => {
            let start = call("tumble_start", vec![instant.clone(), size.clone()]);
            Ok(Some(call("window_end", vec![start, size.clone()])))
        }
        (Some("hop" | "hop_start" | "hop_end"), [_, _, _]) => Err(PlanError::unsupported(
            "HOP in GROUP BY is not supported",
            "write FROM HOP(relation, column, slide, size) and group by window_start",
        )),
        _ => Ok(None),
    }
}
