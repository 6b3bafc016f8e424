//! Consolidation: equal rows become one with the sum of their weights, and rows whose weights cancel go away.
//!
//! The result is sorted by the rows' bytes, so it does not depend on the order of the input: two Z-sets are equal when
//! their consolidations are.

use arrow::array::{Int64Array, UInt32Array};
use arrow::error::ArrowError;

use super::{Delta, Groups, RowCodec, ZSet};

impl ZSet {
    pub fn consolidate(&self) -> Result<ZSet, ArrowError> {
        if self.is_empty() {
            return Ok(self.clone());
        }
        if self.rows().num_columns() == 0 {
            let sum: i64 = self.weights().values().iter().sum();
            let one = self.slice(0, usize::from(sum != 0));
            return Ok(ZSet::new(one.rows().clone(), Int64Array::from_value(sum, one.len())));
        }
        let codec = RowCodec::new(self.schema())?;
        let rows = codec.encode_batch(self.rows())?;
        let weights = self.weights().values();
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_unstable_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)));
        let (mut kept, mut sums) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < order.len() {
            let first = order[at] as usize;
            let mut sum = 0i64;
            while at < order.len() && rows.row(order[at] as usize) == rows.row(first) {
                sum += weights[order[at] as usize];
                at += 1;
            }
            if sum != 0 {
                kept.push(first as u32);
                sums.push(sum);
            }
        }
        let taken = self.take(&UInt32Array::from(kept))?;
        Ok(ZSet::new(taken.rows().clone(), Int64Array::from(sums)))
    }
}

impl ZSet {
    /// Equal rows as one with the sum of their weights, in the order of their first appearance; those whose weights
    /// cancel are left out. Cheaper than [`ZSet::consolidate`]; the order is that of the input. Floats are canonical.
    ///
    /// # Errors
    /// When a sum leaves the range of `i64`.
    pub fn combined(&self) -> Result<ZSet, ArrowError> {
        let groups = match self.rows().num_columns() {
            0 => Groups::everything(self.len()),
            _ => Groups::of(self.rows().columns(), self.len())?,
        };
        let mut sums = vec![0i64; groups.len()];
        for (id, weight) in groups.ids.iter().zip(self.weights().values()) {
            let sum = &mut sums[*id as usize];
            *sum = sum.checked_add(*weight).ok_or_else(|| ArrowError::ArithmeticOverflow("weight of a row out of range".into()))?;
        }
        if self.is_empty() || (groups.len() == self.len() && !sums.contains(&0)) {
            return Ok(self.clone());
        }
        let (kept, sums): (Vec<u32>, Vec<i64>) = groups.first.iter().zip(sums).filter(|(_, sum)| *sum != 0).unzip();
        let taken = self.take(&UInt32Array::from(kept))?;
        Ok(ZSet::new(taken.rows().clone(), Int64Array::from(sums)))
    }
}

impl Delta {
    pub fn consolidate(&self) -> Result<Delta, ArrowError> {
        Ok(Delta(self.0.consolidate()?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{RecordBatch, RecordBatchOptions};
    use arrow::datatypes::Schema;
    use rand::rngs::SmallRng;
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};

    use crate::zset::ZSet;
    use crate::zset::text::{parse, print};

    fn z(text: &str) -> ZSet {
        parse("k int8, v text", text)
    }

    #[test]
    fn the_sum_of_a_zset_and_its_negation_is_empty() {
        let x = z("1 a +2\n2 b -1\n1 a +1\nNULL NULL +1");
        let sum = ZSet::concat(&x.schema(), [&x, &x.negate()]).unwrap();
        assert!(sum.consolidate().unwrap().is_empty());
    }

    #[test]
    fn rows_without_columns_are_all_equal() {
        let none = |weights: Vec<i64>| {
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(weights.len()));
            let schema = std::sync::Arc::new(arrow::datatypes::Schema::empty());
            let rows = arrow::array::RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
            ZSet::new(rows, weights.into())
        };
        assert_eq!(print(&none(vec![2, 1, -1]).consolidate().unwrap()), "+2\n");
        assert!(none(vec![1, -1]).consolidate().unwrap().is_empty());
        assert_eq!(none(vec![1, 5]).take(&vec![1, 1].into()).unwrap().len(), 2);
    }

    #[test]
    fn order_does_not_matter_and_twice_is_once() {
        let (x, y) = (z("2 b -1\n1 a +2\n1 a +1"), z("1 a +1\n2 b -1\n1 a +2"));
        let (cx, cy) = (x.consolidate().unwrap(), y.consolidate().unwrap());
        assert_eq!(print(&cx), print(&cy));
        assert_eq!(print(&cx), "1 a +3\n2 b -1\n");
        assert_eq!(print(&cx.consolidate().unwrap()), print(&cx));
    }

    #[test]
    fn rows_without_columns_are_one_row() {
        let options = RecordBatchOptions::new().with_row_count(Some(4));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        assert_eq!(ZSet::of_rows(rows).consolidate().unwrap().weights().values(), &[4]);
    }

    /// Consolidation equals summing in a plain map, for any order and any cut of the rows.
    #[test]
    fn random_sums_equal_a_plain_map() {
        for seed in 0..50 {
            let mut random = SmallRng::seed_from_u64(seed);
            let mut entries: Vec<(u8, u8, i64)> = (0..random.random_range(0..40))
                .map(|_| (random.random_range(0..4), random.random_range(0..3), random.random_range(-2..=2)))
                .collect();
            let mut model: BTreeMap<(u8, u8), i64> = BTreeMap::new();
            entries.iter().for_each(|(k, v, weight)| *model.entry((*k, *v)).or_default() += weight);
            let expected: String = model.iter().filter(|(_, sum)| **sum != 0).map(|((k, v), sum)| format!("{k} v{v} {sum:+}\n")).collect();
            let text = |entries: &[(u8, u8, i64)]| z(&entries.iter().map(|(k, v, w)| format!("{k} v{v} {w:+}\n")).collect::<String>());
            let whole = text(&entries).consolidate().unwrap();
            assert_eq!(print(&whole), expected, "seed {seed}");

            entries.shuffle(&mut random);
            let (left, right) = entries.split_at(random.random_range(0..=entries.len()));
            let (left, right) = (text(left).combined().unwrap(), text(right).consolidate().unwrap());
            assert_eq!(print(&left.consolidate().unwrap()).lines().count(), left.len(), "seed {seed}: combined rows are distinct");
            let sum = ZSet::concat(&left.schema(), [&left, &right]).unwrap().consolidate().unwrap();
            assert_eq!(print(&sum), expected, "seed {seed}, shuffled and cut");
        }
    }
}
