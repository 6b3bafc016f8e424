//! Which operator PostgreSQL means by two operands: literals without a type take the other side's, numbers meet in the
//! wider type, and what has no operator is an error rather than a comparison of texts.

use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{BinaryExpr, Placeholder};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use sqlparser::ast::BinaryOperator;
use std::sync::Arc;

use crate::types::{Report, SqlState, SqlType};

use super::error::PlanError;
use super::functions::arithmetic::{ArithmeticOp, arithmetic};
use super::functions::cast::cast;
use super::functions::timestamps::{difference, scale};

/// Asked by the binder for each binary operator, before anyone else.
#[derive(Debug)]
pub struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let (left_type, right_type) = (type_of(&left, schema), type_of(&right, schema));
        // What the binder cannot type yet (a column it will not find) it also reports best itself.
        let (Some(left_type), Some(right_type)) = (left_type, right_type) else {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }));
        };
        let operands = Operands { left, left_type, right, right_type };
        let planned = match &op {
            BinaryOperator::Plus => operands.arithmetic(ArithmeticOp::Add),
            BinaryOperator::Minus => operands.arithmetic(ArithmeticOp::Subtract),
            BinaryOperator::Multiply => operands.arithmetic(ArithmeticOp::Multiply),
            BinaryOperator::Divide => operands.arithmetic(ArithmeticOp::Divide),
            BinaryOperator::Modulo => operands.arithmetic(ArithmeticOp::Modulo),
            BinaryOperator::Eq => operands.comparison(Operator::Eq),
            BinaryOperator::NotEq => operands.comparison(Operator::NotEq),
            BinaryOperator::Lt => operands.comparison(Operator::Lt),
            BinaryOperator::LtEq => operands.comparison(Operator::LtEq),
            BinaryOperator::Gt => operands.comparison(Operator::Gt),
            BinaryOperator::GtEq => operands.comparison(Operator::GtEq),
            BinaryOperator::And => operands.logic(Operator::And),
            BinaryOperator::Or => operands.logic(Operator::Or),
            BinaryOperator::StringConcat => operands.concatenation(),
            BinaryOperator::PGRegexMatch => operands.pattern(Operator::RegexMatch),
            BinaryOperator::PGRegexIMatch => operands.pattern(Operator::RegexIMatch),
            BinaryOperator::PGRegexNotMatch => operands.pattern(Operator::RegexNotMatch),
            BinaryOperator::PGRegexNotIMatch => operands.pattern(Operator::RegexNotIMatch),
            _ => return Ok(PlannerResult::Original(RawBinaryExpr { op, left: operands.left, right: operands.right })),
        };
        planned.map(PlannerResult::Planned).map_err(PlanError::external)
    }
}

/// The SQL type of an expression; `Unknown` for a literal or a parameter that has none yet.
pub fn type_of(expr: &Expr, schema: &DFSchema) -> Option<SqlType> {
    match expr {
        Expr::Alias(alias) => type_of(&alias.expr, schema),
        Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, _) => Some(SqlType::Unknown),
        Expr::Placeholder(Placeholder { field: None, .. }) => Some(SqlType::Unknown),
        _ => expr.to_field(schema).ok().map(|(_, field)| SqlType::of_field(&field)),
    }
}

/// The expression, which has no type yet, as one of that type.
pub fn give_type(expr: Expr, sql_type: &SqlType) -> Expr {
    match expr {
        Expr::Placeholder(placeholder) if placeholder.field.is_none() => {
            let field = sql_type.field(&placeholder.id);
            Expr::Placeholder(Placeholder { id: placeholder.id, field: Some(Arc::new(field)) })
        }
        expr if matches!(sql_type, SqlType::Text | SqlType::Unknown) => expr,
        // A length is not enforced on what is only compared.
        expr => cast(expr, if matches!(sql_type, SqlType::Varchar(_)) { &SqlType::Text } else { sql_type }),
    }
}

pub fn is_integer(t: &SqlType) -> bool {
    matches!(t, SqlType::SmallInt | SqlType::Integer | SqlType::BigInt)
}

pub fn is_number(t: &SqlType) -> bool {
    is_integer(t) || matches!(t, SqlType::Real | SqlType::Double | SqlType::Numeric { .. })
}

pub fn is_text(t: &SqlType) -> bool {
    matches!(t, SqlType::Text | SqlType::Varchar(_) | SqlType::Name | SqlType::Char)
}

fn is_time(t: &SqlType) -> bool {
    matches!(t, SqlType::Date | SqlType::Timestamp | SqlType::TimestampTz)
}

/// The type in which two types meet when they are compared or stand in one column; `None` when they do not.
pub fn common_type(left: &SqlType, right: &SqlType) -> Option<SqlType> {
    use SqlType::*;
    if left == right {
        return Some(left.clone());
    }
    Some(match (left, right) {
        (Unknown, other) | (other, Unknown) => other.clone(),
        (a, b) if is_integer(a) && is_integer(b) => {
            if matches!(a, BigInt) || matches!(b, BigInt) {
                BigInt
            } else {
                Integer
            }
        }
        (Double | Real, b) if is_number(b) => Double,
        (a, Double | Real) if is_number(a) => Double,
        (a, b) if is_number(a) && is_number(b) => {
            let ((p1, s1), (p2, s2)) = (digits(a), digits(b));
            let scale = s1.max(s2);
            Numeric { precision: ((p1 as i8 - s1).max(p2 as i8 - s2) + scale).clamp(1, 38) as u8, scale }
        }
        (Oid, b) if is_integer(b) => BigInt,
        (a, Oid) if is_integer(a) => BigInt,
        (a, b) if is_text(a) && is_text(b) => Text,
        (TimestampTz, b) if is_time(b) => TimestampTz,
        (a, TimestampTz) if is_time(a) => TimestampTz,
        (a, b) if is_time(a) && is_time(b) => Timestamp,
        (Json, Jsonb) | (Jsonb, Json) => Jsonb,
        (Array(a), Array(b)) => Array(Box::new(common_type(a, b)?)),
        _ => return None,
    })
}

/// Precision and scale of a number that is kept exactly.
fn digits(t: &SqlType) -> (u8, i8) {
    match t {
        SqlType::SmallInt => (5, 0),
        SqlType::Integer => (10, 0),
        SqlType::BigInt => (19, 0),
        SqlType::Numeric { precision, scale } => (*precision, *scale),
        _ => (38, 10),
    }
}

/// The expression as that type, whatever it was.
pub fn coerced(expr: Expr, from: &SqlType, to: &SqlType) -> Expr {
    match from {
        SqlType::Unknown => give_type(expr, to),
        from if from == to || from.arrow() == to.arrow() => expr,
        _ => cast(expr, to),
    }
}

struct Operands {
    left: Expr,
    left_type: SqlType,
    right: Expr,
    right_type: SqlType,
}

impl Operands {
    fn missing(&self, symbol: &str) -> PlanError {
        let message = format!("operator does not exist: {} {symbol} {}", short(&self.left_type), short(&self.right_type));
        let hint = "No operator matches the given name and argument types. You might need to add explicit type casts.";
        Report::error(SqlState::UNDEFINED_FUNCTION, message).hint(hint).into()
    }

    fn binary(self, op: Operator) -> Expr {
        Expr::BinaryExpr(BinaryExpr::new(Box::new(self.left), op, Box::new(self.right)))
    }

    /// Both sides as one type.
    fn meet(self, target: &SqlType) -> Operands {
        Operands {
            left: coerced(self.left, &self.left_type, target),
            left_type: target.clone(),
            right: coerced(self.right, &self.right_type, target),
            right_type: target.clone(),
        }
    }

    fn comparison(self, op: Operator) -> Result<Expr, PlanError> {
        let target = match (&self.left_type, &self.right_type) {
            (SqlType::Unknown, SqlType::Unknown) => SqlType::Text,
            (left, right) => common_type(left, right).ok_or_else(|| self.missing(&op.to_string().replace("!=", "<>")))?,
        };
        // Numerics of two scales compare as they are; bringing them together first could overflow.
        if let (SqlType::Numeric { .. }, SqlType::Numeric { .. }) = (&self.left_type, &self.right_type) {
            return Ok(self.binary(op));
        }
        Ok(self.meet(&target).binary(op))
    }

    fn logic(self, op: Operator) -> Result<Expr, PlanError> {
        for found in [&self.left_type, &self.right_type] {
            if !matches!(found, SqlType::Boolean | SqlType::Unknown) {
                let message = format!("argument of {op} must be type boolean, not type {}", short(found));
                return Err(PlanError::new(SqlState::DATATYPE_MISMATCH, message));
            }
        }
        Ok(self.meet(&SqlType::Boolean).binary(op))
    }

    fn pattern(self, op: Operator) -> Result<Expr, PlanError> {
        let text = |t: &SqlType| is_text(t) || *t == SqlType::Unknown;
        if !text(&self.left_type) || !text(&self.right_type) {
            return Err(self.missing(&op.to_string()));
        }
        Ok(self.meet(&SqlType::Text).binary(op))
    }

    fn concatenation(self) -> Result<Expr, PlanError> {
        use SqlType::*;
        match (&self.left_type, &self.right_type) {
            (Array(_), _) | (_, Array(_)) | (Bytea, Bytea) => Ok(self.binary(Operator::StringConcat)),
            (left, right) if [left, right].iter().any(|t| is_text(t) || **t == Unknown) => {
                let as_text = |expr: Expr, t: &SqlType| match t {
                    t if is_text(t) => expr,
                    Unknown => give_type(expr, &Text),
                    _ => cast(expr, &Text),
                };
                let (left, right) = (as_text(self.left, &self.left_type), as_text(self.right, &self.right_type));
                Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), Operator::StringConcat, Box::new(right))))
            }
            _ => Err(self.missing("||")),
        }
    }

    fn arithmetic(self, op: ArithmeticOp) -> Result<Expr, PlanError> {
        use ArithmeticOp::*;
        use SqlType::*;
        match (&self.left_type, op, &self.right_type) {
            (Unknown, _, Unknown) => {
                let message = format!("operator is not unique: unknown {} unknown", op.symbol());
                let hint = "Could not choose a best candidate operator. You might need to add explicit type casts.";
                Err(Report::error(SqlState::AMBIGUOUS_FUNCTION, message).hint(hint).into())
            }
            (left, _, right) if (is_number(left) || *left == Unknown) && (is_number(right) || *right == Unknown) => {
                let operands = self.into_numbers();
                if op == Modulo && matches!(operands.left_type, Double | Real) {
                    return Err(operands.missing(op.symbol()));
                }
                Ok(arithmetic(op, operands.left, operands.right))
            }
            (Date, Add, right) | (Date, Subtract, right) if is_integer(right) => {
                let days = arithmetic(op, cast_plain(self.left, &Integer), coerced(self.right, &self.right_type, &Integer));
                Ok(cast_plain(days, &Date))
            }
            (left, Add, Date) if is_integer(left) => self.swapped().arithmetic(Add),
            (Date, Subtract, Date | Unknown) => {
                let right = coerced(self.right, &self.right_type, &Date);
                Ok(arithmetic(Subtract, cast_plain(self.left, &Integer), cast_plain(right, &Integer)))
            }
            (left, Add | Subtract, Interval) if is_time(left) => {
                let target = if *left == Date { Timestamp } else { left.clone() };
                let left = coerced(self.left, &self.left_type, &target);
                Ok(Operands { left, left_type: target, ..self }.binary(if op == Add { Operator::Plus } else { Operator::Minus }))
            }
            (left, Add, Unknown) if is_time(left) => {
                let right = give_type(self.right, &Interval);
                Operands { right, right_type: Interval, left: self.left, left_type: self.left_type }.arithmetic(op)
            }
            (Interval | Unknown, Add, right) if is_time(right) => self.swapped().arithmetic(Add),
            (left, Subtract, right) if (is_time(left) || *left == Unknown) && (is_time(right) || *right == Unknown) => {
                let target = common_type(left, right).filter(|t| *t != Date).unwrap_or(Timestamp);
                let operands = self.meet(&target);
                Ok(difference(operands.left, operands.right))
            }
            (Interval | Unknown, Add | Subtract, Interval) | (Interval, Add | Subtract, Unknown) => {
                Ok(self.meet(&Interval).binary(if op == Add { Operator::Plus } else { Operator::Minus }))
            }
            (Interval, Multiply, right) if is_number(right) || *right == Unknown => {
                Ok(scale(self.left, coerced(self.right, &self.right_type, &Double)))
            }
            (left, Multiply, Interval) if is_number(left) || *left == Unknown => self.swapped().arithmetic(Multiply),
            (Interval, Divide, right) if is_number(right) => {
                let one = Expr::Literal(ScalarValue::Float64(Some(1.0)), None);
                let factor = arithmetic(Divide, one, coerced(self.right, &self.right_type, &Double));
                Ok(scale(self.left, factor))
            }
            _ => Err(self.missing(op.symbol())),
        }
    }

    fn swapped(self) -> Operands {
        Operands { left: self.right, left_type: self.right_type, right: self.left, right_type: self.left_type }
    }

    /// Both as integers of one width, as floats of one width, or as decimals that keep their own scales.
    fn into_numbers(self) -> Operands {
        use SqlType::*;
        let target = match (&self.left_type, &self.right_type) {
            (Numeric { .. }, Unknown) | (Unknown, Numeric { .. }) => SqlType::NUMERIC,
            (left, right) => common_type(left, right).unwrap_or(Double),
        };
        if !matches!(target, Numeric { .. }) {
            return self.meet(&target);
        }
        let decimal = |expr: Expr, t: &SqlType| {
            let own = match t {
                Numeric { .. } => t.clone(),
                Unknown => SqlType::NUMERIC,
                integer => Numeric { precision: digits(integer).0, scale: 0 },
            };
            (coerced(expr, t, &own), own)
        };
        let ((left, left_type), (right, right_type)) = (decimal(self.left, &self.left_type), decimal(self.right, &self.right_type));
        Operands { left, left_type, right, right_type }
    }
}

/// A cast that changes how the bits are read: dates as days and back.
fn cast_plain(expr: Expr, to: &SqlType) -> Expr {
    Expr::Cast(datafusion::logical_expr::Cast::new(Box::new(expr), to.arrow()))
}

/// A type as messages name it: without its length or digits.
pub fn short(t: &SqlType) -> String {
    match t {
        SqlType::Numeric { .. } => "numeric".to_string(),
        SqlType::Varchar(_) => "character varying".to_string(),
        other => other.to_string(),
    }
}
