//! Cursors: a query's rows, read on in portions while its transaction lasts.

use arrow::array::RecordBatch;
use futures::StreamExt;

use crate::coordinator::api::{Response, RowStream, RowsTag};
use crate::sql::statement::FetchCount;
use crate::types::{Column, Report};

use super::rows::batches;

pub struct Cursor {
    pub columns: Vec<Column>,
    rows: RowStream,
    /// The part of the last batch that has not been fetched.
    rest: Option<RecordBatch>,
}

impl Cursor {
    pub fn new(columns: Vec<Column>, rows: RowStream) -> Cursor {
        Cursor { columns, rows, rest: None }
    }

    /// The next rows. All of them are streamed; a number of them is collected, and the cursor stands behind them.
    pub async fn fetch(&mut self, count: FetchCount) -> Result<Response, Report> {
        let columns = self.columns.clone();
        let rows = match count {
            FetchCount::All => {
                let stream = std::mem::replace(&mut self.rows, batches(Vec::new()));
                batches(self.rest.take().into_iter().collect()).chain(stream).boxed()
            }
            FetchCount::Rows(wanted) => batches(self.take(wanted).await?),
        };
        Ok(Response::Rows { columns, rows, tag: RowsTag::Counted("FETCH") })
    }

    async fn take(&mut self, mut wanted: usize) -> Result<Vec<RecordBatch>, Report> {
        let mut taken = Vec::new();
        while wanted > 0 {
            let batch = match self.rest.take() {
                Some(batch) => batch,
                None => match self.rows.next().await {
                    Some(batch) => batch?,
                    None => break,
                },
            };
            let here = wanted.min(batch.num_rows());
            if here < batch.num_rows() {
                self.rest = Some(batch.slice(here, batch.num_rows() - here));
            }
            if here > 0 {
                taken.push(batch.slice(0, here));
            }
            wanted -= here;
        }
        Ok(taken)
    }
}
