//! SET, RESET, SHOW of variables, and DISCARD.

use super::rows::text_response;
use super::session::Session;
use crate::coordinator::api::{Response, RowsTag};
use crate::types::{Column, Report, SqlState, SqlType};

impl Session {
    pub(super) fn set_variable(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<Response, Report> {
        if local && !self.transaction.is_explicit() {
            self.warn(SqlState::NO_ACTIVE_SQL_TRANSACTION, "SET LOCAL can only be used in transaction blocks");
            return Ok(Response::Done { tag: "SET".to_string() });
        }
        let before = self.variables.show(name).ok().map(|(_, value)| value);
        match value {
            Some(value) => self.variables.set(name, value)?,
            None => self.variables.reset(name)?,
        }
        if let (true, Some(before)) = (local, before) {
            self.work().locals.push((name.to_string(), before));
        }
        if name.eq_ignore_ascii_case("transaction_read_only") {
            let read_only = self.variables.is_on("transaction_read_only");
            self.work().read_only = read_only;
        }
        Ok(Response::Done { tag: "SET".to_string() })
    }

    pub(super) fn reset_variable(&mut self, name: Option<&str>) -> Result<Response, Report> {
        match name {
            Some(name) => self.variables.reset(name)?,
            None => self.variables.reset_all(),
        }
        Ok(Response::Done { tag: "RESET".to_string() })
    }

    pub(super) fn show_variable(&self, name: &str) -> Result<Response, Report> {
        let (spelling, value) = self.variables.show(name)?;
        text_response(vec![Column::new(spelling, SqlType::Text)], vec![vec![Some(value)]], RowsTag::Plain("SHOW"))
    }

    pub(super) fn show_all_variables(&self) -> Result<Response, Report> {
        let rows = self.variables.all().into_iter().map(|(name, value, text)| vec![Some(name), Some(value), Some(text)]).collect();
        text_response(super::rows::text_columns(&["name", "setting", "description"]), rows, RowsTag::Plain("SHOW"))
    }

    /// DISCARD ALL makes the session as new; its parts only that part.
    pub(super) fn discard(&mut self, what: &str) -> Result<Response, Report> {
        match what.to_ascii_uppercase().as_str() {
            "ALL" => {
                if self.transaction.is_explicit() {
                    return Err(Report::error(SqlState::ACTIVE_SQL_TRANSACTION, "DISCARD ALL cannot run inside a transaction block"));
                }
                self.cursors.clear();
                self.prepared.clear();
                self.variables.reset_all();
                Ok(Response::Done { tag: "DISCARD ALL".to_string() })
            }
            // Plans are not kept, and there are no sequences or temporary tables.
            other => Ok(Response::Done { tag: format!("DISCARD {other}") }),
        }
    }
}
