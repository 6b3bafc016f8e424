//! Aggregate: groups of rows, and a row of results for each. Without calls it is DISTINCT; without group columns there is
//! one group, which is there from the first epoch on, rows or none.
//!
//! 1. The change is grouped, and added to the accumulators of its groups, each read and written once.
//! 2. Where min or max is asked for, the values go into a trace kept by group, whose first and last entry are the results.
//! 3. For each group that changed the old result goes and the new one comes, if they differ. A group is there while the
//!    weights of its rows do not sum to zero, and leaves nothing behind.
//!
//! A result that its type cannot hold is an error in place of the group's row, until the result fits again. Sums are exact,
//! so results depend on the rows that are there and on nothing else.

pub mod accumulator;
pub mod call;
pub mod results;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{is_not_null, take};
use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::dataflow::groups::Groups;
use crate::dataflow::keyed_trace::KeyedTrace;
use crate::dataflow::operator::{ErrorRow, Operator, StepContext};
use crate::dataflow::operators::slots::Slots;
use crate::planner::circuit_plan::AggregateCall;
use crate::state::Cells;
use crate::types::Report;
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, RowCodec, ZSet};

use accumulator::GroupState;
use call::{Call, Kind};

pub struct Aggregate {
    group: Vec<usize>,
    calls: Vec<Call>,
    schema: SchemaRef,
    /// Of the group's columns; `None` for the one group.
    codec: Option<RowCodec>,
    /// Of the results, to tell whether one changed; `None` without calls.
    results: Option<RowCodec>,
    states: Cells,
    values: Vec<Values>,
}

/// The values of one column by group: rows are the group's columns and the value, nulls left out.
struct Values {
    column: usize,
    first: bool,
    last: bool,
    trace: KeyedTrace,
}

/// The one group's key.
const EVERYTHING: &[u8] = b"";

/// The results of the groups that changed, at one moment: a row a group.
struct Results {
    columns: Vec<ArrayRef>,
    failures: Vec<Option<Report>>,
}

impl Aggregate {
    pub fn new(
        input: &SchemaRef,
        group: Vec<usize>,
        calls: &[AggregateCall],
        schema: SchemaRef,
        slots: &mut Slots,
    ) -> Result<Aggregate, DataflowError> {
        let part = |range: std::ops::Range<usize>| -> Result<Option<RowCodec>, DataflowError> {
            let fields = schema.fields().get(range).ok_or_else(|| DataflowError::Plan("too few columns of an aggregate".into()))?;
            Ok(if fields.is_empty() { None } else { Some(RowCodec::new(Arc::new(Schema::new(fields.to_vec())))?) })
        };
        let codec = part(0..group.len())?;
        let results = part(group.len()..schema.fields().len())?;
        let calls = calls.iter().map(|call| Call::new(call, input)).collect::<Result<Vec<_>, _>>()?;
        let states = slots.cells()?;
        let mut values: Vec<Values> = Vec::new();
        for call in calls.iter().filter(|call| matches!(call.kind, Kind::Min | Kind::Max)) {
            let at = match values.iter().position(|v| v.column == call.column) {
                Some(at) => at,
                None => {
                    let columns = group.iter().copied().chain([call.column]);
                    let fields: Vec<Field> = columns.map(|c| input.field(c).clone()).collect();
                    let keys: Vec<usize> = (0..group.len()).collect();
                    let trace = slots.trace(&Arc::new(Schema::new(fields)), &keys)?;
                    values.push(Values { column: call.column, first: false, last: false, trace });
                    values.len() - 1
                }
            };
            values[at].first |= call.kind == Kind::Min;
            values[at].last |= call.kind == Kind::Max;
        }
        Ok(Aggregate { group, calls, schema, codec, results, states, values })
    }

    /// The results of groups in those states, with min and max as the traces have them now.
    fn results(&self, states: &[GroupState], keys: &[ArrayRef]) -> Result<Results, DataflowError> {
        let value_column = |rows: &RecordBatch| rows.column(self.group.len()).clone();
        let mut extremes = Vec::new();
        for values in &self.values {
            let first = if values.first { Some(value_column(&values.trace.first(keys, states.len())?.rows)) } else { None };
            let last = if values.last { Some(value_column(&values.trace.last(keys, states.len())?.rows)) } else { None };
            extremes.push((values.column, first, last));
        }
        let mut failures = vec![None; states.len()];
        let mut columns = Vec::with_capacity(self.calls.len());
        for (i, call) in self.calls.iter().enumerate() {
            let extreme = extremes.iter().find(|(column, ..)| *column == call.column);
            columns.push(match (call.kind, extreme) {
                (Kind::Min, Some((_, Some(first), _))) => first.clone(),
                (Kind::Max, Some((_, _, Some(last)))) => last.clone(),
                _ => canonical(&results::results(call, states, i, &mut failures)?),
            });
        }
        Ok(Results { columns, failures })
    }

    /// Which groups have another result now; all, when there is nothing to compare.
    fn unchanged(&self, old: &Results, new: &Results) -> Result<Vec<bool>, DataflowError> {
        let same_failure = old.failures.iter().zip(&new.failures).map(|(old, new)| old == new);
        let Some(codec) = &self.results else { return Ok(same_failure.collect()) };
        let (old, new) = (codec.encode(&old.columns)?, codec.encode(&new.columns)?);
        Ok(same_failure.enumerate().map(|(g, same)| same && old.row(g) == new.row(g)).collect())
    }

    fn insert_values(&self, input: &ZSet) -> Result<(), DataflowError> {
        for values in &self.values {
            let columns: Vec<ArrayRef> = self.group.iter().chain([&values.column]).map(|c| input.column(*c).clone()).collect();
            let rows = input.with_rows(RecordBatch::try_new(values.trace.schema().clone(), columns)?);
            let value = input.column(values.column);
            let rows = if value.logical_null_count() == 0 { rows } else { rows.filter(&is_not_null(value)?)? };
            // Equal values enter as one, and neighbours one after the other: much cheaper for the trace.
            values.trace.insert(&rows.consolidate()?)?;
        }
        Ok(())
    }

    /// The rows of the chosen groups with one weight for all.
    fn rows(&self, keys: &[ArrayRef], results: &Results, chosen: Vec<u32>, weight: i64) -> Result<ZSet, DataflowError> {
        let (count, chosen) = (chosen.len(), UInt32Array::from(chosen));
        let columns = keys.iter().chain(&results.columns).map(|c| take(c, &chosen, None)).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok(ZSet::new(rows, Int64Array::from_value(weight, count)))
    }
}

impl Operator for Aggregate {
    fn name(&self) -> &'static str {
        if self.calls.is_empty() { "Distinct" } else { "Aggregate" }
    }

    fn step(&mut self, inputs: &[&Delta], context: &mut StepContext) -> Result<Delta, DataflowError> {
        let input = &inputs[0].0;
        if input.is_empty() && (self.codec.is_some() || !self.states.is_empty()) {
            return Ok(Delta::empty(self.schema.clone()));
        }
        // 1. Group, and read the groups.
        let columns: Vec<ArrayRef> = self.group.iter().map(|c| canonical(input.column(*c))).collect();
        let groups = self.codec.as_ref().map(|codec| Groups::of(codec, &columns)).transpose()?;
        let count = groups.as_ref().map_or(1, Groups::len);
        let key = |g: usize| groups.as_ref().map_or(EVERYTHING, |groups| groups.key(g));
        let first = UInt32Array::from(groups.as_ref().map_or(Vec::new(), |groups| groups.first.clone()));
        let keys = columns.iter().map(|c| take(c, &first, None)).collect::<Result<Vec<_>, _>>()?;
        let mut there = Vec::with_capacity(count);
        let mut old = Vec::with_capacity(count);
        for g in 0..count {
            let stored = self.states.get(key(g));
            there.push(stored.is_some());
            old.push(match stored {
                Some(bytes) => GroupState::decode(&bytes, &self.calls)?,
                None => GroupState::new(&self.calls),
            });
        }

        // 2. The old results, the change, the new results.
        let old_results = self.results(&old, &keys)?;
        let mut new = old;
        let everything = vec![0u32; if groups.is_none() { input.len() } else { 0 }];
        let ids = groups.as_ref().map_or(&everything, |groups| &groups.ids);
        accumulator::add(&mut new, &self.calls, ids, input)?;
        self.insert_values(input)?;
        let new_results = self.results(&new, &keys)?;
        let unchanged = self.unchanged(&old_results, &new_results)?;

        // 3. Write the groups; old rows go, new rows come.
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for (g, state) in new.iter().enumerate() {
            if state.weight < 0 {
                let key = keys.iter().map(|c| arrow::util::display::array_value_to_string(c, g)).collect::<Result<Vec<_>, _>>()?;
                return Err(DataflowError::NegativeWeight { operator: self.name(), weight: state.weight, key: key.join(", ") });
            }
            let stays = state.weight != 0 || groups.is_none();
            self.states.set(key(g), if stays { Some(state.encode()) } else { None }.as_deref());
            if there[g] && stays && unchanged[g] {
                continue;
            }
            for (is, results, weight, rows) in [(there[g], &old_results, -1, &mut gone), (stays, &new_results, 1, &mut come)] {
                match &results.failures[g] {
                    _ if !is => {}
                    Some(report) => context.errors.push(ErrorRow::new(report, weight)),
                    None => rows.push(g as u32),
                }
            }
        }
        let parts = [self.rows(&keys, &old_results, gone, -1)?, self.rows(&keys, &new_results, come, 1)?];
        Ok(Delta(ZSet::concat(&self.schema, &parts)?))
    }
}

#[cfg(test)]
mod tests;
