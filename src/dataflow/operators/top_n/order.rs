//! The order of rows: by the columns of an order, and those that tie by all columns, so that no two different rows are
//! equal in it.

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow_row::{RowConverter, Rows, SortField};

use crate::dataflow::error::DataflowError;
use crate::planner::circuit_plan::SortKey;
use crate::zset::row_codec::canonical;

pub struct RowOrder {
    columns: Vec<usize>,
    by: RowConverter,
    whole: RowConverter,
}

impl RowOrder {
    pub fn new(order: &[SortKey], input: &SchemaRef) -> Result<RowOrder, DataflowError> {
        let by = order.iter().map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortField::new_with_options(input.field(key.column).data_type().clone(), options)
        });
        let last = SortOptions { descending: false, nulls_first: false };
        let all = input.fields().iter().map(|field| SortField::new_with_options(field.data_type().clone(), last));
        Ok(RowOrder {
            columns: order.iter().map(|key| key.column).collect(),
            by: RowConverter::new(by.collect())?,
            whole: RowConverter::new(all.collect())?,
        })
    }

    /// The columns of the order.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Rows, given by the columns of the order, as bytes that compare as they do; `None` where there is no order.
    pub fn bytes(&self, columns: &[ArrayRef]) -> Result<Option<Rows>, DataflowError> {
        Ok(if columns.is_empty() { None } else { Some(self.by.convert_columns(&columns.iter().map(canonical).collect::<Vec<_>>())?) })
    }

    /// Rows that tie, given by all columns, as bytes that compare as they do.
    pub fn whole_bytes(&self, columns: &[ArrayRef]) -> Result<Rows, DataflowError> {
        Ok(self.whole.convert_columns(&columns.iter().map(canonical).collect::<Vec<_>>())?)
    }
}
