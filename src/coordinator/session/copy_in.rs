//! COPY FROM STDIN: rows of text become batches of the table's columns.
//!
//! Everything is kept until the last byte has come, so that a copy that fails or is broken off stores nothing.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::scalar::ScalarValue;

use super::copy_lines::{Fields, Lines};
use crate::catalog::{Entry, Kind};
use crate::sql::statement::Copy;
use crate::types::form::read_text::{null, to_array};
use crate::types::form::{Zone, read_text};
use crate::types::{Column, ObjectId, Report, SqlState};

/// Rows that become one batch.
const BATCH: usize = 8192;

pub struct CopyIn {
    table: ObjectId,
    table_name: String,
    columns: Vec<Column>,
    lines: Lines,
    zone: Zone,
    /// By column: the values not yet in a batch.
    values: Vec<Vec<ScalarValue>>,
    batches: Vec<RecordBatch>,
}

/// What came of it.
pub(super) struct Copied {
    pub table: ObjectId,
    pub columns: Vec<String>,
    pub rows: Vec<RecordBatch>,
}

impl CopyIn {
    /// `columns` names those that the data has, all of the table's when it is empty.
    pub(super) fn new(entry: &Entry, columns: &[String], copy: Copy, zone: Zone) -> Result<CopyIn, Report> {
        if entry.kind() != Kind::Table {
            let noun = entry.kind().noun();
            return Err(Report::error(SqlState::WRONG_OBJECT_TYPE, format!("cannot copy to {noun} \"{}\"", entry.name)));
        }
        let chosen = if columns.is_empty() {
            entry.schema.columns.clone()
        } else {
            let mut chosen: Vec<Column> = Vec::with_capacity(columns.len());
            for name in columns {
                let position = entry.schema.position(name).ok_or_else(|| {
                    Report::error(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" of relation \"{}\" does not exist", entry.name))
                })?;
                if chosen.iter().any(|c| c.name == *name) {
                    return Err(Report::error(SqlState::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once")));
                }
                chosen.push(entry.schema.columns[position].clone());
            }
            chosen
        };
        Ok(CopyIn {
            table: entry.id,
            table_name: entry.name.clone(),
            values: vec![Vec::new(); chosen.len()],
            columns: chosen,
            lines: Lines::new(copy),
            zone,
            batches: Vec::new(),
        })
    }

    /// How many columns a row has.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Takes the next bytes; they may end anywhere in a row.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Report> {
        self.lines.push(data)?;
        self.take_rows(false)
    }

    pub(super) fn finish(mut self) -> Result<Copied, Report> {
        self.take_rows(true)?;
        self.seal()?;
        let columns = self.columns.into_iter().map(|c| c.name).collect();
        Ok(Copied { table: self.table, columns, rows: self.batches })
    }

    fn take_rows(&mut self, last: bool) -> Result<(), Report> {
        while let Some(fields) = self.lines.next(last).map_err(|r| self.located(r, None))? {
            self.take_row(fields)?;
            if self.values.first().is_some_and(|v| v.len() >= BATCH) {
                self.seal()?;
            }
        }
        Ok(())
    }

    fn take_row(&mut self, fields: Fields) -> Result<(), Report> {
        if fields.len() > self.columns.len() {
            let report = Report::error(SqlState::BAD_COPY_FILE_FORMAT, "extra data after last expected column");
            return Err(self.located(report, None));
        }
        if let Some(missing) = self.columns.get(fields.len()) {
            let message = format!("missing data for column \"{}\"", missing.name);
            return Err(self.located(Report::error(SqlState::BAD_COPY_FILE_FORMAT, message), None));
        }
        for (at, (column, field)) in self.columns.iter().zip(fields).enumerate() {
            let value = match field {
                Some(text) => read_text(&text, &column.sql_type, &self.zone),
                None => null(&column.sql_type),
            };
            match value {
                Ok(value) => self.values[at].push(value),
                Err(error) => return Err(self.located(error.into(), Some(&column.name))),
            }
        }
        Ok(())
    }

    /// Makes a batch of what has gathered.
    fn seal(&mut self) -> Result<(), Report> {
        if self.values.first().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let fields: Vec<_> = self.columns.iter().map(|c| c.sql_type.field(&c.name)).collect();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (values, column) in self.values.iter_mut().zip(&self.columns) {
            arrays.push(to_array(std::mem::take(values), &column.sql_type)?);
        }
        self.batches.push(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(Report::internal)?);
        Ok(())
    }

    fn located(&self, report: Report, column: Option<&str>) -> Report {
        let place = match column {
            Some(column) => format!("COPY {}, line {}, column {column}", self.table_name, self.lines.line),
            None => format!("COPY {}, line {}", self.table_name, self.lines.line),
        };
        let detail = match &report.detail {
            Some(detail) => format!("{detail} ({place})"),
            None => place,
        };
        report.detail(detail)
    }
}
