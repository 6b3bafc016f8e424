//! Adding a batch to the records of its groups: first into one number a group, row by row, then into the records, once a
//! group.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt32Type,
};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::aggregate::extremes;
use crate::dataflow::operators::aggregate::layout::number;
use crate::dataflow::operators::aggregate::layout::{Accumulator, Layout, What};
use crate::types::{ExactFloat, ExactInteger};
use crate::zset::ZSet;

/// The rows of a batch, each with the number of its group and the weight that an accumulator sees.
pub struct Rows<'a> {
    pub input: &'a ZSet,
    pub ids: &'a [u32],
    pub weights: &'a [i64],
}

/// The groups' records, one after the other, and their sums of floats by accumulator and group.
pub struct Target<'a> {
    pub records: &'a mut [u8],
    pub width: usize,
    pub floats: &'a mut [Vec<ExactFloat>],
}

impl Accumulator {
    /// Adds the rows to the accumulator of each group.
    pub fn add(&self, rows: &Rows<'_>, target: &mut Target<'_>) -> Result<(), DataflowError> {
        let groups = target.records.len() / target.width;
        let column = self.column.map(|column| rows.input.column(column));
        let nulls = column.and_then(|column| column.logical_nulls()).filter(|nulls| nulls.null_count() > 0);
        match (self.what, column) {
            (What::Count, _) => {
                let mut counts = vec![0i64; groups];
                let mut count = |group: usize, weight: i64| {
                    let Some(sum) = counts[group].checked_add(weight) else { return Err(DataflowError::WeightOutOfRange) };
                    counts[group] = sum;
                    Ok(())
                };
                match &nulls {
                    // Rows that do not count add nothing: that is cheaper than to tell them apart.
                    None => rows.ids.iter().zip(rows.weights).try_for_each(|(id, weight)| count(*id as usize, *weight))?,
                    nulls => each(rows, nulls.as_ref(), |_, group, weight| count(group, weight))?,
                }
                for (group, count) in counts.into_iter().enumerate().filter(|(_, count)| *count != 0) {
                    add_number(target.record(group, self.at, 8), count)?;
                }
            }
            (What::Integers, Some(column)) => {
                let mut sums = vec![ExactInteger::default(); groups];
                match column.data_type() {
                    DataType::Int8 => integers::<Int8Type>(rows, nulls.as_ref(), column, &mut sums)?,
                    DataType::Int16 => integers::<Int16Type>(rows, nulls.as_ref(), column, &mut sums)?,
                    DataType::Int32 => integers::<Int32Type>(rows, nulls.as_ref(), column, &mut sums)?,
                    DataType::Int64 => integers::<Int64Type>(rows, nulls.as_ref(), column, &mut sums)?,
                    DataType::UInt32 => integers::<UInt32Type>(rows, nulls.as_ref(), column, &mut sums)?,
                    DataType::Decimal128(..) => integers::<Decimal128Type>(rows, nulls.as_ref(), column, &mut sums)?,
                    other => return Err(DataflowError::Plan(format!("sum of {other}"))),
                }
                for (group, sum) in sums.iter().enumerate() {
                    let bytes = target.record(group, self.at, ExactInteger::BYTES);
                    let mut total = integer_sum(bytes);
                    total.merge(sum);
                    bytes.copy_from_slice(&total.to_bytes());
                }
            }
            (What::Floats, Some(column)) => {
                let sums = &mut target.floats[self.at];
                match column.data_type() {
                    DataType::Float32 => floats::<Float32Type>(rows, nulls.as_ref(), column, sums)?,
                    DataType::Float64 => floats::<Float64Type>(rows, nulls.as_ref(), column, sums)?,
                    other => return Err(DataflowError::Plan(format!("sum of {other}"))),
                }
            }
            (What::Extreme { greatest, replaced }, Some(column)) => {
                let values = extremes::ordered(column)?;
                let mut found: Vec<Option<i128>> = vec![None; groups];
                each(rows, nulls.as_ref(), |row, group, weight| {
                    if weight < 0 && replaced {
                        return Ok(());
                    }
                    if weight < 0 {
                        let key = arrow::util::display::array_value_to_string(column, row)?;
                        return Err(DataflowError::NegativeWeight { operator: "Aggregate", weight, key });
                    }
                    if found[group].is_none_or(|old| is_better(values[row], old, greatest)) {
                        found[group] = Some(values[row]);
                    }
                    Ok(())
                })?;
                for (group, value) in found.into_iter().enumerate().filter_map(|(group, value)| Some((group, value?))) {
                    put_extreme(target.record(group, self.at, 17), value, greatest);
                }
            }
            (what, None) => return Err(DataflowError::Plan(format!("{what:?} of no column"))),
        }
        Ok(())
    }

    /// Adds what it is in one record to what it is in another.
    pub fn merge(&self, from: &[u8], into: &mut [u8]) -> Result<(), DataflowError> {
        let from = &from[self.at..];
        match self.what {
            What::Count => add_number(&mut into[self.at..][..8], number(from))?,
            What::Integers => {
                let bytes = &mut into[self.at..][..ExactInteger::BYTES];
                let mut total = integer_sum(bytes);
                total.merge(&integer_sum(from));
                bytes.copy_from_slice(&total.to_bytes());
            }
            What::Extreme { greatest, .. } => {
                if let Some(value) = extreme(from) {
                    put_extreme(&mut into[self.at..][..17], value, greatest);
                }
            }
            What::Floats => return Err(DataflowError::Plan("sums of floats are in no record".into())),
        }
        Ok(())
    }
}

impl Layout {
    /// Adds what is in one record to another.
    pub fn merge(&self, from: &[u8], into: &mut [u8]) -> Result<(), DataflowError> {
        add_number(&mut into[..8], number(from))?;
        self.accumulators.iter().try_for_each(|accumulator| accumulator.merge(from, into))
    }
}

impl Target<'_> {
    fn record(&mut self, group: usize, at: usize, len: usize) -> &mut [u8] {
        &mut self.records[group * self.width + at..][..len]
    }
}

/// Calls `row(row, group, weight)` for each row that counts.
fn each(
    rows: &Rows<'_>,
    nulls: Option<&NullBuffer>,
    mut row: impl FnMut(usize, usize, i64) -> Result<(), DataflowError>,
) -> Result<(), DataflowError> {
    for (i, (id, weight)) in rows.ids.iter().zip(rows.weights).enumerate() {
        if *weight != 0 && nulls.is_none_or(|nulls| nulls.is_valid(i)) {
            row(i, *id as usize, *weight)?;
        }
    }
    Ok(())
}

fn integers<T: ArrowPrimitiveType>(
    rows: &Rows<'_>,
    nulls: Option<&NullBuffer>,
    column: &ArrayRef,
    sums: &mut [ExactInteger],
) -> Result<(), DataflowError>
where
    T::Native: Into<i128>,
{
    let values: &PrimitiveArray<T> = column.as_primitive();
    let values = values.values();
    each(rows, nulls, |row, group, weight| {
        sums[group].add(values[row].into(), weight);
        Ok(())
    })
}

fn floats<T: ArrowPrimitiveType>(
    rows: &Rows<'_>,
    nulls: Option<&NullBuffer>,
    column: &ArrayRef,
    sums: &mut [ExactFloat],
) -> Result<(), DataflowError>
where
    T::Native: Into<f64>,
{
    let values: &PrimitiveArray<T> = column.as_primitive();
    each(rows, nulls, |row, group, weight| {
        sums[group].add(values.value(row).into(), weight);
        Ok(())
    })
}

/// Adds to the number in 8 bytes.
pub fn add_number(bytes: &mut [u8], change: i64) -> Result<(), DataflowError> {
    let Some(sum) = number(bytes).checked_add(change) else { return Err(DataflowError::WeightOutOfRange) };
    bytes.copy_from_slice(&sum.to_le_bytes());
    Ok(())
}

/// The sum in its 24 bytes.
pub fn integer_sum(bytes: &[u8]) -> ExactInteger {
    let mut fixed = [0; ExactInteger::BYTES];
    fixed.copy_from_slice(&bytes[..ExactInteger::BYTES]);
    ExactInteger::from_bytes(&fixed)
}

fn is_better(new: i128, old: i128, greatest: bool) -> bool {
    if greatest { new > old } else { new < old }
}

/// Puts the value into its 17 bytes unless a better one is there.
fn put_extreme(bytes: &mut [u8], value: i128, greatest: bool) {
    if extreme(bytes).is_none_or(|old| is_better(value, old, greatest)) {
        bytes[0] = 1;
        bytes[1..].copy_from_slice(&value.to_le_bytes());
    }
}

/// The value in its 17 bytes, if there is one.
pub fn extreme(bytes: &[u8]) -> Option<i128> {
    let mut value = [0; 16];
    value.copy_from_slice(&bytes[1..17]);
    (bytes[0] == 1).then(|| i128::from_le_bytes(value))
}
