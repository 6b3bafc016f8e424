//! Small pieces of syntax tree.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, ObjectNamePart, OrderByExpr, Value,
};
use sqlparser::tokenizer::Span;

/// `name(arguments)`
pub fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `name(argument ORDER BY ...)`
pub fn aggregate(name: &str, argument: Expr, order_by: Vec<OrderByExpr>) -> Expr {
    let mut made = call(name, vec![argument]);
    if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = &mut made
        && !order_by.is_empty()
    {
        list.clauses.push(sqlparser::ast::FunctionArgumentClause::OrderBy(order_by));
    }
    made
}

pub fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(expr), data_type, array: false, format: None }
}

pub fn value(value: Value) -> Expr {
    Expr::Value(value.with_span(Span::empty()))
}

pub fn string(text: &str) -> Expr {
    value(Value::SingleQuotedString(text.to_string()))
}

pub fn number(n: i64) -> Expr {
    value(Value::Number(n.to_string(), false))
}

pub fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

pub fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// The only argument of a call of that function.
pub fn only_argument<'a>(expr: &'a Expr, name: &str) -> Option<&'a Expr> {
    match arguments(expr, name)?.as_slice() {
        [argument] => Some(*argument),
        _ => None,
    }
}

/// The arguments of a call of that function.
pub fn arguments<'a>(expr: &'a Expr, name: &str) -> Option<Vec<&'a Expr>> {
    let Expr::Function(function) = expr else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    if last_name(&function.name)? != name {
        return None;
    }
    list.args.iter().map(plain_argument).collect()
}

pub fn plain_argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// The text of a string literal.
pub fn string_literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => string_literal(inner),
        _ => None,
    }
}

/// An identifier as the binder sees it: in lower case unless quoted.
pub fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// The parts of a dotted name.
pub fn name_parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(ObjectNamePart::as_ident).map(folded).collect()
}

pub fn last_name(name: &ObjectName) -> Option<String> {
    name_parts(name).pop()
}
