//! Rows of several parts put together, a column at a time: some rows of the first part, then some of the next.
//!
//! Columns of fixed width are read and written straight from the rows' numbers; of the others Arrow does it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, BooleanBufferBuilder, NullArray, PrimitiveArray, downcast_primitive,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Which rows, for each part.
pub struct Weave<'a> {
    rows: Vec<&'a [u32]>,
    len: usize,
    /// Part and row, as Arrow wants them; made when they are asked for.
    picks: Vec<(usize, usize)>,
}

impl<'a> Weave<'a> {
    pub fn new(rows: Vec<&'a [u32]>) -> Weave<'a> {
        Weave { len: rows.iter().map(|rows| rows.len()).sum(), rows, picks: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The rows' values of a column, given it in each part.
    pub fn column(&mut self, parts: &[&ArrayRef]) -> Result<ArrayRef, ArrowError> {
        let Some(first) = parts.first() else { return Err(ArrowError::InvalidArgumentError("rows of no part".into())) };
        macro_rules! primitive {
            ($t:ty) => {
                Ok(Arc::new(self.primitive::<$t>(parts, first.data_type())))
            };
        }
        match first.data_type() {
            _ if parts.iter().any(|part| part.data_type() != first.data_type()) => self.any(parts),
            DataType::Null => Ok(Arc::new(NullArray::new(self.len))),
            DataType::Boolean => {
                let values = self.bits(parts.iter().map(|part| part.as_boolean().values()));
                Ok(Arc::new(BooleanArray::new(values, self.nulls(parts))))
            }
            data_type => downcast_primitive! {
                data_type => (primitive),
                _ => self.any(parts)
            },
        }
    }

    fn primitive<T: ArrowPrimitiveType>(&self, parts: &[&ArrayRef], data_type: &DataType) -> PrimitiveArray<T> {
        let mut values: Vec<T::Native> = Vec::with_capacity(self.len);
        for (part, rows) in parts.iter().zip(&self.rows) {
            let from = part.as_primitive::<T>().values();
            values.extend(rows.iter().map(|row| from[*row as usize]));
        }
        PrimitiveArray::new(ScalarBuffer::from(values), self.nulls(parts)).with_data_type(data_type.clone())
    }

    fn nulls(&self, parts: &[&ArrayRef]) -> Option<NullBuffer> {
        if parts.iter().all(|part| part.null_count() == 0) {
            return None;
        }
        let mut valid = BooleanBufferBuilder::new(self.len);
        for (part, rows) in parts.iter().zip(&self.rows) {
            match part.nulls() {
                Some(nulls) => rows.iter().for_each(|row| valid.append(nulls.is_valid(*row as usize))),
                None => valid.append_n(rows.len(), true),
            }
        }
        Some(NullBuffer::new(valid.finish()))
    }

    fn bits<'b>(&self, parts: impl Iterator<Item = &'b BooleanBuffer>) -> BooleanBuffer {
        let mut bits = BooleanBufferBuilder::new(self.len);
        for (part, rows) in parts.zip(&self.rows) {
            rows.iter().for_each(|row| bits.append(part.value(*row as usize)));
        }
        bits.finish()
    }

    fn any(&mut self, parts: &[&ArrayRef]) -> Result<ArrayRef, ArrowError> {
        if self.picks.is_empty() {
            self.picks = (0..).zip(&self.rows).flat_map(|(part, rows)| rows.iter().map(move |row| (part, *row as usize))).collect();
        }
        let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
        interleave(&parts, &self.picks)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::zset::text::parse;

    /// Against Arrow's own, with and without nulls, of slices too.
    #[test]
    fn rows_come_in_their_order() {
        let columns = "a int2, b int4, c int8, d float8, e bool, f text, g timestamp, h numeric(12,2)";
        for seed in 0..40 {
            let mut random = SmallRng::seed_from_u64(seed);
            let nulls = seed % 3;
            let parts: Vec<_> = (0..random.random_range(1..4))
                .map(|_| {
                    let text: String = (0..random.random_range(1..200))
                        .map(|n| match nulls > 0 && random.random_range(0..4) < nulls {
                            true => "NULL NULL NULL NULL NULL NULL NULL NULL +1\n".to_string(),
                            false => format!("{n} {n} {n} {n}.5 {} t{n} 2026-01-01T00:00:00 {n}.25 +1\n", n % 3 == 0),
                        })
                        .collect();
                    let part = parse(columns, &text);
                    let from = random.random_range(0..part.len());
                    part.slice(from, part.len() - from)
                })
                .collect();
            let rows: Vec<Vec<u32>> = parts
                .iter()
                .map(|part| (0..random.random_range(0..60)).map(|_| random.random_range(0..part.len() as u32)).collect())
                .collect();
            let picks: Vec<(usize, usize)> =
                (0..).zip(&rows).flat_map(|(part, rows)| rows.iter().map(move |row| (part, *row as usize))).collect();
            let mut weave = Weave::new(rows.iter().map(Vec::as_slice).collect());
            assert_eq!(weave.len(), picks.len());
            for column in 0..8 {
                let arrays: Vec<&ArrayRef> = parts.iter().map(|part| part.column(column)).collect();
                let expected: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
                let expected = interleave(&expected, &picks).unwrap();
                let woven = weave.column(&arrays).unwrap();
                assert_eq!((woven.data_type(), &woven), (expected.data_type(), &expected), "seed {seed}, column {column}");
            }
            let none: ArrayRef = Arc::new(NullArray::new(500));
            assert_eq!(weave.column(&vec![&none; parts.len()]).unwrap().len(), picks.len());
        }
    }
}
