//! Aggregate: groups of rows, and a row of results for each. Without calls it is DISTINCT; without group columns there is
//! one group, which is there from the first epoch on, rows or none.
//!
//! 1. The change is grouped, and each group's record is read once.
//! 2. Each accumulator that the calls need takes the batch in, row by row into one number a group, then into the records.
//!    A call with a filter sees the rows that it lets through, a distinct one the values that came or went (`streams`).
//! 3. Min and max over rows that are never taken back are a value in the record if it has a fixed size. Otherwise the values go
//!    into a trace kept by group (`values`).
//! 4. Of rows that are in several windows each (`windows`), a record is that of all rows whose first window is the same: one
//!    a slide, from which the windows are made when one of theirs changes.
//! 5. For each group that changed the old result goes and the new one comes, if they differ. A group is there while the
//!    weights of its rows do not sum to zero, and leaves nothing behind.
//!
//! A result that its type cannot hold is an error in place of the group's row, until the result fits again. Sums are exact,
//! so results depend on the rows that are there and on nothing else.

pub mod accumulate;
pub mod call;
pub mod distinct;
pub mod extremes;
pub mod layout;
pub mod partial;
pub mod results;
pub mod streams;
pub mod values;
mod windows;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operator::{ErrorRow, Operator, StepContext};
use crate::dataflow::operators::slots::Slots;
use crate::planner::circuit_plan::{AggregateCall, CircuitPlan, Windows};
use crate::state::{Cells, RecordTable, Records};
use crate::types::{ExactFloat, Report};
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, Groups, KeyColumns, RowCodec, ZSet};

use accumulate::{Rows, Target};
use call::Call;
use distinct::Distinct;
use layout::{Layout, number};
use results::States;
use values::{Bounds, Values};

pub struct Aggregate {
    group: Vec<usize>,
    /// Records are of the first windows of rows, and results of windows that are made of them.
    windows: Option<Windows>,
    calls: Vec<Call>,
    schema: SchemaRef,
    layout: Layout,
    /// Of the group's columns, without the windows' start; `None` for the one group, and windows of no other columns.
    codec: Option<RowCodec>,
    /// By the row bytes of the group's columns; with windows, of those and the start of the first window.
    groups: Records,
    /// By the same: sums of floats, one after the other. `None` where there are none.
    floats: Option<Cells>,
    distinct: Vec<Distinct>,
    values: Vec<Values>,
    numbers: Numbers,
}

/// The one group's key.
const EVERYTHING: &[u8] = b"";

/// Numbers for new groups, each of one group at a time.
#[derive(Default)]
struct Numbers {
    next: u32,
    free: Vec<u32>,
    /// The turnover of the groups' records that they are right for: other circuits may step the same state.
    turnover: u64,
}

/// What an aggregate takes in.
#[derive(Clone, Copy)]
pub enum Change<'a> {
    Rows(&'a ZSet),
    /// What rows have come to already: [`partial::of`] them.
    Records(&'a ZSet),
}

/// The results of the groups that changed, at one moment: a row a group.
struct Results {
    columns: Vec<ArrayRef>,
    failures: Vec<Option<Report>>,
}

impl Aggregate {
    /// `append_only`: no row of the input is ever taken back.
    pub fn new(
        input: &SchemaRef,
        group: Vec<usize>,
        windows: Option<Windows>,
        calls: &[AggregateCall],
        schema: SchemaRef,
        append_only: bool,
        slots: &mut Slots,
    ) -> Result<Aggregate, DataflowError> {
        let fields = schema
            .fields()
            .get(..CircuitPlan::key_of_groups(&group, &windows).len())
            .ok_or_else(|| DataflowError::Plan("too few columns of an aggregate".into()))?;
        let codec = if fields.is_empty() { None } else { Some(RowCodec::new(Arc::new(Schema::new(fields.to_vec())))?) };
        let calls = calls.iter().map(|call| Call::new(call, input)).collect::<Result<Vec<_>, _>>()?;
        let layout = Layout::new(&calls, input, append_only);
        if windows.is_some() && (group.is_empty() || !partial::is_enough(&layout)) {
            return Err(DataflowError::Plan("windows of what does not add up".into()));
        }
        let groups = slots.records(layout.width)?;
        let floats = if layout.floats > 0 { Some(slots.cells()?) } else { None };
        let distinct = Distinct::all(&layout.streams, input, append_only, slots)?;
        let values = layout.values.iter().map(|wanted| Values::new(*wanted, &group, input, slots)).collect::<Result<_, _>>()?;
        let numbers = if distinct.is_empty() { Numbers::default() } else { Numbers::in_use(&groups.lock())? };
        Ok(Aggregate { group, windows, calls, schema, layout, codec, groups, floats, distinct, values, numbers })
    }

    /// Whether [`Aggregate::partial`] can be asked of such an aggregate.
    pub fn adds_up(input: &SchemaRef, calls: &[AggregateCall], append_only: bool) -> Result<bool, DataflowError> {
        let calls = calls.iter().map(|call| Call::new(call, input)).collect::<Result<Vec<_>, _>>()?;
        Ok(partial::is_enough(&Layout::new(&calls, input, append_only)))
    }

    /// The columns of the input to group by.
    pub fn group(&self) -> &[usize] {
        &self.group
    }

    /// The columns of [`Aggregate::partial`].
    pub fn partial_schema(&self) -> SchemaRef {
        partial::schema(&self.schema.fields()[..self.group.len()])
    }

    /// What the rows add to their groups, for [`Change::Records`] of this aggregate or of another shard of it.
    pub fn partial(&self, input: &ZSet, schema: &SchemaRef) -> Result<ZSet, DataflowError> {
        partial::of(input, &self.group, &self.layout, schema)
    }

    /// The results of groups in that state.
    fn results(&self, records: &[u8], floats: &[Vec<ExactFloat>], bounds: &[Bounds], count: usize) -> Result<Results, DataflowError> {
        let values: Vec<_> = bounds.iter().map(|bounds| (bounds.first(), bounds.last())).collect();
        let states = States { records, width: self.layout.width, floats, values: &values };
        let mut failures = vec![None; count];
        let calls = self.calls.iter().zip(&self.layout.access);
        let columns = calls.map(|(call, access)| states.results(call, *access, &mut failures)).collect::<Result<_, _>>()?;
        Ok(Results { columns, failures })
    }

    /// The rows of the chosen groups with one weight for all.
    fn rows(&self, keys: &[ArrayRef], results: &Results, chosen: Vec<u32>, weight: i64) -> Result<ZSet, DataflowError> {
        let (count, chosen) = (chosen.len(), UInt32Array::from(chosen));
        let columns = keys.iter().chain(&results.columns).map(|c| take(c, &chosen, None)).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok(ZSet::new(rows, Int64Array::from_value(weight, count)))
    }

    /// The column of records in a change of records.
    fn records_of<'a>(&self, change: &'a ZSet) -> Result<&'a BinaryArray, DataflowError> {
        let records = change.column(self.group.len()).as_binary_opt::<i32>();
        records.ok_or_else(|| DataflowError::Plan("records are not bytes".into()))
    }

    /// The sums of floats that are kept for each of the groups.
    fn read_floats<'a>(&self, keys: impl Iterator<Item = &'a [u8]> + Clone) -> Result<Vec<Vec<ExactFloat>>, DataflowError> {
        let kept = self.floats.as_ref().map_or(Ok(Vec::new()), |cells| cells.get(keys))?;
        let sums = |bytes: Option<Vec<u8>>| {
            let Some(bytes) = bytes else { return Ok(vec![ExactFloat::default(); self.layout.floats]) };
            let mut rest = bytes.as_slice();
            let sums: Option<Vec<ExactFloat>> = (0..self.layout.floats).map(|_| ExactFloat::decode(&mut rest)).collect();
            sums.filter(|_| rest.is_empty())
                .ok_or_else(|| DataflowError::Corrupted { detail: format!("Sums of an aggregate cannot be read: {bytes:02x?}.") })
        };
        kept.into_iter().map(sums).collect()
    }
}

impl Numbers {
    /// With the numbers taken that the groups have.
    fn in_use(groups: &RecordTable) -> Result<Numbers, DataflowError> {
        let mut used = Vec::with_capacity(groups.len());
        groups.each(&mut |_, record| used.push(group_number(record)))?;
        used.sort_unstable();
        let next = used.last().map_or(0, |last| last + 1);
        let free = (0..next).filter(|number| used.binary_search(number).is_err()).collect();
        Ok(Numbers { next, free, turnover: groups.turnover() })
    }

    fn take(&mut self) -> Result<u32, DataflowError> {
        if let Some(number) = self.free.pop() {
            return Ok(number);
        }
        let number = self.next;
        self.next = number.checked_add(1).ok_or_else(|| DataflowError::Unsupported("more than 2^32 groups".into()))?;
        Ok(number)
    }
}

fn group_number(record: &[u8]) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&record[Layout::NUMBER..][..4]);
    u32::from_le_bytes(bytes)
}

impl Operator for Aggregate {
    fn name(&self) -> &'static str {
        if self.calls.is_empty() { "Distinct" } else { "Aggregate" }
    }

    /// The one group without rows has a result.
    fn acts_unasked(&self) -> bool {
        self.codec.is_none() && self.windows.is_none() && self.groups.is_empty()
    }

    fn step(&mut self, inputs: &[&Delta], context: &mut StepContext) -> Result<Delta, DataflowError> {
        self.take(Change::Rows(&inputs[0].0), context)
    }
}

impl Aggregate {
    /// Takes a change in, and gives that of the results.
    pub fn take(&mut self, change: Change<'_>, context: &mut StepContext) -> Result<Delta, DataflowError> {
        let (input, group): (&ZSet, Vec<usize>) = match change {
            Change::Rows(rows) => (rows, self.group.clone()),
            Change::Records(records) => (records, (0..self.group.len()).collect()),
        };
        if input.is_empty() && (self.codec.is_some() || self.windows.is_some() || !self.groups.is_empty()) {
            return Ok(Delta::empty(self.schema.clone()));
        }
        if let Some(windows) = self.windows {
            return self.take_windows(change, &group, windows, context);
        }
        // 1. Group, and read the groups.
        let columns: Vec<ArrayRef> = group.iter().map(|c| canonical(input.column(*c))).collect();
        let groups = if self.codec.is_some() { Groups::of(&columns, input.len())? } else { Groups::everything(input.len()) };
        let count = groups.len();
        let first = UInt32Array::from(groups.first.clone());
        let keys = columns.iter().map(|c| take(c, &first, None)).collect::<Result<Vec<_>, _>>()?;
        let encoded = self.codec.as_ref().map(|codec| codec.encode(&keys)).transpose()?;
        let key = |g: usize| encoded.as_ref().map_or(EVERYTHING, |rows| rows.row(g).data());
        let width = self.layout.width;
        let mut old = vec![0u8; count * width];
        let mut slots: Vec<Option<u32>> = Vec::with_capacity(count);
        {
            let mut table = self.groups.lock();
            table.fetch((0..count).map(key))?;
            for (g, record) in old.chunks_exact_mut(width).enumerate() {
                let slot = table.find(key(g))?;
                if let Some(slot) = slot {
                    record.copy_from_slice(table.record(slot));
                }
                slots.push(slot);
            }
            if !self.distinct.is_empty() && self.numbers.turnover != table.turnover() {
                self.numbers = Numbers::in_use(&table)?;
            }
        }
        let mut old_floats: Vec<Vec<ExactFloat>> = vec![Vec::new(); self.layout.floats];
        if self.floats.is_some() {
            for sums_of_group in self.read_floats((0..count).map(key))? {
                sums_of_group.into_iter().zip(&mut old_floats).for_each(|(sum, sums)| sums.push(sum));
            }
        }

        // 2. The old results, the change, the new results.
        let old_bounds = self.values.iter().map(|values| values.bounds(&keys, count)).collect::<Result<Vec<_>, _>>()?;
        let old_results = self.results(&old, &old_floats, &old_bounds, count)?;
        let (mut new, mut floats) = (old.clone(), old_floats);
        let mut numbers = Vec::new();
        if !self.distinct.is_empty() {
            for (g, record) in new.chunks_exact_mut(width).enumerate() {
                let number = if slots[g].is_some() { group_number(record) } else { self.numbers.take()? };
                record[Layout::NUMBER..][..4].copy_from_slice(&number.to_le_bytes());
                numbers.push(number);
            }
        }
        let bounds = match change {
            Change::Rows(_) => {
                let mut weights = vec![0i64; count];
                for (id, weight) in groups.ids.iter().zip(input.weights().values()) {
                    let Some(sum) = weights[*id as usize].checked_add(*weight) else { return Err(DataflowError::WeightOutOfRange) };
                    weights[*id as usize] = sum;
                }
                for (record, weight) in new.chunks_exact_mut(width).zip(weights) {
                    accumulate::add_number(&mut record[..8], weight)?;
                }
                let streams = streams::weights(&self.layout.streams, &self.distinct, input, &groups, &numbers)?;
                let mut target = Target { records: &mut new, width, floats: &mut floats };
                for accumulator in &self.layout.accumulators {
                    accumulator.add(&Rows { input, ids: &groups.ids, weights: &streams[accumulator.stream] }, &mut target)?;
                }
                let values = self.values.iter().zip(&old_bounds);
                values.map(|(values, before)| values.insert(input, &groups, &keys, before)).collect::<Result<Vec<_>, _>>()?
            }
            Change::Records(_) => {
                partial::merge(self.records_of(input)?, &groups.ids, &self.layout, &mut new)?;
                old_bounds
            }
        };
        let new_results = self.results(&new, &floats, &bounds, count)?;
        let (before, after) = (KeyColumns::new(&old_results.columns, count)?, KeyColumns::new(&new_results.columns, count)?);

        // 3. Write the groups; old rows go, new rows come.
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        let mut table = self.groups.lock();
        for (g, record) in new.chunks_exact(width).enumerate() {
            let weight = number(record);
            if weight < 0 {
                let key = keys.iter().map(|c| arrow::util::display::array_value_to_string(c, g)).collect::<Result<Vec<_>, _>>()?;
                return Err(DataflowError::NegativeWeight { operator: self.name(), weight, key: key.join(", ") });
            }
            let there = slots[g].is_some();
            let stays = weight != 0 || self.codec.is_none();
            match slots[g] {
                Some(slot) if !stays => {
                    table.remove(slot);
                    if !self.distinct.is_empty() {
                        self.numbers.free.push(group_number(record));
                    }
                }
                Some(slot) if record != &old[g * width..][..width] => table.record_mut(slot).copy_from_slice(record),
                Some(_) => {}
                None if stays => {
                    let slot = table.insert(key(g));
                    table.record_mut(slot).copy_from_slice(record);
                }
                None => self.numbers.free.extend(numbers.get(g)),
            }
            if let Some(cells) = &self.floats {
                let mut bytes = Vec::new();
                floats.iter().for_each(|sums| sums[g].encode(&mut bytes));
                cells.set(key(g), stays.then_some(bytes.as_slice()))?;
            }
            if there && stays && old_results.failures[g] == new_results.failures[g] && before.equals(g, &after, g) {
                continue;
            }
            for (is, results, weight, rows) in [(there, &old_results, -1, &mut gone), (stays, &new_results, 1, &mut come)] {
                match &results.failures[g] {
                    _ if !is => {}
                    Some(report) => context.errors.push(ErrorRow::new(report, weight)),
                    None => rows.push(g as u32),
                }
            }
        }
        self.numbers.turnover = table.turnover();
        drop(table);
        let parts = [self.rows(&keys, &old_results, gone, -1)?, self.rows(&keys, &new_results, come, 1)?];
        Ok(Delta(ZSet::concat(&self.schema, &parts)?))
    }
}

#[cfg(test)]
mod tests;
