//! The first of two stages: what the rows of one piece add to their groups, one record a group. A group of a million rows
//! then reaches its shard as a few records, and is counted by all threads.
//!
//! Records are added up ([`Accumulator::merge`]), so this is for aggregates that keep nothing else: no values to find the
//! next least among, no counts of distinct values, no sums of floats.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::aggregate::accumulate::{Rows, Target, add_number};
use crate::dataflow::operators::aggregate::layout::Layout;
use crate::dataflow::operators::aggregate::streams;
use crate::zset::row_codec::canonical;
use crate::zset::{Groups, ZSet};

/// The group's columns as they come out of the aggregate, and the record behind them.
pub fn schema(group: &[Arc<Field>]) -> SchemaRef {
    let record = Arc::new(Field::new("record", DataType::Binary, false));
    Arc::new(Schema::new(group.iter().cloned().chain([record]).collect::<Vec<_>>()))
}

/// Whether the records of the layout are all that is kept, and add up.
pub fn is_enough(layout: &Layout) -> bool {
    layout.floats == 0 && layout.values.is_empty() && layout.streams.iter().all(|stream| stream.distinct.is_none())
}

/// What the rows add to their groups. `group` are the columns of `input` to group by, `schema` is [`schema`] of them.
pub fn of(input: &ZSet, group: &[usize], layout: &Layout, schema: &SchemaRef) -> Result<ZSet, DataflowError> {
    let columns: Vec<ArrayRef> = group.iter().map(|c| canonical(input.column(*c))).collect();
    let groups = if columns.is_empty() { Groups::everything(input.len()) } else { Groups::of(&columns, input.len())? };
    let mut records = vec![0u8; groups.len() * layout.width];
    add(input, &groups, layout, &mut records)?;
    let first = UInt32Array::from(groups.first.clone());
    let mut columns = columns.iter().map(|c| take(c, &first, None)).collect::<Result<Vec<_>, _>>()?;
    columns.push(Arc::new(BinaryArray::from_iter_values(records.chunks_exact(layout.width))));
    Ok(ZSet::of_rows(RecordBatch::try_new(schema.clone(), columns)?))
}

/// Adds rows to the records of their groups.
pub fn add(input: &ZSet, groups: &Groups, layout: &Layout, records: &mut [u8]) -> Result<(), DataflowError> {
    for (id, weight) in groups.ids.iter().zip(input.weights().values()) {
        add_number(&mut records[*id as usize * layout.width..][..8], *weight)?;
    }
    let weights = streams::weights(&layout.streams, &[], input, groups, &[])?;
    let mut target = Target { records, width: layout.width, floats: &mut [] };
    for accumulator in &layout.accumulators {
        accumulator.add(&Rows { input, ids: &groups.ids, weights: &weights[accumulator.stream] }, &mut target)?;
    }
    Ok(())
}

/// Adds records to those of their groups: `ids` are the groups of the rows.
pub fn merge(records: &BinaryArray, ids: &[u32], layout: &Layout, target: &mut [u8]) -> Result<(), DataflowError> {
    for (row, id) in ids.iter().enumerate() {
        let from = records.value(row);
        if from.len() != layout.width {
            return Err(DataflowError::Plan("a record of another aggregate".into()));
        }
        layout.merge(from, &mut target[*id as usize * layout.width..][..layout.width])?;
    }
    Ok(())
}
