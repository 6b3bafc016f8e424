//! No statement is deeper than every stack on its way can hold.
//!
//! The parser limits nesting, but chains (`a OR b OR c`, `x + 1 + 1`, `x::int::int`) grow trees that are deep on one side,
//! and whoever walks, copies or drops such a tree recurses. So AND and OR, which are associative, are balanced, and what
//! is still too deep is refused. While a tree may be deep it lives on a stack that is large enough for it.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Query, SetExpr, Value, VisitMut, VisitorMut};

use super::error::SqlError;

/// Expressions within expressions, and set operations in a row.
const MAX_DEPTH: usize = 400;
/// Chains shorter than this stay as they are.
const LONG: usize = 16;
/// Texts shorter than this cannot make a tree that is too deep for an ordinary stack.
const SHORT_TEXT: usize = 4096;

/// Runs what may hold a deep tree for a text of that many bytes.
pub fn with_stack<T: Send>(bytes: usize, run: impl FnOnce() -> Result<T, SqlError> + Send) -> Result<T, SqlError> {
    if bytes < SHORT_TEXT {
        return run();
    }
    // The shortest link of a chain is two bytes long. The memory is only used when it is needed.
    let stack = (16 << 20) + bytes.saturating_mul(256);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("parser".to_string()).stack_size(stack);
        match thread.spawn_scoped(scope, run).map(|thread| thread.join()) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(SqlError::TooDeep),
        }
    })
}

/// Balances the tree's chains.
///
/// # Errors
/// `TooDeep` when that does not help.
pub fn shallow(tree: &mut impl VisitMut) -> Result<(), SqlError> {
    match tree.visit(&mut Depth(0)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(SqlError::TooDeep),
    }
}

struct Depth(usize);

impl VisitorMut for Depth {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let (mut body, mut operations) = (query.body.as_ref(), 0);
        while let SetExpr::SetOperation { left, .. } = body {
            (body, operations) = (left.as_ref(), operations + 1);
        }
        if operations > MAX_DEPTH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } = &*expr {
            let op = op.clone();
            if chain(expr, &op) > LONG {
                let terms = taken_apart(expr, &op);
                *expr = balanced(terms, &op);
            }
        }
        self.0 += 1;
        if self.0 > MAX_DEPTH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<()> {
        self.0 -= 1;
        ControlFlow::Continue(())
    }
}

fn chain(mut expr: &Expr, wanted: &BinaryOperator) -> usize {
    let mut links = 0;
    while let Expr::BinaryOp { left, op, .. } = expr
        && op == wanted
    {
        (expr, links) = (left.as_ref(), links + 1);
    }
    links
}

fn taken_apart(expr: &mut Expr, wanted: &BinaryOperator) -> Vec<Expr> {
    let mut rest = std::mem::replace(expr, Expr::Value(Value::Null.into()));
    let mut terms = Vec::new();
    loop {
        match rest {
            Expr::BinaryOp { left, op, right } if op == *wanted => {
                terms.push(*right);
                rest = *left;
            }
            first => {
                terms.push(first);
                terms.reverse();
                return terms;
            }
        }
    }
}

fn balanced(mut terms: Vec<Expr>, op: &BinaryOperator) -> Expr {
    if terms.len() > 1 {
        let right = terms.split_off(terms.len() / 2);
        let (left, right) = (balanced(terms, op), balanced(right, op));
        return Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) };
    }
    terms.pop().unwrap_or(Expr::Value(Value::Null.into()))
}
