//! Makes the conditions that tie a subquery to the query around it plain equalities, the only ones that the binder can
//! pull out of an aggregate.
//!
//! - A condition on outer columns alone is the same for every row of the subquery: it is taken out.
//! - Where an inner column equals an outer one, the inner one stands for the outer one everywhere else in the subquery.
//!
//! An outer column is one that is qualified by a relation which the subquery does not read itself.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Ident, Query, Select, TableFactor, Visit, VisitMut, Visitor, VisitorMut};

use super::ast_build::{binary, folded, last_name};

/// Returns the conjunction of what was taken out.
pub fn simplify(select: &mut Select) -> Option<Expr> {
    let own = own_relations(select);
    let mut conditions = Vec::new();
    split(select.selection.take()?, &mut conditions);
    let (outer, mut inner): (Vec<Expr>, Vec<Expr>) = conditions.into_iter().partition(|condition| is_outer_only(condition, &own));
    for at in 0..inner.len() {
        let Some((mine, theirs)) = inner.get(at).and_then(|condition| equality(condition, &own)) else { continue };
        let mut replace = Replace { what: theirs, by: mine };
        for (other, condition) in inner.iter_mut().enumerate() {
            if other != at {
                let _ = VisitMut::visit(condition, &mut replace);
            }
        }
        let _ = VisitMut::visit(&mut select.projection, &mut replace);
    }
    let conjunction = |left, right| binary(left, BinaryOperator::And, right);
    select.selection = inner.into_iter().reduce(conjunction);
    outer.into_iter().reduce(conjunction)
}

/// The names by which the select calls what it reads.
fn own_relations(select: &Select) -> Vec<String> {
    let factors = select.from.iter().flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
    let name = |factor: &TableFactor| match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => Some(folded(&alias.name)),
        TableFactor::Table { name, .. } => last_name(name),
        _ => None,
    };
    factors.filter_map(name).collect()
}

fn split(condition: Expr, conditions: &mut Vec<Expr>) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(*left, conditions);
            split(*right, conditions);
        }
        Expr::Nested(inner) if matches!(*inner, Expr::BinaryOp { op: BinaryOperator::And, .. }) => split(*inner, conditions),
        other => conditions.push(other),
    }
}

/// True for `a.b` where the subquery does not read `a`.
fn is_outer(expr: &Expr, own: &[String]) -> bool {
    match expr {
        Expr::CompoundIdentifier(parts) => qualifier(parts).is_some_and(|relation| !own.contains(&relation)),
        _ => false,
    }
}

fn qualifier(parts: &[Ident]) -> Option<String> {
    parts.iter().rev().nth(1).map(folded)
}

fn equality(condition: &Expr, own: &[String]) -> Option<(Expr, Expr)> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return None };
    let is_inner = |expr: &Expr| matches!(expr, Expr::CompoundIdentifier(_)) && !is_outer(expr, own);
    match (is_inner(left), is_outer(left, own), is_inner(right), is_outer(right, own)) {
        (true, _, _, true) => Some(((**left).clone(), (**right).clone())),
        (_, true, true, _) => Some(((**right).clone(), (**left).clone())),
        _ => None,
    }
}

fn is_outer_only(condition: &Expr, own: &[String]) -> bool {
    let mut find = FindInner { own, columns: 0 };
    condition.visit(&mut find).is_continue() && find.columns > 0
}

/// Breaks at what is not an outer column: an inner one, one without a qualifier, a subquery.
struct FindInner<'a> {
    own: &'a [String],
    columns: usize,
}

impl Visitor for FindInner<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(_) => ControlFlow::Break(()),
            Expr::CompoundIdentifier(_) if is_outer(expr, self.own) => {
                self.columns += 1;
                ControlFlow::Continue(())
            }
            Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

struct Replace {
    what: Expr,
    by: Expr,
}

impl VisitorMut for Replace {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if *expr == self.what {
            *expr = self.by.clone();
        }
        ControlFlow::Continue(())
    }
}
