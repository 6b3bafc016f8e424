//! Join: pairs of a left and a right row with equal keys, for which the residual holds; the left join also gives left rows
//! that have no pair, padded with nulls. Both sides are kept, by key.
//!
//! With `A` and `B` the sides before the epoch and `dA` and `dB` their changes, the pairs change by
//! `dA * (B + dB) + A * dB`: the right side takes its change in, then the left change meets it, then the right change meets
//! the left side as it was, then the left side takes its change in. A self join is nothing special: both inputs change.
//!
//! Others may keep the same side, another join of this circuit or of another one, or both sides may be one: whoever comes
//! first in a turn takes its change in, and what it was before is asked for as that.
//!
//! A left row is padded when the weights of the right rows that pair with it, its *degree*, sum to zero. The padded rows
//! change by
//!
//! - for each row of `dA`: its weight, if its degree with `B + dB` is zero†;
//! - for each row of `A` whose key is in `dB`: its weight, negative or positive, if its degree left or reached zero.
//!
//! Without a residual all left rows of a key have one degree, which is kept beside the sides. With one the degrees are
//! counted again from `B`, before and after, for the rows of `A` under the keys of `dB`.
//!
//! A residual that fails for a pair gives an error, and the pair counts as none.
//!
//! † That and the pairs of `dA` are one lookup. Rows with a null in the key pair with nothing, unless null equals null
//! here: they are not kept, and the left ones are padded at once.

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{Schema, SchemaRef};

use crate::dataflow::error::DataflowError;
use crate::dataflow::evaluate::holds;
use crate::dataflow::operator::{ErrorRow, Operator, StepContext};
use crate::dataflow::operators::slots::Slots;
use crate::planner::circuit_plan::{JoinKind, ScalarExpr};
use crate::state::{Arrangement, Find, Matches, Records, StateError};
use crate::types::Turn;
use crate::zset::row_codec::canonical;
use crate::zset::{Delta, Groups, RowCodec, ZSet};

/// Probes of one lookup: bounds the memory of a step whose rows have many partners.
const CHUNK: usize = 8192;
const DEGREE: usize = 8;
/// The one key of a cross join.
const EVERYTHING: &[u8] = b"all";

pub struct JoinSpec {
    pub kind: JoinKind,
    pub on: Vec<(usize, usize)>,
    pub null_equal: bool,
    pub residual: Option<ScalarExpr>,
    pub schema: SchemaRef,
    /// Whether rows of the left, and of the right, only come.
    pub append_only: (bool, bool),
}

pub struct Join {
    spec: JoinSpec,
    left: Arrangement,
    right: Arrangement,
    /// Of a key's columns; `None` for the cross join.
    codec: Option<RowCodec>,
    /// Key bytes to the sum of the weights of its right rows: for the left join without a residual.
    degrees: Option<Records>,
}

/// How the partners of keys are found: given the keys' columns and how many there are.
type Partners<'a> = &'a dyn Fn(&[ArrayRef], usize) -> Result<Matches, StateError>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Join {
    /// The slots of its sides, from its first on.
    pub const LEFT: u16 = 0;
    pub const RIGHT: u16 = 1;

    pub fn new(spec: JoinSpec, left: &SchemaRef, right: &SchemaRef, slots: &mut Slots) -> Result<Join, DataflowError> {
        let (left_key, right_key): (Vec<usize>, Vec<usize>) = spec.on.iter().copied().unzip();
        for (l, r) in &spec.on {
            let (l, r) = (left.field(*l).data_type(), right.field(*r).data_type());
            if l != r {
                return Err(DataflowError::Plan(format!("join of {l} and {r}")));
            }
        }
        let key_schema = Schema::new(left_key.iter().map(|c| left.field(*c).clone()).collect::<Vec<_>>());
        let codec = if spec.on.is_empty() { None } else { Some(RowCodec::new(key_schema.into())?) };
        let find = |append_only| if append_only { Find::Never } else { Find::ByRow };
        let left = slots.arrangement(left, &left_key, find(spec.append_only.0))?;
        let right = slots.arrangement(right, &right_key, find(spec.append_only.1))?;
        let degrees = if spec.kind == JoinKind::Left && spec.residual.is_none() { Some(slots.records(DEGREE)?) } else { None };
        Ok(Join { spec, left, right, codec, degrees })
    }

    fn key(&self, side: Side, rows: &ZSet) -> Vec<ArrayRef> {
        let columns = self.spec.on.iter().map(|(left, right)| if side == Side::Left { left } else { right });
        columns.map(|c| rows.column(*c).clone()).collect()
    }

    /// The rows that can pair, and the ones whose key has a null that equals nothing.
    fn split_nulls(&self, side: Side, rows: &ZSet) -> Result<(ZSet, Option<ZSet>), DataflowError> {
        if self.spec.null_equal {
            return Ok((rows.clone(), None));
        }
        let mut has_null = vec![false; rows.len()];
        for nulls in self.key(side, rows).iter().filter_map(|column| column.logical_nulls()) {
            for (i, null) in has_null.iter_mut().enumerate() {
                *null |= nulls.is_null(i);
            }
        }
        if !has_null.contains(&true) {
            return Ok((rows.clone(), None));
        }
        let mask = BooleanArray::from(has_null);
        Ok((rows.filter(&arrow::compute::not(&mask)?)?, Some(rows.filter(&mask)?)))
    }

    /// The pairs of `rows` of one side with what was found for them on the other. Beside them, for each pair, the row's
    /// position in `rows` and the other row's weight.
    fn pairs(&self, side: Side, rows: &ZSet, found: &Matches, errors: &mut Vec<ErrorRow>) -> Result<Pairs, DataflowError> {
        let columns = |zset: &ZSet| zset.rows().columns().to_vec();
        let probing = rows.take(&found.probe)?;
        let joined = match side {
            Side::Left => [columns(&probing), columns(&found.rows)].concat(),
            Side::Right => [columns(&found.rows), columns(&probing)].concat(),
        };
        let weights = probing.weights().iter().zip(found.rows.weights()).map(|(a, b)| Some(a?.checked_mul(b?)));
        let weights = weights.collect::<Option<Option<Vec<i64>>>>().flatten().ok_or(DataflowError::WeightOutOfRange)?;
        let joined = ZSet::new(self.batch(joined, weights.len())?, Int64Array::from(weights));
        let (probe, partner) = (&found.probe, found.rows.weights());
        match &self.spec.residual {
            Some(residual) if !joined.is_empty() => {
                let mask = holds(residual, &joined, errors)?;
                let kept: UInt32Array = (0..).zip(mask.values()).filter_map(|(i, holds)| holds.then_some(i)).collect();
                let at = |i: &u32| (probe.value(*i as usize), partner.value(*i as usize));
                let (probe, partner) = kept.values().iter().map(at).unzip();
                Ok(Pairs { rows: joined.take(&kept)?, probe, partner })
            }
            _ => Ok(Pairs { rows: joined, probe: probe.values().to_vec(), partner: partner.values().to_vec() }),
        }
    }

    fn batch(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, DataflowError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.spec.schema.clone(), columns, &options)?)
    }

    /// The left change with the right side as it is now: pairs, and padding where there are none.
    fn left_change(&self, left: &ZSet, out: &mut Vec<ZSet>, errors: &mut Vec<ErrorRow>) -> Result<(), DataflowError> {
        for chunk in chunks(left) {
            let found = self.right.lookup(&self.key(Side::Left, &chunk), chunk.len())?;
            let pairs = self.pairs(Side::Left, &chunk, &found, errors)?;
            if self.spec.kind == JoinKind::Left {
                let degrees = pairs.degrees(chunk.len())?;
                let padding = chunk.weights().values().iter().zip(degrees).map(|(weight, degree)| if degree == 0 { *weight } else { 0 });
                out.extend(self.padded(&chunk, padding.collect())?);
            }
            out.push(pairs.rows);
        }
        Ok(())
    }

    /// The rows with those weights, padded; rows of weight zero are left out.
    fn padded(&self, left: &ZSet, weights: Vec<i64>) -> Result<Option<ZSet>, DataflowError> {
        let kept: UInt32Array = (0..).zip(&weights).filter_map(|(i, weight)| (*weight != 0).then_some(i)).collect();
        if kept.is_empty() {
            return Ok(None);
        }
        let mut columns = left.rows().columns().iter().map(|c| take(c, &kept, None)).collect::<Result<Vec<_>, _>>()?;
        let right = self.spec.schema.fields().iter().skip(columns.len());
        columns.extend(right.map(|field| new_null_array(field.data_type(), kept.len())).collect::<Vec<_>>());
        let weights = weights.into_iter().filter(|weight| *weight != 0).collect::<Vec<_>>();
        Ok(Some(ZSet::new(self.batch(columns, kept.len())?, Int64Array::from(weights))))
    }

    /// The distinct keys of the right rows: their columns, and which row has which.
    fn distinct_keys(&self, right: &ZSet) -> Result<(Vec<ArrayRef>, Groups), DataflowError> {
        let key: Vec<ArrayRef> = self.key(Side::Right, right).iter().map(canonical).collect();
        let groups = if key.is_empty() { Groups::everything(right.len()) } else { Groups::of(&key, right.len())? };
        let first = UInt32Array::from(groups.first.clone());
        let keys = key.iter().map(|column| take(column, &first, None)).collect::<Result<Vec<_>, _>>()?;
        Ok((keys, groups))
    }

    /// Takes the right change in, and gives the padding that it adds and takes for the left side as it is.
    fn right_insert_padding(&self, turn: Turn, right: &ZSet, out: &mut Vec<ZSet>) -> Result<(), DataflowError> {
        let (keys, groups) = self.distinct_keys(right)?;
        let Some(degrees) = &self.degrees else {
            let left = self.left.lookup_before(turn, &keys, groups.len())?.rows;
            let before = self.degrees_of(&left, &|keys, count| self.right.lookup_before(turn, keys, count))?;
            self.right.take_in(turn, right)?;
            let after = self.degrees_of(&left, &|keys, count| self.right.lookup(keys, count))?;
            let change = before.iter().zip(&after).zip(left.weights().values()).map(|((b, a), weight)| padding(*b, *a) * weight);
            out.extend(self.padded(&left, change.collect())?);
            return Ok(());
        };
        self.right.take_in(turn, right)?;
        let mut sums = vec![0i64; groups.len()];
        for (id, weight) in groups.ids.iter().zip(right.weights().values()) {
            let sum = &mut sums[*id as usize];
            *sum = sum.checked_add(*weight).ok_or(DataflowError::WeightOutOfRange)?;
        }
        let encoded = self.codec.as_ref().map(|codec| codec.encode(&keys)).transpose()?;
        let mut turned: Vec<(u32, i64)> = Vec::new();
        let mut table = degrees.lock();
        table.fetch((0..groups.len()).map(|id| encoded.as_ref().map_or(EVERYTHING, |rows| rows.row(id).data())))?;
        for (id, sum) in sums.into_iter().enumerate().filter(|(_, sum)| *sum != 0) {
            let key = encoded.as_ref().map_or(EVERYTHING, |rows| rows.row(id).data());
            let slot = table.find(key)?;
            let before = slot.map_or(0, |slot| degree(table.record(slot)));
            let after = before.checked_add(sum).ok_or(DataflowError::WeightOutOfRange)?;
            if after < 0 {
                let key = format!("{:02x?}", key);
                return Err(DataflowError::NegativeWeight { operator: self.name(), weight: after, key });
            }
            match slot {
                Some(slot) if after == 0 => table.remove(slot),
                _ => {
                    let slot = slot.unwrap_or_else(|| table.insert(key));
                    table.record_mut(slot).copy_from_slice(&after.to_le_bytes());
                }
            }
            if padding(before, after) != 0 {
                turned.push((id as u32, padding(before, after)));
            }
        }
        drop(table);
        let ids: UInt32Array = turned.iter().map(|(id, _)| *id).collect();
        let keys = keys.iter().map(|column| take(column, &ids, None)).collect::<Result<Vec<_>, _>>()?;
        if !turned.is_empty() {
            let left = self.left.lookup_before(turn, &keys, turned.len())?;
            let weights = left.probe.values().iter().zip(left.rows.weights().values()).map(|(probe, w)| turned[*probe as usize].1 * w);
            out.extend(self.padded(&left.rows, weights.collect())?);
        }
        Ok(())
    }

    /// The degree of each of the left rows with what is found on the right side. Failing residuals are told elsewhere.
    fn degrees_of(&self, left: &ZSet, partners: Partners) -> Result<Vec<i64>, DataflowError> {
        let mut degrees = Vec::with_capacity(left.len());
        for chunk in chunks(left) {
            let found = partners(&self.key(Side::Left, &chunk), chunk.len())?;
            degrees.extend(self.pairs(Side::Left, &chunk, &found, &mut Vec::new())?.degrees(chunk.len())?);
        }
        Ok(degrees)
    }
}

/// Pairs; `probe[i]` is the row of the probing side in pair `i`, `partner[i]` the weight of the other row.
struct Pairs {
    rows: ZSet,
    probe: Vec<u32>,
    partner: Vec<i64>,
}

impl Pairs {
    /// By row of the probing side, which has `count`: the sum of its partners' weights.
    fn degrees(&self, count: usize) -> Result<Vec<i64>, DataflowError> {
        let mut degrees = vec![0i64; count];
        for (probe, weight) in self.probe.iter().zip(&self.partner) {
            let degree = &mut degrees[*probe as usize];
            *degree = degree.checked_add(*weight).ok_or(DataflowError::WeightOutOfRange)?;
        }
        Ok(degrees)
    }
}

/// What a change of degree does to the padding: +1 it comes, -1 it goes.
fn padding(before: i64, after: i64) -> i64 {
    (after == 0) as i64 - (before == 0) as i64
}

/// The degree in a record of [`DEGREE`] bytes.
fn degree(record: &[u8]) -> i64 {
    let mut bytes = [0; DEGREE];
    bytes.copy_from_slice(record);
    i64::from_le_bytes(bytes)
}

fn chunks(rows: &ZSet) -> impl Iterator<Item = ZSet> + '_ {
    (0..rows.len()).step_by(CHUNK).map(|from| rows.slice(from, CHUNK.min(rows.len() - from)))
}

impl Operator for Join {
    fn name(&self) -> &'static str {
        match self.spec.kind {
            JoinKind::Inner => "InnerJoin",
            JoinKind::Left => "LeftJoin",
        }
    }

    fn step(&mut self, inputs: &[&Delta], context: &mut StepContext) -> Result<Delta, DataflowError> {
        let turn = context.turn;
        let [left, right] = inputs else { return Err(DataflowError::Plan("a join has two inputs".into())) };
        let (left, loose) = self.split_nulls(Side::Left, &left.0)?;
        let (right, _) = self.split_nulls(Side::Right, &right.0)?;
        let mut out = Vec::new();
        if let (JoinKind::Left, Some(loose)) = (self.spec.kind, loose) {
            out.extend(self.padded(&loose, loose.weights().values().to_vec())?);
        }
        match self.spec.kind {
            JoinKind::Left if !right.is_empty() => self.right_insert_padding(turn, &right, &mut out)?,
            _ => self.right.take_in(turn, &right)?,
        }
        self.left_change(&left, &mut out, &mut context.errors)?;
        for chunk in chunks(&right) {
            let found = self.left.lookup_before(turn, &self.key(Side::Right, &chunk), chunk.len())?;
            out.push(self.pairs(Side::Right, &chunk, &found, &mut context.errors)?.rows);
        }
        self.left.take_in(turn, &left)?;
        Ok(Delta(ZSet::concat(&self.spec.schema, &out)?))
    }
}

#[cfg(test)]
mod tests;
