//! Small pieces of syntax tree.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query,
    Select, SetExpr, TableAlias, TableFactor, TableWithJoins, Value,
};

use crate::planner::error::PlanResult;
use crate::types::Report;

/// A name that keeps its case.
pub fn ident(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

pub fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(ident(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub fn string(text: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.into()).into())
}

pub fn object_name(parts: impl IntoIterator<Item = Ident>) -> ObjectName {
    ObjectName(parts.into_iter().map(ObjectNamePart::Identifier).collect())
}

/// `SELECT * FROM from`.
pub fn select_all(from: TableFactor) -> PlanResult<Box<Query>> {
    let mut query = crate::sql::parse_query("SELECT * FROM t")?;
    let select = select_of(&mut query)?;
    select.from = vec![TableWithJoins { relation: from, joins: Vec::new() }];
    Ok(query)
}

pub fn select_of(query: &mut Query) -> PlanResult<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Ok(select),
        _ => Err(Report::internal("the query is no SELECT").into()),
    }
}

pub fn table(name: ObjectName, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

pub fn derived(subquery: Box<Query>, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Derived { lateral: false, subquery, alias, sample: None }
}

pub fn alias(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: Vec::new() }
}
