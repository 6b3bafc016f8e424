//! The names of output columns as PostgreSQL gives them: `?column?`, the function's name, the cast's type.
//!
//! The binder needs names to differ. A name that is given a second time gets a mark and a number behind it, and
//! [`shown_name`] takes them off again where a user sees it.

use std::collections::HashSet;

use sqlparser::ast::{AccessExpr, CeilFloorKind, DateTimeField, Expr, Ident, Query, SelectItem, SetExpr};

use crate::sql::names::folded;

use super::trees;

/// Separates a name from the number that makes it unique; no name that is typed has it.
const MARK: char = '\u{1}';

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The statement's own output: nothing refers to it by name from outside, so any item may be marked.
    Whole,
    /// A query within a query.
    Inner,
}

/// The name without what made it unique.
pub fn shown_name(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Gives every item of the query's SELECT lists a name, and no two the same.
pub fn name_outputs(query: &mut Query, naming: Naming) {
    let mut open = vec![query.body.as_mut()];
    while let Some(body) = open.pop() {
        match body {
            SetExpr::Select(select) => name_items(&mut select.projection, naming),
            SetExpr::SetOperation { left, right, .. } => open.extend([left.as_mut(), right.as_mut()]),
            // A query in parentheses is visited on its own, and its names are those of the whole.
            SetExpr::Query(query) if naming == Naming::Whole => open.push(query.body.as_mut()),
            _ => {}
        }
    }
}

fn name_items(items: &mut [SelectItem], naming: Naming) {
    let star = items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let mut taken: HashSet<String> = HashSet::new();
    let mut number = 0;
    for item in items.iter_mut() {
        let (expr, name, written) = match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = output_name(expr);
                let written = !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                (expr, name, written)
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let name = folded(alias);
                (expr, name, true)
            }
            _ => continue,
        };
        if name.contains(MARK) {
            taken.insert(name);
            continue;
        }
        // Beside a star any column may be there already.
        let clash = !taken.insert(name.clone()) || (star && naming == Naming::Whole);
        if clash {
            number += 1;
            let unique = trees::ident(&format!("{name}{MARK}{number}"));
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: unique };
        } else if written {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: trees::ident(&name) };
        }
    }
}

/// What PostgreSQL calls the column of an expression without AS.
fn output_name(expr: &Expr) -> String {
    let known = |name: &str| name.to_string();
    name_of(expr).unwrap_or_else(|| known("?column?"))
}

fn name_of(expr: &Expr) -> Option<String> {
    let text = match expr {
        Expr::Identifier(ident) => return Some(folded(ident)),
        Expr::CompoundIdentifier(parts) => return parts.last().map(folded),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => return name_of(inner),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(field)) => Some(folded(field)),
                _ => None,
            });
            return field.or_else(|| name_of(root));
        }
        Expr::Function(function) => return function.name.0.last()?.as_ident().map(function_name),
        Expr::Cast { expr, data_type, .. } => {
            return name_of(expr).or_else(|| crate::sql::data_type::sql_type(data_type).ok().map(|t| type_name(&t)));
        }
        Expr::TypedString(typed) => return crate::sql::data_type::sql_type(&typed.data_type).ok().map(|t| type_name(&t)),
        Expr::Case { else_result: Some(other), .. } => return Some(name_of(other).unwrap_or_else(|| "case".to_string())),
        Expr::Case { .. } => "case",
        Expr::Exists { .. } => "exists",
        Expr::Subquery(query) => return subquery_name(query),
        Expr::Interval(_) => "interval",
        Expr::Array(_) => "array",
        Expr::Extract { .. } => "extract",
        Expr::Position { .. } => "position",
        Expr::Substring { .. } => "substring",
        Expr::Overlay { .. } => "overlay",
        Expr::Trim { trim_where, .. } => match trim_where {
            Some(sqlparser::ast::TrimWhereField::Leading) => "ltrim",
            Some(sqlparser::ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        },
        Expr::Ceil { field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime), .. } => "ceil",
        Expr::Floor { field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime), .. } => "floor",
        Expr::AtTimeZone { .. } => "timezone",
        Expr::Tuple(_) => "row",
        _ => return None,
    };
    Some(text.to_string())
}

fn function_name(ident: &Ident) -> String {
    match folded(ident).as_str() {
        "tumble" => "tumble_start".to_string(),
        name => name.to_string(),
    }
}

fn subquery_name(query: &Query) -> Option<String> {
    match query.body.as_ref() {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expr) => Some(output_name(expr)),
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        },
        _ => None,
    }
}

/// The type's name in `pg_type`, which is what a cast is called by.
fn type_name(sql_type: &crate::types::SqlType) -> String {
    use crate::types::SqlType::*;
    match sql_type {
        Boolean => "bool",
        SmallInt => "int2",
        Integer => "int4",
        BigInt => "int8",
        Real => "float4",
        Double => "float8",
        Numeric { .. } => "numeric",
        Varchar(_) => "varchar",
        Time => "time",
        Timestamp => "timestamp",
        TimestampTz => "timestamptz",
        Char => "char",
        Array(element) => return type_name(element),
        other => return other.to_string(),
    }
    .to_string()
}
