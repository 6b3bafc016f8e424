//! Portals: statements with their parameters bound, run in one go or in portions.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::scalar::ScalarValue;

use crate::coordinator::api::{RowStream, RowsTag};
use crate::coordinator::session::Prepared;
use crate::types::Column;

pub struct Portal {
    pub prepared: Arc<Prepared>,
    /// As Bind sent them: none (all text), one for all, or one a column.
    pub result_formats: Vec<i16>,
    pub state: State,
}

pub enum State {
    Bound(Vec<ScalarValue>),
    /// Rows have been sent, and more may come.
    Running(Running),
    /// All rows have been sent, or there were none to send.
    Finished {
        rows: bool,
    },
}

/// A result on its way to the client.
pub struct Running {
    pub columns: Vec<Column>,
    pub rows: RowStream,
    /// The batch that is being sent, and its first row that has not been.
    pub rest: Option<(RecordBatch, usize)>,
    pub tag: RowsTag,
    /// Rows sent by the current Execute.
    pub sent: u64,
}

impl Running {
    pub fn new(columns: Vec<Column>, rows: RowStream, tag: RowsTag) -> Running {
        Running { columns, rows, rest: None, tag, sent: 0 }
    }
}

/// One format for each of `columns` columns.
pub fn formats(given: &[i16], columns: usize) -> Vec<i16> {
    match given {
        [] => vec![0; columns],
        [one] => vec![*one; columns],
        many => many.to_vec(),
    }
}
