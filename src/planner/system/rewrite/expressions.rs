//! Another spelling of the same expression, one that the binder knows.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, Array, ArrayElemTypeDef, BinaryOperator, DataType, Expr, Function, FunctionArguments, Ident, ObjectName, Query, Subscript,
    TableFactor, Value, VisitorMut,
};

use super::super::{functions, types};
use super::ast_build::{
    arguments, binary, call, cast, folded, last_name, name_parts, number, only_argument, string, string_literal, value,
};

pub struct Spelling<'a> {
    /// Name or alias of each system relation in the statement, and its number: what `tableoid` is.
    pub relations: &'a BTreeMap<String, u32>,
}

impl VisitorMut for Spelling<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } = factor {
            drop_schema(name);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let taken = std::mem::replace(expr, value(Value::Null));
        *expr = self.spell(taken);
        ControlFlow::Continue(())
    }
}

/// Names that PostgreSQL lets stand without parentheses.
const BARE_FUNCTIONS: [&str; 5] = ["current_schema", "current_catalog", "current_user", "session_user", "current_role"];

/// Columns of the types `int2vector` and `oidvector`, which count from 0.
const VECTORS: [&str; 5] = ["indkey", "indclass", "indcollation", "indoption", "proargtypes"];

impl Spelling<'_> {
    fn spell(&self, expr: Expr) -> Expr {
        match expr {
            Expr::Collate { expr, .. } => *expr,
            Expr::BinaryOp { left, op, right } => binary_operation(*left, plain_operator(op), *right),
            Expr::AnyOp { left, compare_op, right, is_some } => any(*left, plain_operator(compare_op), *right, is_some),
            Expr::AllOp { left, compare_op, right } => all(*left, plain_operator(compare_op), *right),
            Expr::Cast { kind, expr, data_type, array, format } => match respell_cast(*expr, &data_type) {
                Ok(made) => made,
                Err(expr) => Expr::Cast { kind, expr: Box::new(expr), data_type, array, format },
            },
            Expr::Function(mut function) => {
                drop_schema(&mut function.name);
                expand_array(Expr::Function(function))
            }
            Expr::CompoundFieldAccess { root, access_chain } => field_access(*root, access_chain),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [relation, column] => self.system_column(Some(relation), column).unwrap_or(Expr::CompoundIdentifier(parts)),
                _ => Expr::CompoundIdentifier(parts),
            },
            Expr::Identifier(ident) if ident.quote_style.is_none() && BARE_FUNCTIONS.contains(&folded(&ident).as_str()) => {
                call(&folded(&ident), Vec::new())
            }
            Expr::Identifier(ident) => self.system_column(None, &ident).unwrap_or(Expr::Identifier(ident)),
            Expr::Like { negated, any, expr, pattern, escape_char } => {
                let (pattern, escape_char) = backslash_escaped(*pattern, escape_char);
                Expr::Like { negated, any, expr, pattern: Box::new(pattern), escape_char }
            }
            Expr::ILike { negated, any, expr, pattern, escape_char } => {
                let (pattern, escape_char) = backslash_escaped(*pattern, escape_char);
                Expr::ILike { negated, any, expr, pattern: Box::new(pattern), escape_char }
            }
            other => other,
        }
    }

    /// The columns that every relation has and `*` does not show.
    fn system_column(&self, relation: Option<&Ident>, column: &Ident) -> Option<Expr> {
        let oid = match relation {
            Some(relation) => *self.relations.get(&folded(relation))?,
            None if self.relations.len() == 1 => *self.relations.values().next()?,
            None => return None,
        };
        match folded(column).as_str() {
            "tableoid" => Some(call("pg_oid", vec![number(oid.into())])),
            "xmin" => Some(call("pg_oid", vec![number(0)])),
            _ => None,
        }
    }
}

/// `pg_catalog.f` is `f`, and so is `information_schema.f` for the functions that are there.
fn drop_schema(name: &mut ObjectName) {
    let parts = name_parts(name);
    if let [schema, _] = parts.as_slice()
        && (schema == "pg_catalog" || schema == "information_schema")
        && let Some(last) = name.0.pop()
    {
        name.0 = vec![last];
    }
}

/// `OPERATOR(pg_catalog.~)` is `~`.
fn plain_operator(op: BinaryOperator) -> BinaryOperator {
    let BinaryOperator::PGCustomBinaryOperator(path) = &op else { return op };
    match path.last().map(String::as_str) {
        Some("=") => BinaryOperator::Eq,
        Some("<>" | "!=") => BinaryOperator::NotEq,
        Some("<") => BinaryOperator::Lt,
        Some("<=") => BinaryOperator::LtEq,
        Some(">") => BinaryOperator::Gt,
        Some(">=") => BinaryOperator::GtEq,
        Some("~") => BinaryOperator::PGRegexMatch,
        Some("~*") => BinaryOperator::PGRegexIMatch,
        Some("!~") => BinaryOperator::PGRegexNotMatch,
        Some("!~*") => BinaryOperator::PGRegexNotIMatch,
        Some("~~") => BinaryOperator::PGLikeMatch,
        Some("!~~") => BinaryOperator::PGNotLikeMatch,
        Some("||") => BinaryOperator::StringConcat,
        Some("+") => BinaryOperator::Plus,
        Some("-") => BinaryOperator::Minus,
        _ => op,
    }
}

fn binary_operation(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let compares = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
    if compares && array_literal(&right).is_some() && string_literal(&left).is_none() {
        return binary(call("pg_array_text", vec![left]), op, right);
    }
    if op == BinaryOperator::StringConcat && (makes_text_array(&left) || makes_text_array(&right)) {
        return call("pg_array_concat", vec![left, right]);
    }
    binary(left, op, right)
}

fn makes_text_array(expr: &Expr) -> bool {
    ["pg_text_array", "pg_array_prefixed"].into_iter().any(|name| arguments(expr, name).is_some())
}

/// The elements of a one-dimensional array's text form, `{a,b}`.
fn array_literal(expr: &Expr) -> Option<Vec<String>> {
    let inner = string_literal(expr)?.trim().strip_prefix('{')?.strip_suffix('}')?;
    if inner.contains(['"', '\\', '{']) {
        return None;
    }
    Some(if inner.trim().is_empty() { Vec::new() } else { inner.split(',').map(|item| item.trim().to_string()).collect() })
}

/// The elements of an array that is written out.
fn written_elements(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Array(Array { elem, .. }) => Some(elem.clone()),
        Expr::Nested(inner) => written_elements(inner),
        _ => array_literal(expr).map(|items| items.iter().map(|item| string(item)).collect()),
    }
}

fn any(left: Expr, op: BinaryOperator, right: Expr, is_some: bool) -> Expr {
    if op == BinaryOperator::Eq
        && let Some(list) = written_elements(&right)
        && !list.is_empty()
    {
        return Expr::InList { expr: Box::new(left), list, negated: false };
    }
    let right = if let Expr::Nested(inner) = right { *inner } else { right };
    Expr::AnyOp { left: Box::new(left), compare_op: op, right: Box::new(right), is_some }
}

fn all(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    if op == BinaryOperator::NotEq && !matches!(right, Expr::Subquery(_)) {
        return match written_elements(&right) {
            Some(list) if !list.is_empty() => Expr::InList { expr: Box::new(left), list, negated: true },
            _ => Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Not, expr: Box::new(call("array_has", vec![right, left])) },
        };
    }
    Expr::AllOp { left: Box::new(left), compare_op: op, right: Box::new(right) }
}

/// What a cast goes to, of the types that clients name in catalog queries.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// `regclass` and its kin, by that name.
    Registry(String),
    Oid,
    /// `name`, `"char"`, `text` and the like: text, by the name it was called.
    Text(String),
    /// A type that the binder knows under this spelling.
    Plain(DataType, String),
    /// An array of a catalog type, which the binder cannot name.
    SystemArray,
    Other,
}

impl Target {
    /// `typname`, which an unnamed column takes from its cast.
    pub fn type_name(&self) -> Option<String> {
        match self {
            Target::Registry(name) | Target::Text(name) | Target::Plain(_, name) => Some(name.clone()),
            Target::Oid => Some("oid".to_string()),
            Target::SystemArray | Target::Other => None,
        }
    }
}

pub fn target(data_type: &DataType) -> Target {
    let name = match data_type {
        DataType::Custom(name, modifiers) if modifiers.is_empty() => last_name(name).unwrap_or_default(),
        DataType::Regclass => "regclass".to_string(),
        DataType::Text => "text".to_string(),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => {
            return match target(element) {
                Target::Plain(plain, name) => {
                    let array = DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(plain), None));
                    Target::Plain(array, name)
                }
                Target::Text(name) if name == "text" || name == "varchar" => {
                    Target::Plain(DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(DataType::Text), None)), name)
                }
                Target::Other => Target::Other,
                _ => Target::SystemArray,
            };
        }
        other => {
            let name = types::of_name(&other.to_string()).map(|t| t.name.to_string());
            return name.map_or(Target::Other, |name| Target::Plain(other.clone(), name));
        }
    };
    match name.as_str() {
        "oid" | "xid" | "cid" => Target::Oid,
        "text" | "varchar" | "name" | "char" | "bpchar" | "cstring" | "unknown" | "sql_identifier" | "character_data" | "yes_or_no" => {
            Target::Text(name)
        }
        "regclass" | "regtype" | "regnamespace" | "regproc" | "regrole" | "regcollation" => Target::Registry(name),
        "regprocedure" | "regoper" | "regoperator" => Target::Registry("regproc".to_string()),
        "int2" => Target::Plain(DataType::SmallInt(None), name),
        "int4" | "cardinal_number" => Target::Plain(DataType::Integer(None), "int4".to_string()),
        "int8" => Target::Plain(DataType::BigInt(None), name),
        "bool" => Target::Plain(DataType::Boolean, name),
        "float4" => Target::Plain(DataType::Real, name),
        "float8" => Target::Plain(DataType::DoublePrecision, name),
        "int2vector" | "oidvector" | "aclitem" | "anyarray" => Target::SystemArray,
        _ => Target::Other,
    }
}

/// The cast in the binder's terms, or the operand back when it knows the cast as it is.
fn respell_cast(operand: Expr, data_type: &DataType) -> Result<Expr, Expr> {
    match target(data_type) {
        Target::Registry(name) => Ok(match registry_operand(&operand) {
            Some((_, inner)) => call(&format!("pg_{name}"), vec![inner]),
            None => call(&format!("pg_{name}"), vec![operand]),
        }),
        Target::Oid if registry_operand(&operand).is_some() => Ok(operand),
        Target::Oid => Ok(call("pg_oid", vec![operand])),
        Target::Text(_) => Ok(match registry_operand(&operand) {
            Some((registry, inner)) => call(&format!("{registry}_name"), vec![inner]),
            None => cast(operand, DataType::Text),
        }),
        Target::Plain(plain, _) => match array_literal(&operand) {
            Some(items) if matches!(plain, DataType::Array(_)) => {
                let elem = items.iter().map(|item| string(item)).collect();
                Ok(cast(Expr::Array(Array { elem, named: true }), plain))
            }
            _ => Ok(cast(operand, plain)),
        },
        Target::SystemArray => match array_literal(&operand) {
            Some(items) => Ok(Expr::Array(Array { elem: items.iter().map(|item| string(item)).collect(), named: true })),
            // It is one already, or the binder would have to make one from nothing.
            None => Ok(operand),
        },
        Target::Other => Err(operand),
    }
}

/// `pg_regclass(x)`, which a cast was made into: the function and `x`.
fn registry_operand(expr: &Expr) -> Option<(String, Expr)> {
    let expr = if let Expr::Nested(inner) = expr { inner } else { expr };
    let Expr::Function(function) = expr else { return None };
    let name = last_name(&function.name)?;
    if !name.starts_with("pg_reg") || name.ends_with("_name") || !functions::is_function(&name) {
        return None;
    }
    only_argument(expr, &name).map(|inner| (name.clone(), inner.clone()))
}

/// `_pg_expandarray(a)` gives rows of an element `x` and its position `n`: the elements here, the positions by `.n`.
/// `generate_subscripts(a, 1)` gives the subscripts.
fn expand_array(expr: Expr) -> Expr {
    if let Some(array) = only_argument(&expr, "_pg_expandarray") {
        return call("unnest", vec![array.clone()]);
    }
    match arguments(&expr, "generate_subscripts").as_deref() {
        Some([array, _]) => {
            let first = if is_vector(array) { 0 } else { 1 };
            call("unnest", vec![call("pg_positions", vec![(*array).clone(), number(first)])])
        }
        _ => expr,
    }
}

fn is_vector(array: &Expr) -> bool {
    let last = match array {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    };
    last.is_some_and(|last| VECTORS.contains(&folded(last).as_str()))
}

fn field_access(root: Expr, chain: Vec<AccessExpr>) -> Expr {
    if let [AccessExpr::Dot(Expr::Identifier(field))] = chain.as_slice()
        && let Expr::Nested(inner) = &root
    {
        let unnested = only_argument(inner, "unnest");
        match (folded(field).as_str(), unnested) {
            ("n", Some(array)) => return call("unnest", vec![call("pg_positions", vec![array.clone(), number(1)])]),
            ("x", _) => return (**inner).clone(),
            _ => {}
        }
    }
    if let Some((AccessExpr::Subscript(Subscript::Index { index }), path)) = chain.split_last()
        && let Some(array) = dotted(&root, path)
    {
        let index = if is_vector(&array) { binary(index.clone(), BinaryOperator::Plus, number(1)) } else { index.clone() };
        return call("array_element", vec![array, index]);
    }
    Expr::CompoundFieldAccess { root: Box::new(root), access_chain: chain }
}

/// `a.b.c` as a compound identifier; the root alone when nothing follows it.
fn dotted(root: &Expr, path: &[AccessExpr]) -> Option<Expr> {
    if path.is_empty() {
        return Some(if let Expr::Nested(inner) = root { (**inner).clone() } else { root.clone() });
    }
    let mut parts = match root {
        Expr::Identifier(ident) => vec![ident.clone()],
        Expr::CompoundIdentifier(parts) => parts.clone(),
        _ => return None,
    };
    for access in path {
        match access {
            AccessExpr::Dot(Expr::Identifier(ident)) => parts.push(ident.clone()),
            _ => return None,
        }
    }
    Some(Expr::CompoundIdentifier(parts))
}

/// A literal pattern with the backslash as its escape character, which needs no ESCAPE.
fn backslash_escaped(pattern: Expr, escape: Option<Value>) -> (Expr, Option<Value>) {
    let character = match &escape {
        Some(Value::SingleQuotedString(text)) => text.chars().next(),
        _ => None,
    };
    let (Some(character), Some(text)) = (character, string_literal(&pattern)) else { return (pattern, escape) };
    let mut made = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c == character => made.extend(['\\'].into_iter().chain(chars.next())),
            '\\' => made.push_str("\\\\"),
            c => made.push(c),
        }
    }
    (string(&made), None)
}

/// True for the shape `ARRAY(SELECT ...)`, which the parser makes a function of.
pub fn array_subquery(expr: &Expr) -> Option<&Query> {
    match expr {
        Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. }) if last_name(name).as_deref() == Some("array") => {
            Some(query)
        }
        _ => None,
    }
}
