//! What is done to a query's syntax tree before it is bound, so that DataFusion's binder speaks PostgreSQL: names for
//! what has none, types for literals, casts as PostgreSQL makes them, window functions in FROM as subqueries.
//!
//! The tree is changed in place and never printed. What the binder would silently pass over is refused here.

mod comparisons;
mod limits;
mod names;
mod refuse;
mod scalars;
pub mod trees;
mod windows;

pub use names::{Naming, shown_name};
pub use scalars::typed;

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, TableFactor, VisitMut, VisitorMut};

use super::error::{PlanError, PlanResult};

/// What the rewrite came upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The query asks for the time.
    pub uses_clock: bool,
}

/// Rewrites a query. `now` is the statement's time in microseconds since 1970 UTC.
pub fn rewrite(query: &mut Query, now: i64) -> PlanResult<Facts> {
    names::name_outputs(query, Naming::Whole);
    walk(query, now)
}

fn walk(tree: &mut impl VisitMut, now: i64) -> PlanResult<Facts> {
    let mut rewriter = Rewriter { now, facts: Facts::default() };
    match tree.visit(&mut rewriter) {
        ControlFlow::Continue(()) => Ok(rewriter.facts),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter {
    now: i64,
    facts: Facts,
}

fn flow(result: PlanResult<()>) -> ControlFlow<PlanError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl VisitorMut for Rewriter {
    type Break = PlanError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<PlanError> {
        flow(refuse::query(query).and_then(|()| limits::fetch_to_limit(query)).map(|()| names::name_outputs(query, Naming::Inner)))
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<PlanError> {
        limits::untype_positions(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<PlanError> {
        flow(refuse::table_factor(factor))
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<PlanError> {
        flow(windows::rewrite(factor))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PlanError> {
        flow(comparisons::before(expr).and_then(|()| scalars::before(expr)))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<PlanError> {
        match scalars::after(expr, self.now) {
            Ok(clock) => {
                self.facts.uses_clock |= clock;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}
