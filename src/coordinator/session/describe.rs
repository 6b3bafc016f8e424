//! What a statement takes and gives, before it runs: for the protocol's Describe.

use super::copy_in::CopyIn;
use super::rows::text_columns;
use super::session::Session;
use super::show::{describe_columns, show_columns};
use crate::coordinator::api::Description;
use crate::sql::statement::{CopySource, Show};
use crate::sql::{ParsedStatement, Statement};
use crate::types::{Column, Report, SqlType};

impl Session {
    /// `parameter_types`: what the client declared, `None` where it left the type open. There may be more parameters than
    /// declared types.
    pub async fn describe(&mut self, statement: &ParsedStatement, parameter_types: &[Option<SqlType>]) -> Result<Description, Report> {
        self.describe_statement(statement, parameter_types).await.map_err(|report| located(report, statement))
    }

    async fn describe_statement(
        &mut self,
        statement: &ParsedStatement,
        parameter_types: &[Option<SqlType>],
    ) -> Result<Description, Report> {
        self.admit(statement)?;
        let columns = match &statement.statement {
            Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => {
                let work = self.engine.describe(&statement.statement, parameter_types, self.passing_context());
                return self.interrupt.guard(work).await;
            }
            Statement::Explain(explain) => {
                let inner = self.engine.describe(&explain.statement, parameter_types, self.passing_context());
                let Description { parameters, .. } = match explain.statement {
                    Statement::Query(_) => self.interrupt.guard(inner).await?,
                    _ => Description { parameters: Vec::new(), columns: None },
                };
                return Ok(Description { parameters, columns: Some(explain_columns()) });
            }
            Statement::ExplainRunning { .. } => Some(explain_columns()),
            Statement::Show(Show::Variable(name)) => {
                let (spelling, _) = self.variables.show(name)?;
                Some(vec![Column::new(spelling, SqlType::Text)])
            }
            Statement::Show(show) => show_columns(show),
            Statement::Describe(_) => Some(describe_columns()),
            Statement::Fetch { name, .. } => Some(self.cursor(name)?.columns.clone()),
            Statement::Execute { name, .. } => self.prepared.get(name)?.description.columns.clone(),
            // COPY sends no RowDescription. A table that is not there is told now: a driver that hears of it only from Execute
            // has already begun to send data.
            Statement::Copy(copy) => {
                if let (false, CopySource::Relation { name, columns }) = (copy.to_stdout, &copy.from) {
                    CopyIn::new(&*self.find_entry(name)?, columns, copy.clone(), self.zone())?;
                }
                None
            }
            _ => None,
        };
        Ok(Description { parameters: Vec::new(), columns })
    }
}

pub(super) fn explain_columns() -> Vec<Column> {
    text_columns(&["QUERY PLAN"])
}

/// A position in the statement's own text, as one in the text that the client sent.
pub(super) fn located(report: Report, statement: &ParsedStatement) -> Report {
    let position = report.position.map(|position| position + statement.position);
    Report { position, ..report }
}
