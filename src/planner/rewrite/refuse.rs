//! Clauses that the parser reads and the binder would pass over in silence.

use sqlparser::ast::{LimitClause, Query, SetExpr, TableFactor};

use crate::planner::error::{PlanError, PlanResult};

use super::trees;

fn refused<T>(what: &str, hint: &str) -> PlanResult<T> {
    Err(PlanError::unsupported(format!("{what} is not supported"), hint))
}

pub fn query(query: &mut Query) -> PlanResult<()> {
    if !query.locks.is_empty() {
        return refused("SELECT ... FOR UPDATE", "leave the clause out: readers and writers do not wait for each other");
    }
    if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() || !query.pipe_operators.is_empty() {
        return refused("this clause of a query", "leave it out");
    }
    if let Some(LimitClause::OffsetCommaLimit { .. }) = &query.limit_clause {
        return refused("LIMIT with a comma", "write LIMIT n OFFSET m");
    }
    if query.with.as_ref().is_some_and(|with| with.recursive) {
        return refused("WITH RECURSIVE", "only queries that do not refer to themselves can be computed");
    }
    let mut open = vec![query.body.as_mut()];
    while let Some(body) = open.pop() {
        match body {
            SetExpr::Select(select) => {
                if select.into.is_some() {
                    return refused("SELECT INTO", "use CREATE MATERIALIZED VIEW ... AS, or INSERT INTO ... SELECT");
                }
                let foreign = select.top.is_some()
                    || select.exclude.is_some()
                    || select.prewhere.is_some()
                    || select.value_table_mode.is_some()
                    || select.select_modifiers.is_some()
                    || !select.connect_by.is_empty()
                    || !select.lateral_views.is_empty()
                    || !select.cluster_by.is_empty()
                    || !select.distribute_by.is_empty()
                    || !select.sort_by.is_empty();
                if foreign {
                    return refused("this clause of SELECT", "leave it out");
                }
            }
            SetExpr::SetOperation { left, right, .. } => open.extend([left.as_mut(), right.as_mut()]),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                return refused("changing rows within a query", "send INSERT, UPDATE or DELETE as a statement of its own");
            }
            SetExpr::Table(table) => {
                let parts = [table.schema_name.take(), table.table_name.take()];
                let name = trees::object_name(parts.into_iter().flatten().map(|part| trees::ident(&folded(&part))));
                *body = *trees::select_all(trees::table(name, None))?.body;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The parser does not say whether the name in `TABLE t` was quoted.
fn folded(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.to_string(),
        None => name.to_lowercase(),
    }
}

pub fn table_factor(factor: &mut TableFactor) -> PlanResult<()> {
    match factor {
        TableFactor::Table { sample, version, with_ordinality, partitions, json_path, with_hints, index_hints, .. } => {
            if sample.is_some() {
                return refused("TABLESAMPLE", "use WHERE over a column's hash");
            }
            if version.is_some() {
                return refused("FOR SYSTEM_TIME AS OF", "join the relation as it is now");
            }
            if *with_ordinality {
                return refused("WITH ORDINALITY", "use row_number() OVER ()");
            }
            if !partitions.is_empty() || json_path.is_some() || !with_hints.is_empty() || !index_hints.is_empty() {
                return refused("this clause on a table", "leave it out");
            }
            Ok(())
        }
        TableFactor::Derived { sample: Some(_), .. } => refused("TABLESAMPLE", "use WHERE over a column's hash"),
        _ => Ok(()),
    }
}
