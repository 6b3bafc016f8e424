//! What is kept of a group between epochs: how many rows it has, and for each call the sum or count so far.
//!
//! The bytes of a group are the weight of its rows, then the accumulators in the order of the calls; counts as variable
//! length integers, sums as `types` writes them.

use arrow::array::{Array, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt32Type,
};

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::aggregate::call::{Call, Kind};
use crate::types::{ExactFloat, ExactInteger};
use crate::zset::ZSet;

/// One call's part of a group's state.
#[derive(Clone, Debug, PartialEq)]
pub enum Accumulator {
    /// `count(*)` is the group's weight; min and max have a trace.
    Nothing,
    Count(i64),
    /// With the number of values that are not null, as in `Float`.
    Integer {
        sum: ExactInteger,
        count: i64,
    },
    Float {
        sum: ExactFloat,
        count: i64,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct GroupState {
    /// The sum of the weights of the group's rows.
    pub weight: i64,
    pub accumulators: Vec<Accumulator>,
}

impl Accumulator {
    fn new(kind: Kind) -> Accumulator {
        match kind {
            Kind::CountStar | Kind::Min | Kind::Max => Accumulator::Nothing,
            Kind::Count => Accumulator::Count(0),
            Kind::SumInteger | Kind::MeanInteger { .. } => Accumulator::Integer { sum: ExactInteger::default(), count: 0 },
            Kind::SumFloat | Kind::MeanFloat => Accumulator::Float { sum: ExactFloat::default(), count: 0 },
        }
    }
}

impl GroupState {
    /// A group without rows.
    pub fn new(calls: &[Call]) -> GroupState {
        GroupState { weight: 0, accumulators: calls.iter().map(|call| Accumulator::new(call.kind)).collect() }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        put_integer(self.weight, &mut out);
        for accumulator in &self.accumulators {
            match accumulator {
                Accumulator::Nothing => {}
                Accumulator::Count(count) => put_integer(*count, &mut out),
                Accumulator::Integer { sum, count } => {
                    put_integer(*count, &mut out);
                    sum.encode(&mut out);
                }
                Accumulator::Float { sum, count } => {
                    put_integer(*count, &mut out);
                    sum.encode(&mut out);
                }
            }
        }
        out
    }

    pub fn decode(bytes: &[u8], calls: &[Call]) -> Result<GroupState, DataflowError> {
        let decoded = || -> Option<GroupState> {
            let mut state = GroupState::new(calls);
            let mut input = bytes;
            state.weight = take_integer(&mut input)?;
            for accumulator in &mut state.accumulators {
                match accumulator {
                    Accumulator::Nothing => {}
                    Accumulator::Count(count) => *count = take_integer(&mut input)?,
                    Accumulator::Integer { sum, count } => {
                        *count = take_integer(&mut input)?;
                        *sum = ExactInteger::decode(&mut input)?;
                    }
                    Accumulator::Float { sum, count } => {
                        *count = take_integer(&mut input)?;
                        *sum = ExactFloat::decode(&mut input)?;
                    }
                }
            }
            input.is_empty().then_some(state)
        };
        decoded().ok_or_else(|| DataflowError::Corrupted { detail: format!("A group of an aggregate cannot be read: {bytes:02x?}.") })
    }
}

/// Adds the rows of `input` to the groups; row `i` belongs to group `ids[i]`.
pub fn add(states: &mut [GroupState], calls: &[Call], ids: &[u32], input: &ZSet) -> Result<(), DataflowError> {
    let weights = input.weights().values();
    for (id, weight) in ids.iter().zip(weights) {
        let sum = &mut states[*id as usize].weight;
        *sum = sum.checked_add(*weight).ok_or(DataflowError::WeightOutOfRange)?;
    }
    for (call, at) in calls.iter().zip(0..) {
        if matches!(call.kind, Kind::CountStar | Kind::Min | Kind::Max) {
            continue;
        }
        let column = input.column(call.column);
        let nulls = column.logical_nulls();
        let rows = (0..column.len()).filter(|row| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row)));
        let mut target = Target { states, call: at, ids, weights };
        match (call.kind, column.data_type()) {
            (Kind::Count, _) => rows.for_each(|row| target.count(row)),
            (_, DataType::Int8) => target.integers::<Int8Type>(rows, column.as_primitive()),
            (_, DataType::Int16) => target.integers::<Int16Type>(rows, column.as_primitive()),
            (_, DataType::Int32) => target.integers::<Int32Type>(rows, column.as_primitive()),
            (_, DataType::Int64) => target.integers::<Int64Type>(rows, column.as_primitive()),
            (_, DataType::UInt32) => target.integers::<UInt32Type>(rows, column.as_primitive()),
            (_, DataType::Decimal128(..)) => target.integers::<Decimal128Type>(rows, column.as_primitive()),
            (_, DataType::Float32) => target.floats::<Float32Type>(rows, column.as_primitive()),
            (_, DataType::Float64) => target.floats::<Float64Type>(rows, column.as_primitive()),
            (_, other) => return Err(DataflowError::Plan(format!("sum of {other}"))),
        }
    }
    Ok(())
}

/// One call's accumulators, for the rows of one batch. Counts of values cannot overflow: the group's weight did not.
struct Target<'a> {
    states: &'a mut [GroupState],
    call: usize,
    ids: &'a [u32],
    weights: &'a [i64],
}

impl Target<'_> {
    fn of(&mut self, row: usize) -> &mut Accumulator {
        &mut self.states[self.ids[row] as usize].accumulators[self.call]
    }

    fn count(&mut self, row: usize) {
        let weight = self.weights[row];
        if let Accumulator::Count(count) = self.of(row) {
            *count = count.wrapping_add(weight);
        }
    }

    fn integers<T: ArrowPrimitiveType>(&mut self, rows: impl Iterator<Item = usize>, values: &PrimitiveArray<T>)
    where
        T::Native: Into<i128>,
    {
        for row in rows {
            let weight = self.weights[row];
            if let Accumulator::Integer { sum, count } = self.of(row) {
                sum.add(values.value(row).into(), weight);
                *count = count.wrapping_add(weight);
            }
        }
    }

    fn floats<T: ArrowPrimitiveType>(&mut self, rows: impl Iterator<Item = usize>, values: &PrimitiveArray<T>)
    where
        T::Native: Into<f64>,
    {
        for row in rows {
            let weight = self.weights[row];
            if let Accumulator::Float { sum, count } = self.of(row) {
                sum.add(values.value(row).into(), weight);
                *count = count.wrapping_add(weight);
            }
        }
    }
}

/// Seven bits a byte, least first, the sign in the lowest bit.
fn put_integer(value: i64, out: &mut Vec<u8>) {
    let mut rest = (value << 1 ^ value >> 63) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn take_integer(input: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte >> 7 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back() {
        for value in [0, 1, -1, 63, 64, -64, -65, 1 << 40, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_integer(value, &mut bytes);
            assert_eq!(take_integer(&mut bytes.as_slice()), Some(value));
            assert_eq!(take_integer(&mut &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(take_integer(&mut [0x80; 11].as_slice()), None);
    }
}
