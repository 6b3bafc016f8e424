//! Which relations a statement reads, however deep.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{Query, TableFactor, Visit, Visitor};

use super::super::registry;
use super::super::view::SystemView;
use super::ast_build::{folded, name_parts};

#[derive(Debug, Default)]
pub struct Reach {
    pub reads_user_relations: bool,
    /// The name or alias by which the statement calls a system relation, and that relation's number.
    pub system_relations: BTreeMap<String, u32>,
}

impl Reach {
    pub fn of(query: &Query, view: &SystemView) -> Reach {
        let mut collect = Collect { view, common: Vec::new(), reach: Reach::default() };
        let _ = query.visit(&mut collect);
        collect.reach
    }
}

struct Collect<'a> {
    view: &'a SystemView,
    /// Names of WITH queries seen so far; a name is in reach of all that is visited after it.
    common: Vec<String>,
    reach: Reach,
}

impl Visitor for Collect<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            self.common.extend(with.cte_tables.iter().map(|table| folded(&table.alias.name)));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        // A table function has arguments and is no relation.
        if let TableFactor::Table { name, args: None, alias, .. } = factor {
            let parts = name_parts(name);
            let (schema, name) = match parts.as_slice() {
                [name] => (None, name),
                [.., schema, name] => (Some(schema.as_str()), name),
                [] => return ControlFlow::Continue(()),
            };
            if schema.is_none() && self.common.contains(name) {
                return ControlFlow::Continue(());
            }
            let found = registry::resolve(schema, name, self.view).map(|schema| registry::relation_oid(schema, name));
            match found {
                Some(oid) => {
                    let called = alias.as_ref().map_or_else(|| name.clone(), |alias| folded(&alias.name));
                    self.reach.system_relations.insert(called, oid);
                }
                // One that is not there: the binder says so.
                None if matches!(schema, Some("pg_catalog" | "information_schema")) => {}
                None => self.reach.reads_user_relations = true,
            }
        }
        ControlFlow::Continue(())
    }
}
