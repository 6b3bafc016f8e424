//! Why a query cannot be planned, in PostgreSQL's words. DataFusion's errors are translated here and nowhere else, and
//! its own wording does not reach a user where PostgreSQL has one.

use datafusion::common::{Column, DataFusionError, SchemaError};

use crate::sql::SqlError;
use crate::types::eval_error::report_of;
use crate::types::{Report, SqlState, SqlType};

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct PlanError(Box<Report>);

pub type PlanResult<T> = Result<T, PlanError>;

impl PlanError {
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> PlanError {
        Report::error(sqlstate, message).into()
    }

    pub fn unsupported(what: impl Into<String>, hint: impl Into<String>) -> PlanError {
        Report::unsupported(what).hint(hint).into()
    }

    pub fn report(&self) -> Report {
        self.0.as_ref().clone()
    }

    pub fn hinted(mut self, hint: impl Into<String>) -> PlanError {
        self.0.hint = Some(hint.into());
        self
    }

    /// Without a position: the error is within a view's own text.
    pub fn unplaced(mut self) -> PlanError {
        self.0.position = None;
        self
    }

    /// With that position, unless it has one.
    pub fn placed(mut self, position: Option<usize>) -> PlanError {
        self.0.position = self.0.position.or(position);
        self
    }

    /// Carried through DataFusion, and found again by [`PlanError::from`].
    pub fn external(self) -> DataFusionError {
        DataFusionError::External(self.0)
    }
}

impl From<Report> for PlanError {
    fn from(report: Report) -> PlanError {
        PlanError(Box::new(report))
    }
}

impl From<PlanError> for Report {
    fn from(error: PlanError) -> Report {
        *error.0
    }
}

impl From<SqlError> for PlanError {
    fn from(error: SqlError) -> PlanError {
        error.report().into()
    }
}

impl From<DataFusionError> for PlanError {
    fn from(error: DataFusionError) -> PlanError {
        let position = position(&error);
        PlanError::from(translated(&error)).placed(position)
    }
}

/// Where in the statement, from the spans that the binder collects: the column is the position.
fn position(error: &DataFusionError) -> Option<usize> {
    match error {
        DataFusionError::Diagnostic(diagnostic, _) => diagnostic.span.map(|span| span.start.column as usize),
        DataFusionError::Context(_, inner) => position(inner),
        DataFusionError::Collection(errors) => errors.first().and_then(position),
        _ => None,
    }
    .filter(|position| *position > 0)
}

fn translated(error: &DataFusionError) -> Report {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => translated(inner),
        DataFusionError::Shared(inner) => translated(inner),
        DataFusionError::Collection(errors) => errors.first().map_or_else(|| Report::internal("no error"), translated),
        DataFusionError::SchemaError(schema, _) => of_schema(schema),
        DataFusionError::Plan(text) => of_plan(text),
        DataFusionError::NotImplemented(text) => Report::unsupported(first_line(text)),
        DataFusionError::SQL(error, _) => Report::error(SqlState::SYNTAX_ERROR, first_line(&error.to_string())),
        other => report_of(other),
    }
}

fn of_schema(error: &SchemaError) -> Report {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => missing_column(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            Report::error(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{}\" is ambiguous", field.name))
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Report::error(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once"))
        }
    }
}

fn missing_column(field: &Column, valid: &[Column]) -> Report {
    let relation = field.relation.as_ref().map(|r| r.table());
    if let Some(relation) = relation
        && !valid.is_empty()
        && !valid.iter().any(|c| c.relation.as_ref().is_some_and(|r| r.table() == relation))
    {
        return Report::error(SqlState::UNDEFINED_TABLE, format!("missing FROM-clause entry for table \"{relation}\""));
    }
    let report = match relation {
        Some(relation) => Report::error(SqlState::UNDEFINED_COLUMN, format!("column {relation}.{} does not exist", field.name)),
        None => Report::error(SqlState::UNDEFINED_COLUMN, format!("column \"{}\" does not exist", field.name)),
    };
    match nearest(&field.name, valid) {
        Some(column) => {
            let printed = column.relation.as_ref().map_or(column.name.clone(), |r| format!("{}.{}", r.table(), column.name));
            report.hint(format!("Perhaps you meant to reference the column \"{printed}\"."))
        }
        None => report,
    }
}

/// The column whose name differs least, if it differs little.
fn nearest<'a>(name: &str, valid: &'a [Column]) -> Option<&'a Column> {
    let most = (name.chars().count() / 3).clamp(1, 3);
    let distance = |c: &Column| datafusion::common::utils::datafusion_strsim::levenshtein(&name.to_lowercase(), &c.name.to_lowercase());
    valid
        .iter()
        .filter(|c| !c.name.contains('\u{1}'))
        .map(|c| (distance(c), c))
        .filter(|(d, _)| *d <= most)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// What the binder says only as text.
fn of_plan(text: &str) -> Report {
    let line = first_line(text);
    if let Some(rest) = line.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next().unwrap_or(rest);
        return Report::error(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.");
    }
    if line.contains("must appear in the GROUP BY clause") {
        return match line.split_once("column \"").and_then(|(_, rest)| rest.split_once("\" must appear")) {
            Some((name, _)) => grouping(name),
            None => Report::error(SqlState::GROUPING_ERROR, "HAVING needs GROUP BY or an aggregate function"),
        };
    }
    let calls = ["Failed to coerce arguments", "No function matches the given name", "coerce_types", "coercion", "Function '"];
    if calls.iter().any(|part| line.contains(part)) {
        return undefined_function(text);
    }
    if let Some((_, found)) =
        line.strip_prefix("Cannot create filter with non-boolean predicate").and_then(|rest| rest.rsplit_once(" returning "))
    {
        let message = format!("argument of WHERE must be type boolean, not type {}", sql_types(found));
        return Report::error(SqlState::DATATYPE_MISMATCH, message);
    }
    if let Some(number) = line.strip_prefix("Cannot find column with position ") {
        let number = number.split(' ').next().unwrap_or(number);
        return Report::error(SqlState::INVALID_COLUMN_REFERENCE, format!("position {number} is not in select list"));
    }
    if line.contains("more than one") && line.contains("subquery")
        || line.contains("should only return one column")
        || line.contains("Too many columns")
    {
        return Report::error(SqlState::SYNTAX_ERROR, "subquery must return only one column");
    }
    if line.contains("queries have different number of columns")
        || line.contains("must have the same number of columns")
        || line.contains("have different number of columns")
    {
        return Report::error(SqlState::SYNTAX_ERROR, "each UNION query must have the same number of columns");
    }
    if line.contains("have ambiguous") || line.contains("Projections require unique expression names") {
        return Report::error(SqlState::DUPLICATE_COLUMN, "a column name is specified more than once")
            .hint("give the columns different names with AS");
    }
    if line.contains("names given as column alias") {
        return Report::error(SqlState::INVALID_COLUMN_REFERENCE, "the table alias names another number of columns than there are");
    }
    Report::error(SqlState::DATATYPE_MISMATCH, line)
}

fn grouping(name: &str) -> Report {
    Report::error(
        SqlState::GROUPING_ERROR,
        format!("column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"),
    )
}

/// `No function matches the given name and argument types 'sum(Utf8)'.`
fn undefined_function(text: &str) -> Report {
    let called = text.split_once("argument types '").and_then(|(_, rest)| rest.split_once("'.")).map(|(call, _)| call);
    let message = match called.and_then(|call| call.strip_suffix(')')).and_then(|call| call.split_once('(')) {
        Some((name, types)) => format!("function {name}({}) does not exist", sql_types(types)),
        None => format!("function {} does not exist for these arguments", text.split('\'').nth(1).unwrap_or("")),
    };
    Report::error(SqlState::UNDEFINED_FUNCTION, message)
        .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
}

/// Arrow's names of types, with commas between, as PostgreSQL's.
fn sql_types(types: &str) -> String {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in types.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let shown = |part: &String| match part.trim().parse::<arrow::datatypes::DataType>() {
        Ok(data_type) => match SqlType::of_arrow(&data_type) {
            SqlType::Numeric { .. } => "numeric".to_string(),
            other => other.to_string(),
        },
        Err(_) => part.trim().to_string(),
    };
    parts.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn first_line(text: &str) -> &str {
    let text = text.split("\n\nbacktrace").next().unwrap_or(text);
    text.lines().next().unwrap_or(text)
}
