//! The outermost columns: the names PostgreSQL gives them, and the text that `reg...` values are shown as.
//!
//! Names are fixed before anything is rewritten, since a rewritten expression would be called after what it became.

use std::collections::BTreeMap;

use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr};

use super::super::shape;
use super::ast_build::{self, folded, last_name};
use super::expressions::{Target, target};

/// `relations` are the system relations that the query reads, by the name it calls each.
pub fn name_columns(query: &mut Query, relations: &BTreeMap<String, u32>) {
    for_each_select(&mut query.body, &mut |select| {
        if select.projection.len() > 1 {
            select.projection = std::mem::take(&mut select.projection).into_iter().flat_map(|item| expand(item, relations)).collect();
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item {
                let alias = Ident::with_quote('"', name_of(expr));
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
            if let SelectItem::ExprWithAlias { expr, .. } = item
                && let Expr::Cast { data_type, .. } = expr
                && matches!(target(data_type), Target::Registry(_))
            {
                *expr = ast_build::cast(expr.clone(), sqlparser::ast::DataType::Text);
            }
        }
    });
}

/// `r.*` beside other columns as the columns of `r`, so that those that are named twice can be told apart.
fn expand(item: SelectItem, relations: &BTreeMap<String, u32>) -> Vec<SelectItem> {
    let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(relation), _) = &item else { return vec![item] };
    let oid = last_name(relation).and_then(|name| relations.get(&name));
    let Some(shape) = oid.and_then(|oid| shape::all().iter().find(|shape| shape.oid == *oid)) else { return vec![item] };
    let path: Vec<Ident> = relation.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
    let column = |name: &str| {
        let parts = path.iter().cloned().chain([Ident::with_quote('"', name)]).collect();
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts))
    };
    shape.columns.iter().map(|c| column(&c.name)).collect()
}

fn for_each_select(body: &mut SetExpr, change: &mut impl FnMut(&mut Select)) {
    match body {
        SetExpr::Select(select) => change(select),
        SetExpr::Query(query) => for_each_select(&mut query.body, change),
        SetExpr::SetOperation { left, right, .. } => {
            for_each_select(left, change);
            for_each_select(right, change);
        }
        _ => {}
    }
}

const NAMELESS: &str = "?column?";

/// What PostgreSQL calls a column that has no alias.
pub fn name_of(expr: &Expr) -> String {
    strong_name(expr).unwrap_or_else(|| match expr {
        Expr::Cast { data_type, .. } => target(data_type).type_name().unwrap_or_else(|| NAMELESS.to_string()),
        Expr::Case { else_result, .. } => else_result.as_deref().and_then(strong_name).unwrap_or_else(|| "case".to_string()),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => name_of(inner),
        _ => NAMELESS.to_string(),
    })
}

fn strong_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(folded(ident)),
        Expr::CompoundIdentifier(parts) => parts.last().map(folded),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let dotted = access_chain.iter().rev().find_map(|access| match access {
                sqlparser::ast::AccessExpr::Dot(Expr::Identifier(ident)) => Some(folded(ident)),
                _ => None,
            });
            dotted.or_else(|| strong_name(root))
        }
        Expr::Function(function) => last_name(&function.name),
        Expr::Cast { expr, .. } | Expr::Nested(expr) | Expr::Collate { expr, .. } => strong_name(expr),
        Expr::Exists { .. } => Some("exists".to_string()),
        Expr::Array(_) => Some("array".to_string()),
        Expr::Trim { .. } => Some("btrim".to_string()),
        Expr::Substring { .. } => Some("substring".to_string()),
        Expr::Subquery(query) => match &*query.body {
            SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
                SelectItem::UnnamedExpr(expr) => Some(name_of(expr)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
