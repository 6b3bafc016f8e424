//! Columns as keys: hashes of rows and whether two are equal, without turning rows into bytes.
//!
//! Equal means what it means for [`RowCodec`]: NULL is one value, all NaN are equal, -0.0 equals 0.0; floats must be
//! canonical already. The hashes are part of the format of the store: arrangements keep them beside their rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt32Type,
};
use arrow::error::ArrowError;
use arrow_row::Rows;

use super::near::Near;
use super::row_codec::RowCodec;

/// Some columns of a batch.
pub struct KeyColumns {
    columns: Vec<KeyColumn>,
    rows: usize,
}

struct KeyColumn {
    values: Values,
    /// `None` where the column has no null.
    nulls: Option<NullBuffer>,
    /// What the values take beside the column itself.
    own_bytes: usize,
}

/// Null rows have some value.
enum Values {
    Narrow(ScalarBuffer<i32>),
    Word(ScalarBuffer<i64>),
    /// Words, in fewer bytes.
    Near(Arc<Near>),
    Wide(ScalarBuffer<i128>),
    Bytes(OffsetBuffer<i32>, Buffer),
    /// Types that are rarely keys, by their row bytes.
    Encoded(Rows),
}

/// A column as it is held.
pub enum Held<'a> {
    Values(&'a ArrayRef),
    /// Of a type whose values are words: whole numbers of 64 bits, timestamps, times.
    Near(&'a Arc<Near>, Option<&'a NullBuffer>),
}

impl KeyColumns {
    /// The columns are of one length, which `rows` says for none.
    pub fn new(columns: &[ArrayRef], rows: usize) -> Result<KeyColumns, ArrowError> {
        KeyColumns::of(columns.iter().map(Held::Values), rows)
    }

    /// The same of columns that are held otherwise.
    pub fn of<'a>(columns: impl Iterator<Item = Held<'a>>, rows: usize) -> Result<KeyColumns, ArrowError> {
        let column = |column: Held| match column {
            Held::Values(values) => KeyColumn::new(values),
            Held::Near(numbers, nulls) => {
                let nulls = nulls.filter(|nulls| nulls.null_count() > 0).cloned();
                Ok(KeyColumn { values: Values::Near(numbers.clone()), nulls, own_bytes: 0 })
            }
        };
        Ok(KeyColumns { columns: columns.map(column).collect::<Result<_, _>>()?, rows })
    }

    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Memory in bytes that is not shared with the columns.
    pub fn own_bytes(&self) -> usize {
        self.columns.iter().map(|column| column.own_bytes).sum()
    }

    /// A hash of each row.
    pub fn hashes(&self) -> Vec<u64> {
        let mut hashes = vec![SEED; self.rows];
        self.columns.iter().for_each(|column| column.hash(&mut hashes));
        hashes
    }

    /// The hash of one row: that which [`KeyColumns::hashes`] gives for it.
    pub fn hash_of(&self, row: usize) -> u64 {
        self.columns.iter().fold(SEED, |hash, column| column.mix_row(hash, row))
    }

    pub fn equal(&self, a: usize, b: usize) -> bool {
        self.columns.iter().all(|column| column.equal(a, column, b))
    }

    /// Whether row `a` here and row `b` there are equal; the columns there have the same types.
    pub fn equals(&self, a: usize, other: &KeyColumns, b: usize) -> bool {
        (0..self.columns.len()).all(|column| self.columns[column].equal(a, &other.columns[column], b))
    }
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const NULL: u64 = 0x2545_f491_4f6c_dd1d;

/// Mixes a word into a hash: both halves of the product of two 64-bit numbers.
pub fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word).wrapping_mul(0xa076_1d64_78bd_642f);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A hash of bytes.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    mix_bytes(SEED, bytes)
}

fn mix_bytes(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        hash = mix(hash, u64::from_le_bytes(*word));
        rest = after;
    }
    // The length tells "a" from "a\0".
    mix(mix(hash, last_word(bytes, rest.len())), bytes.len() as u64)
}

/// The last `left` bytes, fewer than 8, as a number. They are read where they lie: bytes that are put together in memory are waited for.
fn last_word(bytes: &[u8], left: usize) -> u64 {
    match (left, bytes.last_chunk::<8>()) {
        (0, _) => 0,
        (_, Some(word)) => u64::from_le_bytes(*word) >> (64 - 8 * left),
        (_, None) => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

impl KeyColumn {
    fn new(column: &ArrayRef) -> Result<KeyColumn, ArrowError> {
        let values = match column.data_type() {
            DataType::Boolean => Values::Narrow(column.as_boolean().values().iter().map(i32::from).collect()),
            DataType::Int8 => Values::Narrow(column.as_primitive::<Int8Type>().values().iter().map(|v| i32::from(*v)).collect()),
            DataType::Int16 => Values::Narrow(column.as_primitive::<Int16Type>().values().iter().map(|v| i32::from(*v)).collect()),
            DataType::Int32 => Values::Narrow(column.as_primitive::<Int32Type>().values().clone()),
            DataType::UInt32 => Values::Narrow(column.as_primitive::<UInt32Type>().values().iter().map(|v| *v as i32).collect()),
            DataType::Date32 => Values::Narrow(column.as_primitive::<Date32Type>().values().clone()),
            DataType::Float32 => Values::Narrow(column.as_primitive::<Float32Type>().values().iter().map(|v| v.to_bits() as i32).collect()),
            DataType::Int64 => Values::Word(column.as_primitive::<Int64Type>().values().clone()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Values::Word(column.as_primitive::<TimestampMicrosecondType>().values().clone())
            }
            DataType::Time64(TimeUnit::Microsecond) => Values::Word(column.as_primitive::<Time64MicrosecondType>().values().clone()),
            DataType::Float64 => Values::Word(column.as_primitive::<Float64Type>().values().iter().map(|v| v.to_bits() as i64).collect()),
            DataType::Decimal128(..) => Values::Wide(column.as_primitive::<Decimal128Type>().values().clone()),
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                Values::Bytes(texts.offsets().clone(), texts.values().clone())
            }
            DataType::Binary => {
                let bytes = column.as_binary::<i32>();
                Values::Bytes(bytes.offsets().clone(), bytes.values().clone())
            }
            other => {
                let schema = Arc::new(Schema::new(vec![Field::new("", other.clone(), true)]));
                Values::Encoded(RowCodec::new(schema)?.encode(std::slice::from_ref(column))?)
            }
        };
        let shared = match column.data_type() {
            DataType::Boolean | DataType::Int8 | DataType::Int16 | DataType::UInt32 | DataType::Float32 | DataType::Float64 => false,
            _ => !matches!(values, Values::Encoded(_)),
        };
        let own_bytes = match &values {
            _ if shared => 0,
            Values::Narrow(values) => values.inner().capacity(),
            Values::Word(values) => values.inner().capacity(),
            Values::Encoded(rows) => rows.size(),
            Values::Near(_) | Values::Wide(_) | Values::Bytes(..) => 0,
        };
        Ok(KeyColumn { values, nulls: column.logical_nulls().filter(|nulls| nulls.null_count() > 0), own_bytes })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    fn hash(&self, hashes: &mut [u64]) {
        // One loop a type, so that each is a tight one; nulls are put right behind it.
        let before: Vec<(usize, u64)> = match &self.nulls {
            Some(nulls) => (0..nulls.len()).filter(|row| nulls.is_null(*row)).map(|row| (row, hashes[row])).collect(),
            None => Vec::new(),
        };
        match &self.values {
            Values::Narrow(values) => values.iter().zip(hashes.iter_mut()).for_each(|(value, hash)| *hash = mix(*hash, *value as u64)),
            Values::Word(values) => values.iter().zip(hashes.iter_mut()).for_each(|(value, hash)| *hash = mix(*hash, *value as u64)),
            Values::Near(values) => {
                let mut hashes = hashes.iter_mut();
                values.each(0, values.len(), &mut |value| hashes.next().into_iter().for_each(|hash| *hash = mix(*hash, value as u64)));
            }
            Values::Wide(values) => {
                values.iter().zip(hashes.iter_mut()).for_each(|(value, hash)| *hash = mix(mix(*hash, *value as u64), (*value >> 64) as u64))
            }
            Values::Bytes(offsets, data) => offsets
                .windows(2)
                .zip(hashes.iter_mut())
                .for_each(|(ends, hash)| *hash = mix_bytes(*hash, &data[ends[0] as usize..ends[1] as usize])),
            Values::Encoded(rows) => rows.iter().zip(hashes.iter_mut()).for_each(|(row, hash)| *hash = mix_bytes(*hash, row.data())),
        }
        for (row, hash) in before {
            hashes[row] = mix(hash, NULL);
        }
    }

    fn mix_row(&self, hash: u64, row: usize) -> u64 {
        if self.is_null(row) {
            return mix(hash, NULL);
        }
        match &self.values {
            Values::Narrow(values) => mix(hash, values[row] as u64),
            Values::Word(values) => mix(hash, values[row] as u64),
            Values::Near(values) => mix(hash, values.get(row) as u64),
            Values::Wide(values) => mix(mix(hash, values[row] as u64), (values[row] >> 64) as u64),
            Values::Bytes(offsets, data) => mix_bytes(hash, &data[offsets[row] as usize..offsets[row + 1] as usize]),
            Values::Encoded(rows) => mix_bytes(hash, rows.row(row).data()),
        }
    }

    fn equal(&self, a: usize, other: &KeyColumn, b: usize) -> bool {
        match (self.is_null(a), other.is_null(b)) {
            (false, false) => {}
            (a, b) => return a && b,
        }
        match (&self.values, &other.values) {
            (Values::Narrow(mine), Values::Narrow(theirs)) => mine[a] == theirs[b],
            (Values::Word(mine), Values::Word(theirs)) => mine[a] == theirs[b],
            (Values::Near(mine), Values::Word(theirs)) => mine.get(a) == theirs[b],
            (Values::Word(mine), Values::Near(theirs)) => mine[a] == theirs.get(b),
            (Values::Near(mine), Values::Near(theirs)) => mine.get(a) == theirs.get(b),
            (Values::Wide(mine), Values::Wide(theirs)) => mine[a] == theirs[b],
            (Values::Bytes(ends, data), Values::Bytes(their_ends, their_data)) => {
                data[ends[a] as usize..ends[a + 1] as usize] == their_data[their_ends[b] as usize..their_ends[b + 1] as usize]
            }
            (Values::Encoded(mine), Values::Encoded(theirs)) => mine.row(a).data() == theirs.row(b).data(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::zset::text::parse;

    #[test]
    fn bytes_are_hashed_in_words_of_eight_the_last_filled_up_with_zeros() {
        let bytes: Vec<u8> = (1..=40).map(|n: u8| n.wrapping_mul(71)).collect();
        for length in 0..bytes.len() {
            let bytes = &bytes[..length];
            let mut padded = bytes.to_vec();
            padded.resize(length / 8 * 8 + 8, 0);
            let words = padded.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
            assert_eq!(hash_bytes(bytes), mix(words.fold(SEED, mix), length as u64), "{length} bytes");
        }
        assert_ne!(hash_bytes(b"a"), hash_bytes(b"a\0"));
    }

    #[test]
    fn equal_rows_are_those_of_equal_bytes() {
        let columns = "a int2, b int4, c int8, d float8, e bool, f text, g timestamp, h numeric(12,2)";
        for seed in 0..30 {
            let mut random = SmallRng::seed_from_u64(seed);
            let text: String = (0..60)
                .map(|_| {
                    let mut any = |values: [&str; 3]| values[random.random_range(0..3)].to_string();
                    let row = [
                        any(["1", "-1", "NULL"]),
                        any(["1", "0", "NULL"]),
                        any(["1", "9", "NULL"]),
                        any(["0.5", "NaN", "NULL"]),
                        any(["true", "false", "NULL"]),
                        any(["''", "abcdefghij", "NULL"]),
                        any(["2026-01-01T00:00:00", "2026-01-01T00:00:01", "NULL"]),
                        any(["1.00", "-1.00", "NULL"]),
                    ];
                    format!("{} +1\n", row.join(" "))
                })
                .collect();
            let zset = parse(columns, &text);
            // A few columns at a time, so that rows meet their equals.
            let from = random.random_range(0..7);
            let schema = Arc::new(zset.schema().project(&[from, from + 1]).unwrap());
            let part = zset.rows().project(&[from, from + 1]).unwrap();
            let bytes = RowCodec::new(schema).unwrap().encode(part.columns()).unwrap();
            let keys = KeyColumns::new(part.columns(), part.num_rows()).unwrap();
            let sliced = part.slice(7, 50);
            let other = KeyColumns::new(sliced.columns(), 50).unwrap();
            let (hashes, other_hashes) = (keys.hashes(), other.hashes());
            for a in 0..60 {
                assert_eq!(keys.hash_of(a), hashes[a], "seed {seed}, row {a}");
                for b in 0..60 {
                    let same = bytes.row(a).data() == bytes.row(b).data();
                    assert_eq!(keys.equal(a, b), same, "seed {seed}, rows {a} and {b}\n{text}");
                    assert_eq!(hashes[a] == hashes[b], same, "seed {seed}, rows {a} and {b}\n{text}");
                    if (7..57).contains(&b) {
                        assert_eq!(keys.equals(a, &other, b - 7), same, "seed {seed}, rows {a} and {b}\n{text}");
                        assert_eq!(hashes[a] == other_hashes[b - 7], same, "seed {seed}, rows {a} and {b}\n{text}");
                    }
                }
            }
        }
    }

    /// Words that are held in fewer bytes are the same keys.
    #[test]
    fn near_numbers_are_the_numbers() {
        let zset =
            parse("a int8, b timestamp", "5 2026-01-01T00:00:00 +1\n900 2026-01-01T00:00:09 +1\n5 NULL +1\n7 2026-01-01T00:00:00 +1");
        let (a, b) = (zset.column(0), zset.column(1));
        let near_a = Near::of(a.as_primitive::<Int64Type>().values()).unwrap();
        let stand_in: Vec<i64> = b.as_primitive::<TimestampMicrosecondType>().iter().map(|v| v.unwrap_or(1_700_000_000_000_001)).collect();
        let words = KeyColumns::new(&[a.clone(), b.clone()], 4).unwrap();
        assert!(Near::of(&stand_in).is_none(), "too far apart");
        let near = KeyColumns::of([Held::Near(&near_a, None), Held::Values(b)].into_iter(), 4).unwrap();
        assert_eq!(near.hashes(), words.hashes());
        let nulls = b.nulls();
        let near_b = Near::of(&stand_in.iter().map(|v| v % 1_000_000_000).collect::<Vec<_>>()).unwrap();
        let moved: ArrayRef =
            Arc::new(arrow::array::TimestampMicrosecondArray::new(stand_in.iter().map(|v| v % 1_000_000_000).collect(), nulls.cloned()));
        let (near_too, words_too) = (
            KeyColumns::of([Held::Near(&near_a, None), Held::Near(&near_b, nulls)].into_iter(), 4).unwrap(),
            KeyColumns::new(&[a.clone(), moved], 4).unwrap(),
        );
        assert_eq!(near_too.hashes(), words_too.hashes());
        for x in 0..4 {
            assert_eq!((near.hash_of(x), near_too.hash_of(x)), (words.hash_of(x), words_too.hash_of(x)));
            for y in 0..4 {
                assert_eq!((near.equals(x, &words, y), words.equals(x, &near, y), near.equal(x, y)), (x == y, x == y, x == y));
                let same = words_too.equal(x, y);
                assert_eq!(
                    (near_too.equals(x, &words_too, y), words_too.equals(x, &near_too, y), near_too.equal(x, y)),
                    (same, same, same)
                );
            }
        }
    }

    /// Other hashes are another format of the store.
    #[test]
    fn golden_hashes() {
        let rows = parse(
            "a int4, b int8, c text, d numeric(12,2), e bool",
            "1 -2 floe 3.25 true +1\nNULL NULL NULL NULL NULL +1\n0 0 '' 0 false +1",
        );
        let keys = KeyColumns::new(rows.rows().columns(), 3).unwrap();
        assert_eq!(keys.hashes(), [2305211683137267767, 107677077484342687, 3964516516662162897]);
    }

    #[test]
    fn bytes_of_other_lengths_have_other_hashes() {
        let texts: Vec<Vec<u8>> = (0..40).map(|n| vec![0; n]).collect();
        let mut hashes: Vec<u64> = texts.iter().map(|t| hash_bytes(t)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 40);
    }
}
