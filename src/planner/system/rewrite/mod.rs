//! Makes the look-ups of PostgreSQL's clients bindable: on the syntax tree, never as text, and never on a statement
//! that reads a user's relation.
//!
//! Two kinds of change are made. Spelling (`expressions`): another way to write the same, as `a OPERATOR(pg_catalog.~) b`
//! for `a ~ b`. And subqueries (`subqueries`), where use is made of what holds for system relations only: look-ups by
//! number find one row at most, and some relations are always empty. The second kind would change the meaning of
//! general SQL, so it is kept for statements that read system relations.

mod ast_build;
mod correlation;
mod expressions;
mod output;
mod reach;
mod subqueries;

use sqlparser::ast::{Query, VisitMut};

use super::view::SystemView;
use reach::Reach;

/// Rewrites a query that reads nothing but system relations, or no relation at all; leaves all others as they are.
pub fn rewrite(query: &mut Query, view: &SystemView) {
    let reach = Reach::of(query, view);
    if reach.reads_user_relations {
        return;
    }
    output::name_columns(query, &reach.system_relations);
    if !reach.system_relations.is_empty() {
        let _ = query.visit(&mut subqueries::Subqueries);
    }
    let _ = query.visit(&mut expressions::Spelling { relations: &reach.system_relations });
}
